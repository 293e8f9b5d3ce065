// What a run shows while it runs and when it ends.
//
// On a terminal: one line, redrawn at most 20 times a second. Elsewhere (or with TERM=dumb): a plain line an epoch, no
// colour, no carriage returns. As JSON: one object a line, each with `schema` and `event`.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "runtime/trainer.h"

namespace nnc {

enum class ProgressStyle : uint8_t { terminal, plain, json, quiet };

struct ProgressOptions {
  ProgressStyle style = ProgressStyle::plain;
  bool color = false;
  int64_t columns = 80;          // of the terminal
  std::FILE* progress = stderr;  // lines while running
  std::FILE* results = stdout;   // the table at the end, and all JSON
};

// Finds the style from the streams and the environment (NO_COLOR, TERM, terminal width).
ProgressOptions detect_progress(bool json, std::FILE* progress, std::FILE* results);

constexpr int json_schema = 1;

class Progress {
 public:
  explicit Progress(ProgressOptions options) : options_(options) {}
  void step(const StepReport& report);  // costs a counter most of the time
  void epoch(const EpochReport& report);
  // The table of the last and best epochs, or the JSON object of the end.
  void finish(const TrainResult& result);
  TrainHooks hooks();  // that call the above; the Progress must outlive them
  int64_t redraws() const { return redraws_; }

 private:
  using Clock = std::chrono::steady_clock;
  void draw(const StepReport& report, Clock::time_point now);
  void clear_line();

  ProgressOptions options_;
  Clock::time_point start_ = Clock::now(), last_draw_{}, epoch_start_{};
  int64_t countdown_ = 0, stride_ = 1;  // steps between two looks at the clock
  int64_t current_epoch_ = 0;
  int64_t redraws_ = 0;
  size_t drawn_ = 0;  // width of what stands on the line
};

// "12.3 s", "4 min 05 s"
std::string format_seconds(double seconds);
// Four significant digits, for tables and lines.
std::string format_measure(double value);

}  // namespace nnc
