#include "tests/unit/passes/lowering_training.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/check.h"

namespace nnc::testing {
namespace {

// Adam as PyTorch has it, with a learning rate of 0.01; the corrections in f64.
void add_adam(Program& program, StateId parameter) {
  const TensorType type = program[parameter].type, scalar{DType::f64, 0, {}};
  std::vector<StateId> slots;
  for (const char* suffix : {":m", ":v"}) {
    StateDecl slot;
    slot.name = program[parameter].name + suffix;
    slot.type = type;
    slot.slot_of = parameter;
    slots.push_back(StateId(program.states.size()));
    program.states.push_back(std::move(slot));
  }
  UpdateRule rule{parameter, {}};
  GraphBuilder build(rule.graph, Part::update);
  const auto scaled = [&](NodeId x, double factor) { return build.mul(x, build.constant_like(factor, x)); };
  const NodeId p = build.input("p", type), g = build.input("g", type);
  const NodeId m = build.state(slots[0], type), v = build.state(slots[1], type);
  const NodeId t = build.state(program.find_state("step"), {DType::i64, 0, {}});
  const NodeId count = build.cast(build.add(t, build.constant_like(1, t)), DType::f64);
  const auto corrected = [&](double factor, double beta) {
    const NodeId rest = build.sub(build.constant(1, scalar), build.pow(build.constant(beta, scalar), count));
    return build.broadcast(build.cast(build.div(build.constant(factor, scalar), rest), DType::f32), type.dims, {});
  };
  const NodeId mean = build.add(scaled(m, 0.9), scaled(g, 0.1));
  const NodeId square = build.add(scaled(v, 0.999), scaled(build.mul(g, g), 0.001));
  const NodeId root = build.sqrt(build.mul(square, corrected(1, 0.999)));
  const NodeId move =
      build.div(build.mul(mean, corrected(0.01, 0.9)), build.add(root, build.constant_like(1e-8, root)));
  build.assign(parameter, build.sub(p, move));
  build.assign(slots[0], mean);
  build.assign(slots[1], square);
  program.updates.push_back(std::move(rule));
}

// The forward part up to the logits, %l3.
std::string layers(const MlpShape& s, int64_t batch, bool training) {
  const std::string wide = fmt::format("f32[{},{}]", batch, s.hidden);
  std::string text = fmt::format(
      "%x = input \"x\" : f32[{0},{1}]\n%w1 = state \"fc1.weight\" : f32[{2},{1}] trained\n%b1 = state \"fc1.bias\" : "
      "f32[{2}] trained\n"
      "%w2 = state \"fc2.weight\" : f32[{3},{2}] trained\n%b2 = state \"fc2.bias\" : f32[{3}] trained\n"
      "%w3 = state \"fc3.weight\" : f32[{4},{3}] trained\n%b3 = state \"fc3.bias\" : f32[{4}] trained\n",
      batch, s.in, s.hidden, s.hidden2, s.classes);
  if (training)
    text +=
        fmt::format("%y = input \"y\" target : i32<{}>[{}]\n%t = state \"step\" : i64[]\n%e = state \"seed\" : i64[]\n",
                    s.classes, batch);
  if (s.rich) {
    text += fmt::format("%g = state \"norm.weight\" : f32[{0}] trained\n%bt = state \"norm.bias\" : f32[{0}] trained\n",
                        s.hidden);
  }
  text += fmt::format(
      "fwd:\n%z1 = contract \"b i, o i -> b o\" %x %w1\n%c1 = broadcast \"o -> b o\" %b1 : {0}\n%a1 = add %z1 %c1\n%h1 "
      "= max %a1 0\n",
      wide);
  std::string last = "h1";
  if (s.rich) {
    text += fmt::format(
        "%sm = reduce sum \"b o -> b\" %h1\n%mu = mul %sm {1}\n%mb = broadcast \"b -> b o\" %mu : {0}\n%d1 = sub %h1 "
        "%mb\n%sq = mul %d1 %d1\n"
        "%ss = reduce sum \"b o -> b\" %sq\n%va = mul %ss {1}\n%ve = add %va 1e-5\n%rs = rsqrt %ve\n%rb = broadcast "
        "\"b -> b o\" %rs : {0}\n"
        "%n1 = mul %d1 %rb\n%gb = broadcast \"o -> b o\" %g : {0}\n%n2 = mul %n1 %gb\n%bb = broadcast \"o -> b o\" %bt "
        ": {0}\n%n3 = add %n2 %bb\n",
        wide, 1.0 / static_cast<double>(s.hidden));
    last = "n3";
    if (training) {
      text += fmt::format(
          "%u = random uniform %e %t site=1 : {0}\n%kp = compare ge %u 0.25\n%up = mul %n3 1.3333333333333333\n%dr = "
          "select %kp %up 0\n",
          wide);
      last = "dr";
    }
  }
  text += fmt::format(
      "%z2 = contract \"b i, o i -> b o\" %{0} %w2\n%c2 = broadcast \"o -> b o\" %b2 : f32[{1},{2}]\n%a2 = add %z2 "
      "%c2\n%h2 = max %a2 0\n"
      "%z3 = contract \"b i, o i -> b o\" %h2 %w3\n%c3 = broadcast \"o -> b o\" %b3 : f32[{1},{3}]\n%l3 = add %z3 "
      "%c3\n",
      last, batch, s.hidden2, s.classes);
  return text;
}

std::string softmax(const MlpShape& s, int64_t batch) {
  return fmt::format(
      "%mx = reduce max \"b c -> b\" %l3\n%md = detach %mx\n%mc = broadcast \"b -> b c\" %md : f32[{0},{1}]\n%sh = sub "
      "%l3 %mc\n"
      "%ex = exp %sh\n%su = reduce sum \"b c -> b\" %ex\n",
      batch, s.classes);
}

std::string step_text(const MlpShape& s) {
  return "graph step at B=" + std::to_string(s.batch) + " {\n" + layers(s, s.batch, true) + softmax(s, s.batch) +
         fmt::format(
             "%io = iota axis=1 : i32<{1}>[{0},{1}]\n%yb = broadcast \"b -> b c\" %y : i32<{1}>[{0},{1}]\n%ht = "
             "compare eq %io %yb\n"
             "%lh = select %ht %sh 0\n%pk = reduce sum \"b c -> b\" %lh\n%ls = log %su\n%ce = sub %ls %pk\n%ms = "
             "reduce sum \"b -> \" %ce\n"
             "%ml = mul %ms {2}\nloss \"ce\" %ml\n}}\n",
             s.batch, s.classes, 1.0 / static_cast<double>(s.batch));
}

std::string predict_text(const MlpShape& s, int64_t batch) {
  return "graph predict at B=" + std::to_string(batch) + " {\n" + layers(s, batch, false) + softmax(s, batch) +
         fmt::format("%sb = broadcast \"b -> b c\" %su : f32[{0},{1}]\n%pr = div %ex %sb\noutput \"probs\" %pr\n}}\n",
                     batch, s.classes);
}

}  // namespace

Program mlp_program(const MlpShape& shape) {
  Program program = read_case("%t = state \"step\" : i64[]").program;
  program.name = "mlp";
  for (const std::string& text : {step_text(shape), predict_text(shape, 5)}) {
    Graph graph;
    const std::string error = parse_graph(text, program, graph);
    NNC_CHECK(error.empty(), "{}\n{}", error, text);
    program.functions.push_back(std::move(graph));
  }
  for (size_t s = 0, parameters = program.states.size(); s < parameters; ++s) {
    if (program.states[s].trained) add_adam(program, StateId(s));
  }
  return program;
}

const Graph& function(const Program& program, std::string_view name) {
  const auto at = std::find_if(program.functions.begin(), program.functions.end(),
                               [&](const Graph& graph) { return graph.name == name; });
  NNC_CHECK(at != program.functions.end(), "no function {}", name);
  return *at;
}

}  // namespace nnc::testing
