#include "driver/values.h"

#include <cmath>
#include <cstring>

#include "driver/console.h"
#include "runtime/data/batches.h"
#include "runtime/session.h"

namespace nnc {
namespace {

constexpr size_t shown = 6;

template <class T>
double element(const void* from, size_t index) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(from) + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

double element(ElementType type, const void* from, size_t index) {
  switch (type) {
    case ElementType::boolean:
      return element<uint8_t>(from, index);
    case ElementType::i32:
      return element<int32_t>(from, index);
    case ElementType::i64:
      return element<int64_t>(from, index);
    case ElementType::f64:
      return element<double>(from, index);
    case ElementType::bf16: {
      const auto bits = static_cast<uint32_t>(element<uint16_t>(from, index)) << 16;
      return element<float>(&bits, 0);
    }
    case ElementType::f32:
      break;
  }
  return element<float>(from, index);
}

void print_values(const char* what, const std::string& name, ElementType type, const std::vector<int64_t>& dims,
                  const void* values) {
  size_t count = 1;
  for (const int64_t extent : dims) count *= static_cast<size_t>(extent);
  double squares = 0;
  std::string first;
  for (size_t k = 0; k < count; ++k) {
    const double value = element(type, values, k);
    squares += value * value;
    if (k < shown) first += fmt::format(" {:.6g}", value);
  }
  fmt::print("{} \"{}\" [{}] norm {:.7g}:{}{}\n", what, name, fmt::join(dims, ","), std::sqrt(squares), first,
             count > shown ? " …" : "");
}

const char* name_of_role(IoTensor::Role role) {
  switch (role) {
    case IoTensor::loss:
      return "loss";
    case IoTensor::metric:
      return "metric";
    case IoTensor::output:
      return "output";
    case IoTensor::gradient:
      return "gradient";
    case IoTensor::collected:
      return "collected";
    default:
      return "value";
  }
}

int fail_with(Experiment& experiment, const RuntimeErrors& errors) {
  add_errors(*experiment.unit, errors, experiment.origins);
  return report(experiment, false);
}

const Entry* find_entry(const Executable& executable, const std::string& name) {
  for (const Entry& entry : executable.entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace

int show_values(Experiment& experiment, const CompileArguments& arguments, const PipelineOptions& options,
                const std::string& function) {
  auto runnable = make_runnable(std::move(*experiment.program), arguments, options);
  if (!runnable) return fail(kResources, runnable.error());
  const Executable& executable = runnable->executable;
  const Entry* entry = find_entry(executable, function == "all" ? "step" : function);
  if (entry == nullptr) return fail(kUsage, fmt::format("there is no `{}` to run", function));
  auto session = open_session(executable, 1);
  if (!session) return fail_with(experiment, session.error());
  initialize(*session, experiment.config.seed);
  auto bound = bind_entry(*entry, experiment.dataset);
  if (!bound) return fail_with(experiment, bound.error());
  std::vector<uint32_t> order;
  epoch_order(experiment.dataset.train, experiment.config.batch, experiment.config.seed, 0, order);
  if (static_cast<int64_t>(order.size()) < entry->batch) return fail(kData, "there are fewer rows than the batch has");
  fill_batch(*bound, std::span<const uint32_t>(order).first(static_cast<size_t>(entry->batch)), 0);
  run_entry(*session, *entry, bound->io[0].data());
  for (size_t k = 0; k < entry->io.size(); ++k) {
    const IoTensor& tensor = entry->io[k];
    if (tensor.written) print_values(name_of_role(tensor.role), tensor.name, tensor.type, tensor.dims, bound->io[0][k]);
  }
  for (const StateTensor& state : executable.states) {
    int64_t elements = 1;
    for (const int64_t extent : state.dims) elements *= extent;
    std::vector<std::byte> logical(static_cast<size_t>(elements * element_size(state.type)));
    read_state(state, session->state.data(), logical.data());
    print_values("state", state.name, state.type, state.dims, logical.data());
  }
  return kOk;
}

}  // namespace nnc
