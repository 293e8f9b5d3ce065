#include "ir/loop/parser.h"

#include <charconv>

#include "ir/loop/names.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

constexpr int kDeepest = 64;

}  // namespace

bool LoopParser::header() {
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

bool LoopParser::buffer() {
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
  if (!buffers.emplace(buffer.name, BufferId(kernel.buffers.size())).second)
    return fail(fmt::format("a second buffer {}", buffer.name));
  kernel.buffers.push_back(std::move(buffer));
  return true;
}

bool LoopParser::access(Access& access) {
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

bool LoopParser::options(Access& access) {
  if (accept("axis") && !integer(access.lane_axis)) return false;
  if (accept("step") && !integer(access.lane_step)) return false;
  return !accept("mask") || use(access.mask);
}

bool LoopParser::reduction(Reduction& reduction) {
  for (Reduction known : {Reduction::sum, Reduction::prod, Reduction::max, Reduction::min, Reduction::argmax}) {
    if (!accept(name_of(known))) continue;
    reduction = known;
    return true;
  }
  return fail(fmt::format("'{}' is no reduction", token().text));
}

bool LoopParser::operation(LoopStmt& stmt) {
  if (token().kind != LoopToken::name || !parse_loop_op(token().text, stmt.op))
    return fail(fmt::format("'{}' is no operation", token().text));
  next();
  if (stmt.op == LoopOp::compare) {
    bool found = false;
    for (Comparison known :
         {Comparison::eq, Comparison::ne, Comparison::lt, Comparison::le, Comparison::gt, Comparison::ge}) {
      if (found || !accept(name_of(known))) continue;
      stmt.comparison = known;
      found = true;
    }
    if (!found) return fail(fmt::format("'{}' is no comparison", token().text));
  }
  if (stmt.op == LoopOp::fold && (!reduction(stmt.reduction) || !expect("over") || !variable(stmt.over))) return false;
  if (stmt.op == LoopOp::any && (!expect("over") || !variable(stmt.over))) return false;
  if (stmt.op == LoopOp::lanes && !reduction(stmt.reduction)) return false;
  if (stmt.op == LoopOp::column && (!affine(stmt.affine, nullptr) || !expect("over") || !variable(stmt.over)))
    return false;
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

bool LoopParser::type(LoopValue& value) {
  const std::string_view text = token().text;
  const std::string suffix = fmt::format("x{}", kernel.target.lanes);
  value.vector = text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
  if (!parse_dtype(value.vector ? text.substr(0, text.size() - suffix.size()) : text, value.dtype))
    return fail(fmt::format("'{}' is no type of a value", text));
  next();
  return true;
}

// What the type most likely is where it was left out.
void LoopParser::infer(const LoopStmt& stmt, LoopValue& value) const {
  value.vector =
      stmt.kind == LoopStmt::load || stmt.op == LoopOp::splat || stmt.op == LoopOp::within || stmt.op == LoopOp::index;
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
  if (stmt.op == LoopOp::any) value.vector = false;
  if (stmt.op == LoopOp::compare || stmt.op == LoopOp::within || stmt.op == LoopOp::any) value.dtype = DType::boolean;
  if (stmt.op == LoopOp::index || stmt.op == LoopOp::philox || stmt.op == LoopOp::integer || stmt.op == LoopOp::pair)
    value.dtype = DType::i32;
  if (stmt.op == LoopOp::dot2) value.dtype = DType::f32;
  if (stmt.op == LoopOp::uniform || stmt.op == LoopOp::normal || stmt.op == LoopOp::cast) value.dtype = DType::f32;
  if (stmt.op == LoopOp::select && stmt.operands[1].value) value.dtype = kernel[stmt.operands[1].value].dtype;
  if (stmt.op == LoopOp::select && !stmt.operands[1].value) value.dtype = DType::f32;
}

bool LoopParser::definition(LoopStmt& stmt) {
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

bool LoopParser::load(LoopStmt& stmt) { return expect("load") && access(stmt.access) && options(stmt.access); }

bool LoopParser::store(LoopStmt& stmt, bool prefetch) {
  stmt.kind = prefetch ? LoopStmt::prefetch : LoopStmt::store;
  if (!access(stmt.access)) return false;
  if (!prefetch) {
    stmt.operands.resize(1);
    if (!operand(stmt.operands[0])) return false;
  }
  return options(stmt.access);
}

bool LoopParser::tiles(LoopStmt& stmt) {
  stmt.kind = LoopStmt::tiles;
  stmt.factors.resize(2);
  return access(stmt.access) && access(stmt.factors[0]) && access(stmt.factors[1]) && expect("rows") &&
         integer(stmt.rows) && expect("columns") && integer(stmt.columns) && expect("pairs") && integer(stmt.pairs);
}

bool LoopParser::unroll(LoopStmt& stmt, int depth) {
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

bool LoopParser::counted(LoopStmt& stmt, int depth) {
  stmt.kind = accept("for") ? LoopStmt::loop : LoopStmt::items;
  if (stmt.kind == LoopStmt::items) next();
  while (!is("of") && !is("unroll") && !is("{")) {
    std::string name;
    int64_t begin = 0, end = 0;
    VarId id;
    if (!this->name(name) || !expect("in") || !range(begin, end)) return false;
    if (!declare(stmt.kind == LoopStmt::loop ? LoopVar::loop : LoopVar::item, std::move(name), begin, end, id))
      return false;
    stmt.vars.push_back(id);
  }
  if (stmt.kind == LoopStmt::items && (!expect("of") || !integer(stmt.inner_count))) return false;
  if (stmt.kind == LoopStmt::loop && accept("unroll") && !integer(stmt.copies)) return false;
  return expect("{") && places(stmt.locations) && body(stmt.body, depth + 1);
}

bool LoopParser::when(LoopStmt& stmt, int depth) {
  stmt.kind = LoopStmt::when;
  stmt.operands.resize(1);
  return use(stmt.operands[0].value) && expect("{") && places(stmt.locations) && body(stmt.body, depth + 1);
}

bool LoopParser::weave(LoopStmt& stmt, int depth) {
  stmt.kind = LoopStmt::weave;
  return expect("{") && places(stmt.locations) && body(stmt.body, depth + 1);
}

bool LoopParser::statement(LoopStmt& stmt, int depth) {
  if (depth > kDeepest) return fail("nested too deeply");
  if (is("for") || is("items")) return counted(stmt, depth);
  if (is("[")) return unroll(stmt, depth);
  if (accept("when")) return when(stmt, depth);
  if (accept("weave")) return weave(stmt, depth);
  if (accept("store")) return store(stmt, false) && places(stmt.locations);
  if (accept("prefetch")) return store(stmt, true) && places(stmt.locations);
  if (accept("tiles")) return tiles(stmt) && places(stmt.locations);
  return definition(stmt) && places(stmt.locations);
}

bool LoopParser::body(std::vector<LoopStmt>& stmts, int depth) {
  while (!accept("}")) {
    if (token().kind == LoopToken::end) return fail("the text ends inside a block");
    stmts.emplace_back();
    if (!statement(stmts.back(), depth)) return false;
  }
  return true;
}

std::string parse_kernel(std::string_view text, Kernel& kernel) {
  kernel = {};
  LoopParser parser{split_loop_text(text), kernel};
  if (!parser.header()) return parser.error;
  while (parser.is("buf")) {
    if (!parser.buffer()) return parser.error;
  }
  if (parser.body(kernel.body, 1) && parser.token().kind != LoopToken::end) parser.fail("something follows the kernel");
  return parser.error;
}

}  // namespace nnc
