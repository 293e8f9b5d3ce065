#include "harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace nnc::test {
namespace {

// Denormals are flushed, as whoever calls an entry arranges.
struct FlushedDenormals {
  unsigned saved = _mm_getcsr();
  FlushedDenormals() { _mm_setcsr(saved | 0x8040); }
  ~FlushedDenormals() { _mm_setcsr(saved); }
};

template <class T>
T element(const Bytes& bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

bool is_nan(DType dtype, const Bytes& bytes, size_t index) {
  switch (dtype) {
    case DType::f32:
      return std::isnan(element<float>(bytes, index));
    case DType::f64:
      return std::isnan(element<double>(bytes, index));
    case DType::bf16:
      return (element<uint16_t>(bytes, index) & 0x7fff) > 0x7f80;
    default:
      return false;
  }
}

// Sign and whether the element counts as zero: MAXPS and its like may or may not flush what they pass on.
template <class T>
bool same_zero(const Bytes& a, const Bytes& b, size_t index) {
  const T x = element<T>(a, index), y = element<T>(b, index);
  const T normal = std::numeric_limits<T>::min();
  return std::signbit(x) == std::signbit(y) && std::fabs(x) < normal && std::fabs(y) < normal;
}

bool same_zero(DType dtype, const Bytes& a, const Bytes& b, size_t index) {
  if (dtype == DType::f32) return same_zero<float>(a, b, index);
  return dtype == DType::f64 && same_zero<double>(a, b, index);
}

std::string show(DType dtype, const Bytes& bytes, size_t index) {
  switch (dtype) {
    case DType::f32:
      return fmt::format("{:a}", element<float>(bytes, index));
    case DType::f64:
      return fmt::format("{:a}", element<double>(bytes, index));
    case DType::bf16:
      return fmt::format("bf16 {:#06x}", element<uint16_t>(bytes, index));
    case DType::i32:
      return fmt::format("{}", element<int32_t>(bytes, index));
    case DType::i64:
      return fmt::format("{}", element<int64_t>(bytes, index));
    case DType::boolean:
      return fmt::format("bool {}", element<uint8_t>(bytes, index));
  }
  return "";
}

void expect_same(const LoopBuffer& buffer, const std::string& kernel, const Bytes& native, const Bytes& interpreted) {
  const size_t size = static_cast<size_t>(size_of(buffer.dtype));
  int shown = 0;
  for (size_t index = 0; index * size < native.size() && shown < 4; ++index) {
    if (std::memcmp(native.data() + index * size, interpreted.data() + index * size, size) == 0) continue;
    if (is_nan(buffer.dtype, native, index) && is_nan(buffer.dtype, interpreted, index)) continue;
    if (same_zero(buffer.dtype, native, interpreted, index)) continue;
    ++shown;
    ADD_FAILURE() << kernel << ": " << buffer.name << "[" << index << "] is " << show(buffer.dtype, native, index)
                  << " natively, interpreted " << show(buffer.dtype, interpreted, index);
  }
}

template <class T>
void put(Bytes& bytes, size_t index, T value) {
  std::memcpy(bytes.data() + index * sizeof(T), &value, sizeof(T));
}

void put_number(Bytes& bytes, DType dtype, size_t index, double number) {
  switch (dtype) {
    case DType::f32:
      put(bytes, index, static_cast<float>(number));
      break;
    case DType::f64:
      put(bytes, index, number);
      break;
    case DType::bf16:
      put(bytes, index, static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(number)) >> 16));
      break;
    case DType::i32:
      put(bytes, index, static_cast<int32_t>(std::floor(number)));
      break;
    case DType::i64:
      put(bytes, index, static_cast<int64_t>(std::floor(number)));
      break;
    case DType::boolean:
      put(bytes, index, static_cast<uint8_t>(std::floor(number) != 0));
      break;
  }
}

double special_number(DType dtype, std::mt19937& random) {
  std::uniform_real_distribution<double> moderate(-8, 8), exponent(-30, 30);
  const uint32_t choice = random() % 32;
  if (is_float(dtype)) {
    const double tiny = dtype == DType::f64 ? 1e-310 : 1e-40;
    const double specials[] = {0.0,  -0.0, INFINITY, -INFINITY, NAN,       tiny, -tiny, 1.0,
                               -1.0, 0.5,  2.5,      -3.5,      8388609.0, 1e30, -1e30};
    if (choice < 15) return specials[choice];
    return choice < 20 ? std::exp2(exponent(random)) * moderate(random) : moderate(random);
  }
  const double specials[] = {0, 1, -1, 2147483647.0, -2147483648.0, 65536, 7};
  return choice < 7 ? specials[choice] : moderate(random) * (choice < 16 ? 1e6 : 1);
}

}  // namespace

std::vector<Target> targets() { return detect_host().targets; }

KernelBuilder::KernelBuilder(const Target& target) {
  kernel.name = "kernel_under_test";
  kernel.target = target;
}
BufferId KernelBuilder::buffer(const std::string& name, DType dtype, Dims dims, LoopBuffer::Mode mode) {
  LoopBuffer buffer;
  buffer.name = name;
  buffer.dtype = dtype;
  buffer.dims = std::move(dims);
  buffer.mode = mode;
  kernel.buffers.push_back(buffer);
  return BufferId(kernel.buffers.size() - 1);
}
VarId KernelBuilder::var(const std::string& name, LoopVar::Kind kind, int64_t begin, int64_t end) {
  kernel.vars.push_back({name, kind, begin, end});
  return VarId(kernel.vars.size() - 1);
}
ValueId KernelBuilder::value(const std::string& name, DType dtype, bool vector) {
  LoopValue value;
  value.name = name;
  value.dtype = dtype;
  value.vector = vector;
  kernel.values.push_back(value);
  return ValueId(kernel.values.size() - 1);
}
LoopStmt KernelBuilder::load(ValueId value, BufferId buffer, Affine index) const {
  LoopStmt stmt;
  stmt.kind = LoopStmt::load;
  stmt.value = value;
  stmt.access.buffer = buffer;
  stmt.access.indices = {{std::move(index), {}}};
  return stmt;
}
LoopStmt KernelBuilder::store(BufferId buffer, Affine index, ValueId value) const {
  LoopStmt stmt;
  stmt.kind = LoopStmt::store;
  stmt.operands = {{value, 0}};
  stmt.access.buffer = buffer;
  stmt.access.indices = {{std::move(index), {}}};
  return stmt;
}
LoopStmt KernelBuilder::define(ValueId value, LoopOp op, std::vector<LoopOperand> operands) const {
  LoopStmt stmt;
  stmt.kind = LoopStmt::define;
  stmt.value = value;
  stmt.op = op;
  stmt.operands = std::move(operands);
  return stmt;
}
LoopStmt KernelBuilder::loop(VarId var, std::vector<LoopStmt> body, int64_t copies) const {
  LoopStmt stmt;
  stmt.kind = LoopStmt::loop;
  stmt.vars = {var};
  stmt.copies = copies;
  stmt.body = std::move(body);
  return stmt;
}

void KernelBuilder::once(std::vector<LoopStmt> body) {
  LoopStmt items;
  items.kind = LoopStmt::items;
  items.vars = {var("item", LoopVar::item, 0, 1)};
  items.inner_count = 1;
  items.body = std::move(body);
  kernel.body = {items};
}

Kernel parse(const std::string& text, const Target& target, int64_t items) {
  Kernel kernel;
  const std::string header =
      fmt::format("kernel kernel_under_test target={} v={} items={} ", target.name, target.lanes, items);
  const std::string wrong = parse_kernel(header + text, kernel);
  EXPECT_EQ(wrong, "") << header + text;
  for (const std::string& broken : verify(kernel)) ADD_FAILURE() << broken;
  return kernel;
}

LoopModule module_of(const std::vector<Kernel>& kernels) {
  LoopModule module;
  module.name = "test";
  module.target = kernels.front().target;
  module.files = {"tests/model.nn"};
  module.kernels = kernels;
  for (size_t index = 0; index < kernels.size(); ++index) {
    Kernel& kernel = module.kernels[index];
    kernel.name += fmt::format("_{}", index);
    LoopEntry entry;
    entry.name = fmt::format("step{}", index);
    KernelCall call;
    call.kernel = KernelId(index);
    for (const LoopBuffer& buffer : kernel.buffers) {
      call.buffers.push_back({BufferBinding::io, static_cast<int64_t>(entry.io.size())});
      LoopEntry::Io io;
      io.read = buffer.mode == LoopBuffer::in;
      io.name = buffer.name;
      io.type = {buffer.dtype, 0, buffer.dims};
      entry.io.push_back(io);
    }
    entry.phases = {{{call}}};
    module.entries.push_back(entry);
  }
  return module;
}

Bytes special_elements(DType dtype, int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(static_cast<size_t>(count * size_of(dtype)));
  for (size_t index = 0; index < static_cast<size_t>(count); ++index)
    put_number(bytes, dtype, index, special_number(dtype, random));
  return bytes;
}

Bytes random_elements(DType dtype, int64_t count, double low, double high, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> numbers(low, high);
  Bytes bytes(static_cast<size_t>(count * size_of(dtype)));
  for (size_t index = 0; index < static_cast<size_t>(count); ++index) put_number(bytes, dtype, index, numbers(random));
  return bytes;
}

namespace {

std::vector<void*> bases_of(std::vector<Bytes>& buffers) {
  std::vector<void*> bases;
  for (Bytes& bytes : buffers) bases.push_back(bytes.data());
  return bases;
}

void fill_missing(Case& test) {
  test.contents.resize(test.kernel.buffers.size());
  for (size_t index = 0; index < test.contents.size(); ++index) {
    const LoopBuffer& buffer = test.kernel.buffers[index];
    int64_t bytes = size_of(buffer.dtype);
    for (int64_t extent : buffer.dims) bytes *= extent;
    if (test.contents[index].empty()) test.contents[index].assign(static_cast<size_t>(bytes), std::byte{0x01});
    EXPECT_EQ(test.contents[index].size(), static_cast<size_t>(bytes)) << buffer.name;
  }
}

void run_natively(nnc_entry call, std::vector<Bytes>& buffers, int64_t threads) {
  FlushedDenormals flushed;
  const std::vector<void*> bases = bases_of(buffers);
  auto no_barrier = [](void*, int64_t) {};
  for (int64_t thread = 0; thread < threads; ++thread) {
    const nnc_context context{nullptr, nullptr, nullptr, bases.data(), thread, threads, nullptr, no_barrier};
    call(&context);
  }
}

}  // namespace

std::vector<std::vector<Bytes>> expect_bit_equal(std::vector<Case> cases, int64_t threads) {
  std::vector<Kernel> kernels;
  std::vector<std::vector<Bytes>> results;
  for (Case& test : cases) {
    fill_missing(test);
    kernels.push_back(test.kernel);
    results.push_back(test.contents);
    for (const std::string& broken : verify(test.kernel)) ADD_FAILURE() << test.kernel.name << ": " << broken;
  }
  auto executable = compile(module_of(kernels));
  EXPECT_TRUE(executable.has_value()) << executable.error();
  if (!executable) return results;
  for (size_t index = 0; index < cases.size(); ++index) {
    const Kernel& kernel = cases[index].kernel;
    std::vector<Bytes>& native = results[index];
    run_natively(executable->entries[index].call, native, threads);
    std::vector<Bytes>& interpreted = cases[index].contents;
    interpret(kernel, bases_of(interpreted), 0, kernel.items);
    for (size_t k = 0; k < native.size(); ++k) {
      expect_same(kernel.buffers[k], kernel.target.name + " " + kernel.name, native[k], interpreted[k]);
    }
  }
  return results;
}

}  // namespace nnc::test
