// Checkpoints: whole or not there, found by verifying, and every bit of what they hold comes back.
#include "runtime/checkpoint/checkpoint.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <cmath>
#include <cstring>
#include <random>

#include "files.h"
#include "runtime/checkpoint/checkpoint_files.h"
#include "runtime/checkpoint/json_text.h"
#include "runtime/checkpoint/progress_json.h"
#include "runtime/checkpoint/run_directory.h"
#include "runtime/checkpoint/run_lock.h"
#include "runtime/checkpoint/safetensors.h"

namespace nnc {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

// A parameter stored transposed with gaps, its slot, and the counter of steps.
Executable program() {
  Executable executable;
  executable.states = {
      {"fc.weight", ElementType::f32, {2, 3}, 0, 32, {{0, 1, 2, 1}, {1, 1, 3, 2}}, true, ""},
      {"fc.weight:m", ElementType::f32, {2, 3}, 64, 24, {{0, 1, 2, 3}, {1, 1, 3, 1}}, false, "fc.weight"},
      {"step", ElementType::i64, {}, 128, 8, {}, false, ""}};
  executable.state_bytes = 192;
  return executable;
}

std::vector<std::byte> segment_of(int seed) {
  std::vector<std::byte> segment(192);
  const Executable executable = program();
  for (const StateTensor& state : executable.states) {
    std::vector<std::byte> logical(24);
    for (size_t k = 0; k < logical.size(); ++k) logical[k] = static_cast<std::byte>(seed + static_cast<int>(k) * 7);
    write_state(state, logical.data(), segment.data());
  }
  return segment;
}

TrainProgress progress_of(int64_t steps) {
  TrainProgress progress;
  progress.epoch = 3;
  progress.step = 4;
  progress.steps = steps;
  const double nan = std::nan("");
  progress.epochs = {{1, 9, {{"loss", 0.1, {}, {}}}, {{"loss", INFINITY, {}, {}}}, 1e-300, 5e-324, 100, 7, true, nan},
                     {2,
                      9,
                      {{"loss", -0.0, {}, {}}},
                      {{"confusion", nan, {2, 2}, {1, 2, -INFINITY, 1.0 / 3}}},
                      0,
                      0,
                      100,
                      7,
                      false,
                      0.1}};
  progress.sums.sums = {1.0 / 3, 1e300, nan};
  progress.sums.collected = {{{std::byte{0}, std::byte{255}, std::byte{16}}, {}}, {{}, {0.1 + 0.2}}};
  progress.sums.rows = 64;
  progress.sums.loss = 12345678901234567.0;
  progress.best = -INFINITY;
  progress.best_epoch = 1;
  progress.lr_factor = 0.1 * 0.1;
  return progress;
}

tl::expected<void, RuntimeError> save(const std::string& folder, int64_t steps, int64_t keep = 2) {
  const Executable executable = program();
  const std::vector<std::byte> segment = segment_of(static_cast<int>(steps));
  const TrainProgress progress = progress_of(steps);
  return save_checkpoint(folder, {&executable, segment.data(), &progress, steps, 2, {{"model", "abc"}}}, keep);
}

std::vector<int64_t> found_steps(const std::string& folder) {
  std::vector<int64_t> steps;
  for (const FoundCheckpoint& found : find_checkpoints(folder).sound) steps.push_back(found.steps);
  return steps;
}

TEST(Checkpoint, GivesBackEveryBit) {
  const TemporaryFolder folder;
  ASSERT_TRUE(save(folder.file("last"), 11));
  const FoundCheckpoints found = find_checkpoints(folder.file("last"));
  ASSERT_EQ(found.sound.size(), 1u);
  EXPECT_EQ(found.sound[0].steps, 11);
  EXPECT_EQ(found.sound[0].epoch, 2);
  EXPECT_EQ(found.sound[0].fingerprints, nlohmann::json({{"model", "abc"}}));
  EXPECT_EQ(to_json(found.sound[0].progress).dump(), to_json(progress_of(11)).dump());
  EXPECT_TRUE(std::isnan(found.sound[0].progress.epochs[0].lr));
  EXPECT_EQ(found.sound[0].progress.sums.collected, progress_of(11).sums.collected);
  EXPECT_EQ(found.sound[0].progress.sums.loss, 12345678901234567.0);
  EXPECT_TRUE(std::signbit(found.sound[0].progress.epochs[1].train[0].value));
  std::vector<std::byte> segment(192);
  EXPECT_EQ(test::all_text(load_states(found.sound[0].path, program(), StateKind::all, segment.data())), "");
  EXPECT_EQ(segment, segment_of(11));
}

TEST(Checkpoint, KeepsTheNewestTwoAndClearsUp) {
  const TemporaryFolder folder;
  fs::create_directories(folder.file("last/step-9.tmp"));
  for (const int64_t steps : {3, 20, 100}) ASSERT_TRUE(save(folder.file("last"), steps));
  EXPECT_EQ(found_steps(folder.file("last")), (std::vector<int64_t>{100, 20}));
  EXPECT_FALSE(fs::exists(folder.file("last/step-9.tmp")));
  ASSERT_TRUE(save(folder.file("last"), 100)) << "one of the same name is replaced";
  EXPECT_EQ(found_steps(folder.file("last")), (std::vector<int64_t>{100, 20}));
  EXPECT_TRUE(found_steps(folder.file("nowhere")).empty());
}

TEST(Checkpoint, IsDamagedByAnyChangedByte) {
  const TemporaryFolder folder;
  ASSERT_TRUE(save(folder.file("last"), 1));
  ASSERT_TRUE(save(folder.file("last"), 2));
  std::mt19937 random(3);
  for (const char* name : {weights_file, optimizer_file, progress_file}) {
    const std::string path = folder.file(std::string("last/step-2/") + name);
    const std::string good = test::read_file(path);
    for (int round = 0; round < 20; ++round) {
      std::string bad = good;
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
      if (round == 0) bad.pop_back();
      folder.write(std::string("last/step-2/") + name, bad);
      const FoundCheckpoints found = find_checkpoints(folder.file("last"));
      ASSERT_EQ(found.sound.size(), 1u) << name;
      EXPECT_EQ(found.sound[0].steps, 1);
      EXPECT_EQ(found.damaged.at(0).code, ErrorCode::E801);
    }
    folder.write(std::string("last/step-2/") + name, good);
  }
  EXPECT_EQ(found_steps(folder.file("last")), (std::vector<int64_t>{2, 1}));
  fs::remove(folder.file("last/step-2/MANIFEST.json"));
  set_aside(find_checkpoints(folder.file("last")));
  EXPECT_TRUE(fs::exists(folder.file("last/step-2.damaged")));
  EXPECT_EQ(found_steps(folder.file("last")), std::vector<int64_t>{1});
}

TEST(Checkpoint, OfLaterEpochsIsRemoved) {
  const TemporaryFolder folder;
  const Executable executable = program();
  const std::vector<std::byte> segment = segment_of(1);
  const TrainProgress progress = progress_of(1);
  for (const int64_t epoch : {1, 2, 3}) {
    ASSERT_TRUE(
        save_checkpoint(folder.file("best"), {&executable, segment.data(), &progress, 10 * epoch, epoch, {}}, 9));
  }
  remove_later_epochs(folder.file("best"), 2);
  EXPECT_EQ(found_steps(folder.file("best")), (std::vector<int64_t>{20, 10}));
  remove_later_epochs(folder.file("none"), 0);
}

TEST(RunLock, IsHeldByOne) {
  const TemporaryFolder folder;
  auto first = RunLock::take(folder.file(""));
  ASSERT_TRUE(first);
  const auto second = RunLock::take(folder.file(""));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::E804);
  EXPECT_NE(second.error().message.find("process " + std::to_string(getpid())), std::string::npos);
  RunLock moved = std::move(*first);
  EXPECT_FALSE(RunLock::take(folder.file("")));
  moved = RunLock();
  EXPECT_TRUE(RunLock::take(folder.file("")));
  EXPECT_EQ(RunLock::take(folder.file("none")).error().code, ErrorCode::E652);
  folder.write("lock", std::string(5000, '\x1b'));
  EXPECT_TRUE(RunLock::take(folder.file("")));
}

TEST(Checkpoint, FailsCleanly) {
  const TemporaryFolder folder;
  const auto below_a_file = save(folder.write("file", "") + "/last", 1);
  ASSERT_FALSE(below_a_file);
  EXPECT_EQ(below_a_file.error().code, ErrorCode::E652);
  ASSERT_TRUE(save(folder.file("last"), 1));
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t limit : {0, 200, 500, 900, 1500}) {
    const rlimit small = {limit, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const auto full = save(folder.file("last"), 2);
    setrlimit(RLIMIT_FSIZE, &before);
    if (full) continue;
    EXPECT_EQ(full.error().code, ErrorCode::E651) << full.error().message;
    EXPECT_EQ(found_steps(folder.file("last")), std::vector<int64_t>{1});
    EXPECT_FALSE(fs::exists(folder.file("last/step-2.tmp")));
    EXPECT_LE(limit, 1000u);
  }
  signal(SIGXFSZ, handler);
}

TEST(Checkpoint, SaysWhichStatesDoNotFit) {
  const TemporaryFolder folder;
  ASSERT_TRUE(save(folder.file("last"), 1));
  const std::string path = folder.file("last/step-1");
  std::vector<std::byte> segment(256);
  Executable other = program();
  other.states[0].name = "fc.weights";
  other.states[1].dims = {3, 2};
  const RuntimeErrors errors = load_states(path, other, StateKind::all, segment.data());
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].code, ErrorCode::E802);
  EXPECT_NE(errors[0].message.find("lacks `fc.weights`, but has `fc.weight`"), std::string::npos) << errors[0].message;
  EXPECT_NE(errors[1].message.find("`fc.weight:m` is F32[2, 3]"), std::string::npos) << errors[1].message;
  EXPECT_TRUE(load_states(path, other, StateKind::weights, segment.data()).size() == 1);
  Executable fewer = program();
  fewer.states.pop_back();
  EXPECT_EQ(load_states(path, fewer, StateKind::all, segment.data()).size(), 1u);
}

TEST(Checkpoint, ParametersComeFromAnyFloats) {
  const TemporaryFolder folder;
  const std::vector<uint16_t> halves = {0x3C00, 0xC000, 0x0001, 0x7C00, 0x3555, 0x0000};
  const std::vector<float> expected = {1, -2, 0x1p-24f, INFINITY, 0x1.554p-2f, 0};
  const std::string header = R"({"fc.weight":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}})";
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), 8);
  file += header + std::string(reinterpret_cast<const char*>(halves.data()), 12);
  std::vector<std::byte> segment(192);
  EXPECT_EQ(test::all_text(load_parameters(folder.write("w", file), program(), 7, segment.data())), "");
  std::vector<float> weights(6);
  read_state(program().states[0], segment.data(), weights.data());
  EXPECT_EQ(weights, expected);
  const RuntimeErrors missing = load_parameters(folder.file("none"), program(), 7, segment.data());
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].origin, 7u);
}

TEST(Checkpoint, ProgressFromAnythingNeverCrashes) {
  const std::string good = to_json(progress_of(5)).dump();
  EXPECT_TRUE(progress_from_json(nlohmann::json::parse(good)));
  std::mt19937 random(11);
  const std::string alphabet = "{}[]\",:0123456789-.e \\untrf";
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (int edit = 0; edit < 2; ++edit) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0) text[at] = alphabet[random() % alphabet.size()];
      if (random() % 2 == 0) text.erase(at, random() % 20);
    }
    if (const auto json = parse_json(text)) (void)progress_from_json(*json);
  }
  EXPECT_FALSE(parse_json(R"({"a":1,"a":2})"));
  EXPECT_FALSE(parse_json(std::string(30'000'000, '['))) << "and takes no memory for what follows the refused level";
  EXPECT_FALSE(parse_json("{\"a\":1,\"a\":" + std::string(100000, '[')));
  EXPECT_FALSE(parse_json(std::string(70, '[') + std::string(70, ']')));
  EXPECT_TRUE(parse_json(R"({"a":{"a":[{"a":1},{"a":1}]}})"));
  EXPECT_FALSE(parse_json("\"\xff\""));
}

TEST(RunDirectory, NumbersAreNeverUsedTwice) {
  const TemporaryFolder folder;
  const std::string root = folder.file("some/runs");
  EXPECT_EQ(create_run_directory(root, "net").value(), root + "/net-1");
  EXPECT_EQ(create_run_directory(root, "net").value(), root + "/net-2");
  fs::create_directories(root + "/net-41");
  fs::create_directories(root + "/net-x");
  EXPECT_EQ(create_run_directory(root, "net").value(), root + "/net-42");
  EXPECT_EQ(create_run_directory(root, "ne").value(), root + "/ne-1");
  EXPECT_EQ(create_run_directory(root, "a/b c").value(), root + "/a_b_c-1");
  EXPECT_EQ(create_run_directory(folder.write("file", ""), "net").error().code, ErrorCode::E652);
  EXPECT_EQ(create_run_directory("/proc/nnc", "net").error().code, ErrorCode::E652);
}

}  // namespace
}  // namespace nnc
