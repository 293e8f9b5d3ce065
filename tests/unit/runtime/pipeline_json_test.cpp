// Fitted plans written as JSON and read again: nothing is lost, nothing unsound comes in.
#include "runtime/data/pipeline_json.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <set>

#include "files.h"
#include "runtime/data/dataset.h"
#include "runtime/data/source.h"

namespace nnc {
namespace {

using nlohmann::json;
using test::all_text;
using test::call;
using test::col;
using test::named;
using test::num;
using test::TemporaryFolder;
using test::text;

// How many members an aggregate has: so many initialisers does it take.
struct Anything {
  template <class T>
  operator T() const;  // never called
};
template <class T, size_t... i>
constexpr bool takes(std::index_sequence<i...>) {
  return requires { T{((void)i, Anything{})...}; };
}
template <class T, size_t n = 0>
constexpr size_t member_count() {
  if constexpr (takes<T>(std::make_index_sequence<n + 1>{})) {
    return member_count<T, n + 1>();
  } else {
    return n;
  }
}

// The compiler's own name of an enumerator, empty for a number that is none.
template <StepKind kind>
std::string enumerator() {
  const std::string function = __PRETTY_FUNCTION__;
  const size_t at = function.find("StepKind::");
  return at == std::string::npos ? "" : function.substr(at + 10, function.find_first_of("];", at) - at - 10);
}
template <size_t... i>
std::vector<std::string> enumerators(std::index_sequence<i...>) {
  return {enumerator<static_cast<StepKind>(i)>()...};
}

TEST(PipelineJson, CoversEveryMember) {
  const MembersCovered covered = members_covered();
  EXPECT_EQ(covered.field_plan, member_count<FieldPlan>()) << "list the new member in pipeline_members.h";
  EXPECT_EQ(covered.windows, member_count<WindowPlan>()) << "list the new member in pipeline_members.h";
  EXPECT_EQ(covered.pipe, member_count<Pipe>()) << "list the new member in pipeline_members.h";
  EXPECT_EQ(covered.step, member_count<PipeStep>()) << "list the new member in pipeline_members.h";
}

TEST(PipelineJson, CoversEveryKindOfStep) {
  const std::vector<std::string> kinds = enumerators(std::make_index_sequence<64>{});
  ASSERT_EQ(kinds[0], "impute");
  for (size_t i = 0; i < kinds.size(); ++i) {
    const char* name = name_of(static_cast<StepKind>(i));
    EXPECT_EQ(name == nullptr ? "" : std::string(name), kinds[i]) << "name the new kind in pipeline_members.cpp";
  }
}

Spec arithmetic(const std::string& symbol, Spec left, Spec right) {
  return call(symbol, {std::move(left), std::move(right)});
}

// Plans of all kinds, fitted on a small table.
std::vector<FieldPlan> fitted_plans(const TemporaryFolder& folder) {
  const std::string table =
      "a,b,c,d\n1,0.1,p,u\n2.5,0.3,\"q \"\"x\"\"\",v\n3,,p,u\n-7,0.7,\xC3\xBC,w\n1e30,0.9,p,u\n0.5,1e-9,q,v\n";
  DataSpec spec;
  spec.source = call("csv", {text(folder.write("t.csv", table))});
  const auto add = [&](const std::string& name, Spec value) { spec.fields.push_back({name, 3, std::move(value)}); };
  add("i", call("impute", {col({"b"}), text("mean")}));
  add("it", call("binary", {call("impute", {col({"d"}), text("v")}), text("v")}));
  for (const char* name : {"standard", "robust", "minmax"}) add(name, call(name, {col({"a"})}));
  add("log", call("log", {arithmetic("+", col({"a"}), num(8))}));
  add("clip", call("clip", {col({"a"})}, {named("low", num(0))}));
  for (const char* symbol : {"+", "-", "*", "/", "**"}) {
    add(std::string("n") + symbol, arithmetic(symbol, call("clip", {col({"a"}), num(1), num(2)}), num(1.5)));
    add(std::string("r") + symbol, arithmetic(symbol, num(1.5), call("clip", {col({"a"}), num(1), num(2)})));
    add(std::string("o") + symbol,
        arithmetic(symbol, call("clip", {col({"a"}), num(1), num(2)}), call("clip", {col({"a"}), num(3), num(4)})));
  }
  add("onehot", call("onehot", {col({"c"})}, {named("unknown", text("zero")), named("drop_first", spec_bool(true))}));
  add("few", call("onehot", {col({"c"})}, {named("max_categories", num(2))}));
  add("ordinal", call("ordinal", {col({"c"})}, {named("unknown", text("extra"))}));
  add("listed", call("ordinal", {col({"d"}), spec_list({text("w"), text("v"), text("u")})}));
  add("joined", call("concat", {call("standard", {col({"a"})}), call("onehot", {col({"c", "d"})})}));
  add("shaped", call("reshape", {col({"a", "a"}), num(-1), num(1)}));
  auto dataset = open_dataset(spec);
  std::vector<FieldPlan> plans;
  if (!dataset) {
    ADD_FAILURE() << all_text(dataset.error());
    return plans;
  }
  for (DataField& field : dataset->fields) plans.push_back(std::move(field.plan));
  return plans;
}

TEST(PipelineJson, RoundTripsFittedPlans) {
  const TemporaryFolder folder;
  std::set<std::string> kinds;
  for (const FieldPlan& plan : fitted_plans(folder)) {
    const json written = to_json(plan);
    for (const json& pipe : written["pipes"]) {
      for (const json& step : pipe.value("steps", json::array())) kinds.insert(step.value("kind", "add"));
    }
    auto read = plan_from_json(json::parse(written.dump()));
    ASSERT_TRUE(read) << read.error() << "\n" << written.dump(1);
    EXPECT_EQ(to_json(*read), written);
    EXPECT_EQ(read->name, plan.name);
    EXPECT_EQ(read->dims, plan.dims);
    EXPECT_EQ(read->shape, plan.shape);
    EXPECT_EQ(read->joined, plan.joined);
    ASSERT_EQ(read->pipes.size(), plan.pipes.size());
    for (size_t i = 0; i < plan.pipes.size(); ++i) {
      const Pipe &a = plan.pipes[i], &b = read->pipes[i];
      EXPECT_EQ(a.column, b.column);
      EXPECT_EQ(a.lanes, b.lanes);
      EXPECT_EQ(a.text, b.text);
      ASSERT_EQ(a.steps.size(), b.steps.size());
      for (size_t k = 0; k < a.steps.size(); ++k) {
        EXPECT_EQ(a.steps[k].kind, b.steps[k].kind);
        EXPECT_EQ(a.steps[k].a, b.steps[k].a);
        EXPECT_EQ(a.steps[k].b, b.steps[k].b);
        EXPECT_EQ(a.steps[k].categories, b.steps[k].categories);
        EXPECT_EQ(a.steps[k].infrequent, b.steps[k].infrequent);
        EXPECT_EQ(a.steps[k].unknown, b.steps[k].unknown);
        EXPECT_EQ(a.steps[k].other.size(), b.steps[k].other.size());
      }
    }
  }
  EXPECT_GE(kinds.size(), 16u);
}

FieldPlan plan_of(PipeStep step) {
  FieldPlan plan;
  plan.name = "x";
  plan.pipes.emplace_back();
  plan.pipes[0].column = "a";
  plan.pipes[0].text = step.kind == StepKind::multilabel;
  plan.pipes[0].lanes = step.kind == StepKind::multilabel ? static_cast<int64_t>(step.categories.size()) : 1;
  plan.pipes[0].elements = step.kind == StepKind::normalise ? static_cast<int64_t>(step.a.size()) : 1;
  plan.shape = FieldPlan::Shape::vector;
  plan.dims = {plan.pipes[0].lanes * plan.pipes[0].elements};
  plan.pipes[0].steps = {std::move(step)};
  return plan;
}

TEST(PipelineJson, NumbersAndTextBitForBit) {
  PipeStep step;
  step.kind = StepKind::standard;
  for (const double value : {0.1, -0.0, 5e-324, 1.7976931348623157e308, double(INFINITY), -double(INFINITY),
                             std::nan(""), -std::nan("7"), 1.0, 9007199254740993.0}) {
    step.a = {value};
    step.b = {value};
    step.low = value;
    FieldPlan plan = plan_of(step);
    plan.pipes[0].column = "\xff\x01 \"'\\";
    plan.windows = WindowPlan{7, 2, 1, 0, 1, 9};
    auto read = plan_from_json(json::parse(to_json(plan).dump()));
    ASSERT_TRUE(read) << read.error();
    const PipeStep& back = read->pipes[0].steps[0];
    EXPECT_EQ(std::memcmp(back.a.data(), &value, 8), 0) << value;
    EXPECT_EQ(std::memcmp(&back.low, &value, 8), 0) << value;
    EXPECT_EQ(read->pipes[0].column, plan.pipes[0].column);
    ASSERT_TRUE(read->windows);
    EXPECT_EQ(read->windows->length, 7);
    EXPECT_EQ(read->windows->result, 1);
    EXPECT_EQ(read->windows->origin, 0u);
  }
}

TEST(PipelineJson, StepsOfOtherSources) {
  PipeStep labels;
  labels.kind = StepKind::multilabel;
  labels.categories = {"a", "b"};
  labels.fill = ";";
  PipeStep symbols;
  symbols.kind = StepKind::symbols;
  symbols.categories = {"\n", "x", "\xC3\xBC"};
  PipeStep channels;
  channels.kind = StepKind::normalise;
  channels.a = {0.5, 0.25};
  channels.b = {1, 2};
  for (const PipeStep& step : {labels, symbols, channels}) {
    const FieldPlan plan = plan_of(step);
    auto read = plan_from_json(json::parse(to_json(plan).dump()));
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(to_json(*read), to_json(plan));
  }
}

std::string refused(const std::string& text) {
  auto plan = plan_from_json(json::parse(text));
  return plan ? "" : plan.error();
}

TEST(PipelineJson, RefusesWhatFittingNeverYields) {
  const auto pipe = [](const std::string& steps) {
    return refused(R"({"name":"x","pipes":[{"column":"a","steps":[)" + steps + "]}]}");
  };
  EXPECT_EQ(pipe(""), "");
  EXPECT_EQ(refused("[]"), "an object is needed");
  EXPECT_EQ(refused("{}"), "name: a field needs a name");
  EXPECT_EQ(refused(R"({"name":"x"})"), "pipes: a field needs a column");
  EXPECT_EQ(refused(R"({"name":"x","pipes":[{}],"colour":1})"), "unknown member \"colour\"");
  EXPECT_EQ(refused(R"({"name":"x","pipes":[{"lanes":2}]})"), "pipes[0]: 2 lanes, but the steps make 1");
  EXPECT_EQ(refused(R"({"name":"x","pipes":[{"elements":1e99}]})"), "pipes[0].elements: a whole number is needed");
  EXPECT_EQ(refused(R"({"name":"x","pipes":[{}],"dims":[3]})"), "dims: 3 values a row, the pipes make 1");
  EXPECT_EQ(pipe(R"({"kind":"standard"})"), "pipes[0].steps[0]: 0 fitted numbers for 1 lanes");
  EXPECT_EQ(pipe(R"({"kind":"standard","a":[1],"b":[true]})"), "pipes[0].steps[0].b[0]: a number is needed");
  EXPECT_EQ(pipe(R"({"kind":"stan"})"), "pipes[0].steps[0].kind: no such word");
  EXPECT_EQ(pipe(R"({"kind":"onehot"})"), "pipes[0].steps[0]: no categories");
  EXPECT_EQ(pipe(R"({"kind":"ordinal","categories":["a","a"]})"),
            "pipes[0].steps[0]: the categories repeat themselves");
  EXPECT_EQ(pipe(R"({"kind":"multilabel","fill":";","categories":["a"]})"),
            "pipes[0].steps[0]: labels are text with a separator");
  EXPECT_EQ(refused(R"({"name":"x","pipes":[{"text":true,"steps":[{"kind":"multilabel","categories":["a"]}]}]})"),
            "pipes[0].steps[0]: labels are text with a separator");
  EXPECT_EQ(pipe(R"({"kind":"add","other":[{},{}]})"), "pipes[0].steps[0]: arithmetic takes one other column");
  EXPECT_EQ(pipe(R"({"kind":"clip","low":"nan:0"})"), "pipes[0].steps[0].low: a number is needed");
  std::string deep = "{}";
  for (int i = 0; i < 600; ++i) deep = R"({"steps":[{"other":[)" + deep + "]}]}";
  EXPECT_NE(refused(R"({"name":"x","pipes":[)" + deep + "]}").find("nested too deeply"), std::string::npos);
}

TEST(PipelineJson, MutationsNeverCrash) {
  const TemporaryFolder folder;
  const std::vector<FieldPlan> plans = fitted_plans(folder);
  const std::string other = folder.write("o.csv", "a,b,c,d\n9,x,p,u\n,2,nope,v\n");
  const std::array<json, 9> values = {json(),          json(-1),     json(1e308),      json("inf"),  json("zero"),
                                      json::array({}), json("text"), json::object({}), json(4000000)};
  uint32_t state = 1;
  const auto random = [&](size_t n) { return (state = state * 1664525u + 1013904223u) / 65536u % n; };
  size_t read_again = 0;
  for (int round = 0; round < 4000; ++round) {
    json whole = to_json(plans[random(plans.size())]);
    json* at = &whole;
    while (at->is_structured() && !at->empty() && random(6) != 0) {
      auto item = at->begin();
      std::advance(item, random(at->size()));
      at = &*item;
    }
    *at = values[random(values.size())];
    auto plan = plan_from_json(whole);
    if (!plan) {
      EXPECT_FALSE(plan.error().empty());
      continue;
    }
    ++read_again;
    if (round % 8 != 0) continue;
    // What is accepted can be applied: that may say errors, but must not fall over.
    auto table = open_source(call("csv", {text(other)}));
    ASSERT_TRUE(table);
    std::vector<bool> wanted(table->columns.size(), true);
    EXPECT_TRUE(load_columns(*table, wanted).empty());
    std::vector<float> out(static_cast<size_t>(field_width(*plan) * table->rows));
    FieldSink sink;
    sink.floats = out.data();
    sink.width = field_width(*plan);
    ErrorList errors;
    apply_field(*plan, *table, sink, errors);
  }
  EXPECT_GT(read_again, 100u);
}

}  // namespace
}  // namespace nnc
