#include "runtime/early_stop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/error.h"

namespace nnc {

const double* find_measure(const EpochReport& report, std::string_view name) {
  const bool train = name.starts_with("train.");
  if (!train && !name.starts_with("val.")) return nullptr;
  for (const Measure& measure : train ? report.train : report.val) {
    if (measure.name == name.substr(train ? 6 : 4)) return &measure.value;
  }
  return nullptr;
}

std::vector<std::string> measure_names(const Pass& train, const Pass* val) {
  std::vector<std::string> names;
  auto collect = [&](const char* part, const Pass& pass) {
    Sums sums;
    sums.reset(*pass.full);
    for (const Measure& measure : sums.measures(*pass.full)) {
      if (measure.is_scalar()) names.push_back(fmt::format("{}.{}", part, measure.name));
    }
  };
  collect("train", train);
  if (val != nullptr) collect("val", *val);
  return names;
}

RuntimeErrors check_measure(std::string_view who, const std::string& name, Origin origin,
                            const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return {};
  ErrorList errors;
  const bool validates =
      std::any_of(names.begin(), names.end(), [](const std::string& known) { return known.starts_with("val."); });
  if (!validates && name.starts_with("val.")) {
    errors.add(ErrorCode::E607, origin,
               fmt::format("{} watches \"{}\", but there are no validation rows", who, printable(name)),
               "split = random(val = 0.2)");
  } else {
    const std::string_view similar = nearest(name, names);
    errors.add(ErrorCode::E607, origin, fmt::format("{} watches \"{}\", which is not measured", who, printable(name)),
               similar.empty() ? fmt::format("measured: {}", fmt::join(names, ", "))
                               : fmt::format("a similar name exists: \"{}\"", similar));
  }
  return errors.errors;
}

bool observe_best(const EpochReport& report, std::string_view measure, bool maximize, TrainProgress& progress) {
  const double* now = find_measure(report, measure);
  if (now == nullptr || std::isnan(*now)) return false;
  if (progress.best_epoch != 0 && !(maximize ? *now > progress.best : *now < progress.best)) return false;
  progress.best = *now;
  progress.best_epoch = report.epoch;
  return true;
}

void observe_plateau(const EpochReport& report, const PlateauSetting& plateau, TrainProgress& progress) {
  const double* now = find_measure(report, plateau.monitor);
  const double best = progress.plateau_best;
  const bool number = now != nullptr && !std::isnan(*now);
  const bool better = number && (std::isnan(best) || (plateau.maximize ? *now > best * (1 + plateau.threshold)
                                                                       : *now < best * (1 - plateau.threshold)));
  if (better) {
    progress.plateau_best = *now;
    progress.plateau_bad_epochs = 0;
  } else {
    ++progress.plateau_bad_epochs;
  }
  if (progress.plateau_cooldown > 0) {
    --progress.plateau_cooldown;
    progress.plateau_bad_epochs = 0;
  }
  if (progress.plateau_bad_epochs <= plateau.patience) return;
  progress.plateau_cooldown = plateau.cooldown;
  progress.plateau_bad_epochs = 0;
  const double rate = plateau.lr * progress.lr_factor;
  const double lowered = std::max(rate * plateau.factor, plateau.min_lr);
  if (rate - lowered > plateau.eps) progress.lr_factor = lowered / plateau.lr;
}

}  // namespace nnc
