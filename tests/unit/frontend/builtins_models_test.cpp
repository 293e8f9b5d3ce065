// Whole models of the language page build with the prelude, and the dense one has the graph of the worked example.
#include <cmath>

#include "builtins_model.h"

namespace nnc::testing {
namespace {

constexpr const char* transformer = R"nn(
option D = 16  option T = 8  option heads = 4  option depth = 2  option drop = 0.1
layer Attention()(x: [batch, T, D]) -> [batch, T, D] {
  require D % heads == 0
  param wq, wk, wv: [D, D] = normal(0.02)
  param wo: [D, D] = normal(0.02 / sqrt(2 * depth))
  q = rearrange(x @ wq, "b t (h d) -> b h t d", h = heads)
  k = rearrange(x @ wk, "b t (h d) -> b h t d", h = heads)
  v = rearrange(x @ wv, "b t (h d) -> b h t d", h = heads)
  s = einsum("b h t d, b h u d -> b h t u", q, k) / sqrt(D / heads)
  a = where(causal(T), s, -inf) |> softmax |> Dropout(drop)
  return rearrange(einsum("b h t u, b h u d -> b h t d", a, v), "b h t d -> b t (h d)") @ wo |> Dropout(drop)
}
layer Block()(x: [batch, T, D]) -> [batch, T, D] {
  ln1 = LayerNorm()  attn = Attention()  ln2 = LayerNorm()
  mlp = [Linear(4 * D), gelu, Linear(D), Dropout(drop)]
  x = x + attn(ln1(x))
  return x + mlp(ln2(x))
}
model CharGPT {
  input  ids:  i32<vocab>[batch, T]
  target next: i32<vocab>[batch, T]
  param pos: [T, D] = normal(0.02)
  blocks = [Block() for _ in 0..depth]
  logits = (Embedding(D)(ids) + pos) |> Dropout(drop) |> blocks |> LayerNorm() |> Linear(vocab)
  output probs = softmax(logits)
  loss   nll = cross_entropy(logits, next)
  metric perplexity = exp(nll)
}
train { optimizer = AdamW(lr = warmup_cosine(1e-3, warmup = 200, floor = 0.1), weight_decay = 0.1)  batch = mini(2)  epochs = 3 }
)nn";

TEST(PreludeModels, TransformerStartsAtTheEntropyOfItsVocabulary) {
  Built built = build(transformer, {{"ids", {DType::i32, 11, {8}}}, {"next", {DType::i32, 11, {8}}}}, 2);
  ASSERT_TRUE(built.program) << built.complaints();
  EXPECT_TRUE(built.complaints().empty()) << built.complaints();
  EXPECT_TRUE(built.program->find_state("blocks.1.attn.wq"));
  EXPECT_TRUE(built.program->find_state("blocks.0.mlp.0.weight:m"));
  Doubles ids(16), next(16);
  for (size_t k = 0; k < 16; ++k) ids[k] = static_cast<double>(k * 7 % 11), next[k] = static_cast<double>(k * 5 % 11);
  Ran ran = run(built, "evaluate",
                {{"ids", tensor(DType::i32, {2, 8}, ids, 11)}, {"next", tensor(DType::i32, {2, 8}, next, 11)}},
                initial_states(built));
  // The logits of an untrained net are small: every class is about as likely.
  EXPECT_NEAR(ran.roots.at("nll").values.at(0), std::log(11), 0.7);
}

TEST(PreludeModels, DenseClassifierHasTheGraphOfTheWorkedExample) {
  Built built = build(R"nn(option hidden = 12
model MLP {
  input x: [batch, 7]    target y: i32<3>[batch]
  fc1 = Linear(hidden)  fc2 = Linear(3)
  h1 = relu(fc1(x))
  logits = fc2(h1)
  loss ce = cross_entropy(logits, y) }
train { optimizer = Adam(lr = 1e-3)  batch = mini(4) })nn",
                      {{"x", {DType::f32, 0, {7}}}, {"y", {DType::i32, 3, {}}}}, 4);
  ASSERT_TRUE(built.program) << built.complaints();
  std::map<Op, int> count;
  for (const Node& node : built.function("evaluate").nodes) {
    // What is left of the constants, inputs and states says nothing about the arithmetic.
    if (node.op != Op::constant && node.op != Op::input && node.op != Op::state) ++count[node.op];
  }
  EXPECT_EQ(count[Op::contract], 2);
  EXPECT_EQ(count[Op::transpose], 0);
  EXPECT_EQ(count[Op::reshape], 0);
  EXPECT_EQ(count[Op::max], 1);
  EXPECT_EQ(count[Op::reduce], 4);  // row maximum, sum of exponentials, the pick, the mean
  EXPECT_EQ(count[Op::exp], 1);
  EXPECT_EQ(count[Op::log], 1);
  EXPECT_EQ(count[Op::select], 1);
  EXPECT_EQ(count[Op::compare], 1);
}

}  // namespace
}  // namespace nnc::testing
