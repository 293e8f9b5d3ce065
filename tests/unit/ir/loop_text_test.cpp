// Print and parse of Loop IR.
#include "ir/loop/text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "ir/loop/lexer.h"
#include "loop_samples.h"

namespace nnc {
namespace {

constexpr std::string_view kSamples[] = {kProduct, kAdam, kSoftmax, kGather, kOps, kPairs, kTiles, kSkips, kWoven};

TEST(LoopText, samples_are_fixed_points) {
  for (std::string_view text : kSamples) {
    Kernel kernel;
    ASSERT_EQ(parse_kernel(text, kernel), "");
    EXPECT_EQ(print(kernel), text);
    EXPECT_EQ(verify(kernel), std::vector<std::string>{}) << text;
    EXPECT_FALSE(kernel.body.empty());
  }
}

TEST(LoopText, operations_have_names) {
  for (int index = 0; index <= static_cast<int>(LoopOp::dot2); ++index) {
    LoopOp op = LoopOp::add;
    ASSERT_TRUE(parse_loop_op(name_of(static_cast<LoopOp>(index)), op));
    EXPECT_EQ(static_cast<int>(op), index);
  }
  LoopOp op = LoopOp::add;
  EXPECT_FALSE(parse_loop_op("subtract", op));
  EXPECT_EQ(loop_op_of(Op::sigmoid), LoopOp::sigmoid);
  EXPECT_EQ(arity_of(LoopOp::philox), 3);
  EXPECT_TRUE(is_map(LoopOp::detach));
  EXPECT_FALSE(is_map(LoopOp::fold));
}

TEST(LoopText, affine_arithmetic) {
  const VarId i(size_t{0}), j(size_t{1});
  const Affine sum = Affine::of(i, 3) + Affine::of(j) + Affine::of(5);
  EXPECT_EQ(sum, (Affine{5, {{i, 3}, {j, 1}}}));
  EXPECT_EQ(sum + Affine::of(i, -3), (Affine{5, {{j, 1}}}));
  EXPECT_EQ(sum * -2, (Affine{-10, {{i, -6}, {j, -2}}}));
  EXPECT_EQ(sum * 0, Affine{});
}

TEST(LoopText, types_and_terms_may_be_left_out_or_in_any_order) {
  Kernel kernel;
  ASSERT_EQ(parse_kernel("kernel k target=sse2 v=4 items=2 { buf x : f32[8] in ; buf y : f32[8] out  # two items\n"
                         "items r in 0..2 of 2 { a = load x[1 + 4*r - 1] ; b = exp a ; store y[2*r + 2*r] b } }",
                         kernel),
            "");
  EXPECT_EQ(print(kernel),
            "kernel k target=sse2 v=4 items=2 {\n"
            "  buf x : f32[8] in\n"
            "  buf y : f32[8] out\n"
            "  items r in 0..2 of 2 {\n"
            "    a = load x[4*r] : f32x4\n"
            "    b = exp a : f32x4\n"
            "    store y[4*r] b\n"
            "  }\n"
            "}\n");
}

TEST(LoopText, names_are_made_unique_and_legal) {
  Kernel kernel;
  ASSERT_EQ(parse_kernel(kAdam, kernel), "");
  for (LoopValue& value : kernel.values) value.name = "%fc1.weight:m";
  kernel.buffers[0].name = "mask";
  kernel.buffers[1].name = "";
  kernel.name = "step r1/fc1";
  const std::string text = print(kernel);
  Kernel again;
  ASSERT_EQ(parse_kernel(text, again), "") << text;
  EXPECT_EQ(print(again), text);
  EXPECT_EQ(verify(again), std::vector<std::string>{});
  EXPECT_NE(text.find("kernel step_r1_fc1"), std::string::npos);
}

TEST(LoopText, places_name_other_files) {
  Kernel kernel;
  ASSERT_EQ(parse_kernel(kProduct, kernel), "");
  kernel.body[0].locations = {{0, 3, 1}, {1, 7, 2}};
  const std::vector<std::string> files = {"mlp.nn", "prelude/loss.nn"};
  EXPECT_NE(print(kernel, files).find("for n in 0..2 { !3,prelude/loss.nn:7\n"), std::string::npos);
  Kernel again;
  EXPECT_EQ(parse_kernel(print(kernel, files), again), "");
  EXPECT_EQ(again.body[0].locations.size(), 2u);
  EXPECT_EQ(again.body[0].locations[1].line, 7u);
}

TEST(LoopText, mistakes_are_located) {
  const auto error_of = [](std::string_view body) {
    Kernel kernel;
    return parse_kernel("kernel k target=sse2 v=4 items=2 {\nbuf x : f32[8] in\n" + std::string(body), kernel);
  };
  EXPECT_EQ(error_of("items r in 0..2 of 2 {\n a = load z[0] } }"), "line 4: no buffer is called 'z'");
  EXPECT_EQ(error_of("a = add b 1 }"), "line 3: no value is called 'b'");
  EXPECT_EQ(error_of("a = load x[q] }"), "line 3: no variable is called 'q'");
  EXPECT_EQ(error_of("a = frob 1 }"), "line 3: 'frob' is no operation");
  EXPECT_EQ(error_of("a = load x[0] a = load x[1] }"), "line 3: a is defined twice");
  EXPECT_EQ(error_of("[i<2] { } [i<3] { } }"), "line 3: i has another kind or range above");
  EXPECT_EQ(error_of("a = load x[0] : f32x8 }"), "line 3: 'f32x8' is no type of a value");
  EXPECT_EQ(error_of("a = load x[99999999999999999999] }"), "line 3: '99999999999999999999' is no index");
  EXPECT_EQ(error_of("for k in 0..2 {"), "line 3: the text ends inside a block");
  EXPECT_EQ(error_of("} x"), "line 3: something follows the kernel");
}

TEST(LoopText, deep_nesting_is_refused) {
  std::string text = "kernel k target=sse2 v=4 {\n";
  for (int depth = 0; depth < 100000; ++depth) text += "[i<1] {";
  Kernel kernel;
  EXPECT_EQ(parse_kernel(text, kernel), "line 2: nested too deeply");
}

// Whatever the text, the parser ends, and what it accepts prints to a fixed point and passes through the verifier.
TEST(LoopText, mutations_never_crash) {
  std::mt19937 random(7);
  int accepted = 0, refused = 0;
  for (int turn = 0; turn < 6000; ++turn) {
    const std::string_view sample = kSamples[random() % std::size(kSamples)];
    const std::vector<LoopToken> tokens = split_loop_text(sample);
    std::string text{sample};
    for (unsigned change = 0; change < 1 + random() % 3; ++change) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random() % 256);
          break;
        case 1:
          text.erase(at, 1 + random() % 12);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 12));
          break;
        default: {
          const LoopToken& token = tokens[random() % (tokens.size() - 1)];
          const std::string word{token.text};
          const size_t found = text.find(word, at);
          if (found != std::string::npos)
            text.replace(found, word.size(), std::to_string(static_cast<int>(random() % 40) - 4));
        }
      }
      if (text.empty()) text = " ";
    }
    Kernel kernel;
    if (!parse_kernel(text, kernel).empty()) {
      ++refused;
      continue;
    }
    ++accepted;
    const std::string printed = print(kernel);
    Kernel again;
    ASSERT_EQ(parse_kernel(printed, again), "") << printed;
    EXPECT_EQ(print(again), printed);
    EXPECT_EQ(verify(again), verify(kernel)) << printed;
  }
  EXPECT_GT(accepted, 200);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace nnc
