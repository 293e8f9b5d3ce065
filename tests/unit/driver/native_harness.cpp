#include "tests/unit/driver/native_harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codegen/codegen.h"
#include "driver/interpret.h"
#include "ir/check.h"

namespace nnc::testing {
namespace {

constexpr int kPoison = 0xff;

int64_t bytes_of(ElementType type, const std::vector<int64_t>& dims) {
  int64_t bytes = element_size(type);
  for (int64_t extent : dims) bytes *= extent;
  return bytes;
}

std::string io_name(const IoTensor& tensor) {
  if (!tensor.written) return tensor.name;
  return (tensor.role == IoTensor::saved      ? "saved:"
          : tensor.role == IoTensor::gradient ? "gradient:"
                                              : "") +
         tensor.name;
}

// One tensor in memory that holds guard bytes before and behind it.
struct Guarded {
  int64_t before, size;
  Bytes memory;

  Guarded(int64_t element, int64_t bytes) : before(element), size(bytes), memory(bytes + element + 64, kPoison) {}
  std::byte* data() { return memory.data() + before; }
  bool intact() const {
    const auto is_guard = [](std::byte byte) { return byte == std::byte{kPoison}; };
    const std::byte* first = memory.data();
    return std::all_of(first, first + before, is_guard) &&
           std::all_of(first + before + size, first + memory.size(), is_guard);
  }
};

void poison(Session& session) {
  const Executable& executable = *session.executable;
  if (executable.arena_bytes > 0)
    std::memset(session.arena.data(), kPoison, static_cast<size_t>(executable.arena_bytes));
  for (const nnc_context& context : session.contexts) {
    if (executable.scratch_bytes > 0)
      std::memset(context.scratch, kPoison, static_cast<size_t>(executable.scratch_bytes));
  }
}

// The bits of an element that count: one NaN, no denormals.
uint64_t plain_bits(DType dtype, const std::byte* at) {
  uint64_t bits = 0;
  std::memcpy(&bits, at, static_cast<size_t>(size_of(dtype)));
  if (!is_float(dtype)) return bits;
  if (std::isnan(read_element(dtype, at))) return ~uint64_t{0};
  const int width = static_cast<int>(size_of(dtype)) * 8;
  const int mantissa = dtype == DType::f64 ? 52 : dtype == DType::f32 ? 23 : 7;
  const uint64_t sign = uint64_t{1} << (width - 1);
  return ((bits & ~sign) >> mantissa) == 0 ? bits & sign : bits;
}

}  // namespace

Program program_of(const std::string& text, const std::vector<FieldType>& fields, const std::vector<int64_t>& batches) {
  const UnitPointer unit = load_text("test.nn", text);
  BuildRequest request;
  request.batches = batches;
  std::optional<Program> program = build_program(*unit, fields, request);
  EXPECT_TRUE(program.has_value()) << render(sources(*unit), diagnostics(*unit), RenderOptions{});
  return program ? std::move(*program) : Program{};
}

void OnTarget::SetUp() {
  ASSERT_TRUE(parse_target(GetParam(), target));
  const std::vector<Target> targets = detect_host().targets;
  if (std::find(targets.begin(), targets.end(), target) == targets.end()) GTEST_SKIP() << "this machine cannot run it";
}

Executable native(const LoopModule& module) {
  auto executable = compile(module);
  NNC_CHECK(executable.has_value(), "{}", executable.error());
  return std::move(*executable);
}

Executable interpreted(std::shared_ptr<const Lowered> lowered) { return interpret_loops(std::move(lowered)); }

Runner::Runner(Executable executable, int64_t threads)
    : executable_(std::make_unique<Executable>(std::move(executable))) {
  auto session = open_session(*executable_, threads);
  NNC_CHECK(session.has_value(), "no memory for a session");
  session_ = std::move(*session);
}

void Runner::start(uint64_t seed) {
  poison(session_);
  initialize(session_, seed);
}

void Runner::set_state(const std::string& name, const Bytes& values) {
  for (const StateTensor& tensor : executable_->states) {
    if (tensor.name != name) continue;
    NNC_CHECK(values.size() == bytes_of(tensor.type, tensor.dims), "{} bytes for state {}", values.size(), name);
    return write_state(tensor, values.data(), session_.state.data());
  }
  NNC_CHECK(false, "no state {}", name);
}

Bytes Runner::state(const std::string& name) const {
  for (const StateTensor& tensor : executable_->states) {
    if (tensor.name != name) continue;
    Bytes values(bytes_of(tensor.type, tensor.dims));
    read_state(tensor, session_.state.data(), values.data());
    return values;
  }
  NNC_CHECK(false, "no state {}", name);
}

std::vector<std::byte> Runner::states_in_order() const {
  std::vector<std::byte> all;
  for (const StateTensor& tensor : executable_->states) {
    const Bytes values = state(tensor.name);
    all.insert(all.end(), values.data(), values.data() + values.size());
  }
  return all;
}

void Runner::run(const std::string& name, int64_t batch, LoopRunner::Io& io) {
  const Entry* entry = executable_->find(name, batch);
  NNC_CHECK(entry != nullptr, "no entry {} for {} rows", name, batch);
  std::vector<Guarded> tensors;
  std::vector<void*> pointers;
  for (const IoTensor& tensor : entry->io) {
    Guarded& guarded = tensors.emplace_back(element_size(tensor.type), bytes_of(tensor.type, tensor.dims));
    pointers.push_back(guarded.data());
    if (tensor.written) continue;
    const auto at = io.find(tensor.name);
    NNC_CHECK(at != io.end() && at->second.size() == guarded.size, "no io tensor {} for {}", tensor.name, name);
    std::memcpy(guarded.data(), at->second.data(), static_cast<size_t>(guarded.size));
  }
  poison(session_);
  run_entry(session_, *entry, pointers.data());
  for (size_t k = 0; k < tensors.size(); ++k) {
    EXPECT_TRUE(tensors[k].intact()) << name << " writes beside " << entry->io[k].name;
    if (!entry->io[k].written) continue;
    Bytes& result = io[io_name(entry->io[k])] = Bytes(tensors[k].size);
    std::memcpy(result.data(), tensors[k].data(), static_cast<size_t>(tensors[k].size));
  }
}

std::string compare_bits(DType dtype, const Bytes& expected, const Bytes& got) {
  if (expected.size() != got.size()) return fmt::format("expected {} bytes, got {}", expected.size(), got.size());
  for (int64_t at = 0; at < expected.size(); at += size_of(dtype)) {
    const std::byte *a = expected.data() + at, *b = got.data() + at;
    if (plain_bits(dtype, a) == plain_bits(dtype, b)) continue;
    return fmt::format("element {}: expected {:.9g}, got {:.9g}", at / size_of(dtype), read_element(dtype, a),
                       read_element(dtype, b));
  }
  return "";
}

}  // namespace nnc::testing
