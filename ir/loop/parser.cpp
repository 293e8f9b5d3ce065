// A recursive descent over tokens; line breaks mean nothing. The first mistake ends it.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "ir/loop/lexer.h"
#include "ir/loop/names.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

constexpr int kDeepest = 64;

struct Parser {
  std::vector<LoopToken> tokens;
  Kernel& kernel;
  size_t at = 0;
  std::string error = {};
  std::map<std::string, VarId, std::less<>> vars = {};
  std::map<std::string, ValueId, std::less<>> values = {};
  std::map<std::string, BufferId, std::less<>> buffers = {};
  std::map<std::string, uint32_t, std::less<>> files = {};

  const LoopToken& token() const { return tokens[at]; }
  bool is(std::string_view text) const { return token().kind != LoopToken::end && token().text == text; }
  bool ok() const { return error.empty(); }
  bool fail(std::string what) {
    if (error.empty()) error = fmt::format("line {}: {}", token().line, what);
    return false;
  }
  void next() { at += at + 1 < tokens.size(); }
  bool accept(std::string_view text) {
    if (!is(text)) return false;
    next();
    return true;
  }
  bool expect(std::string_view text) {
    return accept(text) || fail(fmt::format("expected '{}', found '{}'", text, token().text));
  }

  bool header();
  bool buffer();
  bool body(std::vector<LoopStmt>& stmts, int depth);
  bool statement(LoopStmt& stmt, int depth);
  bool unroll(LoopStmt& stmt, int depth);
  bool counted(LoopStmt& stmt, int depth);
  bool definition(LoopStmt& stmt);
  bool operation(LoopStmt& stmt);
  bool load(LoopStmt& stmt);
  bool store(LoopStmt& stmt, bool prefetch);
  bool access(Access& access);
  bool options(Access& access);
  bool affine(Affine& sum, ValueId* dynamic);
  bool term(Affine& sum, bool negative);
  bool operand(LoopOperand& operand);
  bool use(ValueId& id);
  bool variable(VarId& id);
  bool family(std::vector<VarId>& family);
  bool declare(LoopVar::Kind kind, std::string name, int64_t begin, int64_t end, VarId& id);
  bool range(int64_t& low, int64_t& high);
  bool integer(int64_t& value);
  bool number(double& value);
  bool name(std::string& name);
  bool dims(Dims& dims);
  bool reduction(Reduction& reduction);
  bool type(LoopValue& value);
  void infer(const LoopStmt& stmt, LoopValue& value) const;
  bool places(Locations& locations);
};

bool Parser::name(std::string& result) {
  if (token().kind != LoopToken::name || is_loop_keyword(token().text)) return fail(fmt::format("expected a name, found '{}'", token().text));
  result = token().text;
  next();
  return true;
}

bool Parser::integer(int64_t& value) {
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

bool Parser::number(double& value) {
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

bool Parser::range(int64_t& low, int64_t& high) { return integer(low) && expect("..") && integer(high); }

bool Parser::dims(Dims& dims) {
  if (!expect("[")) return false;
  while (!is("]")) {
    if (!dims.empty() && !expect(",")) return false;
    int64_t extent = 0;
    if (!integer(extent)) return false;
    dims.push_back(extent);
  }
  return expect("]");
}

bool Parser::header() {
  int64_t lanes = 0, extra = 0;
  std::string target;
  if (!expect("kernel") || !name(kernel.name) || !expect("target") || !expect("=") || !name(target)) return false;
  if (!parse_target(target, kernel.target)) return fail(fmt::format("no target is called '{}'", target));
  if (accept("v")) {
    if (!expect("=") || !integer(lanes)) return false;
    if (lanes != 4 && lanes != 8 && lanes != 16) return fail("a vector has 4, 8 or 16 lanes");
    kernel.target.lanes = static_cast<int>(lanes);
  }
  if (accept("registers")) {
    if (!expect("=") || !integer(extra)) return false;
    if (extra < 0 || extra > 1024) return fail("no machine has so many registers");
    kernel.target.registers = static_cast<int>(extra);
  }
  if (accept("fma")) {
    if (!expect("=") || !integer(extra)) return false;
    kernel.target.fma = extra != 0;
  }
  kernel.items = 1;
  if (accept("items") && (!expect("=") || !integer(kernel.items))) return false;
  return expect("{");
}

bool Parser::buffer() {
  LoopBuffer buffer;
  std::string dtype;
  if (!expect("buf") || !name(buffer.name) || !expect(":") || !name(dtype)) return false;
  if (!parse_dtype(dtype, buffer.dtype)) return fail(fmt::format("'{}' is no element type", dtype));
  if (!dims(buffer.dims)) return false;
  if (accept("in")) {
    buffer.mode = LoopBuffer::in;
  } else if (accept("out")) {
    buffer.mode = LoopBuffer::out;
  } else if (accept("inout")) {
    buffer.mode = LoopBuffer::inout;
  } else {
    return fail("expected 'in', 'out' or 'inout'");
  }
  buffer.zero = accept("zero");
  if (accept("valid")) {
    buffer.valid = buffer.dims;
    if (!expect("(")) return false;
    do {
      const std::string_view word = token().text;
      size_t axis = buffer.dims.size();
      if (word.size() > 1 && word[0] == 'd') std::from_chars(word.data() + 1, word.data() + word.size(), axis);
      if (axis >= buffer.dims.size()) return fail(fmt::format("'{}' is no axis of {}", word, buffer.name));
      next();
      if (!expect("<") || !integer(buffer.valid[axis])) return false;
    } while (accept(","));
    if (!expect(")")) return false;
  }
  if (!buffers.emplace(buffer.name, BufferId(kernel.buffers.size())).second) return fail(fmt::format("a second buffer {}", buffer.name));
  kernel.buffers.push_back(std::move(buffer));
  return true;
}

bool Parser::declare(LoopVar::Kind kind, std::string name, int64_t begin, int64_t end, VarId& id) {
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

bool Parser::variable(VarId& id) {
  const auto entry = vars.find(token().text);
  if (token().kind != LoopToken::name || entry == vars.end()) return fail(fmt::format("no variable is called '{}'", token().text));
  id = entry->second;
  next();
  return true;
}

// [i,j], where the bracket touches the word before it.
bool Parser::family(std::vector<VarId>& family) {
  if (!is("[") || !token().glued) return true;
  next();
  do {
    VarId id;
    if (!variable(id)) return false;
    family.push_back(id);
  } while (accept(","));
  return expect("]");
}

bool Parser::use(ValueId& id) {
  const auto entry = values.find(token().text);
  if (token().kind != LoopToken::name || entry == values.end()) return fail(fmt::format("no value is called '{}'", token().text));
  id = entry->second;
  next();
  std::vector<VarId> indices;
  if (!family(indices)) return false;
  return indices == kernel[id].family || fail(fmt::format("{} is not indexed like this", kernel[id].name));
}

bool Parser::operand(LoopOperand& operand) {
  const bool literal = token().kind == LoopToken::number || is("-") || is("inf") || is("nan");
  return literal ? number(operand.literal) : use(operand.value);
}

bool Parser::term(Affine& sum, bool negative) {
  int64_t factor = 1;
  const bool counted = token().kind == LoopToken::number;
  if (counted) {
    // The sign belongs to the number: the least integer has no positive twin.
    const std::string_view text = token().text;
    uint64_t size = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (problem != std::errc() || rest != text.data() + text.size() || size > static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0))
      return fail(fmt::format("'{}' is no index", text));
    factor = static_cast<int64_t>(negative ? 0 - size : size);
    next();
    if (!accept("*")) return !__builtin_add_overflow(sum.constant, factor, &sum.constant) || fail("the index is too large");
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

bool Parser::affine(Affine& sum, ValueId* dynamic) {
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

bool Parser::access(Access& access) {
  const auto entry = buffers.find(token().text);
  if (entry == buffers.end()) return fail(fmt::format("no buffer is called '{}'", token().text));
  access.buffer = entry->second;
  next();
  if (!expect("[")) return false;
  while (!is("]")) {
    if (!access.indices.empty() && !expect(",")) return false;
    access.indices.emplace_back();
    if (!affine(access.indices.back().affine, &access.indices.back().dynamic)) return false;
  }
  return expect("]");
}

bool Parser::options(Access& access) {
  if (accept("axis") && !integer(access.lane_axis)) return false;
  if (accept("step") && !integer(access.lane_step)) return false;
  return !accept("mask") || use(access.mask);
}

bool Parser::reduction(Reduction& reduction) {
  for (Reduction known : {Reduction::sum, Reduction::prod, Reduction::max, Reduction::min, Reduction::argmax}) {
    if (!accept(name_of(known))) continue;
    reduction = known;
    return true;
  }
  return fail(fmt::format("'{}' is no reduction", token().text));
}

bool Parser::operation(LoopStmt& stmt) {
  if (token().kind != LoopToken::name || !parse_loop_op(token().text, stmt.op)) return fail(fmt::format("'{}' is no operation", token().text));
  next();
  if (stmt.op == LoopOp::compare) {
    bool found = false;
    for (Comparison known : {Comparison::eq, Comparison::ne, Comparison::lt, Comparison::le, Comparison::gt, Comparison::ge}) {
      if (found || !accept(name_of(known))) continue;
      stmt.comparison = known;
      found = true;
    }
    if (!found) return fail(fmt::format("'{}' is no comparison", token().text));
  }
  if (stmt.op == LoopOp::fold && (!reduction(stmt.reduction) || !expect("over") || !variable(stmt.over))) return false;
  if (stmt.op == LoopOp::lanes && !reduction(stmt.reduction)) return false;
  if (stmt.op == LoopOp::index || stmt.op == LoopOp::within) {
    if (!affine(stmt.affine, nullptr) || (accept("step") && !integer(stmt.lane_step))) return false;
  }
  if (stmt.op == LoopOp::within && (!expect("in") || !range(stmt.low, stmt.high))) return false;
  stmt.operands.resize(static_cast<size_t>(arity_of(stmt.op)));
  for (LoopOperand& o : stmt.operands) {
    if (!operand(o)) return false;
  }
  if (stmt.op == LoopOp::integer && (!expect("below") || !integer(stmt.high))) return false;
  if (stmt.op != LoopOp::philox) return true;
  int64_t site = 0;
  if (!expect("site") || !integer(site)) return false;
  if (site < 0 || site > UINT32_MAX) return fail("a site has 32 bits");
  stmt.site = static_cast<uint32_t>(site);
  return true;
}

bool Parser::type(LoopValue& value) {
  const std::string_view text = token().text;
  const std::string suffix = fmt::format("x{}", kernel.target.lanes);
  value.vector = text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
  if (!parse_dtype(value.vector ? text.substr(0, text.size() - suffix.size()) : text, value.dtype))
    return fail(fmt::format("'{}' is no type of a value", text));
  next();
  return true;
}

// What the type most likely is where it was left out.
void Parser::infer(const LoopStmt& stmt, LoopValue& value) const {
  value.vector = stmt.kind == LoopStmt::load || stmt.op == LoopOp::splat || stmt.op == LoopOp::within || stmt.op == LoopOp::index;
  if (stmt.kind == LoopStmt::load) {
    value.dtype = kernel[stmt.access.buffer].dtype;
    return;
  }
  for (size_t k = stmt.operands.size(); k-- > 0;) {
    if (!stmt.operands[k].value) continue;
    value.dtype = kernel[stmt.operands[k].value].dtype;
    value.vector = value.vector || kernel[stmt.operands[k].value].vector;
  }
  if (stmt.op == LoopOp::lanes) value.vector = false;
  if (stmt.op == LoopOp::compare || stmt.op == LoopOp::within) value.dtype = DType::boolean;
  if (stmt.op == LoopOp::index || stmt.op == LoopOp::philox || stmt.op == LoopOp::integer) value.dtype = DType::i32;
  if (stmt.op == LoopOp::uniform || stmt.op == LoopOp::normal || stmt.op == LoopOp::cast) value.dtype = DType::f32;
  if (stmt.op == LoopOp::select && stmt.operands[1].value) value.dtype = kernel[stmt.operands[1].value].dtype;
  if (stmt.op == LoopOp::select && !stmt.operands[1].value) value.dtype = DType::f32;
}

bool Parser::definition(LoopStmt& stmt) {
  LoopValue value;
  value.is_var = accept("var");
  if (!name(value.name) || !family(value.family)) return false;
  if (accept(":=")) {
    stmt.kind = LoopStmt::assign;
    const auto entry = values.find(value.name);
    if (value.is_var || entry == values.end() || kernel[entry->second].family != value.family)
      return fail(fmt::format("{} is assigned but not defined like this", value.name));
    stmt.value = entry->second;
    return operation(stmt);
  }
  if (!expect("=")) return false;
  stmt.kind = is("load") ? LoopStmt::load : LoopStmt::define;
  if (stmt.kind == LoopStmt::load ? !load(stmt) : !operation(stmt)) return false;
  infer(stmt, value);
  if (accept(":") && !type(value)) return false;
  stmt.value = ValueId(kernel.values.size());
  if (!values.emplace(value.name, stmt.value).second) return fail(fmt::format("{} is defined twice", value.name));
  kernel.values.push_back(std::move(value));
  return true;
}

bool Parser::load(LoopStmt& stmt) { return expect("load") && access(stmt.access) && options(stmt.access); }

bool Parser::store(LoopStmt& stmt, bool prefetch) {
  stmt.kind = prefetch ? LoopStmt::prefetch : LoopStmt::store;
  if (!access(stmt.access)) return false;
  if (!prefetch) {
    stmt.operands.resize(1);
    if (!operand(stmt.operands[0])) return false;
  }
  return options(stmt.access);
}

bool Parser::unroll(LoopStmt& stmt, int depth) {
  stmt.kind = LoopStmt::unroll;
  if (!expect("[")) return false;
  while (!is("]")) {
    std::string name;
    int64_t begin = 0, end = 0;
    VarId id;
    if (!this->name(name)) return false;
    if (accept("in") ? !range(begin, end) : !(expect("<") && integer(end))) return false;
    if (!declare(LoopVar::unroll, std::move(name), begin, end, id)) return false;
    stmt.vars.push_back(id);
  }
  next();
  if (accept("{")) return places(stmt.locations) && body(stmt.body, depth + 1);
  stmt.body.emplace_back();
  return statement(stmt.body[0], depth + 1);
}

bool Parser::counted(LoopStmt& stmt, int depth) {
  stmt.kind = accept("for") ? LoopStmt::loop : LoopStmt::items;
  if (stmt.kind == LoopStmt::items) next();
  while (!is("of") && !is("unroll") && !is("{")) {
    std::string name;
    int64_t begin = 0, end = 0;
    VarId id;
    if (!this->name(name) || !expect("in") || !range(begin, end)) return false;
    if (!declare(stmt.kind == LoopStmt::loop ? LoopVar::loop : LoopVar::item, std::move(name), begin, end, id)) return false;
    stmt.vars.push_back(id);
  }
  if (stmt.kind == LoopStmt::items && (!expect("of") || !integer(stmt.inner_count))) return false;
  if (stmt.kind == LoopStmt::loop && accept("unroll") && !integer(stmt.copies)) return false;
  return expect("{") && places(stmt.locations) && body(stmt.body, depth + 1);
}

bool Parser::places(Locations& locations) {
  if (token().kind != LoopToken::punctuation || token().text[0] != '!') return true;
  std::string_view rest = token().text.substr(1);
  while (!rest.empty()) {
    const std::string_view place = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), place.size() + 1));
    const size_t colon = place.rfind(':');
    const std::string_view digits = colon == std::string_view::npos ? place : place.substr(colon + 1);
    Location location;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), location.line);
    if (problem != std::errc() || end != digits.data() + digits.size()) return fail(fmt::format("'{}' is no place", place));
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

bool Parser::statement(LoopStmt& stmt, int depth) {
  if (depth > kDeepest) return fail("nested too deeply");
  if (is("for") || is("items")) return counted(stmt, depth);
  if (is("[")) return unroll(stmt, depth);
  if (accept("store")) return store(stmt, false) && places(stmt.locations);
  if (accept("prefetch")) return store(stmt, true) && places(stmt.locations);
  return definition(stmt) && places(stmt.locations);
}

bool Parser::body(std::vector<LoopStmt>& stmts, int depth) {
  while (!accept("}")) {
    if (token().kind == LoopToken::end) return fail("the text ends inside a block");
    stmts.emplace_back();
    if (!statement(stmts.back(), depth)) return false;
  }
  return true;
}

}  // namespace

std::string parse_kernel(std::string_view text, Kernel& kernel) {
  kernel = {};
  Parser parser{split_loop_text(text), kernel};
  if (!parser.header()) return parser.error;
  while (parser.is("buf")) {
    if (!parser.buffer()) return parser.error;
  }
  if (parser.body(kernel.body, 1) && parser.token().kind != LoopToken::end) parser.fail("something follows the kernel");
  return parser.error;
}

}  // namespace nnc
