// What the core functions share: operands made of values, axes, broadcasting.
//
// Every function that can fail reports a diagnostic and returns nothing (or poison).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontend/context.h"

namespace nnc {

inline Value poison() { return Value(Poison{}); }

// ---- reporting

// Where to put the blame: the user's call for code of the prelude.
Span blamed(const Context& context, Span span);
// Labels a place of the user's; nothing for the prelude's or none.
void label_at(Context& context, Diagnostic& diagnostic, Span origin, std::string text);
template <class... Args>
Diagnostic& fault(Context& context, DiagnosticKind kind, Span span, fmt::format_string<Args...> message,
                  Args&&... args) {
  return report_message(*context.diagnostics, kind, blamed(context, span),
                        fmt::format(message, std::forward<Args>(args)...));
}
// The source text of an operand for a help; `otherwise` where there is none that is short and the user's.
std::string source_text(const Context& context, Span span, std::string_view otherwise);

// ---- operands

struct Operand {
  const Value& value;
  Span span;
};

// How operands of a map agree on a dtype. arithmetic: bools become i32; real: all become floats; alike: as arithmetic,
// but bools among themselves stay.
enum class Meeting : uint8_t { arithmetic, real, alike };

// Operands with one shape and one dtype, ready for a map.
struct Aligned {
  std::vector<NodeId> nodes;
  std::vector<Dim> dims;
  DType dtype = DType::f32;
};

// The dtype in which the operands meet; nothing (reported) if one is neither tensor nor number nor bool.
std::optional<DType> meet(Context& context, std::span<const Operand> operands, Meeting meeting, std::string_view what);
// The shape all broadcast to: one of the tensors has it already (numbers have none). Errors: E302.
// `op`: the infix operator, for the help, or "".
std::optional<std::vector<Dim>> meet_shapes(Context& context, std::span<const Operand> operands, std::string_view op,
                                            Span at);
// Both. `what`: as users call it, "`+`", "`where`".
std::optional<Aligned> align(Context& context, std::span<const Operand> operands, Meeting meeting, std::string_view op,
                             std::string_view what, Span at);
// One operand in this dtype and shape. Requires: tensor, number or bool; broadcasts_to.
NodeId placed(Context& context, const Value& value, DType dtype, std::span<const Dim> dims);

Value made(Context& context, NodeId node, std::span<const Dim> dims);
// Casts unless the dtype is already this one.
NodeId cast_node(Context& context, NodeId node, DType dtype);
// The node with integers and bools as floats: f64 for rank-0 arithmetic that has not met a tensor, else the compute
// type.
NodeId real_node(Context& context, const Tensor& tensor);
DType real_dtype(const Context& context, const Tensor& tensor);

// ---- shapes

std::vector<Dim> dims_of(const Tensor& tensor);
Dims extents_of(std::span<const Dim> dims);
std::vector<int64_t> marks_of(std::span<const Dim> dims);
std::string shape_text(std::span<const Dim> dims);  // "[batch, 64]"

// Whether `from` broadcasts to `to` one-way: its axes, aligned at the end, are equal to those of `to` or 1.
bool broadcasts_to(std::span<const Dim> from, std::span<const Dim> to);
// Requires: broadcasts_to. Looks through a reshape that only added axes of 1.
NodeId broadcast_node(Context& context, NodeId node, std::span<const Dim> from, std::span<const Dim> to);
// Reports and returns false if no tensor may have this type: a size below 1, too many axes or elements.
bool may_exist(Context& context, const TensorType& type, Span at);

// A number, bool or tensor as a tensor of exactly this type: `param`s, defaults, states. Errors: E302.
std::optional<Tensor> fitted_to(Context& context, const Value& value, DType dtype, const std::vector<Dim>& dims,
                                Span at);

// ---- static arguments

// An integer from `value`; negative axes count from the end. Errors: a fraction, a string, outside [-rank, rank).
std::optional<int64_t> axis_from(Context& context, const Value& value, int64_t rank, Span at);
// Ascending axes from None (all), a number, or a list of them. Errors: also a repeated axis.
std::optional<std::vector<int64_t>> axes_from(Context& context, const Value& value, int64_t rank, Span at);
std::optional<int64_t> integer_from(Context& context, const Value& value, std::string_view what, Span at);
// Sizes from a list of numbers or, as in `zeros([2, 3])`, a list that holds one list. One may be -1 if `with_rest`.
// Errors: below 1, fractions.
std::optional<std::vector<Dim>> dims_from(Context& context, const Value& value, Span at, bool with_rest = false);

}  // namespace nnc
