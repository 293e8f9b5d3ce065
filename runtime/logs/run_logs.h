// What a run leaves behind while it trains: metrics.csv and a TensorBoard event file in its directory.
//
//   RunLogs logs;
//   logs.open("runs/net-1");
//   hooks.epoch = [&](const EpochReport& report) { logs.epoch(report); };
//   …
//   logs.close();
//
// Tags: `Loss/train` and `Loss/val` for the sum of the losses, `NAME/train` and `NAME/val` for each loss and metric
// under its own name, `LearningRate`. The step of an event is its epoch. Trouble with a file never ends training: it is
// said once, and what cannot be written is left out.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "runtime/logs/events.h"
#include "runtime/logs/metrics_csv.h"
#include "runtime/trainer.h"

namespace nnc {

// Names and values in the order of a row of metrics.csv: "train.loss", …, "val.loss", …. Only scalars.
std::vector<std::string> metric_names(const EpochReport& report);
std::vector<double> metric_values(const EpochReport& report);
std::vector<TaggedScalar> tagged_scalars(const EpochReport& report);

struct RunLogs {
  // The directory exists. With a resumed run, `resume_epoch` is the last finished epoch that counts: later rows are
  // cut, and rows of `finished` epochs that the file has lost are written again.
  void open(std::string run_directory, int64_t resume_epoch = 0, std::span<const EpochReport> finished = {});
  void epoch(const EpochReport& report);
  void close();

  std::function<void(const std::string&)> warn;  // called at the first trouble; by default a line on stderr
  std::function<double()> clock = wall_time;

  std::string directory;
  int64_t resumed = 0;
  std::vector<EpochReport> earlier;
  bool warned = false, csv_failed = false, events_failed = false;
  MetricsCsv csv;
  EventWriter events;

 private:
  void trouble(const std::string& message);
  void write_row(const EpochReport& report);
  bool open_csv(const EpochReport& report);
  bool open_events();
};

}  // namespace nnc
