#include "runtime/divergence.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nnc {
namespace {

template <class T>
bool finite_elements(const std::byte* from, int64_t bytes) {
  const int64_t count = bytes / static_cast<int64_t>(sizeof(T));
  // In blocks, so that a block is looked at without branches.
  constexpr int64_t block = 256;
  for (int64_t at = 0; at < count; at += block) {
    bool finite = true;
    for (int64_t k = at; k < std::min(count, at + block); ++k) {
      T value;
      std::memcpy(&value, from + k * static_cast<int64_t>(sizeof(T)), sizeof(T));
      finite &= std::abs(value) <= std::numeric_limits<T>::max();
    }
    if (!finite) return false;
  }
  return true;
}

}  // namespace

bool parameters_finite(const Session& session) {
  return std::all_of(session.executable->states.begin(), session.executable->states.end(),
                     [&](const StateTensor& tensor) {
                       const std::byte* from = session.state.data() + tensor.offset;
                       if (!tensor.trained) return true;
                       if (tensor.type == ElementType::f32) return finite_elements<float>(from, tensor.bytes);
                       return tensor.type != ElementType::f64 || finite_elements<double>(from, tensor.bytes);
                     });
}

BrokenStep replay_to_break(Session& session, AlignedBuffer& before, int64_t first, int64_t last,
                           const std::function<bool(int64_t)>& run_step, const std::function<bool()>& stop) {
  const auto bytes = static_cast<size_t>(session.state.bytes());
  for (int64_t step = first; step <= last && !stop(); ++step) {
    std::memcpy(before.data(), session.state.data(), bytes);
    const bool loss_finite = run_step(step);
    if (loss_finite && parameters_finite(session)) continue;
    std::memcpy(session.state.data(), before.data(), bytes);
    return {step, loss_finite, true};
  }
  return {};
}

}  // namespace nnc
