#include "frontend/value.h"

#include <fmt/format.h>

#include <cmath>

namespace nnc {

Value number_value(double value, Span origin) { return Value(Number{value, 0, false}, origin); }

Value list_value(std::vector<Value> items, Span origin) {
  return Value(List{std::make_shared<const std::vector<Value>>(std::move(items)), false}, origin);
}

Value results_value(std::vector<Value> items, Span origin) {
  return Value(List{std::make_shared<const std::vector<Value>>(std::move(items)), true}, origin);
}

bool integral(const Value& value, int64_t& integer) {
  if (!value.is_number()) return false;
  const double number = value.number();
  if (!(std::fabs(number) <= 9007199254740992.0) || std::floor(number) != number) return false;
  integer = static_cast<int64_t>(number);
  return true;
}

std::string dim_text(Dim dim) {
  if (dim.batch_multiple == 1) return "batch";
  if (dim.batch_multiple > 1) return fmt::format("{}*batch", dim.batch_multiple);
  return fmt::format("{}", dim.extent);
}

std::string type_text(DType dtype, int64_t bound, const std::vector<Dim>& dims) {
  std::string text(name_of(dtype));
  if (bound > 0) text += fmt::format("<{}>", bound);
  text += '[';
  for (size_t axis = 0; axis < dims.size(); ++axis) text += (axis ? ", " : "") + dim_text(dims[axis]);
  return text + ']';
}

std::string type_text(const Tensor& tensor) {
  std::vector<Dim> dims;
  for (int64_t axis = 0; axis < tensor.rank(); ++axis) dims.push_back(tensor.dim(axis));
  return type_text(tensor.type.dtype, tensor.type.bound, dims);
}

namespace {

std::string describe_callable(const Callable& callable) {
  switch (callable.kind) {
    case Callable::builtin:
    case Callable::function:
      return fmt::format("the function `{}`", callable.name);
    case Callable::layer:
      return fmt::format("the layer `{}`", callable.name);
    case Callable::optimizer:
      return fmt::format("the optimizer `{}`", callable.name);
    case Callable::schedule:
      return fmt::format("the schedule `{}`", callable.name);
  }
  return "a function";
}

}  // namespace

std::string describe(const Value& value) {
  if (value.is_tensor()) return type_text(value.tensor());
  if (value.is_number())
    return value.as<Number>().of_batch ? "a number that depends on the batch size" : fmt::format("{}", value.number());
  if (value.is<bool>()) return value.as<bool>() ? "true" : "false";
  if (value.is<std::string>()) return fmt::format("\"{}\"", value.as<std::string>());
  if (value.is_list())
    return fmt::format("{}{}", value.as<List>().results ? "several results, " : "a list of ", value.items().size());
  if (value.is<std::shared_ptr<const Callable>>())
    return describe_callable(*value.as<std::shared_ptr<const Callable>>());
  if (value.is<std::shared_ptr<LayerInstance>>()) return "a layer";
  if (value.is<Range>()) return "a range";
  return "nothing";
}

}  // namespace nnc
