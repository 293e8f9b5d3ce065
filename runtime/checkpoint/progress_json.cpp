#include "runtime/checkpoint/progress_json.h"

#include <fmt/format.h>

#include <charconv>

#include "runtime/checkpoint/json_text.h"

namespace nnc {
namespace {

using nlohmann::json;

json list_of(const std::vector<double>& values) {
  json list = json::array();
  for (const double value : values) list.push_back(json_of_double(value));
  return list;
}

// Reads members and remembers the first that is not as it should be.
struct Reader {
  std::string why;

  const json* find(const json& from, const char* name) {
    if (from.is_object()) {
      if (const auto member = from.find(name); member != from.end()) return &*member;
    }
    if (why.empty()) why = fmt::format("`{}` is missing", name);
    return nullptr;
  }
  void wrong(const char* name) {
    if (why.empty()) why = fmt::format("`{}` is not as it should be", name);
  }
  void read(const json& from, const char* name, int64_t& into) {
    const json* member = find(from, name);
    if (member == nullptr) return;
    const bool good =
        member->is_number_integer() && (!member->is_number_unsigned() || member->get<uint64_t>() <= INT64_MAX);
    if (!good || member->get<int64_t>() < 0) return wrong(name);
    into = member->get<int64_t>();
  }
  void read(const json& from, const char* name, double& into) {
    const json* member = find(from, name);
    if (member != nullptr && !double_from_json(*member, into)) wrong(name);
  }
  void read(const json& from, const char* name, bool& into) {
    const json* member = find(from, name);
    if (member == nullptr) return;
    if (!member->is_boolean()) return wrong(name);
    into = member->get<bool>();
  }
  void read(const json& from, const char* name, std::vector<double>& into) {
    const json* member = find(from, name);
    if (member == nullptr) return;
    if (!member->is_array()) return wrong(name);
    for (const json& item : *member) {
      if (!double_from_json(item, into.emplace_back())) return wrong(name);
    }
  }
  void read(const json& from, const char* name, std::vector<int64_t>& into) {
    const json* member = find(from, name);
    if (member == nullptr) return;
    if (!member->is_array()) return wrong(name);
    for (const json& item : *member) {
      if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) return wrong(name);
      into.push_back(item.get<int64_t>());
    }
  }
  void read(const json& from, const char* name, std::vector<std::byte>& into) {
    const json* member = find(from, name);
    if (member == nullptr) return;
    if (!member->is_string() || member->get_ref<const std::string&>().size() % 2 != 0) return wrong(name);
    const std::string& text = member->get_ref<const std::string&>();
    into.reserve(text.size() / 2);
    for (size_t at = 0; at < text.size(); at += 2) {
      unsigned value = 0;
      const auto [stop, error] = std::from_chars(text.data() + at, text.data() + at + 2, value, 16);
      if (error != std::errc() || stop != text.data() + at + 2) return wrong(name);
      into.push_back(static_cast<std::byte>(value));
    }
  }
  void read(const json& from, const char* name, std::vector<CollectedValues>& into) {
    const json* member = find(from, name);
    if (member == nullptr) return;
    if (!member->is_array()) return wrong(name);
    for (const json& item : *member) {
      CollectedValues& values = into.emplace_back();
      read(item, "sums", values.sums);
      read(item, "rows", values.rows);
    }
  }
  void read(const json& from, const char* name, std::vector<Measure>& into) {
    const json* member = find(from, name);
    if (member == nullptr) return;
    if (!member->is_array()) return wrong(name);
    for (const json& item : *member) {
      Measure& measure = into.emplace_back();
      const bool named = item.is_array() && item.size() >= 2 && item[0].is_string();
      if (!named || !double_from_json(item[1], measure.value)) return wrong(name);
      measure.name = item[0].get<std::string>();
      if (item.size() < 3) continue;
      read(item[2], "dims", measure.dims);
      read(item[2], "values", measure.values);
    }
  }
  EpochReport epoch(const json& from) {
    EpochReport report;
    read(from, "epoch", report.epoch);
    read(from, "epochs", report.epochs);
    read(from, "train", report.train);
    read(from, "val", report.val);
    read(from, "train_seconds", report.train_seconds);
    read(from, "val_seconds", report.val_seconds);
    read(from, "rows", report.rows);
    read(from, "steps", report.steps);
    read(from, "best", report.best);
    read(from, "lr", report.lr);
    return report;
  }
};

std::string hexadecimal(const std::vector<std::byte>& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<int>(byte) >> 4];
    text += digits[std::to_integer<int>(byte) & 15];
  }
  return text;
}

json to_json(const Sums& sums) {
  json collected = json::array();
  for (const CollectedValues& values : sums.collected) {
    collected.push_back({{"sums", list_of(values.sums)}, {"rows", hexadecimal(values.rows)}});
  }
  return {{"sums", list_of(sums.sums)},
          {"collected", std::move(collected)},
          {"loss", json_of_double(sums.loss)},
          {"rows", sums.rows}};
}

}  // namespace

json to_json(const std::vector<Measure>& measures) {
  json list = json::array();
  for (const Measure& measure : measures) {
    json& item = list.emplace_back(json::array({measure.name, json_of_double(measure.value)}));
    if (!measure.is_scalar()) item.push_back({{"dims", measure.dims}, {"values", list_of(measure.values)}});
  }
  return list;
}

json to_json(const EpochReport& report) {
  return {{"epoch", report.epoch},
          {"epochs", report.epochs},
          {"train", to_json(report.train)},
          {"val", to_json(report.val)},
          {"train_seconds", json_of_double(report.train_seconds)},
          {"val_seconds", json_of_double(report.val_seconds)},
          {"rows", report.rows},
          {"steps", report.steps},
          {"best", report.best},
          {"lr", json_of_double(report.lr)}};
}

json to_json(const TrainProgress& progress) {
  json epochs = json::array();
  for (const EpochReport& report : progress.epochs) epochs.push_back(to_json(report));
  return {{"epoch", progress.epoch},
          {"step", progress.step},
          {"steps", progress.steps},
          {"epochs", std::move(epochs)},
          {"sums", to_json(progress.step > 0 ? progress.sums : Sums())},  // between epochs they are begun anew
          {"best", json_of_double(progress.best)},
          {"best_epoch", progress.best_epoch},
          {"plateau_best", json_of_double(progress.plateau_best)},
          {"plateau_bad_epochs", progress.plateau_bad_epochs},
          {"plateau_cooldown", progress.plateau_cooldown},
          {"lr_factor", json_of_double(progress.lr_factor)}};
}

tl::expected<TrainProgress, std::string> progress_from_json(const json& from) {
  Reader reader;
  TrainProgress progress;
  reader.read(from, "epoch", progress.epoch);
  reader.read(from, "step", progress.step);
  reader.read(from, "steps", progress.steps);
  reader.read(from, "best", progress.best);
  reader.read(from, "best_epoch", progress.best_epoch);
  reader.read(from, "plateau_best", progress.plateau_best);
  reader.read(from, "plateau_bad_epochs", progress.plateau_bad_epochs);
  reader.read(from, "plateau_cooldown", progress.plateau_cooldown);
  reader.read(from, "lr_factor", progress.lr_factor);
  if (const json* sums = reader.find(from, "sums")) {
    reader.read(*sums, "sums", progress.sums.sums);
    reader.read(*sums, "collected", progress.sums.collected);
    reader.read(*sums, "loss", progress.sums.loss);
    reader.read(*sums, "rows", progress.sums.rows);
  }
  if (const json* epochs = reader.find(from, "epochs")) {
    if (!epochs->is_array()) reader.wrong("epochs");
    for (const json& epoch : epochs->is_array() ? *epochs : json::array())
      progress.epochs.push_back(reader.epoch(epoch));
  }
  if (progress.epoch < 1 || static_cast<size_t>(progress.epoch - 1) > progress.epochs.size()) reader.wrong("epoch");
  if (!reader.why.empty()) return tl::unexpected(reader.why);
  return progress;
}

}  // namespace nnc
