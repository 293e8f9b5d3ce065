// What is decided at the end of an epoch from one of its measures: whether it was the best one, whether training should
// stop, whether the learning rate should fall.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/pass.h"
#include "runtime/train_config.h"
#include "runtime/trainer.h"

namespace nnc {

// The measure of this name ("train.loss", "val.accuracy") in a report; null if it has none.
const double* find_measure(const EpochReport& report, std::string_view name);

// The measures of these passes by the names find_measure knows; `val` may be null.
std::vector<std::string> measure_names(const Pass& train, const Pass* val);

// Nothing if `name` is among `names`, else E607 at `origin`; `who` watches it ("early stop").
RuntimeErrors check_measure(std::string_view who, const std::string& name, Origin origin,
                            const std::vector<std::string>& names);

// Whether the epoch is the best so far by this measure: strictly better than `best`, or the first with a number at all.
// Updates best and best_epoch.
bool observe_best(const EpochReport& report, std::string_view measure, bool maximize, TrainProgress& progress);

// torch.optim.lr_scheduler.ReduceLROnPlateau.step: updates the plateau_… fields and lr_factor. An epoch without a
// number counts as one that brought nothing.
void observe_plateau(const EpochReport& report, const PlateauSetting& plateau, TrainProgress& progress);

}  // namespace nnc
