// Names, numbers, indices and places.
#include <charconv>
#include <cmath>
#include <limits>

#include "ir/loop/names.h"
#include "ir/loop/parser.h"

namespace nnc {

bool LoopParser::name(std::string& result) {
  if (token().kind != LoopToken::name || is_loop_keyword(token().text))
    return fail(fmt::format("expected a name, found '{}'", token().text));
  result = token().text;
  next();
  return true;
}

bool LoopParser::integer(int64_t& value) {
  const bool negative = accept("-");
  const std::string_view text = token().text;
  uint64_t size = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (token().kind != LoopToken::number || problem != std::errc() || rest != text.data() + text.size())
    return fail(fmt::format("expected an integer, found '{}'", text));
  if (size > static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0)) return fail(fmt::format("{} is too large", text));
  value = static_cast<int64_t>(negative ? 0 - size : size);
  next();
  return true;
}

bool LoopParser::number(double& value) {
  const bool negative = accept("-");
  const std::string_view text = token().text;
  if (is("inf") || is("nan")) {
    value = is("inf") ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else {
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (token().kind != LoopToken::number || problem != std::errc() || rest != text.data() + text.size())
      return fail(fmt::format("expected a number, found '{}'", text));
  }
  if (negative) value = std::copysign(value, -1.0);
  next();
  return true;
}

bool LoopParser::range(int64_t& low, int64_t& high) { return integer(low) && expect("..") && integer(high); }

bool LoopParser::dims(Dims& dims) {
  if (!expect("[")) return false;
  while (!is("]")) {
    if (!dims.empty() && !expect(",")) return false;
    int64_t extent = 0;
    if (!integer(extent)) return false;
    dims.push_back(extent);
  }
  return expect("]");
}

bool LoopParser::declare(LoopVar::Kind kind, std::string name, int64_t begin, int64_t end, VarId& id) {
  const auto [entry, fresh] = vars.emplace(name, VarId(kernel.vars.size()));
  id = entry->second;
  if (fresh) {
    kernel.vars.push_back({std::move(name), kind, begin, end});
    return true;
  }
  const LoopVar& known = kernel[id];
  if (known.kind == kind && known.begin == begin && known.end == end) return true;
  return fail(fmt::format("{} has another kind or range above", name));
}

bool LoopParser::variable(VarId& id) {
  const auto entry = vars.find(token().text);
  if (token().kind != LoopToken::name || entry == vars.end())
    return fail(fmt::format("no variable is called '{}'", token().text));
  id = entry->second;
  next();
  return true;
}

// [i,j], where the bracket touches the word before it.
bool LoopParser::family(std::vector<VarId>& family) {
  if (!is("[") || !token().glued) return true;
  next();
  do {
    VarId id;
    if (!variable(id)) return false;
    family.push_back(id);
  } while (accept(","));
  return expect("]");
}

bool LoopParser::use(ValueId& id) {
  const auto entry = values.find(token().text);
  if (token().kind != LoopToken::name || entry == values.end())
    return fail(fmt::format("no value is called '{}'", token().text));
  id = entry->second;
  next();
  std::vector<VarId> indices;
  if (!family(indices)) return false;
  return indices == kernel[id].family || fail(fmt::format("{} is not indexed like this", kernel[id].name));
}

bool LoopParser::operand(LoopOperand& operand) {
  const bool literal = token().kind == LoopToken::number || is("-") || is("inf") || is("nan");
  return literal ? number(operand.literal) : use(operand.value);
}

bool LoopParser::term(Affine& sum, bool negative) {
  int64_t factor = 1;
  const bool counted = token().kind == LoopToken::number;
  if (counted) {
    // The sign belongs to the number: the least integer has no positive twin.
    const std::string_view text = token().text;
    uint64_t size = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (problem != std::errc() || rest != text.data() + text.size() ||
        size > static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0))
      return fail(fmt::format("'{}' is no index", text));
    factor = static_cast<int64_t>(negative ? 0 - size : size);
    next();
    if (!accept("*"))
      return !__builtin_add_overflow(sum.constant, factor, &sum.constant) || fail("the index is too large");
  } else if (negative) {
    factor = -1;
  }
  VarId id;
  if (!variable(id)) return false;
  auto place = sum.terms.begin();
  while (place != sum.terms.end() && place->first < id) ++place;
  if (place == sum.terms.end() || place->first != id) {
    if (factor != 0) sum.terms.insert(place, {id, factor});
    return true;
  }
  if (__builtin_add_overflow(place->second, factor, &place->second)) return fail("the index is too large");
  if (place->second == 0) sum.terms.erase(place);
  return true;
}

bool LoopParser::affine(Affine& sum, ValueId* dynamic) {
  bool first = true;
  while (ok()) {
    const bool negative = accept("-");
    if (!negative && !first && !accept("+")) return true;
    first = false;
    if (dynamic != nullptr && !negative && accept("@")) {
      if (*dynamic) return fail("an index has one '@'");
      if (!use(*dynamic)) return false;
    } else if (!term(sum, negative)) {
      return false;
    }
  }
  return ok();
}

bool LoopParser::places(Locations& locations) {
  if (token().kind != LoopToken::punctuation || token().text[0] != '!') return true;
  std::string_view rest = token().text.substr(1);
  while (!rest.empty()) {
    const std::string_view place = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), place.size() + 1));
    const size_t colon = place.rfind(':');
    const std::string_view digits = colon == std::string_view::npos ? place : place.substr(colon + 1);
    Location location;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), location.line);
    if (problem != std::errc() || end != digits.data() + digits.size())
      return fail(fmt::format("'{}' is no place", place));
    if (colon != std::string_view::npos) {
      const std::string_view file = place.substr(0, colon);
      const auto [stop, wrong] = std::from_chars(file.data(), file.data() + file.size(), location.file);
      // A name gets the next number: the table it indexed is not at hand.
      if (wrong != std::errc() || stop != file.data() + file.size())
        location.file = files.emplace(file, static_cast<uint32_t>(files.size() + 1)).first->second;
    }
    locations.push_back(location);
  }
  next();
  return true;
}

}  // namespace nnc
