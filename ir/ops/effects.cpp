// assign, the only effect, and scan, a body graph carried along one axis. What a scan computes stands in its body graph
// (Graph::bodies); its type is given, since the body's outputs are not seen by inference.
#include <fmt/format.h>

#include "ir/ops/definitions.h"
#include "ir/ops/inference.h"

namespace nnc {
namespace {

std::vector<OpSample> no_samples() { return {}; }

}  // namespace

// The state named by StateAttr has the operand's value from the end of the graph on. The node's type is the value's.
constinit const OpDefinition op_assign = {.attributes = attributes_of<StateAttr>,
                                          .infer = [](std::span<const TensorType> operands, const Attributes&,
                                                      const TensorType&, std::string&) { return operands[0]; },
                                          .gradient = nullptr,
                                          .evaluate = nullptr,
                                          .samples = no_samples};

constinit const OpDefinition op_scan = {
    .attributes = attributes_of<ScanAttr>,
    .typed = true,
    .infer = [](std::span<const TensorType> operands, const Attributes& attributes, const TensorType& given,
                std::string& error) -> TensorType {
      const auto& scan = std::get<ScanAttr>(attributes);
      if (scan.carried < 0 || scan.carried > static_cast<int64_t>(operands.size())) {
        return fail(error, fmt::format("{} of {} operands carried", scan.carried, operands.size()));
      }
      for (const TensorType& scanned : operands.subspan(static_cast<size_t>(scan.carried))) {
        if (!has_axis(scanned, scan.axis, error)) return {};
      }
      return given;
    },
    .gradient = nullptr,
    .evaluate = nullptr,
    .samples = no_samples};

}  // namespace nnc
