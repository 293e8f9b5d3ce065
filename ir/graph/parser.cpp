// Graph text to graphs, statement by statement. Every read either moves on or fails, and bodies nest at most
// `max_depth` deep, so any text ends.
#include <fmt/format.h>

#include <unordered_map>

#include "ir/graph/attribute_text.h"
#include "ir/graph/names.h"
#include "ir/graph/text.h"
#include "ir/graph/token_reader.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

constexpr int max_depth = 8;

Attributes blank_attributes(size_t index) {
  Attributes result;
  auto make = [&]<size_t... k>(std::index_sequence<k...>) { ((k == index ? void(result.emplace<k>()) : void()), ...); };
  make(std::make_index_sequence<std::variant_size_v<Attributes>>());
  return result;
}

// An operand as written: a node, or a number that becomes a constant once its type is known.
struct WrittenOperand {
  NodeId node;
  double literal = 0;
};

struct GraphReader {
  TokenReader& read;
  Program& program;
  Graph& graph;
  int depth;
  std::unordered_map<std::string, NodeId> known;
  Part part = Part::forward;

  bool operand(NodeId& id) {
    if (read.token.kind != GraphToken::value) return read.fail("a value expected");
    auto found = known.find(read.token.text);
    if (found == known.end()) return read.fail(fmt::format("%{} is not defined above", read.token.text));
    id = found->second;
    read.move();
    return read.error.empty();
  }

  // What stands on a node's line behind its op.
  struct Line {
    AttributeText attributes;
    std::vector<WrittenOperand> operands;
    bool typed = false, trained = false;
    TensorType type;
    NodeId clone_of;
    Locations locations;
  };

  bool line(Op op, Line& line) {
    bool literals = may_be_literal(op, 1);
    while (!read.at_end_of_statement()) {
      if (!read.error.empty()) return false;
      if (read.token.kind == GraphToken::value) {
        if (!operand(line.operands.emplace_back().node)) return false;
      } else if (read.token.kind == GraphToken::number) {
        double value = 0;
        read.real(value);
        if (literals) {
          line.operands.push_back({{}, value});
        } else {
          line.attributes.numbers.push_back(value);
        }
      } else if (read.token.kind == GraphToken::string) {
        line.attributes.strings.push_back(read.token.text);
        read.move();
      } else if (read.token.kind == GraphToken::location) {
        if (!read.locations(program, line.locations)) return false;
      } else if (read.accept(':')) {
        if (line.typed || !read.type(line.type)) return read.fail("a second type");
        line.typed = true;
      } else if (!word(line)) {
        return false;
      }
    }
    return read.error.empty();
  }

  bool word(Line& line) {
    if (read.token.kind != GraphToken::word) return read.fail(fmt::format("unexpected '{}'", read.token.text));
    std::string name = read.token.text;
    read.move();
    if (!read.accept('=')) {
      if (name == "trained" && line.typed) {
        line.trained = true;
      } else {
        line.attributes.words.push_back(std::move(name));
      }
      return read.error.empty();
    }
    if (name == "clone") return operand(line.clone_of);
    return read.setting(line.attributes.settings[name]);
  }

  // Literals become constants in front of the node.
  bool operands(Op op, const Line& line, Node& node) {
    const TensorType* beside = nullptr;
    const TensorType* constant_beside = nullptr;
    for (size_t k = 0; k < line.operands.size(); ++k) {
      NodeId id = line.operands[k].node;
      if (!id || !may_be_literal(op, k)) continue;
      const TensorType*& place = graph[id].op == Op::constant ? constant_beside : beside;
      if (!place) place = &graph.type(id);
    }
    if (!beside && line.typed && op != Op::compare) beside = &line.type;
    if (!beside) beside = constant_beside;
    TensorType type = beside ? *beside : TensorType();  // a copy: appending moves the nodes
    for (size_t k = 0; k < line.operands.size(); ++k) {
      const WrittenOperand& written = line.operands[k];
      if (written.node) {
        node.operands.push_back(written.node);
        continue;
      }
      if (!beside || !may_be_literal(op, k)) return read.fail("a number has no type here");
      Node constant;
      constant.op = Op::constant;
      constant.part = part;
      constant.type = literal_type(type, written.literal);
      constant.attributes = ConstantAttr{written.literal};
      constant.locations = line.locations;
      graph.nodes.push_back(std::move(constant));
      node.operands.push_back(graph.last());
    }
    return true;
  }

  // Appends a node for `op` and the rest of its line.
  bool node(Op op, std::string_view name) {
    Line line;
    if (!this->line(op, line)) return false;
    Node node;
    node.op = op;
    node.part = part;
    if (!operands(op, line, node)) return false;
    std::vector<TensorType> types;
    for (NodeId id : node.operands) types.push_back(graph.type(id));
    if (op == Op::state && !line.typed && !line.attributes.strings.empty()) {
      StateId state = program.find_state(line.attributes.strings[0]);
      line.typed = static_cast<bool>(state);
      if (state) line.type = program[state].type;
    }
    const OpDefinition& found = definition(op);
    node.attributes = blank_attributes(found.attributes);
    AttributeContext context{types, line.typed ? &line.type : nullptr, program};
    std::string why = read_attributes(line.attributes, context, node.attributes);
    if (!why.empty()) return read.fail(why);
    if (line.trained && op == Op::state) program[node.as<StateAttr>().state].trained = true;
    if (found.typed && !line.typed) return read.fail(fmt::format("{} needs a type", found.name));
    node.type = infer_type(op, types, node.attributes, line.type, why);
    // What contradicts a written type is the verifier's to report.
    if (line.typed) node.type = line.type;
    if (!line.typed && !why.empty()) return read.fail(why);
    node.clone_of = line.clone_of;
    node.locations = std::move(line.locations);
    bool numbered = name.find_first_not_of("0123456789") == std::string_view::npos;
    if (!numbered) node.label = name;
    graph.nodes.push_back(std::move(node));
    return true;
  }

  bool definition_of_value() {
    std::string name = read.token.text;
    if (known.count(name)) return read.fail(fmt::format("%{} is defined twice", name));
    read.move();
    if (!read.expect('=')) return false;
    Op op;
    if (read.token.kind != GraphToken::word || !parse_op(read.token.text, op) || op == Op::assign) {
      return read.fail(fmt::format("there is no op '{}'", read.token.text));
    }
    read.move();
    if (!node(op, name)) return false;
    known[name] = graph.last();
    return true;
  }

  bool root(Root::Kind kind) {
    Root root{kind, "", {}};
    if (!read.string(root.name) || !operand(root.node)) return false;
    graph.roots.push_back(std::move(root));
    return true;
  }

  bool id_list(std::string_view name, std::vector<NodeId>& list) {
    if (!read.expect(name) || !read.expect('=')) return false;
    if (read.token.kind != GraphToken::value && !read.is_mark('-')) return true;
    do {
      if (read.accept('-')) {
        list.emplace_back();
      } else if (!operand(list.emplace_back())) {
        return false;
      }
    } while (read.accept(','));
    return read.error.empty();
  }

  bool custom_gradient() {
    CustomGradient custom;
    if (!id_list("outputs", custom.outputs) || !id_list("cotangents", custom.cotangents)) return false;
    if (!id_list("inputs", custom.inputs) || !id_list("gradients", custom.gradients)) return false;
    graph.custom_gradients.push_back(std::move(custom));
    return true;
  }

  bool body() {
    if (depth == max_depth) return read.fail("bodies are nested too deeply");
    Graph inner;
    GraphReader reader{read, program, inner, depth + 1, {}};
    if (!reader.whole()) return false;
    graph.bodies.push_back(std::move(inner));
    return true;
  }

  bool statement() {
    if (read.token.kind == GraphToken::value) return definition_of_value();
    if (read.is_word("graph")) return body();
    if (read.accept("assign")) return node(Op::assign, "");
    if (read.accept("grad")) return custom_gradient();
    for (auto [word, kind] : {std::pair{"loss", Root::loss},
                              {"metric", Root::metric},
                              {"output", Root::output},
                              {"gradient", Root::gradient},
                              {"collected", Root::collected},
                              {"saved", Root::saved}}) {
      if (read.accept(std::string_view(word))) return root(kind);
    }
    return read.fail(fmt::format("unexpected '{}'", read.token.text));
  }

  bool part_marker() {
    for (auto [word, marked] : {std::pair{"fwd", Part::forward}, {"bwd", Part::backward}, {"upd", Part::update}}) {
      if (!read.accept(std::string_view(word))) continue;
      part = marked;
      return read.expect(':');
    }
    return false;
  }

  bool whole() {
    if (!read.expect("graph") || !read.name(graph.name)) return false;
    if (read.accept("of")) {
      std::string name;
      if (!read.name(name)) return false;
      if (program.name.empty()) program.name = std::move(name);
    }
    if (read.accept("at") && !(read.expect("B") && read.expect('=') && read.integer(graph.batch))) return false;
    if (!read.expect('{')) return false;
    for (read.skip_separators(); read.error.empty() && !read.is_mark('}'); read.skip_separators()) {
      if (part_marker()) continue;
      if (!read.error.empty() || !statement() || !read.end_statement()) return false;
    }
    return read.expect('}');
  }
};

bool read_graph(TokenReader& read, Program& program, Graph& graph) {
  graph = {};
  GraphReader reader{read, program, graph, 0, {}};
  return reader.whole();
}

// state "fc1.weight" : f32[512,784] trained lr=2 slot_of="p" !4
bool read_state(TokenReader& read, Program& program) {
  StateDecl state;
  if (!read.string(state.name) || !read.expect(':') || !read.type(state.type)) return false;
  if (program.find_state(state.name)) return read.fail(fmt::format("state {} is declared twice", quoted(state.name)));
  while (!read.at_end_of_statement() && read.error.empty()) {
    std::string slot;
    if (read.token.kind == GraphToken::location) {
      if (!read.locations(program, state.locations)) return false;
    } else if (read.accept("trained")) {
      state.trained = true;
    } else if (read.accept("lr")) {
      if (!read.expect('=') || !read.real(state.lr)) return false;
    } else if (read.accept("weight_decay")) {
      if (!read.expect('=') || !read.real(state.weight_decay)) return false;
    } else if (read.expect("slot_of")) {
      if (!read.expect('=') || !read.string(slot)) return false;
      state.slot_of = program.find_state(slot);
      if (!state.slot_of) return read.fail(fmt::format("there is no state {}", quoted(slot)));
    }
  }
  program.states.push_back(std::move(state));
  return read.error.empty();
}

// program NAME { file "a.nn" ; state … }
bool read_declarations(TokenReader& read, Program& program) {
  if (!read.name(program.name) || !read.expect('{')) return false;
  for (read.skip_separators(); read.error.empty() && !read.is_mark('}'); read.skip_separators()) {
    if (read.accept("file")) {
      if (!read.string(program.files.emplace_back())) return false;
    } else if (!read.expect("state") || !read_state(read, program)) {
      return false;
    }
    if (!read.end_statement()) return false;
  }
  return read.expect('}');
}

bool read_update(TokenReader& read, Program& program) {
  std::string name;
  if (!read.string(name)) return false;
  UpdateRule update{program.find_state(name), {}};
  if (!update.parameter) return read.fail(fmt::format("there is no state {}", quoted(name)));
  read.skip_separators();
  if (!read_graph(read, program, update.graph)) return false;
  program.updates.push_back(std::move(update));
  return true;
}

bool read_measures(TokenReader& read, Program& program) {
  Measures& measures = program.measures.emplace_back();
  for (std::vector<std::string>* names : {&measures.names, &measures.per_row}) {
    while (read.token.kind == GraphToken::string) {
      if (!read.string(names->emplace_back())) return false;
    }
    if (names == &measures.names && !read.expect("over")) return false;
  }
  read.skip_separators();
  return read_graph(read, program, measures.graph);
}

}  // namespace

std::string parse_graph(std::string_view text, Program& program, Graph& graph) {
  TokenReader read(text);
  read.skip_separators();
  if (read.accept("program")) read_declarations(read, program);
  read.skip_separators();
  if (read.error.empty()) read_graph(read, program, graph);
  read.skip_separators();
  if (read.error.empty() && read.token.kind != GraphToken::end) read.fail("the text should end here");
  return read.error;
}

std::string parse_program(std::string_view text, Program& program) {
  TokenReader read(text);
  for (read.skip_separators(); read.error.empty() && read.token.kind != GraphToken::end; read.skip_separators()) {
    if (read.accept("program")) {
      read_declarations(read, program);
    } else if (read.accept("update")) {
      read_update(read, program);
    } else if (read.accept("gradients")) {
      read.skip_separators();
      read_graph(read, program, program.gradient_rules.emplace_back());
    } else if (read.accept("measures")) {
      read_measures(read, program);
    } else {
      read_graph(read, program, program.functions.emplace_back());
    }
  }
  return read.error;
}

}  // namespace nnc
