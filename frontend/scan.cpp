// `scan`: one iteration is evaluated to check it. Its carries must keep their types; there is no native lowering.
#include <algorithm>

#include "frontend/builtins/indexing.h"
#include "frontend/evaluator.h"

namespace nnc {

namespace {

struct Sequences {
  std::vector<Value> slices;
  Dim length;
};

std::optional<int64_t> static_axis(Evaluator& e, ast::ExprId id) {
  const Value value = evaluate(e, id);
  if (value.is_poison()) return std::nullopt;
  int64_t axis = 0;
  if (integral(value, axis)) return axis;
  complain(e, DiagnosticKind::not_an_integer, (*e.frame->ast)[id].span, "an axis is an integer, found {}",
           describe(value));
  return std::nullopt;
}

Value slice_at_start(Evaluator& e, const Value& value, int64_t axis, Span span) {
  std::vector<IndexArgument> items(static_cast<size_t>(axis + 1));
  for (IndexArgument& item : items) {
    item.kind = IndexArgument::Kind::slice;
    item.span = span;
  }
  items.back().kind = IndexArgument::Kind::at;
  items.back().at = number_value(0);
  locate_nodes(e, span);
  return index_value(e.context, value, items, span, span);
}

std::optional<Sequences> read_sequences(Evaluator& e, const ast::Scan& scan, int64_t axis) {
  Sequences sequences;
  for (size_t k = 0; k < scan.sequences.size(); ++k) {
    const ast::ExprId id = scan.sequences[k];
    const ast::Expr& expr = (*e.frame->ast)[id];
    Dim length;
    if (expr.kind() == ast::ExprKind::range) {
      const auto items = walk(e, id);
      if (!items) return std::nullopt;
      length = {static_cast<int64_t>(items->size()), 0};
      locate_nodes(e, expr.span);
      const NodeId index =
          e.context.build->constant(0, TensorType{DType::i32, std::max<int64_t>(length.extent, 1), {}});
      sequences.slices.push_back(tensor_value(e.context, index));
    } else {
      const Value value = evaluate(e, id);
      if (value.is_poison()) return std::nullopt;
      const int64_t rank = value.is_tensor() ? value.tensor().rank() : 0;
      const int64_t along = axis < 0 ? axis + rank : axis;
      if (along < 0 || along >= rank) {
        complain(e, DiagnosticKind::scan_lengths, expr.span, "`scan` walks axis {} of a tensor, found {}", axis,
                 describe(value));
        return std::nullopt;
      }
      length = value.tensor().dim(along);
      sequences.slices.push_back(slice_at_start(e, value, along, expr.span));
    }
    if (k > 0 && !(length == sequences.length)) {
      complain(e, DiagnosticKind::scan_lengths, expr.span, "the sequences have lengths {} and {}",
               dim_text(sequences.length), dim_text(length));
      return std::nullopt;
    }
    sequences.length = length;
  }
  return sequences;
}

using Carries = std::vector<std::pair<std::string, Value>>;

Carries tensors_in_scope(Evaluator& e) {
  Carries carries;
  for (const auto& scope : e.frame->scopes) {
    for (const auto& [name, binding] : scope) {
      const bool local = binding.kind == Binding::local || binding.kind == Binding::parameter;
      if (local && binding.value.is_tensor()) carries.emplace_back(name, binding.value);
    }
  }
  return carries;
}

bool check_carries(Evaluator& e, const Carries& before) {
  bool fine = true;
  for (const auto& [name, entered] : before) {
    const Binding* binding = find_local(e, name);
    if (binding == nullptr) continue;
    const Value& left = binding->value;
    if (left.is_poison()) {
      fine = false;
      continue;
    }
    const Tensor& from = entered.tensor();
    const bool same = left.is_tensor() && left.tensor().type == from.type && left.tensor().batch == from.batch;
    if (same) continue;
    const std::string to = left.is_tensor() ? type_text(left.tensor()) : describe(left);
    complain(e, DiagnosticKind::carry_changes, binding->span, "carry `{}` enters as {} and leaves as {}", name,
             type_text(from), to);
    fine = false;
  }
  return fine;
}

// What a yielded value becomes: a new axis of the sequences' length. Stands in for the result that cannot be lowered.
Value stacked(Evaluator& e, const Value& item, int64_t axis, Dim length, Span span) {
  if (!item.is_tensor()) return item.is_number() ? item : Value(Poison{});
  const Tensor& tensor = item.tensor();
  std::vector<Dim> dims;
  for (int64_t k = 0; k < tensor.rank(); ++k) dims.push_back(tensor.dim(k));
  const int64_t at = std::clamp<int64_t>(axis < 0 ? axis + tensor.rank() + 1 : axis, 0, tensor.rank());
  dims.insert(dims.begin() + at, length);
  TensorType type{tensor.type.dtype, tensor.type.bound, {}};
  for (const Dim& dim : dims) type.dims.push_back(dim.extent);
  locate_nodes(e, span);
  return tensor_value_of(e.context, e.context.build->constant(0, type), dims);
}

}  // namespace

Value evaluate_scan(Evaluator& e, const ast::Expr& expr) {
  const auto& scan = expr.as<ast::Scan>();
  const auto axis = static_axis(e, scan.axis);
  if (!axis || scan.names.size() != scan.sequences.size()) return Value(Poison{});
  const auto sequences = read_sequences(e, scan, *axis);
  if (!sequences) return Value(Poison{});
  const Carries before = tensors_in_scope(e);
  std::vector<Value> yielded;
  std::vector<Span> spans;
  auto* outer_yielded = std::exchange(e.frame->yielded, &yielded);
  auto* outer_spans = std::exchange(e.frame->yield_spans, &spans);
  e.frame->scopes.emplace_back();
  const size_t outer_scope = std::exchange(e.frame->scan_scope, e.frame->scopes.size() - 1);
  for (size_t k = 0; k < scan.names.size(); ++k) {
    if (scan.names[k].discards()) continue;
    e.frame->scopes.back()[scan.names[k].text] = Binding{Binding::local, sequences->slices[k], {}, scan.names[k].span};
  }
  run_block(e, scan.body);
  e.frame->scan_scope = outer_scope;
  e.frame->scopes.pop_back();
  e.frame->yielded = outer_yielded;
  e.frame->yield_spans = outer_spans;
  if (e.frame->failed || !check_carries(e, before)) return Value(Poison{});
  no_lowering(e.context, "`scan`", expr.span);
  std::vector<Value> results;
  for (const Value& item : yielded) {
    results.push_back(stacked(e, item, *axis, sequences->length, expr.span));
    if (results.back().is_poison()) return results.back();
  }
  if (results.empty()) return Value(None{}, expr.span);
  return results.size() == 1 ? results[0] : results_value(std::move(results), expr.span);
}

}  // namespace nnc
