#include "ir/graph/attribute_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "ir/graph/names.h"

namespace nnc {
namespace {

std::string list_text(std::string_view name, const Dims& values) {
  return fmt::format(" {}=[{}]", name, fmt::join(values, ","));
}
std::string order_text(const Order& order) { return order.kind == Order::unset ? "" : " order=" + to_string(order); }

// "a b -> b" of axes by letters; `from` and `to` list axes.
std::string axes_text(const std::vector<int64_t>& from, const std::vector<int64_t>& to) {
  std::string text;
  for (int64_t axis : from) text += axis_name(static_cast<size_t>(axis)) + " ";
  text += "->";
  for (int64_t axis : to) text += " " + axis_name(static_cast<size_t>(axis));
  return " " + quoted(text);
}

std::vector<int64_t> all_axes(int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  for (size_t axis = 0; axis < axes.size(); ++axis) axes[axis] = static_cast<int64_t>(axis);
  return axes;
}

// Writes each kind of attribute. Robust against graphs that break rules: they are printed too.
struct Writer {
  const Node& node;
  const Graph& graph;
  const Program& program;

  std::string state_name(StateId id) const {
    return " " + quoted(id.value < program.states.size() ? program[id].name : fmt::format("?{}", id.value));
  }
  int64_t operand_rank() const {
    bool known = !node.operands.empty() && node.operands[0].value < graph.nodes.size();
    return known ? graph.type(node.operands[0]).rank() : 0;
  }

  AttributeWords operator()(const std::monostate&) const { return {}; }
  AttributeWords operator()(const InputAttr& a) const {
    return {" " + quoted(a.name) + (a.is_target ? " target" : ""), ""};
  }
  AttributeWords operator()(const StateAttr& a) const { return {state_name(a.state), ""}; }
  AttributeWords operator()(const ConstantAttr& a) const { return {" " + number_text(a.value), ""}; }
  AttributeWords operator()(const IotaAttr& a) const { return {"", fmt::format(" axis={}", a.axis)}; }
  AttributeWords operator()(const CompareAttr& a) const { return {fmt::format(" {}", name_of(a.comparison)), ""}; }
  AttributeWords operator()(const TransposeAttr& a) const {
    return {axes_text(all_axes(operand_rank()), a.permutation), ""};
  }
  AttributeWords operator()(const BroadcastAttr& a) const {
    return {axes_text(a.axes, all_axes(node.type.rank())), ""};
  }
  AttributeWords operator()(const SliceAttr& a) const {
    return {"", list_text("start", a.start) + list_text("step", a.step)};
  }
  AttributeWords operator()(const PadAttr& a) const {
    return {"", list_text("before", a.before) + list_text("after", a.after) + list_text("step", a.step) +
                    fmt::format(" value={}", number_text(a.value))};
  }
  AttributeWords operator()(const AxisAttr& a) const { return {"", fmt::format(" axis={}", a.axis)}; }
  AttributeWords operator()(const ReverseAttr& a) const { return {"", list_text("axes", a.axes)}; }
  AttributeWords operator()(const ReduceAttr& a) const {
    std::vector<int64_t> kept;
    for (int64_t axis : all_axes(operand_rank())) {
      if (!std::binary_search(a.axes.begin(), a.axes.end(), axis)) kept.push_back(axis);
    }
    return {fmt::format(" {}{}", name_of(a.reduction), axes_text(all_axes(operand_rank()), kept)), order_text(a.order)};
  }
  AttributeWords operator()(const CumsumAttr& a) const {
    return {std::string(a.exclusive ? " exclusive" : "") + (a.reverse ? " reverse" : ""),
            fmt::format(" axis={}", a.axis)};
  }
  AttributeWords operator()(const ContractAttr& a) const {
    return {" " + quoted(to_string(a.map)), order_text(a.order)};
  }
  AttributeWords operator()(const WindowAttr& a) const {
    return {fmt::format(" {}", name_of(a.reduction)), list_text("size", a.size) + list_text("stride", a.stride) +
                                                          list_text("dilation", a.dilation) +
                                                          list_text("before", a.before) + list_text("after", a.after)};
  }
  AttributeWords operator()(const RandomAttr& a) const {
    return {fmt::format(" {}", name_of(a.distribution)), fmt::format(" site={}", a.site)};
  }
  AttributeWords operator()(const ScanAttr& a) const {
    return {a.reverse ? " reverse" : "", fmt::format(" body={} axis={} carried={}", a.body, a.axis, a.carried)};
  }
};

// Reads each kind of attribute. The first thing that is wrong goes to `error`.
struct Reader {
  AttributeText& text;
  const AttributeContext& context;
  std::string error;

  void fail(std::string why) {
    if (error.empty()) error = std::move(why);
  }
  bool flag(std::string_view name) {
    auto found = std::find(text.words.begin(), text.words.end(), name);
    if (found == text.words.end()) return false;
    text.words.erase(found);
    return true;
  }
  // The word that names one of `count` values of an enum.
  template <class T>
  void choice(T& value, int count) {
    for (int k = 0; k < count; ++k) {
      if (flag(name_of(static_cast<T>(k)))) {
        value = static_cast<T>(k);
        return;
      }
    }
    fail(fmt::format("a word like '{}' is missing", name_of(T{})));
  }
  std::string string(std::string_view what) {
    if (text.strings.empty()) {
      fail(fmt::format("{} in quotes is missing", what));
      return "";
    }
    std::string first = std::move(text.strings.front());
    text.strings.erase(text.strings.begin());
    return first;
  }
  bool take(const char* name, AttributeSetting::Kind kind, AttributeSetting& setting) {
    auto found = text.settings.find(name);
    if (found == text.settings.end()) return false;
    setting = std::move(found->second);
    text.settings.erase(found);
    if (setting.kind != kind) fail(fmt::format("the value of {} is of the wrong kind", name));
    return error.empty();
  }
  void list(const char* name, Dims& values) {
    AttributeSetting setting;
    if (take(name, AttributeSetting::list, setting)) {
      values = std::move(setting.values);
    } else {
      fail(fmt::format("{}=[…] is missing", name));
    }
  }
  void integer(const char* name, int64_t& value, int64_t most = INT32_MAX) {
    AttributeSetting setting;
    if (!take(name, AttributeSetting::number, setting)) return fail(fmt::format("{}=… is missing", name));
    if (!(setting.value >= 0 && setting.value <= static_cast<double>(most)) ||
        setting.value != std::floor(setting.value)) {
      return fail(fmt::format("{}={} is not in 0..{}", name, setting.value, most));
    }
    value = static_cast<int64_t>(setting.value);
  }
  void order(Order& order) {
    AttributeSetting setting;
    if (!take("order", AttributeSetting::word, setting)) return;
    for (Order::Kind kind : {Order::chain, Order::ways, Order::lanes, Order::chunks, Order::tiles}) {
      if (setting.text != to_string(Order{kind, 0})) continue;
      order = {kind, setting.count};
      return;
    }
    fail(fmt::format("there is no order '{}'", setting.text));
  }
  const TensorType* operand() {
    if (!context.operands.empty()) return &context.operands[0];
    fail("an operand is missing");
    return nullptr;
  }

  // "a b -> b": the axis names of both sides.
  bool axes(std::vector<std::string>& from, std::vector<std::string>& to) {
    std::string whole = string("a map of axes");
    size_t arrow = whole.find("->");
    if (arrow == std::string::npos) {
      fail(fmt::format("'->' expected in \"{}\"", whole));
      return false;
    }
    auto split = [&](std::string_view part, std::vector<std::string>& names) {
      for (size_t at = 0; at < part.size();) {
        size_t start = part.find_first_not_of(' ', at);
        if (start == std::string_view::npos) break;
        at = std::min(part.find(' ', start), part.size());
        std::string name(part.substr(start, at - start));
        if (std::find(names.begin(), names.end(), name) != names.end()) fail(fmt::format("axis {} occurs twice", name));
        names.push_back(std::move(name));
        if (names.size() > static_cast<size_t>(max_rank)) return fail("too many axes");
      }
    };
    split(std::string_view(whole).substr(0, arrow), from);
    split(std::string_view(whole).substr(arrow + 2), to);
    return error.empty();
  }
  // For each of `names` its place in `among`.
  void places(const std::vector<std::string>& names, const std::vector<std::string>& among,
              std::vector<int64_t>& result) {
    for (const std::string& name : names) {
      auto found = std::find(among.begin(), among.end(), name);
      if (found == among.end()) return fail(fmt::format("axis {} is on one side only", name));
      result.push_back(found - among.begin());
    }
  }

  void operator()(std::monostate&) {}
  void operator()(InputAttr& a) {
    a.name = string("a name");
    a.is_target = flag("target");
  }
  void operator()(StateAttr& a) {
    std::string name = string("the name of a state");
    a.state = context.program.find_state(name);
    const TensorType* type = context.declared           ? context.declared
                             : context.operands.empty() ? nullptr
                                                        : &context.operands[0];
    if (a.state || !error.empty()) return;
    if (!type) return fail(fmt::format("state \"{}\" is new and needs a type", name));
    a.state = find_or_declare_state(context.program, name, *type);
  }
  void operator()(ConstantAttr& a) {
    if (text.numbers.size() != 1) return fail("one number expected");
    a.value = text.numbers[0];
    text.numbers.clear();
  }
  void operator()(IotaAttr& a) { integer("axis", a.axis); }
  void operator()(CompareAttr& a) { choice(a.comparison, 6); }
  void operator()(TransposeAttr& a) {
    std::vector<std::string> from, to;
    if (axes(from, to)) places(to, from, a.permutation);
  }
  void operator()(BroadcastAttr& a) {
    std::vector<std::string> from, to;
    if (axes(from, to)) places(from, to, a.axes);
  }
  void operator()(SliceAttr& a) {
    list("start", a.start);
    list("step", a.step);
  }
  void operator()(PadAttr& a) {
    list("before", a.before);
    list("after", a.after);
    list("step", a.step);
    AttributeSetting setting;
    if (take("value", AttributeSetting::number, setting)) a.value = setting.value;
  }
  void operator()(AxisAttr& a) { integer("axis", a.axis); }
  void operator()(ReverseAttr& a) { list("axes", a.axes); }
  void operator()(ReduceAttr& a) {
    choice(a.reduction, 5);
    std::vector<std::string> from, to;
    const TensorType* type = operand();
    if (!type || !axes(from, to)) return;
    if (from.size() != type->dims.size())
      return fail(fmt::format("the map names {} axes of {}", from.size(), to_string(*type)));
    for (size_t axis = 0; axis < from.size(); ++axis) {
      if (std::find(to.begin(), to.end(), from[axis]) == to.end()) a.axes.push_back(static_cast<int64_t>(axis));
    }
    std::vector<int64_t> kept;
    places(to, from, kept);
    if (!std::is_sorted(kept.begin(), kept.end())) fail("a reduction keeps the order of axes");
    order(a.order);
  }
  void operator()(CumsumAttr& a) {
    integer("axis", a.axis);
    a.exclusive = flag("exclusive");
    a.reverse = flag("reverse");
  }
  void operator()(ContractAttr& a) {
    std::string map = string("an index map");
    if (!error.empty()) return;
    if (std::string why = parse_index_map(map, context.operands, a.map); !why.empty()) return fail(why);
    for (size_t k = 0; k < a.map.result.size(); ++k) {
      int64_t& extent = a.map.extents[static_cast<size_t>(a.map.result[k])];
      if (extent != 0) continue;
      if (!context.declared || k >= context.declared->dims.size()) return fail("the extent of a window needs a type");
      extent = context.declared->dims[k];
    }
    order(a.order);
  }
  void operator()(WindowAttr& a) {
    choice(a.reduction, 5);
    list("size", a.size);
    list("stride", a.stride);
    list("dilation", a.dilation);
    list("before", a.before);
    list("after", a.after);
  }
  void operator()(RandomAttr& a) {
    choice(a.distribution, 3);
    int64_t site = 0;
    integer("site", site, UINT32_MAX);
    a.site = static_cast<uint32_t>(site);
  }
  void operator()(ScanAttr& a) {
    int64_t body = 0;
    integer("body", body);
    a.body = static_cast<uint32_t>(body);
    integer("axis", a.axis);
    integer("carried", a.carried);
    a.reverse = flag("reverse");
  }
};

}  // namespace

AttributeWords write_attributes(const Node& node, const Graph& graph, const Program& program) {
  return std::visit(Writer{node, graph, program}, node.attributes);
}

std::string read_attributes(AttributeText& text, const AttributeContext& context, Attributes& attributes) {
  Reader reader{text, context, ""};
  std::visit(reader, attributes);
  if (!reader.error.empty()) return reader.error;
  if (!text.words.empty()) return fmt::format("unknown word '{}'", text.words[0]);
  if (!text.strings.empty()) return fmt::format("unexpected {}", quoted(text.strings[0]));
  if (!text.numbers.empty()) return fmt::format("unexpected number {}", text.numbers[0]);
  if (!text.settings.empty()) return fmt::format("unknown setting '{}'", text.settings.begin()->first);
  return "";
}

StateId find_or_declare_state(Program& program, const std::string& name, const TensorType& type) {
  if (StateId known = program.find_state(name)) return known;
  StateDecl state;
  state.name = name;
  state.type = type;
  if (size_t colon = name.rfind(':'); colon != std::string::npos)
    state.slot_of = program.find_state(name.substr(0, colon));
  program.states.push_back(std::move(state));
  return StateId(program.states.size() - 1);
}

}  // namespace nnc
