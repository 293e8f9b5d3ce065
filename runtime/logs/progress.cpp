#include "runtime/logs/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/logs/measure_tables.h"
#include "runtime/logs/progress_bar.h"

namespace nnc {
namespace {

using Json = nlohmann::ordered_json;

Json measures_json(const std::vector<Measure>& measures) {
  Json out = Json::object();
  for (const Measure& measure : measures) out[measure.name] = measure_json(measure);
  return out;
}

void print_json(std::FILE* file, const Json& json) {
  fmt::print(file, "{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::fflush(file);
}

std::string measures_text(const char* part, const std::vector<Measure>& measures) {
  std::string out;
  for (size_t i = 0; i < measures.size(); ++i) {
    // A model with one loss need not see it twice.
    if (i == 0 && measures.size() > 1 && measures[1].value == measures[0].value) continue;
    if (measures[i].is_scalar())
      out += fmt::format("  {}.{} {}", part, measures[i].name, format_measure(measures[i].value));
  }
  return out;
}

Json epoch_json(const EpochReport& report) {
  return {{"schema", json_schema},
          {"event", "epoch"},
          {"epoch", report.epoch},
          {"epochs", report.epochs},
          {"train", measures_json(report.train)},
          {"val", measures_json(report.val)},
          {"rows", report.rows},
          {"steps", report.steps},
          {"train_seconds", report.train_seconds},
          {"val_seconds", report.val_seconds},
          {"lr", std::isfinite(report.lr) ? Json(report.lr) : Json(nullptr)},
          {"best", report.best}};
}

struct TableColumn {
  std::string title;
  const std::vector<Measure>* measures;
};

void print_table(std::FILE* file, const TrainResult& result) {
  std::vector<TableColumn> columns;
  const EpochReport& last = result.epochs.back();
  columns.push_back({"train", &last.train});
  if (!last.val.empty()) columns.push_back({"val", &last.val});
  const bool best = result.best_epoch > 0 && result.best_epoch < last.epoch;
  if (best) {
    const EpochReport& report = result.epochs[static_cast<size_t>(result.best_epoch - 1)];
    columns.push_back({fmt::format("train, epoch {}", result.best_epoch), &report.train});
    if (!report.val.empty()) columns.push_back({fmt::format("val, epoch {}", result.best_epoch), &report.val});
  }
  if (!result.test.empty()) columns.push_back({"test", &result.test});
  std::vector<std::string> names;
  size_t width = 0;
  for (const TableColumn& column : columns) {
    for (const Measure& measure : *column.measures) {
      if (!measure.is_scalar()) continue;
      if (std::find(names.begin(), names.end(), measure.name) == names.end()) names.push_back(measure.name);
      width = std::max(width, measure.name.size());
    }
  }
  auto print_line = [&](const std::string& name, auto&& text) {
    std::string line = fmt::format("{:<{}}", name, width);
    for (const TableColumn& column : columns)
      line += fmt::format("  {:>{}}", text(column), std::max<size_t>(10, column.title.size()));
    fmt::print(file, "{}\n", line);
  };
  print_line("", [](const TableColumn& column) { return column.title; });
  for (const std::string& name : names) {
    print_line(name, [&](const TableColumn& column) {
      for (const Measure& measure : *column.measures) {
        if (measure.name == name) return format_measure(measure.value);
      }
      return std::string("-");
    });
  }
  for (const TableColumn& column : columns) fmt::print(file, "{}", measure_tables(column.title, *column.measures));
}

}  // namespace

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string format_seconds(double seconds) {
  if (seconds < 0.1) return fmt::format("{:.{}f} ms", seconds * 1e3, seconds < 0.01 ? 2 : 1);
  if (seconds < 60) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 2 : 1);
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string format_measure(double value) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  const double size = std::abs(value);
  if (size != 0 && (size < 1e-4 || size >= 1e6)) return fmt::format("{:.3e}", value);
  return fmt::format("{:.{}f}", value, size < 10 ? 4 : size < 100 ? 3 : size < 1000 ? 2 : 1);
}

ProgressOptions detect_progress(bool json, std::FILE* progress, std::FILE* results) {
  ProgressOptions options;
  options.progress = progress;
  options.results = results;
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool terminal = isatty(fileno(progress)) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
  options.style = json ? ProgressStyle::json : terminal ? ProgressStyle::terminal : ProgressStyle::plain;
  options.color = terminal && (no_color == nullptr || *no_color == '\0');
  options.unicode = terminal && utf8_locale();
  options.follow_size = terminal;
  return options;
}

void Progress::clear_line() {
  if (std::exchange(drawn_, false)) fmt::print(options_.progress, "\r\x1b[K");
}

void Progress::draw(const StepReport& report, double now) {
  const double total = now - start_, spent = now - epoch_start_;
  const double share = static_cast<double>(report.step) / static_cast<double>(std::max<int64_t>(1, report.steps));
  BarState bar;
  bar.note = fmt::format("loss {}", format_measure(report.loss));
  // Short epochs make one bar together: theirs would only flicker.
  if (spent < share) {  // less than a second an epoch
    const double epochs = static_cast<double>(report.epoch - 1) + share;
    const double here = epochs - static_cast<double>(first_epoch_ - 1);
    bar.title = "training";
    bar.unit = "epoch";
    bar.done = report.epoch - 1;
    bar.total = report.epochs;
    bar.fraction = epochs / static_cast<double>(std::max<int64_t>(1, report.epochs));
    bar.seconds = total;
    bar.rate = total > 0 ? here / total : 0;
    bar.left = bar.rate > 0 ? (static_cast<double>(report.epochs) - epochs) / bar.rate : -1;
  } else {
    bar.title = fmt::format("epoch {}/{}", report.epoch, report.epochs);
    bar.done = report.step;
    bar.total = report.steps;
    bar.fraction = share;
    bar.seconds = spent;
    bar.rate = spent > 0 ? static_cast<double>(report.step) / spent : 0;
    bar.left = bar.rate > 0 ? static_cast<double>(report.steps - report.step) / bar.rate : -1;
  }
  winsize size = {};
  if (options_.follow_size && ioctl(fileno(options_.progress), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    options_.columns = size.ws_col;
  fmt::print(options_.progress, "\r{}\x1b[K", progress_line(bar, options_.columns, options_.unicode, options_.color));
  std::fflush(options_.progress);
  drawn_ = true;
  ++redraws_;
}

void Progress::step(const StepReport& report) {
  if (options_.style != ProgressStyle::terminal) return;
  if (report.epoch != current_epoch_) {
    if (first_epoch_ == 0) first_epoch_ = report.epoch;
    current_epoch_ = report.epoch;
  }
  if (--countdown_ > 0) return;
  constexpr double interval = 0.05;
  const double now = options_.clock();
  const double waited = now - last_draw_;
  // Short steps look at the clock less often, long ones every time.
  if (waited < interval / 2) stride_ = std::min<int64_t>(stride_ * 2, 1024);
  if (waited > 2 * interval) stride_ = std::max<int64_t>(stride_ / 2, 1);
  countdown_ = stride_;
  if (waited < interval) return;
  last_draw_ = now;
  draw(report, now);
}

void Progress::print_epoch(const EpochReport& report) {
  unsaid_.reset();
  clear_line();
  const double seconds = std::max(1e-9, report.train_seconds);
  fmt::print(options_.progress, "epoch {}/{}{}{}  {} ({:.0f} rows/s){}\n", report.epoch, report.epochs,
             measures_text("train", report.train), measures_text("val", report.val),
             format_seconds(report.train_seconds + report.val_seconds), static_cast<double>(report.rows) / seconds,
             report.best ? "  best" : "");
  std::fflush(options_.progress);
}

void Progress::epoch(const EpochReport& report) {
  if (options_.style == ProgressStyle::quiet) return;
  if (options_.style == ProgressStyle::json) return print_json(options_.results, epoch_json(report));
  if (options_.style == ProgressStyle::plain) return print_epoch(report);
  // Whoever watches a terminal can read no more than 10 lines a second; fast runs print a sample of their epochs.
  const double now = options_.clock();
  epoch_start_ = now;  // of the next
  if (now - last_line_ < 0.1 && report.epoch < report.epochs) {
    unsaid_ = report;
    return;
  }
  last_line_ = now;
  print_epoch(report);
}

void Progress::finish(const TrainResult& result) {
  if (unsaid_) print_epoch(*std::exchange(unsaid_, std::nullopt));
  clear_line();
  if (options_.style == ProgressStyle::json) {
    Json json = {{"schema", json_schema},
                 {"event", "end"},
                 {"status", name_of(result.status)},
                 {"epochs", result.epochs.size()},
                 {"steps", result.steps},
                 {"seconds", result.seconds},
                 {"best_epoch", result.best_epoch},
                 {"restored", result.restored},
                 {"test", measures_json(result.test)}};
    if (!result.epochs.empty()) {
      json["train"] = measures_json(result.epochs.back().train);
      json["val"] = measures_json(result.epochs.back().val);
    }
    if (result.status == TrainStatus::diverged) {
      json["diverged"] = {
          {"loss", result.diverged_loss}, {"epoch", result.diverged_epoch}, {"step", result.diverged_step}};
    }
    return print_json(options_.results, json);
  }
  std::fflush(options_.progress);
  if (!result.epochs.empty()) print_table(options_.results, result);
  const size_t epochs = result.epochs.size();
  std::string end = fmt::format("{} epoch{}, {} step{} in {}", epochs, epochs == 1 ? "" : "s", result.steps,
                                result.steps == 1 ? "" : "s", format_seconds(result.seconds));
  if (result.status == TrainStatus::stopped_early)
    end += fmt::format("; stopped early, best epoch {}", result.best_epoch);
  if (result.restored) end += ", its state restored";
  if (result.status == TrainStatus::interrupted) end += "; interrupted";
  if (result.status == TrainStatus::diverged) {
    const std::string broken = result.diverged_loss.empty() ? "a parameter" : fmt::format("`{}`", result.diverged_loss);
    end += fmt::format("; diverged: {} is not finite in epoch {}, step {}", broken, result.diverged_epoch,
                       result.diverged_step);
  }
  fmt::print(options_.results, "{}\n", end);
  std::fflush(options_.results);
}

TrainHooks Progress::hooks() {
  TrainHooks hooks;
  if (options_.style == ProgressStyle::terminal) hooks.step = [this](const StepReport& report) { step(report); };
  hooks.epoch = [this](const EpochReport& report) { epoch(report); };
  return hooks;
}

}  // namespace nnc
