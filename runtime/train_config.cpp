#include "runtime/train_config.h"

#include <fmt/format.h>

#include "runtime/data/arguments.h"

namespace nnc {
namespace {

void read_batch(const Spec& value, BatchStrategy& batch, ErrorList& errors) {
  const std::vector<std::string> known = {"full", "stochastic", "mini"};
  const bool call = value.kind == Spec::Kind::call;
  if (call && value.text == "full") {
    Arguments(value, {}, 0, errors);
    batch.kind = BatchStrategy::Kind::full;
  } else if (call && value.text == "stochastic") {
    Arguments(value, {}, 0, errors);
    batch.kind = BatchStrategy::Kind::stochastic;
  } else if (call && value.text == "mini") {
    Arguments arguments(value, {"n", "drop_last"}, 0, errors);
    batch.kind = BatchStrategy::Kind::mini;
    if (arguments.require("n")) batch.size = arguments.integer("n", 32, 1, INT32_MAX);
    batch.drop_last = arguments.flag("drop_last", false);
  } else {
    const std::string_view similar = call ? nearest(value.text, known) : std::string_view();
    errors.add(ErrorCode::E608, value.origin,
               fmt::format("`batch` must be full(), stochastic() or mini(n), found {}", describe(value)),
               similar.empty() ? "" : fmt::format("a strategy with a similar name exists: `{}`", similar));
  }
}

void read_stop(const Spec& value, std::optional<EarlyStop>& stop, ErrorList& errors) {
  if (value.kind != Spec::Kind::call || value.text != "early") {
    errors.add(ErrorCode::E608, value.origin, fmt::format("`stop` must be early(…), found {}", describe(value)),
               "stop = early(\"val.loss\", patience = 10)");
    return;
  }
  Arguments arguments(value, {"name", "patience", "mode", "restore"}, 0, errors);
  EarlyStop early;
  early.origin = value.origin;
  if (arguments.require("name")) early.measure = arguments.text("name", "");
  early.patience = arguments.integer("patience", 10, 1, INT32_MAX);
  early.maximize = arguments.choice("mode", "min", {"min", "max"}) == "max";
  early.restore = arguments.flag("restore", false);
  stop = early;
}

int64_t read_whole(const NamedSpec& setting, int64_t otherwise, int64_t low, int64_t high, ErrorList& errors) {
  const Spec as_call = spec_call("train", {}, {setting}, setting.value.origin);
  return Arguments(as_call, {setting.name}, 0, errors).integer(setting.name, otherwise, low, high);
}

}  // namespace

std::vector<std::string> train_config_names() { return {"batch", "epochs", "seed", "stop", "accumulate"}; }

TrainConfig read_train_config(const std::vector<NamedSpec>& settings, ErrorList& errors) {
  TrainConfig config;
  for (const NamedSpec& setting : settings) {
    if (setting.name == "epochs") config.epochs = read_whole(setting, config.epochs, 1, INT32_MAX, errors);
    if (setting.name == "accumulate") config.accumulate = read_whole(setting, 1, 1, INT32_MAX, errors);
    if (setting.name == "seed")
      config.seed = static_cast<uint64_t>(read_whole(setting, 0, 0, int64_t{1} << 53, errors));
    if (setting.name == "batch") read_batch(setting.value, config.batch, errors);
    if (setting.name == "stop") read_stop(setting.value, config.stop, errors);
  }
  return config;
}

}  // namespace nnc
