// The bar on a terminal: how it looks, when it is drawn, which epochs keep a line, and what the terminal decides.
#include <gtest/gtest.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>

#include "runtime/logs/progress.h"
#include "runtime/logs/progress_bar.h"

namespace nnc {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

BarState sample() {
  BarState bar;
  bar.title = "epoch 3/50";
  bar.fraction = 0.4215;
  bar.done = 421;
  bar.total = 1000;
  bar.seconds = 3.24;
  bar.left = 4.6;
  bar.rate = 130.2;
  bar.note = "loss 0.2130";
  return bar;
}

size_t cells(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(ProgressBar, LooksLikeThis) {
  const BarState bar = sample();
  const std::string before = " epoch 3/50  42%", after = " 421/1000 [00:03<00:05, 130 step/s, loss 0.2130]";
  const auto wide = static_cast<int64_t>(before.size() + after.size()) + 2 + 10 + 1;
  EXPECT_EQ(progress_line(bar, wide, true, false), before + "|████▏     |" + after);
  EXPECT_EQ(progress_line(bar, wide, false, false), before + "|####      |" + after);
  EXPECT_EQ(progress_line(bar, wide, true, true), before + "|\x1b[36m████▏     \x1b[0m|" + after);
  // The bar has between 4 and 40 cells; where there is no room for 4 it goes, and then the end of the line.
  EXPECT_EQ(progress_line(bar, wide - 6, false, false), before + "|#   |" + after);
  EXPECT_EQ(progress_line(bar, wide - 7, false, false), before + after);
  EXPECT_EQ(progress_line(bar, 17, true, true), before);
  EXPECT_EQ(progress_line(bar, 7, true, true), " epoch");
  EXPECT_EQ(cells(progress_line(bar, 500, true, false)), before.size() + after.size() + 2 + 40);

  BarState other = bar;
  other.note.clear();
  other.rate = 4.25;
  other.left = -1;
  EXPECT_EQ(progress_line(other, 1, false, false), " ");
  EXPECT_NE(progress_line(other, 80, false, false).find(" 421/1000 [00:03<?, 4.2 step/s]"), std::string::npos);
  other.rate = 0.25;
  other.unit = "epoch";
  EXPECT_NE(progress_line(other, 80, false, false).find("4.0 s/epoch]"), std::string::npos);
  other.rate = 0;
  EXPECT_NE(progress_line(other, 80, false, false).find("? epoch/s]"), std::string::npos);
  other.fraction = 1;
  EXPECT_NE(progress_line(other, 60, true, false).find("100%|"), std::string::npos);
  EXPECT_EQ(progress_line(other, 80, false, false).find(" |"), std::string::npos) << "a full bar has no blanks";
}

TEST(ProgressBar, FitsAnyWidthAndAnyNumber) {
  const double numbers[] = {0, -1, 0.5, 1, 1e-300, 1e300, nan_value, infinite, -infinite};
  for (const double number : numbers) {
    for (const bool unicode : {false, true}) {
      BarState bar = sample();
      bar.fraction = bar.seconds = bar.left = bar.rate = number;
      bar.done = std::numeric_limits<int64_t>::min();
      bar.total = std::numeric_limits<int64_t>::max();
      bar.title = "Größe";
      for (const int64_t columns :
           {-5, 0, 1, 2, 3, 7, 8, 9, 20, 60, 99, 100, 101, 102, 103, 104, 105, 106, 400, 100000}) {
        const std::string line = progress_line(bar, columns, unicode, false);
        EXPECT_LE(cells(line), static_cast<size_t>(std::max<int64_t>(1, columns - 1))) << columns;
        EXPECT_EQ(line.find_first_of("\n\r\x1b"), std::string::npos);
        EXPECT_TRUE(line.empty() || (line.back() & 0xC0) != 0xC0) << "a character is cut in two";
      }
    }
  }
}

TEST(ProgressBar, Clock) {
  EXPECT_EQ(format_clock(0), "00:00");
  EXPECT_EQ(format_clock(187), "03:07");
  EXPECT_EQ(format_clock(59.6), "01:00");
  EXPECT_EQ(format_clock(3599.4), "59:59");
  EXPECT_EQ(format_clock(3723), "1:02:03");
  EXPECT_EQ(format_clock(400 * 3600.0), "400:00:00");
  for (const double unknown : {-1.0, nan_value, infinite, 1e30}) EXPECT_EQ(format_clock(unknown), "?");
}

// A terminal of 80 columns with a clock that moves when told.
struct Screen {
  std::FILE* file = std::tmpfile();
  double now = 100;
  Progress progress;

  Screen()
      : progress(
            ProgressOptions{ProgressStyle::terminal, false, 80, file, file, false, false, [this] { return now; }}) {}
  ~Screen() { std::fclose(file); }

  // `epochs` of them, `steps` steps of `seconds` each.
  void train(int64_t from, int64_t to, int64_t epochs, int64_t steps, double seconds) {
    for (int64_t epoch = from; epoch <= to; ++epoch) {
      for (int64_t step = 1; step <= steps; ++step) {
        now += seconds;
        progress.step({epoch, epochs, step, steps, 0.5});
      }
      EpochReport report;
      report.epoch = epoch;
      report.epochs = epochs;
      report.train = {Measure{"loss", 0.5}};
      progress.epoch(report);
    }
  }

  std::string text() {
    std::string out;
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) out += static_cast<char>(c);
    return out;
  }
};

// What stays on the screen: each line after its last carriage return.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      lines.push_back(line);
    }
    if (c == '\n' || c == '\r') {
      line.clear();
    } else {
      line += c;
    }
  }
  return lines;
}

TEST(ProgressOnATerminal, LongEpochsShowTheirSteps) {
  Screen screen;
  screen.train(1, 2, 50, 100, 0.1);  // ten seconds an epoch
  const std::string text = screen.text();
  EXPECT_NE(text.find("\r epoch 1/50  50%|"), std::string::npos) << text.substr(0, 400);
  EXPECT_NE(text.find(" 50/100 [00:05<00:05, 10 step/s, loss 0.5000]"), std::string::npos);
  EXPECT_NE(text.find("\r epoch 2/50  50%|"), std::string::npos);
  EXPECT_EQ(text.find("training"), text.npos);
  const auto lines = lines_of(text);
  ASSERT_EQ(lines.size(), 2u) << "a line an epoch";
  EXPECT_TRUE(lines[0].starts_with("\x1b[Kepoch 1/50  train.loss 0.5000")) << lines[0];
  EXPECT_TRUE(lines[1].starts_with("\x1b[Kepoch 2/50"));
  EXPECT_GE(screen.progress.redraws(), 100);
  EXPECT_LE(screen.progress.redraws(), 200) << "never more than there are steps";
}

TEST(ProgressOnATerminal, ShortEpochsShareABarAndFewLines) {
  Screen screen;
  const double start = screen.now;
  screen.train(1, 7000, 7000, 10, 1e-4);
  const double seconds = screen.now - start;  // seven
  const std::string text = screen.text();
  const auto lines = lines_of(text);
  EXPECT_LE(static_cast<double>(lines.size()), 10 * seconds + 2);
  EXPECT_GE(lines.size(), 20u);
  EXPECT_NE(lines.back().find("epoch 7000/7000"), std::string::npos);
  EXPECT_NE(text.find("\r training  50%|"), std::string::npos);
  EXPECT_NE(text.find(" epoch/s, loss 0.5000]"), std::string::npos);
  EXPECT_EQ(text.find("\r epoch"), std::string::npos) << "the bar of an epoch would only flicker";
  EXPECT_GE(screen.progress.redraws(), 30);
  EXPECT_LE(static_cast<double>(screen.progress.redraws()), 20 * seconds + 2);
}

// Of a resumed run the rate counts what this process did.
TEST(ProgressOnATerminal, AResumedRunKnowsItsOwnRate) {
  Screen screen;
  screen.train(5001, 6000, 7000, 10, 1e-4);  // 1000 epochs a second
  const std::string text = screen.text();
  EXPECT_NE(text.find("/7000 [00:01<00:01, 10"), std::string::npos) << text.substr(text.size() - 300);
}

TEST(ProgressOnATerminal, AnEarlyStopStillSaysItsLastEpoch) {
  Screen screen;
  screen.train(1, 33, 7000, 10, 1e-4);
  EXPECT_EQ(lines_of(screen.text()).size(), 1u) << "33 ms have room for the first only";
  TrainResult result;
  result.status = TrainStatus::stopped_early;
  result.best_epoch = 3;
  result.steps = 330;
  for (int64_t epoch = 1; epoch <= 33; ++epoch) {
    EpochReport& report = result.epochs.emplace_back();
    report.epoch = epoch;
    report.train = {Measure{"loss", 0.5}};
  }
  screen.progress.finish(result);
  const auto lines = lines_of(screen.text());
  ASSERT_GE(lines.size(), 3u);
  EXPECT_NE(lines[1].find("epoch 33/7000"), std::string::npos) << lines[1];
  EXPECT_NE(lines.back().find("stopped early, best epoch 3"), std::string::npos) << lines.back();
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.find("epoch 33/7000") != std::string::npos; }),
            1);
}

// Sets an environment variable until the end of the scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = getenv(name)) before_ = before;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Environment() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

struct Terminal {
  int master = -1;
  std::FILE* file = nullptr;

  explicit Terminal(unsigned short columns) {
    winsize size = {24, columns, 0, 0};
    int slave = -1;
    if (openpty(&master, &slave, nullptr, nullptr, &size) == 0) file = fdopen(slave, "w");
  }
  ~Terminal() {
    if (file != nullptr) std::fclose(file);
    if (master >= 0) close(master);
  }
  void resize(unsigned short columns) {
    winsize size = {24, columns, 0, 0};
    EXPECT_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
  }
  // All that was written since the last call; something was.
  std::string read_all() {
    char buffer[4096];
    const ssize_t count = read(master, buffer, sizeof buffer);
    return std::string(buffer, count > 0 ? static_cast<size_t>(count) : 0);
  }
};

TEST(ProgressOnATerminal, FollowsItsSize) {
  Terminal terminal(60);
  if (terminal.file == nullptr) GTEST_SKIP() << "no pseudo terminal here";
  const Environment term("TERM", "xterm"), color("NO_COLOR", nullptr), all("LC_ALL", "de_DE.utf8");
  ProgressOptions options = detect_progress(false, terminal.file, terminal.file);
  EXPECT_EQ(options.style, ProgressStyle::terminal);
  EXPECT_TRUE(options.color);
  EXPECT_TRUE(options.unicode);
  EXPECT_TRUE(options.follow_size);
  options.color = false;
  double now = 0;
  options.clock = [&] { return now; };
  Progress progress(options);
  const auto drawn = [&](int64_t step) {
    now += 1;
    progress.step({1, 5, step, 10, 0.25});
    std::string text = terminal.read_all();
    EXPECT_TRUE(text.starts_with("\r") && text.ends_with("\x1b[K")) << text;
    return text.size() < 4 ? text : text.substr(1, text.size() - 4);
  };
  const std::string narrow = drawn(1);
  EXPECT_EQ(cells(narrow), 59u) << narrow;
  terminal.resize(72);
  EXPECT_EQ(cells(drawn(2)), 71u) << "the next redraw has the new size";
  terminal.resize(20);
  EXPECT_EQ(drawn(3), " epoch 1/5  30% 3/1");
}

TEST(ProgressOnATerminal, IsWhatTheEnvironmentSays) {
  Terminal terminal(80);
  if (terminal.file == nullptr) GTEST_SKIP() << "no pseudo terminal here";
  std::FILE* plain = std::tmpfile();
  const auto detect = [&](bool json, std::FILE* file) { return detect_progress(json, file, plain); };
  {
    const Environment term("TERM", "xterm"), color("NO_COLOR", "1"), all("LC_ALL", "C"), lang("LANG", "en_US.UTF-8");
    EXPECT_FALSE(detect(false, terminal.file).color);
    EXPECT_FALSE(detect(false, terminal.file).unicode) << "LC_ALL decides before LANG";
    EXPECT_EQ(detect(false, plain).style, ProgressStyle::plain);
    EXPECT_FALSE(detect(false, plain).color);
    EXPECT_EQ(detect(true, terminal.file).style, ProgressStyle::json);
  }
  {
    const Environment term("TERM", "xterm"), color("NO_COLOR", ""), all("LC_ALL", ""), type("LC_CTYPE", nullptr),
        lang("LANG", "en_US.UTF-8");
    EXPECT_TRUE(detect(false, terminal.file).color) << "an empty NO_COLOR says nothing";
    EXPECT_TRUE(detect(false, terminal.file).unicode);
  }
  {
    const Environment term("TERM", "dumb");
    EXPECT_EQ(detect(false, terminal.file).style, ProgressStyle::plain);
    EXPECT_FALSE(detect(false, terminal.file).color);
  }
  const Environment term("TERM", nullptr);
  EXPECT_EQ(detect(false, terminal.file).style, ProgressStyle::plain);
  std::fclose(plain);
}

}  // namespace
}  // namespace nnc
