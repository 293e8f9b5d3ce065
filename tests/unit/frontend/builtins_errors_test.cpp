// What core functions say when they are used wrongly: the code, and the words that matter.
#include "builtins_model.h"

namespace nnc::testing {
namespace {

// The first complaint has this code and holds these words.
void expect_complaint(const std::string& expression, const std::string& code, const std::string& words) {
  std::string complaint = complaint_of(expression);
  EXPECT_EQ(complaint.substr(0, code.size()), code) << expression << "\n" << complaint;
  EXPECT_NE(complaint.find(words), std::string::npos) << expression << "\n" << complaint;
}

TEST(CoreErrors, Broadcasting) {
  expect_complaint("x[:, :1] - x[:, 0]", "E302", "f32[batch, 1] and f32[batch] would broadcast to f32[batch, batch]");
  expect_complaint("x[:, :1] - x[:, 0]", "E302", "drop the size-1 axis: `squeeze(x[:, :1], -1) - x[:, 0]`");
  expect_complaint("x + zeros(3)", "E302", "f32[batch, 4] and f32[3] have no common shape");
  expect_complaint("where(x > 0, zeros(5), 0)", "E302", "have no common shape");
}

TEST(CoreErrors, MatrixProducts) {
  expect_complaint("x @ zeros(3, 2)", "E301", "`@` needs equal inner dimensions, found 4 and 3");
  expect_complaint("x @ zeros(2, 4)", "E301", "may be swapped");
  expect_complaint("x @ 3", "E310", "`*` multiplies by a number");
}

TEST(CoreErrors, Labels) {
  expect_complaint("one_hot(y, 9)", "E303", "9 classes predicted, but `y` holds labels below 10");
  expect_complaint("cross_entropy(x, y)", "E303", "4 classes predicted");
  expect_complaint("take(x, y, axis = 1)", "E303", "4 classes");
  expect_complaint("one_hot(i32(x))", "E310", "`i32<n>`");
}

TEST(CoreErrors, Axes) {
  expect_complaint("sum(x, axis = 2)", "E309", "there is no axis 2: the tensor has 2 axes");
  expect_complaint("sum(x, axis = [1, -1])", "E309", "axis 1 is named twice");
  expect_complaint("squeeze(x, 1)", "E304", "only an axis of size 1 can be dropped, axis 1 has 4");
  expect_complaint("sum(x, axis = 0.5)", "E205", "must be a whole number");
}

TEST(CoreErrors, Shapes) {
  expect_complaint("reshape(x, batch, 3)", "E304", "[batch, 3]");
  expect_complaint("split(x, 3)", "E216", "does not divide into 3 equal parts");
  expect_complaint("split(x, [1, 2])", "E216", "the parts add up to 3");
  expect_complaint("concat(x, zeros(batch + 1, 4))", "E304", "differ elsewhere");
  expect_complaint("zeros(0)", "E216", "at least 1");
  expect_complaint("zeros(1000000, 1000000, 1000000)", "E216", "more than");
  expect_complaint("pad(x, -1, 0)", "E216", "must not be negative");
}

// Nothing that a file says may break the builder's own rules.
TEST(CoreErrors, LimitsOfTensors) {
  std::string many;
  for (int k = 0; k < 31; ++k) many += "1, ";
  expect_complaint("stack(zeros(" + many + "1), zeros(" + many + "1))", "E216", "at most 32 axes");
  expect_complaint("unsqueeze(zeros(" + many + "1), 0)", "E216", "at most 32");
  expect_complaint("einsum(\"i, j -> i j\", zeros(2000000), zeros(2000000))", "E216", "elements");
  expect_complaint("zeros(" + many + "1, 1)", "E216", "more than 32 axes");
  expect_complaint("pool(zeros(" + many + "1), \"max\", 1, 1)", "E216", "`pool` needs");
  expect_complaint("one_hot(y, 2000000000)[:, 0] @ zeros(3, 3) ** 1e300 + arange(3000000000)", "E", "");
  expect_complaint("reshape(x, -1, 2000000000, 2000000000)", "E216", "more than");
}

TEST(CoreErrors, Indices) {
  expect_complaint("x[0, 4]", "E312", "index 4 is outside axis 1 of 4 elements");
  expect_complaint("x[:, 4:]", "E312", "is empty");
  expect_complaint("x[0, 0, 0]", "E312", "3 indices for the 2 axes");
  expect_complaint("[1, 2][2]", "E312", "index 2 is outside the list of 2 elements");
}

TEST(CoreErrors, Patterns) {
  expect_complaint("rearrange(x, \"b (h d) -> b h d\")", "E311", "give one: `d = …`");
  expect_complaint("rearrange(x, \"b (h d) -> b h d\", h = 3)", "E311", "does not divide an axis of 4");
  expect_complaint("rearrange(x, \"b c d -> b c d\")", "E311", "the pattern has 3 axes");
  expect_complaint("rearrange(x, \"b c -> b\")", "E311", "`c` is only left of `->`");
  expect_complaint("rearrange(x, \"b c\")", "E311", "`->` is missing");
  expect_complaint("rearrange(x, \"b c -> b c\", q = 2)", "E311", "the pattern has no `q`");
  expect_complaint("einsum(\"b i, i o -> b o\", x, zeros(3, 2))", "E304", "`i` is 4 in one operand and 3 in another");
  expect_complaint("einsum(\"bi -> b\", x)", "E311", "separate the axes by spaces");
  expect_complaint("einsum(\"b i -> b k\", x)", "E311", "`k` is in no operand");
}

TEST(CoreErrors, Kinds) {
  expect_complaint("x and x", "E310", "compare: `x != 0`");
  expect_complaint("where(x, 1, 0)", "E310", "must be bool");
  expect_complaint("x + \"a\"", "E310", "needs tensors or numbers");
  expect_complaint("sqrt(-1)", "E216", "is not a number");
  expect_complaint("var(x[0, :1])", "E216", "undefined");
  expect_complaint("max(x, x, axis = 1)", "E216", "has no axis");
}

TEST(CoreErrors, ConvolutionsAreCheckedButHaveNoLowering) {
  expect_complaint("reshape(x, batch, 1, 2, 2) |> Conv2d(3, 5)", "E216", "a window of 5 does not fit an axis of 2");
  expect_complaint("reshape(x, batch, 1, 2, 2) |> Conv2d(3, 2)", "E501", "no native lowering");
  expect_complaint("reshape(x, batch, 1, 2, 2) |> Conv2d(3, 2, padding = 1) |> reshape(batch, 5)", "E", "[batch, 5]");
}

}  // namespace
}  // namespace nnc::testing
