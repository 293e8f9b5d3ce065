#include "runtime/logs/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

namespace nnc {
namespace {

using Json = nlohmann::ordered_json;

Json measures_json(const std::vector<Measure>& measures) {
  Json out = Json::object();
  for (const Measure& measure : measures)
    out[measure.name] = std::isfinite(measure.value) ? Json(measure.value) : Json(nullptr);
  return out;
}

void print_json(std::FILE* file, const Json& json) {
  fmt::print(file, "{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::fflush(file);
}

const char* status_name(TrainStatus status) {
  switch (status) {
    case TrainStatus::finished:
      return "finished";
    case TrainStatus::stopped_early:
      return "stopped_early";
    case TrainStatus::diverged:
      return "diverged";
    case TrainStatus::interrupted:
      return "interrupted";
  }
  return "";
}

std::string measures_text(const char* part, const std::vector<Measure>& measures) {
  std::string out;
  for (size_t i = 0; i < measures.size(); ++i) {
    // A model with one loss need not see it twice.
    if (i == 0 && measures.size() > 1 && measures[1].value == measures[0].value) continue;
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
}

}  // namespace

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
  winsize size = {};
  if (terminal && ioctl(fileno(progress), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.columns = size.ws_col;
  return options;
}

void Progress::clear_line() {
  if (drawn_ == 0) return;
  fmt::print(options_.progress, "\r{:{}}\r", "", drawn_);
  drawn_ = 0;
}

void Progress::draw(const StepReport& report, Clock::time_point now) {
  const double spent = std::chrono::duration<double>(now - epoch_start_).count();
  const double rate = spent > 0 ? static_cast<double>(report.step) / spent : 0;
  const double total = std::chrono::duration<double>(now - start_).count();
  const double done =
      static_cast<double>(report.epoch - 1) + static_cast<double>(report.step) / static_cast<double>(report.steps);
  const double left = done > 0 ? total / done * (static_cast<double>(report.epochs) - done) : 0;
  constexpr int64_t cells = 20;
  const int64_t full = cells * report.step / report.steps;
  std::string bar;
  for (int64_t i = 0; i < cells; ++i) bar += i < full ? '#' : '.';
  std::string line =
      fmt::format("epoch {}/{} [{}] {}/{}  loss {}  {:.0f} steps/s  {} left", report.epoch, report.epochs, bar,
                  report.step, report.steps, format_measure(report.loss), rate, format_seconds(left));
  line.resize(std::min(line.size(), static_cast<size_t>(std::max<int64_t>(1, options_.columns - 1))));
  const size_t width = line.size();
  if (options_.color) line = fmt::format("\x1b[36m{}\x1b[0m", line);
  fmt::print(options_.progress, "\r{}{:{}}", line, "", drawn_ > width ? drawn_ - width : 0);
  std::fflush(options_.progress);
  drawn_ = width;
  ++redraws_;
}

void Progress::step(const StepReport& report) {
  if (options_.style != ProgressStyle::terminal) return;
  if (report.epoch != current_epoch_) {
    current_epoch_ = report.epoch;
    epoch_start_ = Clock::now();
  }
  if (--countdown_ > 0) return;
  constexpr auto interval = std::chrono::milliseconds(50);
  const Clock::time_point now = Clock::now();
  const auto waited = now - last_draw_;
  // Short steps look at the clock less often, long ones every time.
  if (waited < interval / 2) stride_ = std::min<int64_t>(stride_ * 2, 1024);
  if (waited > 2 * interval) stride_ = std::max<int64_t>(stride_ / 2, 1);
  countdown_ = stride_;
  if (waited < interval) return;
  last_draw_ = now;
  draw(report, now);
}

void Progress::epoch(const EpochReport& report) {
  if (options_.style == ProgressStyle::quiet) return;
  if (options_.style == ProgressStyle::json) return print_json(options_.results, epoch_json(report));
  // A terminal shows no more than 20 of these a second either: fast runs print a sample of their epochs, and the last.
  const Clock::time_point now = Clock::now();
  if (options_.style == ProgressStyle::terminal && report.epoch < report.epochs &&
      now - last_draw_ < std::chrono::milliseconds(50))
    return;
  last_draw_ = now;
  clear_line();
  const double seconds = std::max(1e-9, report.train_seconds);
  fmt::print(options_.progress, "epoch {}/{}{}{}  {} ({:.0f} rows/s){}\n", report.epoch, report.epochs,
             measures_text("train", report.train), measures_text("val", report.val),
             format_seconds(report.train_seconds + report.val_seconds), static_cast<double>(report.rows) / seconds,
             report.best ? "  best" : "");
  std::fflush(options_.progress);
}

void Progress::finish(const TrainResult& result) {
  clear_line();
  if (options_.style == ProgressStyle::json) {
    Json json = {{"schema", json_schema},
                 {"event", "end"},
                 {"status", status_name(result.status)},
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
    end += fmt::format("; diverged: `{}` is not finite in epoch {}, step {}", result.diverged_loss,
                       result.diverged_epoch, result.diverged_step);
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
