#include "runtime/pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nnc {

tl::expected<Pass, RuntimeErrors> open_pass(const Session& session, const Dataset& dataset, std::string_view name,
                                            BatchLengths lengths) {
  Pass pass;
  pass.lengths = lengths;
  auto bind = [&](int64_t batch, std::optional<BoundEntry>& into) -> RuntimeErrors {
    const Entry* entry = session.executable->find(name, batch);
    if (entry == nullptr) {
      ErrorList errors;
      errors.add(ErrorCode::E608, 0, fmt::format("the program has no entry `{}` for {} rows", name, batch));
      return errors.errors;
    }
    auto bound = bind_entry(*entry, dataset);
    if (!bound) return bound.error();
    into = std::move(*bound);
    return {};
  };
  if (RuntimeErrors errors = bind(lengths.length, pass.full); !errors.empty()) return tl::unexpected(errors);
  if (lengths.last > 0) {
    if (RuntimeErrors errors = bind(lengths.last, pass.last); !errors.empty()) return tl::unexpected(errors);
  }
  return pass;
}

void Sums::reset(const BoundEntry& bound) {
  sums.assign(bound.scalars.size(), 0.0);
  loss = 0;
  rows = 0;
}

const std::string* Sums::add(const BoundEntry& bound) {
  const auto weight = static_cast<double>(bound.entry->batch);
  const std::string* broken = nullptr;
  for (size_t i = 0; i < bound.scalars.size(); ++i) {
    const BoundEntry::Scalar& scalar = bound.scalars[i];
    const double value = *scalar.value;
    sums[i] += value * weight;
    if (scalar.role != IoTensor::loss) continue;
    loss += value * weight;
    if (!std::isfinite(value) && broken == nullptr) broken = &scalar.name;
  }
  rows += bound.entry->batch;
  return broken;
}

std::vector<Measure> Sums::measures(const BoundEntry& bound) const {
  std::vector<Measure> out = {{"loss", mean_loss()}};
  for (size_t i = 0; i < sums.size(); ++i) {
    if (bound.scalars[i].name != "loss")
      out.push_back({bound.scalars[i].name, sums[i] / static_cast<double>(std::max<int64_t>(1, rows))});
  }
  return out;
}

std::vector<Measure> run_evaluation(Session& session, const Pass& pass, std::span<const uint32_t> rows) {
  Sums sums;
  sums.reset(*pass.full);
  int64_t at = 0;
  for (int64_t step = 0; step < pass.lengths.steps(); ++step) {
    const BoundEntry& bound = pass.at(step);
    const auto side = static_cast<size_t>(step % 2);
    fill_batch(bound, rows.subspan(static_cast<size_t>(at), static_cast<size_t>(bound.entry->batch)), side);
    run_entry(session, *bound.entry, bound.io[side].data());
    sums.add(bound);
    at += bound.entry->batch;
  }
  return sums.measures(*pass.full);
}

}  // namespace nnc
