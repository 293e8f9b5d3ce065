// Compiled objects on disk: found again, told apart, damaged, shared, limited; and entries compiled behind the caller.
#include "codegen/object_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "codegen/codegen.h"
#include "tests/unit/codegen/harness.h"

namespace nnc::test {
namespace {

namespace fs = std::filesystem;

class ObjectCaching : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/nnc-cache-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    cache_.folder = name;
  }
  void TearDown() override { fs::remove_all(cache_.folder); }

  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(cache_.folder)) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }

  ObjectCache cache_;
};

// A module of two entries, `double` and `triple`, each with a kernel of its own over eight floats of state.
std::shared_ptr<LoopModule> scaling(double first = 2) {
  std::vector<Kernel> kernels;
  for (const double factor : {first, 3.0}) {
    KernelBuilder b(detect_host().targets.back());
    const BufferId x = b.buffer("x", DType::f32, {8}, LoopBuffer::inout);
    const VarId n = b.var("n", LoopVar::loop, 0, 8 / b.kernel.target.lanes);
    const ValueId value = b.value("v", DType::f32, true), result = b.value("r", DType::f32, true);
    b.once({b.loop(n,
                   {b.load(value, x, Affine::of(n, b.kernel.target.lanes)),
                    b.define(result, LoopOp::mul, {{value, 0}, {{}, factor}}),
                    b.store(x, Affine::of(n, b.kernel.target.lanes), result)},
                   1)});
    b.kernel.name = kernels.empty() ? "first" : "second";
    kernels.push_back(b.kernel);
  }
  auto module = std::make_shared<LoopModule>(module_of(kernels));
  module->state_bytes = 64;
  module->entries.clear();
  for (size_t k = 0; k < 2; ++k) {
    LoopEntry entry;
    entry.name = k == 0 ? "double" : "triple";
    entry.phases.push_back({{KernelCall{KernelId(k), {{BufferBinding::state, 0}}}}});
    module->entries.push_back(entry);
  }
  return module;
}

float run(const Executable& executable, size_t entry) {
  alignas(64) float state[16] = {1, 1, 1, 1, 1, 1, 1, 1};
  nnc_context context = {};
  context.state = state;
  context.threads = 1;
  context.closure = executable.entries[entry].closure;
  executable.entries[entry].call(&context);
  return state[7];
}

TEST_F(ObjectCaching, KeepsAndFinds) {
  store_object(cache_, "abc", "object");
  EXPECT_EQ(files().size(), 1u);
  const std::vector<char> found = load_object(cache_, "abc");
  EXPECT_EQ(std::string(found.begin(), found.end()), "object");
  EXPECT_TRUE(load_object(cache_, "abd").empty());
  EXPECT_TRUE(load_object(ObjectCache(), "abc").empty());
}

TEST_F(ObjectCaching, KeysTellEverythingApart) {
  EXPECT_EQ(object_key({"a", "b"}), object_key({"a", "b"}));
  EXPECT_NE(object_key({"a", "b"}), object_key({"ab", ""}));
  EXPECT_NE(object_key({"a", "b"}), object_key({"a", "c"}));
  EXPECT_EQ(object_key({""}).size(), 32u);
}

TEST_F(ObjectCaching, DamageIsPassedOver) {
  store_object(cache_, "abc", "an object of some length");
  const fs::path path = files().at(0);
  std::ifstream in(path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(path, std::ios::binary) << damaged;
    EXPECT_TRUE(load_object(cache_, "abc").empty()) << at;
    std::ofstream(path, std::ios::binary) << whole.substr(0, at);
    EXPECT_TRUE(load_object(cache_, "abc").empty()) << at;
  }
  store_object(cache_, "abc", "new");
  EXPECT_EQ(load_object(cache_, "abc").size(), 3u);
}

TEST_F(ObjectCaching, TheLeastRecentlyUsedGoFirst) {
  cache_.limit_bytes = 3 * 124;
  for (const char* key : {"a", "b", "c", "d"}) {
    store_object(cache_, key, std::string(100, 'x'));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_FALSE(load_object(cache_, "a").empty());  // used: now b is the oldest
  std::ofstream(cache_.folder + "/z.o.1-1.tmp") << "left by a crash";
  fs::last_write_time(cache_.folder + "/z.o.1-1.tmp", fs::file_time_type::clock::now() - std::chrono::hours(2));
  trim(cache_);
  EXPECT_TRUE(load_object(cache_, "b").empty());
  for (const char* key : {"a", "c", "d"}) EXPECT_FALSE(load_object(cache_, key).empty()) << key;
  EXPECT_EQ(files().size(), 3u);
}

TEST_F(ObjectCaching, OnlyAFolderNobodyElseWritesTo) {
  setenv("NNC_CACHE_DIR", cache_.folder.c_str(), 1);
  EXPECT_EQ(default_cache().folder, cache_.folder);
  chmod(cache_.folder.c_str(), 0777);
  EXPECT_EQ(default_cache().folder, "");
  chmod(cache_.folder.c_str(), 0700);
  setenv("NNC_CACHE_DIR", (cache_.folder + "/new").c_str(), 1);
  setenv("NNC_CACHE_SIZE", "3", 1);
  EXPECT_EQ(default_cache().folder, cache_.folder + "/new");
  EXPECT_EQ(default_cache().limit_bytes, 3 << 20);
  unsetenv("NNC_CACHE_DIR");
  unsetenv("NNC_CACHE_SIZE");
}

TEST_F(ObjectCaching, ASecondCompilationFindsWhatTheFirstKept) {
  if (build_identity().empty()) GTEST_SKIP() << "linked without a build id";
  const CompileOptions options{cache_, {}};
  for (const bool again : {false, true}) {
    CompileTimings timings;
    auto executable = compile(scaling(), options, &timings);
    ASSERT_TRUE(executable.has_value()) << executable.error();
    EXPECT_EQ(timings.cached, again ? timings.objects : 0);
    EXPECT_EQ(run(*executable, 0), 2);
    EXPECT_EQ(run(*executable, 1), 3);
  }
  CompileTimings timings;
  auto other = compile(scaling(5), options, &timings);
  ASSERT_TRUE(other.has_value()) << other.error();
  EXPECT_LT(timings.cached, timings.objects);
  EXPECT_EQ(run(*other, 0), 5);
  for (const fs::path& path : files()) std::ofstream(path, std::ios::binary) << "broken";
  auto rebuilt = compile(scaling(), options, &timings);
  ASSERT_TRUE(rebuilt.has_value()) << rebuilt.error();
  EXPECT_EQ(run(*rebuilt, 1), 3);
}

TEST_F(ObjectCaching, WritersDoNotDisturbOneAnother) {
  std::vector<std::thread> writers;
  for (int k = 0; k < 8; ++k) {
    writers.emplace_back([this] {
      for (int turn = 0; turn < 20; ++turn) {
        store_object(cache_, "same", std::string(1000, 'x'));
        const std::vector<char> found = load_object(cache_, "same");
        EXPECT_EQ(found.size(), 1000u);
        trim(cache_);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(ObjectCaching, EntriesNobodyWaitsForAreThereWhenCalled) {
  for (const char* awaited : {"double", "triple"}) {
    auto executable = compile(scaling(), {{}, {{awaited, 0}}});
    ASSERT_TRUE(executable.has_value()) << executable.error();
    std::vector<std::thread> callers;
    for (int k = 0; k < 4; ++k) {
      callers.emplace_back([&] {
        EXPECT_EQ(run(*executable, 0), 2);
        EXPECT_EQ(run(*executable, 1), 3);
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  // Dropped before it was ever called.
  EXPECT_TRUE(compile(scaling(), {{}, {{"double", 0}}}).has_value());
}

}  // namespace
}  // namespace nnc::test
