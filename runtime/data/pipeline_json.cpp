#include "runtime/data/pipeline_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "runtime/data/pipeline_members.h"
#include "runtime/data/pipeline_sound.h"
#include "runtime/data/utf8.h"

namespace nnc {
namespace {

using nlohmann::json;

template <class T>
json write(const T& value);

json write(double value) {
  if (std::isfinite(value)) return value;
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const auto bits = std::bit_cast<uint64_t>(value);
  if (bits == std::bit_cast<uint64_t>(std::numeric_limits<double>::quiet_NaN())) return "nan";
  return fmt::format("nan:{:016x}", bits);
}
json write(bool value) { return value; }
json write(int64_t value) { return value; }
json write(size_t value) { return value; }
json write(const std::string& value) {
  if (is_utf8(value)) return value;
  std::string hex;
  for (const char c : value) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return {{"hex", hex}};
}
template <class E>
  requires std::is_enum_v<E>
json write(const E& value) {
  return word_of(value);
}
template <class T>
json write(const std::optional<T>& value) {
  return write(*value);
}
template <class T>
json write(const std::vector<T>& values) {
  json list = json::array();
  for (const T& value : values) list.push_back(write(value));
  return list;
}

bool same(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.empty() && b.empty();
}
template <class T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
  return !a && !b;
}
template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}

template <class T>
struct Writer {
  const T& value;
  const T fallback{};
  json out = json::object();

  template <class M>
  void operator()(const char* name, M T::* member) {
    if (!same(value.*member, fallback.*member)) out[name] = write(value.*member);
  }
  template <class M>
  void left_out(M T::*) {}
};

template <class T>
json write(const T& value) {
  Writer<T> writer{value};
  members(&value, writer);
  return std::move(writer.out);
}

struct Counter {
  size_t count = 0;
  template <class M>
  void operator()(const char*, M) {
    ++count;
  }
  template <class M>
  void left_out(M) {
    ++count;
  }
};

template <class T>
size_t count_members() {
  Counter counter;
  members(static_cast<const T*>(nullptr), counter);
  return counter.count;
}

// Reads values; the first trouble stops it. `path` is where in the JSON it is.
struct Reader {
  std::string path, error;
  int depth = 0;
  static constexpr int deepest = 1000;  // arithmetic between columns nests pipes

  bool fail(std::string_view what) {
    if (error.empty()) error = path.empty() ? std::string(what) : fmt::format("{}: {}", path, what);
    return false;
  }

  bool read(const json& from, bool& to) {
    if (!from.is_boolean()) return fail("true or false is needed");
    to = from.get<bool>();
    return true;
  }
  bool read(const json& from, int64_t& to) {
    if (!from.is_number_integer() || (from.is_number_unsigned() && from.get<uint64_t>() > INT64_MAX))
      return fail("a whole number is needed");
    to = from.get<int64_t>();
    return true;
  }
  bool read(const json& from, size_t& to) {
    int64_t value = 0;
    if (!read(from, value)) return false;
    if (value < 0) return fail("a number from 0 is needed");
    to = static_cast<size_t>(value);
    return true;
  }
  bool read(const json& from, double& to) {
    if (from.is_number()) {
      to = from.get<double>();
      return true;
    }
    const std::string_view word = from.is_string() ? from.get_ref<const std::string&>() : std::string_view();
    if (word == "inf" || word == "-inf") {
      to = word == "inf" ? INFINITY : -INFINITY;
      return true;
    }
    uint64_t bits = std::bit_cast<uint64_t>(std::numeric_limits<double>::quiet_NaN());
    if (word.starts_with("nan:")) {
      const auto [end, status] = std::from_chars(word.data() + 4, word.data() + word.size(), bits, 16);
      if (status != std::errc() || end != word.data() + word.size()) return fail("a number is needed");
    } else if (word != "nan") {
      return fail("a number is needed");
    }
    if (!std::isnan(std::bit_cast<double>(bits))) return fail("a number is needed");
    to = std::bit_cast<double>(bits);
    return true;
  }
  bool read(const json& from, std::string& to) {
    if (from.is_string()) {
      to = from.get_ref<const std::string&>();
      return true;
    }
    const auto hex = from.is_object() && from.size() == 1 ? from.find("hex") : from.end();
    if (!from.is_object() || hex == from.end() || !hex->is_string()) return fail("text is needed");
    const std::string_view digits = hex->get_ref<const std::string&>();
    if (digits.size() % 2 != 0) return fail("text is needed");
    to.clear();
    for (size_t i = 0; i < digits.size(); i += 2) {
      unsigned char byte = 0;
      const auto [end, status] = std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
      if (status != std::errc() || end != digits.data() + i + 2) return fail("text is needed");
      to += static_cast<char>(byte);
    }
    return true;
  }
  template <class E>
    requires std::is_enum_v<E>
  bool read(const json& from, E& to) {
    if (from.is_string()) {
      for (int i = 0; i < 256; ++i) {
        const char* word = word_of(static_cast<E>(i));
        if (word == nullptr || from.get_ref<const std::string&>() != word) continue;
        to = static_cast<E>(i);
        return true;
      }
    }
    return fail("no such word");
  }
  template <class T>
  bool read(const json& from, std::vector<T>& to) {
    if (!from.is_array()) return fail("a list is needed");
    to.clear();
    const size_t length = path.size();
    for (size_t i = 0; i < from.size(); ++i) {
      path += fmt::format("[{}]", i);
      T value{};
      if (!read(from[i], value)) return false;
      to.push_back(std::move(value));
      path.resize(length);
    }
    return true;
  }
  template <class T>
  bool read(const json& from, std::optional<T>& to) {
    return read(from, to.emplace());
  }
  template <class T>
  bool read(const json& from, T& to);
};

template <class T>
struct MemberReader {
  Reader& reader;
  const json& from;
  T& to;
  std::vector<std::string_view> names;

  template <class M>
  void operator()(const char* name, M T::* member) {
    names.push_back(name);
    const auto found = from.find(name);
    if (found == from.end() || !reader.error.empty()) return;
    const size_t length = reader.path.size();
    reader.path += fmt::format("{}{}", length == 0 ? "" : ".", name);
    if (reader.read(*found, to.*member)) reader.path.resize(length);
  }
  template <class M>
  void left_out(M T::*) {}
};

template <class T>
bool Reader::read(const json& from, T& to) {
  if (!from.is_object()) return fail("an object is needed");
  if (depth >= deepest) return fail("nested too deeply");
  ++depth;
  MemberReader<T> reader{*this, from, to, {}};
  members(&to, reader);
  --depth;
  if (!error.empty()) return false;
  for (const auto& item : from.items()) {
    if (std::find(reader.names.begin(), reader.names.end(), item.key()) == reader.names.end())
      return fail(fmt::format("unknown member \"{}\"", printable(item.key())));
  }
  return true;
}

}  // namespace

MembersCovered members_covered() {
  return {count_members<FieldPlan>(), count_members<WindowPlan>(), count_members<Pipe>(), count_members<PipeStep>()};
}

json to_json(const FieldPlan& plan) { return write(plan); }

tl::expected<FieldPlan, std::string> plan_from_json(const json& from) {
  Reader reader;
  FieldPlan plan;
  if (!reader.read(from, plan)) return tl::unexpected(std::move(reader.error));
  std::string wrong = unsound(plan);
  if (!wrong.empty()) return tl::unexpected(std::move(wrong));
  return plan;
}

}  // namespace nnc
