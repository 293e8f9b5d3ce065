// Damaged models through the whole frontend: whatever the text, diagnostics or a Program, never a crash.
#include <random>

#include "builtins_model.h"

namespace nnc::testing {
namespace {

const std::vector<std::string> originals{
    R"nn(option D = 8  option heads = 2  option drop = 0.1
fn gate(x: [...], z: [...]) -> [...] = x * sigmoid(z)
grad gate(x, z, y, dy) { return dy * sigmoid(z), dy * y }
layer Attention()(x: [batch, T, D]) -> [batch, T, D] {
  require D % heads == 0
  param wq, wk: [D, D] = normal(0.02)
  q = rearrange(x @ wq, "b t (h d) -> b h t d", h = heads)
  k = rearrange(x @ wk, "b t (h d) -> b h t d", h = heads)
  s = einsum("b h t d, b h u d -> b h t u", q, k) / sqrt(D / heads)
  a = where(causal(T), s, -inf) |> softmax |> Dropout(drop)
  return rearrange(einsum("b h t u, b h u d -> b h t d", a, q), "b h t d -> b t (h d)")
}
model Net {
  input x: [batch, T, 8]
  target y: i32<10>[batch]
  blocks = [Attention() for _ in 0..2]
  if training { x = gate(x, rand_like(x)) }
  h = x |> blocks |> LayerNorm() |> flatten(from = 1) |> Linear(10, init = zeros())
  output p = softmax(h)
  loss ce = cross_entropy(h, y)
  metric accuracy = mean(argmax(h) == y)
}
data { source = csv("a.csv", missing = ["", "NA"])  split = random(val = 0.2)  x = col("*") |> standard()  y = col("y") |> ordinal() }
train { optimizer = AdamW(lr = warmup_cosine(1e-3, warmup = 20), weight_decay = 0.1)  batch = mini(4)  epochs = 3  stop = early("val.ce") })nn",
    R"nn(optimizer Heavy(lr = 1e-2, beta = 0.9) {
  state m = zeros()
  update(p, g) { m <- beta * m + g  if rank(p) == 2 { m <- m * 2 }  p <- p - lr * p.lr * m / (1 - beta ** step) }
}
layer Cell(H: int)(x: [batch, T, K]) -> [batch, T, H] {
  param w: [H, K] = uniform_fan(H)
  state n: [] = 0
  n <- n + 1
  h = zeros(batch, H)
  out = scan xt in x along 1 reverse { h = tanh(xt @ w.T + h)  yield h }
  return out
}
model Net {
  input x: [batch, T, K]
  target y: i32<10>[batch]
  a, b = split(x, 2, axis = -1)
  for k in 0..3 { a = a + b[:, ::-1] * k }
  z = [Linear(4), leaky_relu(negative_slope = 0.1), [tanh]] with lr = 0.1
  h = concat(a, b, axis = 2) |> z |> mean(axis = 1) |> Linear(10)
  loss ce = cross_entropy(h, y)
}
train { optimizer = Heavy(lr = step(0.1, 5))  clip = norm(1.0)  average = ema(0.99) })nn"};

const std::vector<std::string> spare{"(",    ")",    "[",        "]",     "{",
                                     "}",    ",",    "|>",       "=",     "<-",
                                     "*",    "/",    "@",        "**",    "-",
                                     "0",    "-1",   "1e30",     "0.5",   "x",
                                     "y",    "T",    "batch",    "inf",   "\"b t -> t\"",
                                     "true", "none", "training", "param", "Linear",
                                     "relu", "sum",  "zeros",    "[]",    "..",
                                     "..."};

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  const auto kind = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' ? 0
           : std::isspace(static_cast<unsigned char>(c))           ? 1
                                                                   : 2;
  };
  for (const char c : text) {
    if (!words.empty() && kind(words.back().back()) == kind(c) && kind(c) != 2)
      words.back() += c;
    else
      words.emplace_back(1, c);
  }
  return words;
}

TEST(BuildFuzz, DamagedModelsNeverCrash) {
  std::mt19937 random(7);
  const std::vector<FieldType> fields{{"x", {DType::f32, 0, {6, 8}}}, {"y", {DType::i32, 10, {}}}};
  size_t programs = 0, refused = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> words = words_of(originals[random() % originals.size()]);
    const size_t changes = round == 0 ? 0 : 1 + random() % 3;
    for (size_t k = 0; k < changes; ++k) {
      const size_t at = random() % words.size();
      const size_t way = random() % 4;
      if (way == 0) words[at] = spare[random() % spare.size()];
      if (way == 1) words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
      if (way == 2) words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), spare[random() % spare.size()]);
      if (way == 3) std::swap(words[at], words[random() % words.size()]);
    }
    std::string text;
    for (const std::string& word : words) text += word;
    const UnitPointer unit = load_text("fuzz.nn", text);
    data_settings(*unit);
    const auto program = build_program(*unit, fields, {.batches = {4, 3}});
    EXPECT_NE(program.has_value(), has_errors(unit->diagnostics)) << text;
    ++(program ? programs : refused);
  }
  EXPECT_GT(programs, 0u);
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace nnc::testing
