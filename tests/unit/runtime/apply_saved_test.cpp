// Fitted transforms on other tables.
#include "runtime/data/apply_saved.h"

#include <gtest/gtest.h>

#include <cstring>

#include "files.h"
#include "runtime/data/pipeline_json.h"

namespace nnc {
namespace {

using test::all_text;
using test::call;
using test::col;
using test::named;
using test::num;
using test::TemporaryFolder;
using test::text;

const std::string training =
    "age,job,city,risk\n30,clerk,x,good\n45,smith,y,bad\n,clerk,x,good\n28,nurse,z,bad\n61,smith,x,good\n50,clerk,y,"
    "bad\n";

struct Trained {
  TemporaryFolder folder;
  Dataset dataset;
  std::vector<FieldPlan> plans;

  explicit Trained(const std::string& table = training, std::vector<NamedSpec> arguments = {}) {
    DataSpec spec;
    spec.source = source("train.csv", table, std::move(arguments));
    const bool named = table.starts_with("age");
    spec.fields.push_back(
        {"x", 0,
         call("concat", {call("standard", {call("impute", {col({named ? "age" : "c1"}), text("median")})}),
                         call("onehot", {col({named ? "job" : "c2"})}, {test::named("unknown", text("zero"))}),
                         call("ordinal", {col({named ? "city" : "c3"})})})});
    spec.fields.push_back({"y", 0, call("binary", {col({named ? "risk" : "c4"}), text("bad")})});
    auto opened = open_dataset(spec);
    EXPECT_TRUE(opened) << all_text(opened.error());
    dataset = std::move(*opened);
    for (const DataField& field : dataset.fields) {
      auto plan = plan_from_json(nlohmann::json::parse(to_json(field.plan).dump()));
      EXPECT_TRUE(plan) << plan.error();
      plans.push_back(std::move(*plan));
    }
  }

  Spec source(const std::string& name, const std::string& content, std::vector<NamedSpec> arguments = {}) const {
    return spec_call("csv", {text(folder.write(name, content))}, std::move(arguments), 0);
  }
  tl::expected<Dataset, RuntimeErrors> apply(const std::string& content, const std::string& without = "") const {
    std::vector<FieldPlan> chosen = plans;
    std::erase_if(chosen, [&](const FieldPlan& plan) { return plan.name == without; });
    return apply_saved(source("new.csv", content), chosen);
  }
  std::string errors(const std::string& content, const std::string& without = "") const {
    auto applied = apply(content, without);
    std::string out = applied ? "" : all_text(applied.error());
    const std::string prefix = folder.file("");
    for (size_t at; (at = out.find(prefix)) != std::string::npos;) out.erase(at, prefix.size());
    return out;
  }
};

void expect_same(const Dataset& a, const Dataset& b) {
  ASSERT_EQ(a.fields.size(), b.fields.size());
  for (size_t i = 0; i < a.fields.size(); ++i) {
    EXPECT_EQ(a.fields[i].name, b.fields[i].name);
    EXPECT_EQ(a.fields[i].type, b.fields[i].type);
    EXPECT_EQ(a.fields[i].dims, b.fields[i].dims);
    EXPECT_EQ(a.fields[i].row_bytes, b.fields[i].row_bytes);
    ASSERT_EQ(a.fields[i].values.bytes(), b.fields[i].values.bytes());
    EXPECT_EQ(std::memcmp(a.fields[i].values.data(), b.fields[i].values.data(),
                          static_cast<size_t>(a.fields[i].values.bytes())),
              0)
        << a.fields[i].name;
  }
}

TEST(ApplySaved, TheSameTableGivesTheSameBytes) {
  const Trained trained;
  auto applied = trained.apply(training);
  ASSERT_TRUE(applied) << all_text(applied.error());
  expect_same(trained.dataset, *applied);
  EXPECT_EQ(applied->rows, 6);
  EXPECT_EQ(applied->test, (std::vector<uint32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(applied->train.empty());
  EXPECT_EQ(applied->source, "new.csv");
  EXPECT_EQ(applied->columns.size(), 4u);
}

TEST(ApplySaved, OrderAndFurtherColumnsDoNotMatter) {
  const Trained trained;
  auto applied = trained.apply(
      "risk,note,city,job,age\ngood,a,x,clerk,30\nbad,\"b,\",y,smith,45\ngood,c,x,clerk,\nbad,d,z,nurse,28\ngood,e,x,"
      "smith,61\nbad,f,y,clerk,50\n");
  ASSERT_TRUE(applied) << all_text(applied.error());
  expect_same(trained.dataset, *applied);
}

TEST(ApplySaved, OneRowIsEnough) {
  const Trained trained;
  auto applied = trained.apply("age,job,city,risk\n45,smith,y,bad\n");
  ASSERT_TRUE(applied) << all_text(applied.error());
  const DataField &one = *applied->find("x"), &all = *trained.dataset.find("x");
  EXPECT_EQ(std::memcmp(one.row(0), all.row(1), static_cast<size_t>(all.row_bytes)), 0);
}

TEST(ApplySaved, TargetsMayBeMissingWhereThatIsAllowed) {
  const Trained trained;
  const std::string table = "age,job,city\n30,clerk,x\n";
  auto applied = trained.apply(table, "y");
  ASSERT_TRUE(applied) << all_text(applied.error());
  EXPECT_NE(applied->find("x"), nullptr);
  EXPECT_EQ(applied->find("y"), nullptr);
  EXPECT_EQ(trained.errors(table), "error[E601]: no column \"risk\" in new.csv\n");
  EXPECT_EQ(trained.errors("agee,job,city\n30,clerk,x\n", "y"),
            "error[E601]: no column \"age\" in new.csv\nhelp: a similar column exists: \"agee\"\n");
}

TEST(ApplySaved, TroublesAreLocatedAsInTraining) {
  const Trained trained;
  EXPECT_EQ(trained.errors("age,job,city,risk\n30,pilot,x,good\n31,clerk,w,bad\n"),
            "new.csv:3:10: error[E603]: category \"w\" is not among the training rows (column \"city\"), 1 row "
            "affected\nhelp: give unknown categories a place of their own: ordinal(…, unknown = \"extra\")\n");
  EXPECT_EQ(trained.errors("age,job,city,risk\n30,clerk,x,\n"),
            "new.csv:2:12: error[E609]: missing value (column \"risk\"), 1 row affected\nhelp: fill missing values: "
            "impute(\"median\"), impute(\"most_frequent\")\n");
  EXPECT_NE(trained.errors("age,job,city,risk\n30,clerk,x,good\nold,clerk,x,bad\n").find("new.csv:3:1: error[E602]"),
            std::string::npos);
  EXPECT_NE(trained.errors("age,job,city,risk\n").find("error[E605]"), std::string::npos);
  EXPECT_NE(trained.errors("").find("error[E605]"), std::string::npos);
  auto absent = apply_saved(call("csv", {text(trained.folder.file("none.csv"))}), trained.plans);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error()[0].code, ErrorCode::E604);
}

TEST(ApplySaved, WithoutAHeaderByPlace) {
  const std::string rows = training.substr(training.find('\n') + 1);
  const Trained named;
  auto placed = named.apply(rows);
  ASSERT_TRUE(placed) << all_text(placed.error());
  expect_same(named.dataset, *placed);
  const Trained bare(rows);
  auto again = bare.apply(rows);
  ASSERT_TRUE(again) << all_text(again.error());
  expect_same(bare.dataset, *again);
  EXPECT_NE(named.errors("30,clerk\n45,smith\n", "y"), "");
}

TEST(ApplySaved, AHeaderIsKnownByItsNames) {
  // Text below text: nothing in the file itself says that the first line is a header.
  Trained trained("age,job,city,risk\n1,a,b,bad\n2,b,b,good\n3,a,a,bad\n");
  std::erase_if(trained.plans, [](const FieldPlan& plan) { return plan.name == "x"; });
  auto applied = trained.apply("risk,risk2,same,same\nbad,a,b,b\ngood,b,b,b\n");
  ASSERT_TRUE(applied) << all_text(applied.error());
  EXPECT_EQ(applied->rows, 2);
}

TEST(ApplySaved, ClassNames) {
  const Trained trained;
  EXPECT_TRUE(class_names(*std::find_if(trained.plans.begin(), trained.plans.end(), [](const FieldPlan& plan) {
                return plan.name == "x";
              })).empty());
  FieldPlan plan;
  plan.pipes.resize(1);
  plan.pipes[0].steps.resize(1);
  PipeStep& step = plan.pipes[0].steps[0];
  step.kind = StepKind::ordinal;
  step.categories = {"a", "b"};
  EXPECT_EQ(class_names(plan), (std::vector<std::string>{"a", "b"}));
  step.unknown = PipeStep::Unknown::extra;
  EXPECT_EQ(class_names(plan), (std::vector<std::string>{"a", "b", "unknown"}));
  step.kind = StepKind::binary;
  step.fill = "a";
  EXPECT_EQ(class_names(plan), (std::vector<std::string>{"b", "a"}));
  step.categories.clear();
  EXPECT_EQ(class_names(plan), (std::vector<std::string>{"not a", "a"}));
  step.kind = StepKind::standard;
  EXPECT_TRUE(class_names(plan).empty());
}

}  // namespace
}  // namespace nnc
