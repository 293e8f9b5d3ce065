// Programs that use the whole grammar, for the tests of the parser.
#pragma once

#include <string_view>

inline constexpr std::string_view samples[] = {
    R"nn(# binary classification
# of a table
option hidden = 64
import "layers.nn"
model BCNet {
  input  x: [batch, features]               # `features` is bound by the data
  target y: [batch]
  logit = x |> Linear(hidden) |> relu |> Dropout(0.2) |> Linear(hidden / 2) |> relu |> Linear(1) |> squeeze(-1)
  output p = sigmoid(logit)
  loss   bce = bce_with_logits(logit, y)
  metric accuracy = mean((p > 0.5) == (y > 0.5))
}
data {
  source = csv("german_credit.csv", missing = ["", "NA"])
  split  = random(val = 0.2, stratify = "risk", seed = 7)
  x = concat(
    col("amount", "age", "duration_months") |> impute("median") |> standard(),
    col("purpose", "housing") |> onehot(unknown = "zero"),
    col("employment") |> ordinal(["A71", "A72", "A73", "A74", "A75"]) |> standard())
  ids, next = chars() |> windows(length = T, stride = T, shift = 1)
}
train {
  optimizer = Adam(lr = 1e-3, weight_decay = 1e-4)
  batch  = mini(32)  epochs = 100
  stop   = early("val.bce", patience = 10, restore = true)
}
)nn",
    R"nn(option D = 128  option T = 128  const heads: int = 4
layer Attention()(x: [batch, T, D]) -> [batch, T, D] {
  require D % heads == 0
  param wq, wk, wv: [D, D] = normal(0.02)
  param wo: [D, D] = normal(0.02 / sqrt(2 * depth)) with weight_decay = 0, lr = 2, frozen = true
  state count: [] = zeros()
  q = rearrange(x @ wq, "b t (h d) -> b h t d", h = heads)
  a = where(causal(T), q, -inf) |> softmax |> Dropout(drop)
  mlp = [Linear(4 * D), gelu, Linear(D), Dropout(drop),] with lr = 0.5
  blocks = [Block() for _ in 0..depth]
  s: f32[batch, ..., 2*D // 3] = a[:, 1:-1, ::2] + a[..., 0]
  if training and not frozen { count <- count + 1 } else if D > 3 { y = 1 } else { y = 2 }
  for i in 1..depth - 1 { x = x + blocks[i](x) }
  return rearrange(a, "b h t d -> b t (h d)") @ wo.T |> Dropout(drop), s
}
)nn",
    R"nn(layer LSTM(H: int, act: fn = tanh)(x: [batch, T, D], m: bool[batch, T]) -> [batch, T, H], [batch, H] {
  h = zeros(batch, H)  c = zeros(batch, H)
  out = scan xt, k in x, 0..T along 1 reverse {
    i, f, g, o = split(xt @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 4, axis = -1)
    c = sigmoid(f) * c + sigmoid(i) * act(g)
    h = sigmoid(o) * act(c)
    yield h, c
  }
  scan xt in x along 1 { h = h + xt }
  return scan xt in x along -1 { yield xt ** 2 }
}
# a custom gradient
fn softplus(x: [...], beta = 1, y: i32<n + 1>[...]) -> [...] = max(x, 0) + log1p(exp(-abs(x)))
grad softplus(x, y, dy) = dy * sigmoid(x)
fn pair(xs: list, name: string, on: bool = false, e: float = 1_0.5e-3) { return xs[0], xs[1:] }
grad pair(xs, y, dy) { return dy }
schedule warmup(peak, warmup = 200) = peak * min(step / warmup, 1)
schedule stepped(peak) { if steps > 3 { return peak } return peak / 2 }
optimizer Adam(lr = 1e-3, beta1 = 0.9, amsgrad: bool = false) {
  state m, v = zeros()
  require lr > 0
  if amsgrad { state top = zeros() }
  update(p, g) {
    if weight_decay != 0 { g = g + weight_decay * p.weight_decay * p }
    m <- beta1 * m + (1 - beta1) * g
    p <- p - lr * p.lr * (m / (1 - beta1 ** step)) / (sqrt(v) + eps)
  }
}
)nn",
};
