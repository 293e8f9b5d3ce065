// Every op, scalar and vector, in every element type it takes: native code against the interpreter, bit for bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace nnc::test {
namespace {

constexpr int64_t elements = 512;

// out[k] = op in0[k] in1[k] … for all elements.
struct Elementwise {
  LoopOp op;
  std::vector<DType> operands;
  DType result;
  Comparison comparison = Comparison::eq;
  int64_t high = 0;
};

Kernel kernel_of(const Elementwise& test, const Target& target, bool vector) {
  KernelBuilder b(target);
  const int64_t step = vector ? target.lanes : 1;
  const VarId turn = b.var("n", LoopVar::loop, 0, elements / step);
  std::vector<LoopStmt> body;
  std::vector<LoopOperand> operands;
  for (size_t index = 0; index < test.operands.size(); ++index) {
    const std::string name = fmt::format("in{}", index);
    const BufferId buffer = b.buffer(name, test.operands[index], {elements}, LoopBuffer::in);
    const ValueId value = b.value("v" + name, test.operands[index], vector);
    body.push_back(b.load(value, buffer, Affine::of(turn, step)));
    operands.push_back({value, 0});
  }
  const BufferId out = b.buffer("out", test.result, {elements}, LoopBuffer::out);
  const ValueId result = b.value("r", test.result, vector);
  body.push_back(b.define(result, test.op, operands));
  body.back().comparison = test.comparison;
  body.back().high = test.high;
  body.push_back(b.store(out, Affine::of(turn, step), result));
  b.once({b.loop(turn, body)});
  b.kernel.name =
      fmt::format("{}_{}_{}{}", name_of(test.op), name_of(test.operands[0]), name_of(test.result), vector ? "_v" : "");
  return b.kernel;
}

// Scalars and vectors, on every target of the machine.
void check(const std::vector<Elementwise>& tests) {
  for (const Target& target : targets()) {
    std::vector<Case> cases;
    for (const Elementwise& test : tests) {
      for (bool vector : {false, true}) {
        std::vector<Bytes> contents;
        for (size_t index = 0; index < test.operands.size(); ++index) {
          contents.push_back(special_elements(test.operands[index], elements, static_cast<uint32_t>(17 + index)));
        }
        cases.push_back({kernel_of(test, target, vector), contents});
      }
    }
    expect_bit_equal(cases);
  }
}

void check_all(std::initializer_list<LoopOp> ops, DType dtype) {
  std::vector<Elementwise> tests;
  for (LoopOp op : ops) tests.push_back({op, std::vector<DType>(static_cast<size_t>(arity_of(op)), dtype), dtype});
  check(tests);
}

constexpr DType all_types[] = {DType::boolean, DType::i32, DType::i64, DType::bf16, DType::f32, DType::f64};

TEST(Ops, FloatArithmetic) {
  for (DType dtype : {DType::f32, DType::f64}) {
    check_all({LoopOp::add, LoopOp::sub, LoopOp::mul, LoopOp::div, LoopOp::max, LoopOp::min, LoopOp::neg, LoopOp::abs,
               LoopOp::sign, LoopOp::sqrt, LoopOp::rsqrt, LoopOp::floor, LoopOp::round, LoopOp::detach},
              dtype);
  }
  check_all({LoopOp::detach}, DType::bf16);
  check_all({LoopOp::fma}, DType::f32);
  check_all({LoopOp::fma}, DType::f64);
}

TEST(Ops, IntegerArithmetic) {
  for (DType dtype : {DType::i32, DType::i64}) {
    check_all({LoopOp::add, LoopOp::sub, LoopOp::mul, LoopOp::div, LoopOp::max, LoopOp::min, LoopOp::neg, LoopOp::abs,
               LoopOp::sign},
              dtype);
  }
}

TEST(Ops, ElementaryFunctions) {
  for (DType dtype : {DType::f32, DType::f64}) {
    check_all({LoopOp::exp, LoopOp::log, LoopOp::log1p, LoopOp::expm1, LoopOp::tanh, LoopOp::sigmoid, LoopOp::erf,
               LoopOp::sin, LoopOp::cos, LoopOp::pow},
              dtype);
  }
}

TEST(Ops, Comparisons) {
  std::vector<Elementwise> tests;
  for (Comparison comparison :
       {Comparison::eq, Comparison::ne, Comparison::lt, Comparison::le, Comparison::gt, Comparison::ge}) {
    for (DType dtype : {DType::boolean, DType::i32, DType::i64, DType::f32, DType::f64}) {
      tests.push_back({LoopOp::compare, {dtype, dtype}, DType::boolean, comparison});
    }
  }
  check(tests);
}

TEST(Ops, LogicAndSelect) {
  check_all({LoopOp::logical_and, LoopOp::logical_or, LoopOp::logical_not}, DType::boolean);
  std::vector<Elementwise> tests;
  for (DType dtype : all_types) tests.push_back({LoopOp::select, {DType::boolean, dtype, dtype}, dtype});
  check(tests);
}

TEST(Ops, Casts) {
  std::vector<Elementwise> tests;
  for (DType from : all_types) {
    for (DType to : all_types) tests.push_back({LoopOp::cast, {from}, to});
  }
  check(tests);
}

TEST(Ops, RandomBits) {
  check({{LoopOp::uniform, {DType::i32}, DType::f32},
         {LoopOp::normal, {DType::i32}, DType::f32},
         {LoopOp::integer, {DType::i32}, DType::i32, Comparison::eq, 10},
         {LoopOp::integer, {DType::i32}, DType::i32, Comparison::eq, 2147483647}});
}

}  // namespace
}  // namespace nnc::test
