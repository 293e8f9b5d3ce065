#include "runtime/pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nnc {
namespace {

int64_t bytes_of(const CollectedTensor& tensor) { return tensor.elements() * element_size(tensor.type); }

template <class T>
double element_as(const void* values, int64_t index) {
  return static_cast<double>(static_cast<const T*>(values)[index]);
}

double element_at(const CollectedTensor& tensor, int64_t index) {
  switch (tensor.type) {
    case ElementType::boolean:
      return element_as<uint8_t>(tensor.values, index);
    case ElementType::i32:
      return element_as<int32_t>(tensor.values, index);
    case ElementType::i64:
      return element_as<int64_t>(tensor.values, index);
    case ElementType::f64:
      return element_as<double>(tensor.values, index);
    default:
      return element_as<float>(tensor.values, index);
  }
}

bool is_per_row(const BoundEntry& bound, const CollectedTensor& tensor) {
  if (bound.measuring == nullptr) return false;
  const auto& names = bound.measuring->per_row;
  return std::find(names.begin(), names.end(), tensor.name) != names.end();
}

int64_t row_bytes(const BoundEntry& bound, const CollectedTensor& tensor) {
  return bytes_of(tensor) / bound.entry->batch;
}

// Finds who computes the metrics. Errors: E608; E650 where the rows they need are more than there is memory for.
RuntimeErrors bind_measuring(const Session& session, BoundEntry& bound, std::string_view name, int64_t rows) {
  if (bound.collected.empty()) return {};
  const Measuring* measuring = session.executable->measuring.get();
  bound.measuring = measuring == nullptr ? nullptr : measuring->find(name, rows);
  if (bound.measuring == nullptr) {
    ErrorList errors;
    errors.add(ErrorCode::E608, 0, fmt::format("the program has no metrics of `{}` for {} rows", name, rows));
    return errors.errors;
  }
  double bytes = 0;
  for (const CollectedTensor& tensor : bound.collected) {
    if (is_per_row(bound, tensor)) bytes += static_cast<double>(row_bytes(bound, tensor)) * static_cast<double>(rows);
  }
  constexpr double largest = 1e18;
  // Only asks whether there is room: the rows live in Sums.
  const auto room = allocate(static_cast<int64_t>(std::min(bytes, largest)), "the rows that metrics need");
  return room ? RuntimeErrors{} : RuntimeErrors{room.error()};
}

}  // namespace

int64_t CollectedTensor::elements() const {
  int64_t count = 1;
  for (const int64_t extent : dims) count *= extent;
  return count;
}

const Measuring::Function* Measuring::find(std::string_view entry, int64_t rows) const {
  const std::string_view name = entry == "evaluate" ? entry : "step";
  const auto found = std::find_if(functions.begin(), functions.end(), [&](const Function& function) {
    return function.name == name && function.rows == rows;
  });
  return found == functions.end() ? nullptr : &*found;
}

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
    return bind_measuring(session, *into, name, lengths.length * lengths.count + lengths.last);
  };
  if (RuntimeErrors errors = bind(lengths.length, pass.full); !errors.empty()) return tl::unexpected(errors);
  if (lengths.last > 0) {
    if (RuntimeErrors errors = bind(lengths.last, pass.last); !errors.empty()) return tl::unexpected(errors);
  }
  return pass;
}

void Sums::reset(const BoundEntry& bound) {
  sums.assign(bound.scalars.size(), 0.0);
  collected.resize(bound.collected.size());
  for (size_t i = 0; i < collected.size(); ++i) {
    const CollectedTensor& tensor = bound.collected[i];
    const bool per_row = is_per_row(bound, tensor);
    collected[i].rows.resize(per_row ? static_cast<size_t>(row_bytes(bound, tensor) * bound.measuring->rows) : 0);
    collected[i].sums.assign(per_row ? 0 : static_cast<size_t>(tensor.elements()), 0.0);
  }
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
  for (size_t i = 0; i < bound.collected.size(); ++i) {
    const CollectedTensor& tensor = bound.collected[i];
    CollectedValues& into = collected[i];
    if (into.rows.empty()) {
      for (size_t k = 0; k < into.sums.size(); ++k)
        into.sums[k] += element_at(tensor, static_cast<int64_t>(k)) * weight;
      continue;
    }
    const auto from = static_cast<size_t>(row_bytes(bound, tensor) * rows);
    const auto bytes = static_cast<size_t>(bytes_of(tensor));
    if (from + bytes <= into.rows.size()) std::memcpy(into.rows.data() + from, tensor.values, bytes);
  }
  rows += bound.entry->batch;
  return broken;
}

std::vector<Measure> Sums::measures(const BoundEntry& bound) const {
  std::vector<Measure> out = {{"loss", mean_loss(), {}, {}}};
  auto native = [&](const std::string& name) -> const double* {
    for (size_t i = 0; i < bound.scalars.size(); ++i) {
      if (bound.scalars[i].name == name) return &sums[i];
    }
    return nullptr;
  };
  const auto seen = static_cast<double>(std::max<int64_t>(1, rows));
  if (bound.measuring == nullptr) {
    for (size_t i = 0; i < sums.size(); ++i) {
      if (bound.scalars[i].name != "loss") out.push_back({bound.scalars[i].name, sums[i] / seen, {}, {}});
    }
    return out;
  }
  std::vector<Measure> computed = bound.measuring->unknown;
  if (rows == bound.measuring->rows) {
    std::vector<CollectedView> views;
    for (size_t i = 0; i < collected.size(); ++i) views.push_back({&bound.collected[i], &collected[i]});
    computed = bound.measuring->compute(views);
  }
  for (const std::string& name : bound.measuring->names) {
    if (name == "loss") continue;
    if (const double* sum = native(name)) {
      out.push_back({name, *sum / seen, {}, {}});
      continue;
    }
    for (const Measure& measure : computed) {
      if (measure.name == name) out.push_back(measure);
    }
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
