// Runs a kernel natively and through the Loop interpreter on the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "codegen/codegen.h"
#include "ir/loop/text.h"

namespace nnc::test {

using Bytes = std::vector<std::byte>;

// The targets of this machine.
std::vector<Target> targets();

// Builds kernels statement by statement, for tests that run over many ops and types.
struct KernelBuilder {
  Kernel kernel;

  explicit KernelBuilder(const Target& target);
  BufferId buffer(const std::string& name, DType dtype, Dims dims, LoopBuffer::Mode mode);
  VarId var(const std::string& name, LoopVar::Kind kind, int64_t begin, int64_t end);
  ValueId value(const std::string& name, DType dtype, bool vector);
  LoopStmt load(ValueId value, BufferId buffer, Affine index) const;
  LoopStmt store(BufferId buffer, Affine index, ValueId value) const;
  LoopStmt define(ValueId value, LoopOp op, std::vector<LoopOperand> operands) const;
  LoopStmt loop(VarId var, std::vector<LoopStmt> body, int64_t copies = 1) const;
  // Makes `body` the kernel's: items of one.
  void once(std::vector<LoopStmt> body);
};

// The kernel whose body is `text`; complaints of the parser or the verifier fail the test.
Kernel parse(const std::string& text, const Target& target, int64_t items);

// A module with one entry per kernel, "step0", "step1", …, which calls it once, every buffer an io tensor.
LoopModule module_of(const std::vector<Kernel>& kernels);

// Elements of every sort: zeros, infinities, NaN, denormals, extremes and random ones, about half of them moderate.
Bytes special_elements(DType dtype, int64_t count, uint32_t seed);
// Uniform in [low, high), rounded down where the dtype is an integer.
Bytes random_elements(DType dtype, int64_t count, double low, double high, uint32_t seed);
template <class T>
Bytes bytes_of(const std::vector<T>& elements) {
  const auto* first = reinterpret_cast<const std::byte*>(elements.data());
  return Bytes(first, first + elements.size() * sizeof(T));
}

// A kernel with what its buffers hold at first; an empty or missing one holds a recognisable pattern.
struct Case {
  Kernel kernel;
  std::vector<Bytes> contents;
};

// Runs all items natively as `threads` threads would, one after another, and by the interpreter; expects the same bytes
// in every buffer (any NaN equals any NaN, and a denormal the zero of its sign). The cases are of one target and share
// a module. Returns, per case and buffer, what the native code left.
std::vector<std::vector<Bytes>> expect_bit_equal(std::vector<Case> cases, int64_t threads = 1);

}  // namespace nnc::test
