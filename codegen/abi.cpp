#include "codegen/abi.h"

namespace nnc {

ElementType element_type_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return ElementType::boolean;
    case DType::i32:
      return ElementType::i32;
    case DType::i64:
      return ElementType::i64;
    case DType::bf16:
      return ElementType::bf16;
    case DType::f32:
      return ElementType::f32;
    case DType::f64:
      break;
  }
  return ElementType::f64;
}

IoTensor::Role role_of(Root::Kind kind) {
  switch (kind) {
    case Root::loss:
      return IoTensor::loss;
    case Root::metric:
      return IoTensor::metric;
    case Root::output:
      return IoTensor::output;
    case Root::gradient:
      return IoTensor::gradient;
    case Root::collected:
      return IoTensor::collected;
    case Root::saved:
      break;
  }
  return IoTensor::saved;
}

}  // namespace nnc
