#include "driver/diverged.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "driver/interpret.h"
#include "ir/ops/op.h"

namespace nnc {
namespace {

// Beyond these the second look would take minutes, or memory that training did not need.
constexpr double most_flops = 2e10;
constexpr int64_t most_elements = int64_t{1} << 28;

// What one value of the step holds.
struct Holds {
  bool nan = false, infinite = false;
  bool allowed = false;  // its infinities come from constants alone
  bool finite() const { return !nan && !infinite; }
};

struct Replay {
  const Graph& graph;
  const Program& program;
  const Executable& executable;
  const Session& session;
  const Dataset& dataset;
  std::span<const uint32_t> rows;
  std::vector<Holds> holds = {};
};

ReferenceTensor fed(const Replay& replay, const Node& node) {
  const DataField* field = replay.dataset.find(node.as<InputAttr>().name);
  if (field == nullptr) return {node.type, std::vector<double>(static_cast<size_t>(node.type.elements()))};
  std::vector<std::byte> bytes(static_cast<size_t>(field->row_bytes) * replay.rows.size());
  gather_rows(*field, replay.rows, bytes.data());
  return reference(node.type, field->type, bytes.data());
}

ReferenceTensor stored(const Replay& replay, const Node& node) {
  const std::string& name = replay.program[node.as<StateAttr>().state].name;
  for (const StateTensor& tensor : replay.executable.states) {
    if (tensor.name != name) continue;
    std::vector<std::byte> bytes(static_cast<size_t>(node.type.elements() * element_size(tensor.type)));
    read_state(tensor, replay.session.state.data(), bytes.data());
    return reference(node.type, tensor.type, bytes.data());
  }
  return {node.type, std::vector<double>(static_cast<size_t>(node.type.elements()))};
}

Holds judge(const Replay& replay, const Node& node, const ReferenceTensor& value) {
  Holds holds;
  for (double number : value.values) {
    holds.nan |= std::isnan(number);
    holds.infinite |= std::isinf(number);
  }
  if (!holds.infinite || holds.nan) return holds;
  bool from_infinity = node.op == Op::constant, allowed = true;
  for (NodeId operand : node.operands) {
    const Holds& from = replay.holds[operand.value];
    from_infinity |= from.infinite;
    allowed &= !from.infinite || from.allowed;
  }
  holds.allowed = from_infinity && allowed;
  return holds;
}

using Values = std::vector<ReferenceTensor>;

// Computes the nodes up to `end`, each rounded to its type, and frees what is no longer needed. `look` sees each with
// its operands still there.
void compute(const Replay& replay, size_t end, const std::function<void(NodeId, const Values&)>& look) {
  const Graph& graph = replay.graph;
  std::vector<size_t> last(graph.nodes.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (NodeId operand : graph.nodes[n].operands) last[operand.value] = n;
  }
  Values values(graph.nodes.size());
  for (size_t n = 0; n < end; ++n) {
    const Node& node = graph.nodes[n];
    ReferenceTensor& result = values[n];
    std::vector<const ReferenceTensor*> operands;
    for (NodeId operand : node.operands) operands.push_back(&values[operand.value]);
    if (node.op == Op::input) {
      result = fed(replay, node);
    } else if (node.op == Op::state) {
      result = stored(replay, node);
    } else if (node.op == Op::assign) {
      result = *operands[0];
    } else {
      result = {node.type, std::vector<double>(static_cast<size_t>(node.type.elements()))};
      if (const auto evaluate = definition(node.op).evaluate) evaluate(node, operands, result);
    }
    if (node.type.dtype == DType::f32) {
      for (double& number : result.values) number = static_cast<double>(static_cast<float>(number));
    }
    look(NodeId(n), values);
    for (NodeId operand : node.operands) {
      if (last[operand.value] == n) values[operand.value].values = {};
    }
  }
}

// Goes from a value that is not finite to where that began.
NodeId trace(const Replay& replay, NodeId from) {
  for (;;) {
    const auto& operands = replay.graph[from].operands;
    auto next =
        std::find_if(operands.begin(), operands.end(), [&](NodeId operand) { return replay.holds[operand.value].nan; });
    if (next == operands.end()) {
      next = std::find_if(operands.begin(), operands.end(), [&](NodeId operand) {
        return replay.holds[operand.value].infinite && !replay.holds[operand.value].allowed;
      });
    }
    if (next == operands.end()) return from;
    from = *next;
  }
}

// The node to blame: of the losses, else of the trained parameters' new values, else of anything assigned. Invalid if
// all of them are finite.
NodeId find_culprit(const Replay& replay) {
  for (const Root& root : replay.graph.roots) {
    if (root.kind == Root::loss && !replay.holds[root.node.value].finite()) return trace(replay, root.node);
  }
  for (const bool trained : {true, false}) {
    for (size_t n = 0; n < replay.graph.nodes.size(); ++n) {
      const Node& node = replay.graph.nodes[n];
      if (node.op != Op::assign || replay.holds[n].finite() || replay.holds[n].allowed) continue;
      if (!trained || replay.program[node.as<StateAttr>().state].trained) return trace(replay, NodeId(n));
    }
  }
  return {};
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "infinity" : "-infinity";
  return fmt::format("{:.4g}", value);
}

std::string range_text(const ReferenceTensor& tensor) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (double value : tensor.values) {
    if (std::isnan(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low > high) return "no number";
  return low == high ? number_text(low) : fmt::format("numbers from {} to {}", number_text(low), number_text(high));
}

// What the node was given and what it made of it.
struct Account {
  std::string given, made;
  int64_t row = -1;    // of the batch
  double largest = 0;  // size of the numbers given
};

Account account_of(const Replay& replay, NodeId id, const Values& values) {
  const Node& node = replay.graph[id];
  const ReferenceTensor& result = values[id.value];
  const auto bad = static_cast<size_t>(
      std::find_if(result.values.begin(), result.values.end(), [](double value) { return !std::isfinite(value); }) -
      result.values.begin());
  Account account;
  if (bad == result.values.size()) return account;
  account.made = number_text(result.values[bad]);
  const bool elementwise = definition(node.op).kind == OpKind::map;
  for (NodeId operand : node.operands) {
    const ReferenceTensor& from = values[operand.value];
    if (!account.given.empty()) account.given += " and ";
    account.given +=
        elementwise && from.values.size() == result.values.size() ? number_text(from.values[bad]) : range_text(from);
    for (double value : from.values) {
      if (std::isfinite(value)) account.largest = std::max(account.largest, std::abs(value));
    }
  }
  const Dims& dims = node.type.dims;
  if (node.part != Part::update && !dims.empty() && dims[0] == replay.graph.batch)
    account.row = static_cast<int64_t>(bad) / (node.type.elements() / dims[0]);
  return account;
}

// The word or number that begins at the location.
Span span_at(const SourceFiles& files, const Location& at) {
  if (!at || at.file >= files.files.size()) return {};
  const SourceFile& file = files.files[at.file];
  if (at.line > file.line_starts.size()) return {};
  const std::string_view line = line_text(file, at.line);
  size_t byte = 0;
  for (uint32_t column = 1; column < at.column && byte < line.size(); ++column)
    byte += std::max<size_t>(1, utf8_length(line.substr(byte)));
  size_t end = byte;
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; };
  while (end < line.size() && is_word(line[end])) ++end;
  const uint32_t start = file.line_starts[at.line - 1];
  return {FileId(at.file), start + static_cast<uint32_t>(byte),
          start + static_cast<uint32_t>(std::max(end, std::min(byte + 1, line.size())))};
}

const char* remedy(const Node& node, const Account& account) {
  constexpr double grown = 1e8;
  if (node.part == Part::update || account.largest > grown)
    return "the numbers have grown out of bounds: a smaller learning rate, or `clip = norm(1)` in `train`";
  if (node.op == Op::sub && account.given == "-infinity and -infinity")
    return "a `softmax` or `logsumexp` over values that are all "
           "-infinity has no result: leave at least one of them unmasked";
  if (node.op == Op::log || node.op == Op::log1p)
    return "keep what `log` is given above 0, for example `log(max(p, 1e-7))`; losses on logits (`bce_with_logits`, "
           "`cross_entropy`) need no `log` of probabilities";
  if (node.op == Op::div) return "keep the divisor away from 0, for example `x / max(y, 1e-8)`";
  if (node.op == Op::sqrt || node.op == Op::rsqrt)
    return "keep what the root is taken of above 0, for example `sqrt(x + 1e-8)`";
  if (node.op == Op::exp || node.op == Op::expm1)
    return "`exp` overflows above 88: `softmax`, `logsumexp` and losses on logits do not; or scale the inputs, lower "
           "the learning rate, or set `clip = norm(1)` in `train`";
  return "a smaller learning rate, or `clip = norm(1)` in `train`; inputs scaled with `standard()`";
}

std::string where_text(const TrainResult& result) {
  return fmt::format("epoch {}, step {}", result.diverged_epoch, result.diverged_step);
}

void report_unlocated(Experiment& experiment, const TrainResult& result) {
  const std::string what = result.diverged_loss.empty() ? "a parameter" : fmt::format("`{}`", result.diverged_loss);
  report(diagnostics(*experiment.unit), DiagnosticKind::diverged, Place{experiment.path}, "{} is not finite in {}",
         what, where_text(result))
      .help("a smaller learning rate, or `clip = norm(1)` in `train`");
}

void report_culprit(Experiment& experiment, const Replay& replay, const TrainResult& result, NodeId id,
                    const Account& account) {
  const Node& node = replay.graph[id];
  const char* part = node.part == Part::forward    ? ""
                     : node.part == Part::backward ? ", in the gradient of this expression"
                                                   : ", in the update of the weights";
  std::string message;
  if (node.op == Op::state) {
    message = fmt::format("the state \"{}\" holds {} before {}", replay.program[node.as<StateAttr>().state].name,
                          account.made, where_text(result));
  } else if (node.op == Op::input) {
    message = fmt::format("the field `{}` holds {} in {}", node.as<InputAttr>().name, account.made, where_text(result));
  } else {
    message = fmt::format("`{}` of {} gave {} in {}{}", name_of(node.op),
                          account.given.empty() ? "nothing" : account.given, account.made, where_text(result), part);
  }
  Diagnostics& list = diagnostics(*experiment.unit);
  const SourceFiles& files = sources(*experiment.unit);
  const Span span = node.locations.empty() ? Span{} : span_at(files, node.locations.front());
  Diagnostic& error = span.file ? report(list, DiagnosticKind::diverged, span, "{}", message)
                                : report(list, DiagnosticKind::diverged, Place{experiment.path}, "{}", message);
  error.help(remedy(node, account));
  if (account.row >= 0 && account.row < static_cast<int64_t>(replay.rows.size()))
    error.note(fmt::format("in row {} of the data, counted from 1", replay.rows[static_cast<size_t>(account.row)] + 1));
}

}  // namespace

void explain_divergence(Experiment& experiment, const Runnable& runnable, const Session& session,
                        const TrainResult& result, bool located) {
  const Program& program = *runnable.lowered->program;
  const auto batch = static_cast<int64_t>(result.diverged_rows.size());
  const auto graph = std::find_if(program.functions.begin(), program.functions.end(), [&](const Graph& candidate) {
    return candidate.name == result.diverged_entry && candidate.batch == batch;
  });
  const Entry* entry = runnable.executable.find(result.diverged_entry, batch);
  if (!located || graph == program.functions.end() || entry == nullptr) return report_unlocated(experiment, result);
  int64_t elements = 0;
  for (const Node& node : graph->nodes) elements += node.type.elements();
  if (entry->flops > most_flops || elements > most_elements) return report_unlocated(experiment, result);

  Replay replay{*graph, program, runnable.executable, session, experiment.dataset, result.diverged_rows};
  replay.holds.resize(graph->nodes.size());
  compute(replay, graph->nodes.size(), [&](NodeId id, const Values& values) {
    replay.holds[id.value] = judge(replay, (*graph)[id], values[id.value]);
  });
  const NodeId culprit = find_culprit(replay);
  if (!culprit) return report_unlocated(experiment, result);
  Account account;
  compute(replay, culprit.value + 1, [&](NodeId id, const Values& values) {
    if (id == culprit) account = account_of(replay, id, values);
  });
  report_culprit(experiment, replay, result, culprit, account);
}

}  // namespace nnc
