#include "runtime/logs/run_logs.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace nnc {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr const char* digits = "0123456789abcdef";
    out += digits[static_cast<uint8_t>(c) >> 4];
    out += digits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

struct Folder {
  fs::path path;
  Folder() {
    std::string name = fs::temp_directory_path() / "nnc-logs-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string csv() const { return read_file(path / "metrics.csv"); }
  std::vector<fs::path> events() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.path().filename().string().starts_with("events.out.tfevents.")) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

EpochReport epoch_report(int64_t epoch, double loss) {
  EpochReport report;
  report.epoch = epoch;
  report.epochs = 9;
  report.steps = 10;
  report.train = {{"loss", loss}, {"accuracy", 0.5}};
  report.val = {{"loss", loss + 0.25}, {"accuracy", 0.75}};
  report.train_seconds = 0.5;
  report.val_seconds = 0.25;
  report.lr = 1e-3;
  return report;
}

TEST(Crc32c, KnowsTheCheckValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(masked_crc32c("123456789"), 0xc78ab0e5U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(EventRecords, AreByteForByteWhatTensorboardWrites) {
  EXPECT_EQ(hex(version_record(1.0)),
            "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a");
  const TaggedScalar loss{"loss", 0.5F};
  EXPECT_EQ(hex(scalars_record(2.0, 1, {&loss, 1})),
            "1a00000000000000129bd82d09000000000000004010012a0d0a0b0a046c6f7373150000003fe20576ce");
}

// A run of two epochs, then one resumed after the first: two files.
std::pair<std::string, std::string> golden_files() {
  std::string first = version_record(1800000000.25);
  EpochReport report = epoch_report(1, 1.0 / 3);
  first += scalars_record(1800000001.5, 1, tagged_scalars(report));
  report = epoch_report(2, std::nan(""));
  report.train[1].name = "größe, \"quoted\"";
  first += scalars_record(1800000002.5, 300, tagged_scalars(report));
  std::string second = version_record(1800000100.0) + session_start_record(1800000100.0, 2);
  second += scalars_record(1800000101.0, 2, tagged_scalars(epoch_report(2, 1e30)));
  second += scalars_record(1800000102.0, 5'000'000'000, tagged_scalars(epoch_report(3, 0)));
  return {first, second};
}

TEST(EventFiles, AreTheCommittedOnes) {
  const fs::path folder = fs::path(NNC_SOURCE_DIR) / "tests/goldens/tensorboard";
  const auto [first, second] = golden_files();
  const fs::path paths[] = {folder / "events.out.tfevents.1800000000.example.1.0",
                            folder / "events.out.tfevents.1800000100.example.2.0"};
  if (std::getenv("NNC_BLESS") != nullptr) {
    std::ofstream(paths[0], std::ios::binary) << first;
    std::ofstream(paths[1], std::ios::binary) << second;
  }
  EXPECT_EQ(hex(read_file(paths[0])), hex(first));
  EXPECT_EQ(hex(read_file(paths[1])), hex(second));
}

// read.json is what TensorBoard's own reader found in those files.
TEST(EventFiles, WereReadByTensorboard) {
  const auto read = nlohmann::json::parse(read_file(fs::path(NNC_SOURCE_DIR) / "tests/goldens/tensorboard/read.json"));
  const auto& events = read["events"];
  ASSERT_EQ(events.size(), 7U);
  EXPECT_EQ(events[0]["file_version"], "brain.Event:2");
  EXPECT_EQ(events[0]["wall_time"], 1800000000.25);
  EXPECT_EQ(events[1]["step"], 1);
  EXPECT_EQ(events[1]["scalars"].size(), 5U);
  EXPECT_EQ(events[1]["scalars"]["Loss/train"].get<float>(), 1.0F / 3);
  EXPECT_EQ(events[1]["scalars"]["Loss/val"].get<float>(), static_cast<float>(1.0 / 3 + 0.25));
  EXPECT_EQ(events[1]["scalars"]["accuracy/val"], 0.75);
  EXPECT_EQ(events[1]["scalars"]["LearningRate"].get<float>(), 1e-3F);
  EXPECT_EQ(events[2]["scalars"]["Loss/train"], "nan");
  EXPECT_TRUE(events[2]["scalars"].contains("größe, \"quoted\"/train"));
  EXPECT_EQ(events[4]["session_log"], "START");
  EXPECT_EQ(events[4]["step"], 2);
  EXPECT_EQ(events[6]["step"], 5'000'000'000);
  // The resumed run replaces what the first wrote at step 2 and after.
  const auto& loss = read["scalars"]["Loss/train"];
  ASSERT_EQ(loss.size(), 3U);
  EXPECT_EQ(loss[0][0], 1);
  EXPECT_EQ(loss[1][0], 2);
  EXPECT_EQ(loss[1][2].get<float>(), 1e30F);
  EXPECT_EQ(loss[2][0], 5'000'000'000);
}

TEST(EventWriter, NamesNoFileTwice) {
  const Folder folder;
  for (int i = 0; i < 3; ++i) {
    auto writer = EventWriter::open(folder.path, 1800000000.75);
    ASSERT_TRUE(writer) << writer.error();
    EXPECT_TRUE(writer->scalar("loss", 1, 0.5, 2.0));
  }
  const auto files = folder.events();
  ASSERT_EQ(files.size(), 3U);
  EXPECT_TRUE(files[0].filename().string().starts_with("events.out.tfevents.1800000000."));
  const TaggedScalar loss{"loss", 0.5F};
  EXPECT_EQ(read_file(files[2]), version_record(1800000000.75) + scalars_record(2.0, 1, {&loss, 1}));
}

TEST(MetricsCsv, NumbersReadBackAndNamesAreQuoted) {
  MetricsRow row{1, 2, 0.1, std::nan(""), {1.0 / 3, std::nan(""), -INFINITY, 5e-324, 1e300}};
  const std::vector<std::string> names = {"train.a,b", "train.\"q\"", "train.x\ny", "val.d", "val.e"};
  const std::string text = metrics_header(names) + metrics_line(row);
  EXPECT_EQ(text,
            "epoch,step,seconds,lr,\"train.a,b\",\"train.\"\"q\"\"\",\"train.x\ny\",val.d,val.e\n"
            "1,2,0.1,,0.3333333333333333,nan,-inf,5e-324,1e+300\n");
  const MetricsHistory read = parse_metrics(text);
  EXPECT_EQ(read.names, names);
  ASSERT_EQ(read.rows.size(), 1U);
  EXPECT_EQ(read.rows[0].values[0], 1.0 / 3);
  EXPECT_TRUE(std::isnan(read.rows[0].values[1]));
  EXPECT_EQ(read.rows[0].values[3], 5e-324);
  EXPECT_EQ(read.ends[0], static_cast<int64_t>(text.size()));
}

TEST(MetricsCsv, AnyPrefixReadsAsItsWholeLines) {
  const std::vector<std::string> names = {"train.a\"b"};
  std::string text = metrics_header(names);
  std::vector<size_t> ends = {text.size()};
  for (int64_t epoch = 1; epoch < 6; ++epoch) {
    text += metrics_line({epoch, 3 * epoch, 0.5, 0.1, {1.0 / static_cast<double>(epoch)}});
    ends.push_back(text.size());
  }
  for (size_t size = 0; size <= text.size(); ++size) {
    const MetricsHistory read = parse_metrics(std::string_view(text).substr(0, size));
    const auto whole = std::upper_bound(ends.begin(), ends.end(), size) - ends.begin();
    EXPECT_EQ(read.header_end, whole == 0 ? 0 : static_cast<int64_t>(ends[0])) << size;
    EXPECT_EQ(static_cast<int64_t>(read.rows.size()), std::max<int64_t>(0, whole - 1)) << size;
  }
}

TEST(MetricsCsv, SurvivesAnyBytes) {
  uint32_t seed = 1;
  const std::string valid = metrics_header({"train.loss"}) + metrics_line({1, 2, 0.5, 0.1, {3}});
  for (int round = 0; round < 3000; ++round) {
    std::string text = valid;
    for (int change = 0; change < 4; ++change) {
      seed = seed * 1664525 + 1013904223;
      text[(seed >> 8) % text.size()] = "\"\n\r,e-0\xFFxn"[(seed >> 3) % 10];
    }
    const MetricsHistory read = parse_metrics(text);
    EXPECT_EQ(read.rows.size(), read.ends.size());
    EXPECT_LE(read.rows.size(), 3U);
  }
}

TEST(RunLogs, WriteARowAndARecordAnEpoch) {
  const Folder folder;
  RunLogs logs;
  logs.clock = [] { return 7.0; };
  logs.open(folder.path);
  logs.epoch(epoch_report(1, 0.5));
  logs.epoch(epoch_report(2, 0.25));
  logs.close();
  EXPECT_EQ(folder.csv(),
            "epoch,step,seconds,lr,train.loss,train.accuracy,val.loss,val.accuracy\n"
            "1,10,0.75,0.001,0.5,0.5,0.75,0.75\n"
            "2,20,1.5,0.001,0.25,0.5,0.5,0.75\n");
  ASSERT_EQ(folder.events().size(), 1U);
  EXPECT_EQ(read_file(folder.events()[0]), version_record(7) +
                                               scalars_record(7, 1, tagged_scalars(epoch_report(1, 0.5))) +
                                               scalars_record(7, 2, tagged_scalars(epoch_report(2, 0.25))));
}

TEST(RunLogs, ResumeCutsLaterAndTornRowsAndRestoresLostOnes) {
  for (const int64_t torn_at : {0, 30, 100, 110, 150, 179}) {
    const Folder folder;
    std::vector<EpochReport> reports;
    for (int64_t epoch = 1; epoch <= 4; ++epoch)
      reports.push_back(epoch_report(epoch, 1.0 / static_cast<double>(epoch)));
    RunLogs whole;
    whole.open(folder.path);
    for (const EpochReport& report : reports) whole.epoch(report);
    whole.close();
    const std::string expected = folder.csv();
    if (torn_at > 0) fs::resize_file(folder.path / "metrics.csv", static_cast<uint64_t>(torn_at));
    RunLogs resumed;
    resumed.clock = [] { return 8.0; };
    resumed.open(folder.path, 2, std::span(reports).first(2));
    resumed.epoch(reports[2]);
    resumed.epoch(reports[3]);
    resumed.close();
    EXPECT_EQ(folder.csv(), expected) << torn_at;
    EXPECT_EQ(folder.events().size(), 2U);
    bool started = false;
    for (const fs::path& path : folder.events())
      started |= read_file(path).starts_with(version_record(8) + session_start_record(8, 3));
    EXPECT_TRUE(started);
  }
}

// Killed between making the file and writing its header; or a file that is not of nnc's making.
TEST(RunLogs, ResumeOverAnyFile) {
  for (const std::string before : {"", "epoch,st", "epoch,step,seconds,lr,train.loss\n1,9223372036854775807,1,1,1\n"}) {
    const Folder folder;
    std::ofstream(folder.path / "metrics.csv") << before;
    auto csv = MetricsCsv::open(folder.path.string(), {"train.loss"}, 1);
    ASSERT_TRUE(csv) << csv.error();
    EXPECT_EQ(csv->last_epoch(), 0);
    ASSERT_TRUE(csv->append({2, 5, 1, 0.5, {0.25}}));
    EXPECT_EQ(folder.csv(), "epoch,step,seconds,lr,train.loss\n2,5,1,0.5,0.25\n");
  }
  const Folder folder;
  ASSERT_EQ(mkfifo((folder.path / "metrics.csv").c_str(), 0600), 0);
  EXPECT_FALSE(MetricsCsv::open(folder.path.string(), {"train.loss"}, 1));
}

TEST(RunLogs, TroubleIsSaidOnceAndEndsNothing) {
  RunLogs logs;
  int warnings = 0;
  logs.warn = [&](const std::string& message) {
    ++warnings;
    EXPECT_NE(message.find("No such file"), std::string::npos) << message;
  };
  logs.open("/nonexistent/run");
  for (int64_t epoch = 1; epoch < 5; ++epoch) logs.epoch(epoch_report(epoch, 1));
  logs.close();
  EXPECT_EQ(warnings, 1);
}

// A full disk, played by the limit on a file's size: lines stay whole, and go on once there is room.
TEST(RunLogs, AFullDiskLeavesWholeLines) {
  const Folder folder;
  RunLogs logs;
  int warnings = 0;
  logs.warn = [&](const std::string&) { ++warnings; };
  logs.open(folder.path);
  logs.epoch(epoch_report(1, 0.5));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{folder.csv().size() + 7, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  logs.epoch(epoch_report(2, 0.5));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(folder.csv().back(), '\n');
  EXPECT_EQ(parse_metrics(folder.csv()).rows.size(), 1U);
  logs.epoch(epoch_report(3, 0.5));
  EXPECT_EQ(parse_metrics(folder.csv()).rows.size(), 2U);
  EXPECT_EQ(warnings, 1);
}

TEST(RunLogs, OneNameIsOneColumn) {
  EpochReport report = epoch_report(1, 2);
  report.train = {{"loss", 2}, {"loss", 2}};
  report.val.clear();
  report.lr = std::nan("");
  EXPECT_EQ(metric_names(report), std::vector<std::string>{"train.loss"});
  ASSERT_EQ(tagged_scalars(report).size(), 1U);
  EXPECT_EQ(tagged_scalars(report)[0].tag, "Loss/train");
}

}  // namespace
}  // namespace nnc
