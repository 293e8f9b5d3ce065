#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ir/graph/attribute_text.h"
#include "ir/graph/names.h"
#include "ir/graph/text.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

constexpr std::string_view part_names[] = {"fwd", "bwd", "upd"};
constexpr std::string_view root_names[] = {"loss", "metric", "output", "gradient", "saved", "collected"};

std::string file_text(std::string_view file) {
  auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' || c == '-';
  };
  bool is_plain = !file.empty() && std::all_of(file.begin(), file.end(), plain) &&
                  !std::isdigit(static_cast<unsigned char>(file[0]));
  return is_plain ? std::string(file) : quoted(file);
}

// " !5,prelude/loss.nn:7"; columns are not printed.
std::string locations_text(const Locations& locations, const Program& program) {
  std::vector<std::string> places;
  for (const Location& location : locations) {
    if (!location) continue;
    bool own = location.file == 0 || location.file >= program.files.size();
    std::string place = own ? fmt::format("{}", location.line)
                            : fmt::format("{}:{}", file_text(program.files[location.file]), location.line);
    if (places.empty() || places.back() != place) places.push_back(std::move(place));
  }
  return places.empty() ? "" : fmt::format(" !{}", fmt::join(places, ","));
}

struct GraphPrinter {
  const Graph& graph;
  const Program& program;
  std::string indent;
  std::vector<bool> literals;
  std::vector<std::string> names;
  std::string text;

  std::string name(NodeId id) const { return id.value < names.size() ? names[id.value] : "-"; }

  void node(NodeId id) {
    const Node& node = graph[id];
    AttributeWords words = write_attributes(node, graph, program);
    text += indent + "  ";
    if (node.op != Op::assign) text += names[id.value] + " = ";
    text += std::string(name_of(node.op)) + words.before;
    for (NodeId operand : node.operands) text += " " + name(operand);
    text += words.after;
    if (node.op != Op::assign) text += " : " + to_string(node.type);
    const auto* state = std::get_if<StateAttr>(&node.attributes);
    if (node.op == Op::state && state && state->state.value < program.states.size() && program[state->state].trained) {
      text += " trained";
    }
    if (node.clone_of) text += " clone=" + name(node.clone_of);
    text += locations_text(node.locations, program) + "\n";
  }

  std::string id_list(const std::vector<NodeId>& ids) const {
    std::vector<std::string> list;
    for (NodeId id : ids) list.push_back(name(id));
    return fmt::format("{}", fmt::join(list, ","));
  }

  // Roots are printed in their order, each as soon as its node stands above.
  void roots_up_to(size_t defined, size_t& next) {
    for (; next < graph.roots.size(); ++next) {
      const Root& root = graph.roots[next];
      if (root.node && root.node.value >= defined && defined < graph.nodes.size()) return;
      text += fmt::format("{}  {} {} {}\n", indent, root_names[root.kind], quoted(root.name), name(root.node));
    }
  }

  void whole() {
    text += fmt::format("{}graph {}", indent, word_or_quoted(graph.name));
    if (!program.name.empty()) text += " of " + word_or_quoted(program.name);
    if (graph.batch != 0) text += fmt::format(" at B={}", graph.batch);
    text += " {\n";
    for (const Graph& body : graph.bodies) text += body_text(body);
    bool marked = false;
    Part part = Part::forward;
    size_t next_root = 0;
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      const Node& it = graph.nodes[n];
      if (!literals[n]) {
        bool leaf = it.op == Op::input || it.op == Op::state;
        if (it.part != part || (!marked && !leaf)) {
          text += fmt::format("{}{}:\n", indent, part_names[static_cast<size_t>(it.part)]);
          part = it.part;
          marked = true;
        }
        node(NodeId(n));
      }
      roots_up_to(n + 1, next_root);
    }
    roots_up_to(graph.nodes.size(), next_root);
    for (const CustomGradient& custom : graph.custom_gradients) {
      text += fmt::format("{}  grad outputs={} cotangents={} inputs={} gradients={}\n", indent, id_list(custom.outputs),
                          id_list(custom.cotangents), id_list(custom.inputs), id_list(custom.gradients));
    }
    text += indent + "}\n";
  }

  std::string body_text(const Graph& body) const;
};

std::string graph_text(const Graph& graph, const Program& program, const std::string& indent) {
  GraphPrinter printer{graph, program, indent, find_literals(graph), {}, {}};
  printer.names = node_names(graph, printer.literals);
  printer.whole();
  return std::move(printer.text);
}

std::string GraphPrinter::body_text(const Graph& body) const { return graph_text(body, program, indent + "  "); }

std::string state_text(const StateDecl& state, const Program& program) {
  std::string text = fmt::format("  state {} : {}", quoted(state.name), to_string(state.type));
  if (state.trained) text += " trained";
  if (state.lr != 1) text += fmt::format(" lr={}", number_text(state.lr));
  if (state.weight_decay != 1) text += fmt::format(" weight_decay={}", number_text(state.weight_decay));
  if (state.slot_of.value < program.states.size())
    text += fmt::format(" slot_of={}", quoted(program[state.slot_of].name));
  return text + locations_text(state.locations, program) + "\n";
}

// measures "ce" "f1" over "p" "y"
std::string measures_text(const Measures& measures) {
  std::string text = "measures";
  for (const std::string& name : measures.names) text += " " + quoted(name);
  text += " over";
  for (const std::string& name : measures.per_row) text += " " + quoted(name);
  return text + "\n";
}

}  // namespace

std::string print(const Graph& graph, const Program& program) { return graph_text(graph, program, ""); }

std::string print(const Program& program) {
  std::string text = fmt::format("program {} {{\n", word_or_quoted(program.name));
  for (const std::string& file : program.files) text += fmt::format("  file {}\n", quoted(file));
  for (const StateDecl& state : program.states) text += state_text(state, program);
  text += "}\n";
  for (const UpdateRule& update : program.updates) {
    bool known = update.parameter.value < program.states.size();
    text +=
        fmt::format("update {}\n", quoted(known ? program[update.parameter].name : "?")) + print(update.graph, program);
  }
  for (const Graph& rule : program.gradient_rules) text += "gradients\n" + print(rule, program);
  for (const Graph& function : program.functions) text += print(function, program);
  for (const Measures& measures : program.measures) text += measures_text(measures) + print(measures.graph, program);
  return text;
}

}  // namespace nnc
