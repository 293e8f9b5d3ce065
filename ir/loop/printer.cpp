#include <fmt/format.h>

#include <algorithm>

#include "ir/loop/names.h"
#include "ir/loop/text.h"

namespace nnc {
namespace {

// Per variable its place in the text: terms of an index are printed, and so numbered when read, in the order of
// binding.
void rank_vars(const std::vector<LoopStmt>& body, std::vector<size_t>& rank, size_t& next) {
  for (const LoopStmt& stmt : body) {
    for (VarId id : stmt.vars) {
      if (rank[id.value] == SIZE_MAX) rank[id.value] = next++;
    }
    rank_vars(stmt.body, rank, next);
  }
}

struct Printer {
  const Kernel& kernel;
  std::span<const std::string> files;
  LoopNames names;
  std::vector<size_t> rank;
  std::string text = {};

  void body(const std::vector<LoopStmt>& stmts, int depth);
  void statement(const LoopStmt& stmt, int depth);
  void block(const LoopStmt& stmt, int depth);

  std::string affine(const Affine& a) const;
  std::string value(ValueId id) const;
  std::string operand(const LoopOperand& operand) const {
    return operand.value ? value(operand.value) : fmt::format("{}", operand.literal);
  }
  std::string operation(const LoopStmt& stmt) const;
  std::string place(const Access& access) const;
  std::string options(const Access& access) const;
  std::string type(const LoopValue& value) const;
  std::string locations(const Locations& locations) const;
  std::string unrolled(const LoopStmt& stmt) const;
  std::string simple(const LoopStmt& stmt) const;
  std::string buffer(BufferId id) const;
};

std::string Printer::affine(const Affine& a) const {
  std::string sum;
  const auto add = [&](int64_t factor, const std::string& name) {
    const bool negative = factor < 0;
    const uint64_t size = negative ? 0 - static_cast<uint64_t>(factor) : static_cast<uint64_t>(factor);
    sum += sum.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
    if (name.empty()) {
      sum += fmt::format("{}", size);
    } else {
      sum += size == 1 ? name : fmt::format("{}*{}", size, name);
    }
  };
  auto terms = a.terms;
  std::stable_sort(terms.begin(), terms.end(),
                   [&](const auto& x, const auto& y) { return rank[x.first.value] < rank[y.first.value]; });
  for (const auto& [var, coefficient] : terms) add(coefficient, names.vars[var.value]);
  if (a.constant != 0 || a.terms.empty()) add(a.constant, "");
  return sum;
}

std::string Printer::value(ValueId id) const {
  std::string result = names.values[id.value];
  const auto& family = kernel[id].family;
  for (size_t k = 0; k < family.size(); ++k) result += (k == 0 ? "[" : ",") + names.vars[family[k].value];
  return family.empty() ? result : result + "]";
}

std::string Printer::type(const LoopValue& value) const {
  return value.vector ? fmt::format("{}x{}", name_of(value.dtype), kernel.target.lanes)
                      : std::string(name_of(value.dtype));
}

std::string Printer::place(const Access& access) const {
  std::string result = names.buffers[access.buffer.value] + "[";
  for (size_t axis = 0; axis < access.indices.size(); ++axis) {
    const Access::Index& index = access.indices[axis];
    if (axis > 0) result += ", ";
    const bool only_dynamic = index.dynamic && index.affine == Affine{};
    if (!only_dynamic) result += affine(index.affine);
    if (index.dynamic) result += (only_dynamic ? "@" : " + @") + value(index.dynamic);
  }
  return result + "]";
}

std::string Printer::options(const Access& access) const {
  std::string result;
  if (access.lane_axis != -1) result += fmt::format(" axis {}", access.lane_axis);
  if (access.lane_step != 1) result += fmt::format(" step {}", access.lane_step);
  if (access.mask) result += " mask " + value(access.mask);
  return result;
}

std::string Printer::locations(const Locations& locations) const {
  std::string result;
  for (const Location& location : locations) {
    if (!location) continue;
    result += result.empty() ? " !" : ",";
    if (location.file != 0) {
      const bool named = location.file < files.size();
      result += named ? fmt::format("{}:", files[location.file]) : fmt::format("{}:", location.file);
    }
    result += fmt::format("{}", location.line);
  }
  return result;
}

std::string Printer::operation(const LoopStmt& stmt) const {
  std::string result{name_of(stmt.op)};
  if (stmt.op == LoopOp::compare) result += fmt::format(" {}", name_of(stmt.comparison));
  if (stmt.op == LoopOp::fold)
    result += fmt::format(" {} over {}", name_of(stmt.reduction), names.vars[stmt.over.value]);
  if (stmt.op == LoopOp::lanes) result += fmt::format(" {}", name_of(stmt.reduction));
  if (stmt.op == LoopOp::any) result += fmt::format(" over {}", names.vars[stmt.over.value]);
  if (stmt.op == LoopOp::column) result += fmt::format(" {} over {}", affine(stmt.affine), names.vars[stmt.over.value]);
  if (stmt.op == LoopOp::index || stmt.op == LoopOp::within)
    result += fmt::format(" {} step {}", affine(stmt.affine), stmt.lane_step);
  if (stmt.op == LoopOp::within) result += fmt::format(" in {}..{}", stmt.low, stmt.high);
  for (const LoopOperand& o : stmt.operands) result += " " + operand(o);
  if (stmt.op == LoopOp::philox) result += fmt::format(" site {}", stmt.site);
  if (stmt.op == LoopOp::integer) result += fmt::format(" below {}", stmt.high);
  return result;
}

// A statement without a body, without its locations.
std::string Printer::simple(const LoopStmt& stmt) const {
  switch (stmt.kind) {
    case LoopStmt::define:
      return fmt::format("{}{} = {} : {}", kernel[stmt.value].is_var ? "var " : "", value(stmt.value), operation(stmt),
                         type(kernel[stmt.value]));
    case LoopStmt::assign:
      return fmt::format("{} := {}", value(stmt.value), operation(stmt));
    case LoopStmt::load:
      return fmt::format("{}{} = load {}{} : {}", kernel[stmt.value].is_var ? "var " : "", value(stmt.value),
                         place(stmt.access), options(stmt.access), type(kernel[stmt.value]));
    case LoopStmt::store:
      return fmt::format("store {} {}{}", place(stmt.access), stmt.operands.empty() ? "?" : operand(stmt.operands[0]),
                         options(stmt.access));
    case LoopStmt::tiles: {
      std::string factors;
      for (const Access& factor : stmt.factors) factors += " " + place(factor);
      return fmt::format("tiles {}{} rows {} columns {} pairs {}", place(stmt.access), factors, stmt.rows, stmt.columns,
                         stmt.pairs);
    }
    default:
      return fmt::format("prefetch {}{}", place(stmt.access), options(stmt.access));
  }
}

std::string Printer::unrolled(const LoopStmt& stmt) const {
  std::string result = "[";
  for (VarId id : stmt.vars) {
    const LoopVar& var = kernel[id];
    if (result.size() > 1) result += " ";
    result += var.begin == 0 ? fmt::format("{}<{}", names.vars[id.value], var.end)
                             : fmt::format("{} in {}..{}", names.vars[id.value], var.begin, var.end);
  }
  return result + "] ";
}

bool has_body(const LoopStmt& stmt) {
  return stmt.kind == LoopStmt::loop || stmt.kind == LoopStmt::items || stmt.kind == LoopStmt::unroll ||
         stmt.kind == LoopStmt::when || stmt.kind == LoopStmt::weave;
}

void Printer::block(const LoopStmt& stmt, int depth) {
  if (stmt.kind == LoopStmt::loop) {
    text += "for";
  } else if (stmt.kind == LoopStmt::items) {
    text += "items";
  } else if (stmt.kind == LoopStmt::when) {
    text += fmt::format("when {} ", stmt.operands.empty() ? "?" : operand(stmt.operands[0]));
  } else if (stmt.kind == LoopStmt::weave) {
    text += "weave ";
  } else {
    text += unrolled(stmt);
    if (stmt.body.size() == 1 && !has_body(stmt.body[0])) {
      text += simple(stmt.body[0]) + locations(stmt.body[0].locations) + "\n";
      return;
    }
  }
  if (stmt.kind == LoopStmt::loop || stmt.kind == LoopStmt::items) {
    for (VarId id : stmt.vars)
      text += fmt::format(" {} in {}..{}", names.vars[id.value], kernel[id].begin, kernel[id].end);
    if (stmt.kind == LoopStmt::items) text += fmt::format(" of {}", stmt.inner_count);
    if (stmt.kind == LoopStmt::loop && stmt.copies != 1) text += fmt::format(" unroll {}", stmt.copies);
    text += " ";
  }
  text += "{" + locations(stmt.locations) + "\n";
  body(stmt.body, depth + 1);
  text += std::string(static_cast<size_t>(depth) * 2, ' ') + "}\n";
}

void Printer::statement(const LoopStmt& stmt, int depth) {
  text += std::string(static_cast<size_t>(depth) * 2, ' ');
  if (has_body(stmt)) {
    block(stmt, depth);
  } else {
    text += simple(stmt) + locations(stmt.locations) + "\n";
  }
}

void Printer::body(const std::vector<LoopStmt>& stmts, int depth) {
  for (const LoopStmt& stmt : stmts) statement(stmt, depth);
}

std::string Printer::buffer(BufferId id) const {
  const LoopBuffer& buffer = kernel[id];
  static constexpr std::string_view modes[] = {"in", "out", "inout"};
  std::string result = fmt::format("  buf {} : {}[{}] {}", names.buffers[id.value], name_of(buffer.dtype),
                                   fmt::join(buffer.dims, ","), modes[buffer.mode]);
  if (buffer.zero) result += " zero";
  std::string valid;
  for (size_t axis = 0; axis < buffer.valid.size() && axis < buffer.dims.size(); ++axis) {
    if (buffer.valid[axis] != buffer.dims[axis])
      valid += fmt::format("{}d{}<{}", valid.empty() ? "" : ",", axis, buffer.valid[axis]);
  }
  return result + (valid.empty() ? "" : " valid(" + valid + ")") + "\n";
}

}  // namespace

std::string print(const Kernel& kernel, std::span<const std::string> files) {
  Printer printer{kernel, files, unique_names(kernel), std::vector<size_t>(kernel.vars.size(), SIZE_MAX)};
  size_t bound = 0;
  rank_vars(kernel.body, printer.rank, bound);
  printer.text =
      fmt::format("kernel {} target={} v={}", as_identifier(kernel.name), kernel.target.name, kernel.target.lanes);
  Target known;
  parse_target(kernel.target.name, known);
  if (kernel.target.registers != known.registers) printer.text += fmt::format(" registers={}", kernel.target.registers);
  if (kernel.target.fma != known.fma) printer.text += fmt::format(" fma={}", kernel.target.fma ? 1 : 0);
  printer.text += fmt::format(" items={} {{\n", kernel.items);
  for (size_t index = 0; index < kernel.buffers.size(); ++index) printer.text += printer.buffer(BufferId(index));
  printer.body(kernel.body, 1);
  return printer.text + "}\n";
}

}  // namespace nnc
