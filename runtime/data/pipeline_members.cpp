#include "runtime/data/pipeline_members.h"

namespace nnc {

const char* name_of(StepKind kind) {
  switch (kind) {
    case StepKind::impute:
      return "impute";
    case StepKind::standard:
      return "standard";
    case StepKind::robust:
      return "robust";
    case StepKind::minmax:
      return "minmax";
    case StepKind::log:
      return "log";
    case StepKind::clip:
      return "clip";
    case StepKind::add:
      return "add";
    case StepKind::subtract:
      return "subtract";
    case StepKind::multiply:
      return "multiply";
    case StepKind::divide:
      return "divide";
    case StepKind::power:
      return "power";
    case StepKind::reverse_subtract:
      return "reverse_subtract";
    case StepKind::reverse_divide:
      return "reverse_divide";
    case StepKind::reverse_power:
      return "reverse_power";
    case StepKind::onehot:
      return "onehot";
    case StepKind::ordinal:
      return "ordinal";
    case StepKind::binary:
      return "binary";
    case StepKind::multilabel:
      return "multilabel";
    case StepKind::symbols:
      return "symbols";
    case StepKind::normalise:
      return "normalise";
  }
  return nullptr;
}

}  // namespace nnc
