#include "runtime/checkpoint/fingerprint.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace nnc {
namespace {

std::string hash(const void* data, size_t bytes) { return fmt::format("{:016x}", XXH3_64bits(data, bytes)); }

template <class T>
std::string hash(const std::vector<T>& rows) {
  return hash(rows.data(), rows.size() * sizeof(T));
}

nlohmann::json member(const nlohmann::json& from, const char* name) {
  return from.is_object() ? from.value(name, nlohmann::json()) : nlohmann::json();
}

}  // namespace

std::string fingerprint(std::string_view bytes) { return hash(bytes.data(), bytes.size()); }

nlohmann::json fingerprint(const Dataset& dataset) {
  nlohmann::json fields = nlohmann::json::object();
  for (const DataField& field : dataset.fields) {
    fields[field.name] = {{"type", field.type == ElementType::i32 ? "i32" : "f32"},
                          {"dims", field.dims},
                          {"values", hash(field.values.data(), static_cast<size_t>(field.values.bytes()))}};
    if (!field.starts.empty()) fields[field.name]["windows"] = hash(field.starts);
  }
  return {{"rows", dataset.rows},
          {"train", hash(dataset.train)},
          {"val", hash(dataset.val)},
          {"test", hash(dataset.test)},
          {"fields", std::move(fields)}};
}

std::vector<std::string> differences(const nlohmann::json& before, const nlohmann::json& now) {
  std::vector<std::string> found;
  if (member(before, "rows") != member(now, "rows")) {
    found.push_back(
        fmt::format("there were {} rows, now there are {}", member(before, "rows").dump(), member(now, "rows").dump()));
    return found;  // then all values differ
  }
  const nlohmann::json old_fields = member(before, "fields"), fields = member(now, "fields");
  for (const auto& [name, field] : fields.items()) {
    const nlohmann::json old = member(old_fields, name.c_str());
    if (old.is_null()) {
      found.push_back(fmt::format("field `{}` is new", name));
    } else if (member(old, "dims") != member(field, "dims") || member(old, "type") != member(field, "type")) {
      found.push_back(fmt::format("field `{}` has another shape or type", name));
    } else if (old != field) {
      found.push_back(fmt::format("field `{}` has other values", name));
    }
  }
  for (const auto& [name, old] : old_fields.items()) {
    if (old.is_object() && !fields.contains(name)) found.push_back(fmt::format("field `{}` is gone", name));
  }
  for (const char* part : {"train", "val", "test"}) {
    if (found.empty() && member(before, part) != member(now, part)) {
      found.push_back(fmt::format("other rows are for {}", std::string(part) == "train" ? "training" : part));
    }
  }
  return found;
}

}  // namespace nnc
