// What a run shows while it runs and when it ends.
//
// On a terminal: a bar, redrawn at most 20 times a second, of an epoch's steps, or of the epochs where they are short;
// above it lines of finished epochs, at most 10 a second and always the last. Elsewhere (or with TERM=dumb): a plain
// line an epoch, no colour, no carriage returns. As JSON: one object a line, each with `schema` and `event`.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include "runtime/trainer.h"

namespace nnc {

enum class ProgressStyle : uint8_t { terminal, plain, json, quiet };

double steady_seconds();  // of a clock that never goes back

struct ProgressOptions {
  ProgressStyle style = ProgressStyle::plain;
  bool color = false;
  int64_t columns = 80;          // of the terminal
  std::FILE* progress = stderr;  // lines while running
  std::FILE* results = stdout;   // the table at the end, and all JSON
  bool unicode = false;          // the bar in eighths of a cell
  bool follow_size = false;      // ask the terminal for its columns at each redraw
  std::function<double()> clock = steady_seconds;
};

// Finds the style from the streams and the environment (NO_COLOR, TERM, terminal width).
ProgressOptions detect_progress(bool json, std::FILE* progress, std::FILE* results);

constexpr int json_schema = 1;

class Progress {
 public:
  explicit Progress(ProgressOptions options)
      : options_(std::move(options)), start_(options_.clock()), epoch_start_(start_) {}
  void step(const StepReport& report);  // costs a counter most of the time
  void epoch(const EpochReport& report);
  // The table of the last and best epochs, or the JSON object of the end.
  void finish(const TrainResult& result);
  TrainHooks hooks();  // that call the above; the Progress must outlive them
  int64_t redraws() const { return redraws_; }

 private:
  void draw(const StepReport& report, double now);
  void clear_line();
  void print_epoch(const EpochReport& report);

  ProgressOptions options_;
  double start_ = 0, epoch_start_ = 0;
  double last_draw_ = -1e9, last_line_ = -1e9;
  int64_t countdown_ = 0, stride_ = 1;  // steps between two looks at the clock
  int64_t current_epoch_ = 0;
  int64_t first_epoch_ = 0;  // the first this run saw: not 1 where it was resumed
  int64_t redraws_ = 0;
  bool drawn_ = false;                 // a bar stands on the line
  std::optional<EpochReport> unsaid_;  // the last epoch, where it had no line
};

// "12.3 s", "4 min 05 s"
std::string format_seconds(double seconds);
// Four significant digits, for tables and lines.
std::string format_measure(double value);

}  // namespace nnc
