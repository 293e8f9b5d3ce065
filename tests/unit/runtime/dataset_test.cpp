#include "runtime/data/dataset.h"

#include <gtest/gtest.h>

#include <cmath>

#include "files.h"
#include "runtime/data/batches.h"

namespace nnc {
namespace {

using test::all_text;
using test::call;
using test::col;
using test::named;
using test::num;
using test::TemporaryFolder;
using test::text;

struct Data {
  TemporaryFolder folder;
  DataSpec spec;

  Data(const std::string& content, std::vector<NamedSpec> arguments = {}) {
    spec.source = spec_call("csv", {text(folder.write("t.csv", content))}, std::move(arguments), 1);
    spec.split = call("sequential", {}, {named("val", num(1))});
  }
  Data& field(const std::string& name, Spec value, Origin origin = 7) {
    value.origin = origin;
    spec.fields.push_back({name, origin, std::move(value)});
    return *this;
  }
  tl::expected<Dataset, RuntimeErrors> open() const { return open_dataset(spec); }
  std::string errors() const {
    auto dataset = open();
    std::string out = dataset ? "" : all_text(dataset.error());
    const std::string prefix = folder.file("");
    for (size_t at; (at = out.find(prefix)) != std::string::npos;) out.erase(at, prefix.size());
    return out;
  }
};

std::vector<float> floats(const Dataset& dataset, const std::string& name) {
  const DataField* field = dataset.find(name);
  if (field == nullptr || field->type != ElementType::f32) return {};
  const auto* at = reinterpret_cast<const float*>(field->values.data());
  return {at, at + field->values.bytes() / 4};
}

std::vector<int32_t> integers(const Dataset& dataset, const std::string& name) {
  const DataField* field = dataset.find(name);
  if (field == nullptr || field->type != ElementType::i32) return {};
  const auto* at = reinterpret_cast<const int32_t*>(field->values.data());
  return {at, at + field->values.bytes() / 4};
}

void expect_near(const std::vector<float>& found, const std::vector<double>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-6) << i;
}

TEST(Dataset, StandardUsesTrainingRowsAndPopulationDeviation) {
  auto dataset = Data("a\n1\n2\n3\n4\n1000000\n").field("x", call("standard", {col({"a"})})).open();
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  const double deviation = std::sqrt(1.25);  // of 1 2 3 4
  expect_near(floats(*dataset, "x"), {-1.5 / deviation, -0.5 / deviation, 0.5 / deviation, 1.5 / deviation,
                                      static_cast<float>((1000000 - 2.5) / deviation)});
  EXPECT_TRUE(dataset->find("x")->dims.empty());
}

TEST(Dataset, OutlierInValidationMovesNothingFitted) {
  const std::string rows = "a,c\n1,p\n2,q\n3,p\n7,q\n5,q\n";
  auto open = [&](const std::string& last) {
    return Data("a,c\n1,p\n2,q\n3,p\n7,q\n5,q\n" + last)
        .field("s", call("standard", {col({"a"})}))
        .field("m", call("minmax", {col({"a"})}))
        .field("r", call("robust", {col({"a"})}))
        .field("i", call("impute", {col({"a"}), text("mean")}))
        .field("o", call("onehot", {col({"c"})}, {named("unknown", text("zero"))}))
        .open();
  };
  auto plain = open("4,p\n"), wild = open("-1e30,zzz\n");
  ASSERT_TRUE(plain) << all_text(plain.error());
  ASSERT_TRUE(wild) << all_text(wild.error());
  for (const char* name : {"s", "m", "r", "i", "o"}) {
    const PipeStep& a = plain->find(name)->plan.pipes[0].steps[0];
    const PipeStep& b = wild->find(name)->plan.pipes[0].steps[0];
    EXPECT_EQ(a.a, b.a) << name;
    EXPECT_EQ(a.b, b.b) << name;
    EXPECT_EQ(a.categories, b.categories) << name;
    EXPECT_TRUE(!a.a.empty() || !a.categories.empty()) << name;
  }
}

TEST(Dataset, ScalersByHand) {
  auto dataset = Data("a\n2\n4\n6\n10\n4\n")
                     .field("m", call("minmax", {col({"a"})}))
                     .field("n", call("minmax", {col({"a"}), num(-1), num(1)}))
                     .field("r", call("robust", {col({"a"})}))
                     .field("l", call("log", {col({"a"})}))
                     .field("c", call("clip", {col({"a"})}, {named("low", num(3)), named("high", num(5))}))
                     .open();
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  expect_near(floats(*dataset, "m"), {0, 0.25, 0.5, 1, 0.25});
  expect_near(floats(*dataset, "n"), {-1, -0.5, 0, 1, -0.5});
  // median 5; quartiles of 2 4 6 10 at positions 0.75 and 2.25: 3.5 and 7
  expect_near(floats(*dataset, "r"), {-3 / 3.5, -1 / 3.5, 1 / 3.5, 5 / 3.5, -1 / 3.5});
  expect_near(floats(*dataset, "l"), {std::log(2.0), std::log(4.0), std::log(6.0), std::log(10.0), std::log(4.0)});
  expect_near(floats(*dataset, "c"), {3, 4, 5, 5, 4});
}

TEST(Dataset, ConstantColumnsAreSafe) {
  auto dataset = Data("a\n0.1\n0.1\n0.1\n0.3\n")
                     .field("s", call("standard", {col({"a"})}))
                     .field("m", call("minmax", {col({"a"})}))
                     .field("r", call("robust", {col({"a"})}))
                     .open();
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  expect_near(floats(*dataset, "s"), {0, 0, 0, 0.2});
  expect_near(floats(*dataset, "m"), {0, 0, 0, 0.2});
  expect_near(floats(*dataset, "r"), {0, 0, 0, 0.2});
}

TEST(Dataset, ImputationByHand) {
  auto dataset = Data("a,c\n1,x\n,y\n2,y\n9,\n2,y\n")
                     .field("mean", call("impute", {col({"a"}), text("mean")}))
                     .field("median", call("impute", {col({"a"}), text("median")}))
                     .field("most", call("impute", {col({"a"}), text("most_frequent")}))
                     .field("value", call("impute", {col({"a"}), num(-1)}))
                     .field("words", call("ordinal", {call("impute", {col({"c"}), text("most_frequent")})}))
                     .field("word", call("ordinal", {call("impute", {col({"c"}), text("x")})}))
                     .open();
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  expect_near(floats(*dataset, "mean"), {1, 4, 2, 9, 2});
  expect_near(floats(*dataset, "median"), {1, 2, 2, 9, 2});
  expect_near(floats(*dataset, "most"), {1, 1, 2, 9, 2});
  expect_near(floats(*dataset, "value"), {1, -1, 2, 9, 2});
  EXPECT_EQ(integers(*dataset, "words"), (std::vector<int32_t>{0, 1, 1, 1, 1}));
  EXPECT_EQ(integers(*dataset, "word"), (std::vector<int32_t>{0, 1, 1, 0, 1}));
}

TEST(Dataset, EncodersByHand) {
  auto dataset = Data("c,n,s\nb,10,yes\na,2,no\nb,2,no\nc,1,yes\nz,1,no\n")
                     .field("hot", call("onehot", {col({"c"})}, {named("unknown", text("zero"))}))
                     .field("less", call("onehot", {col({"n"})}, {named("drop_first", spec_bool(true))}))
                     .field("listed", call("ordinal", {col({"n"}), spec_list({num(10), num(2), text("1")})}))
                     .field("extra", call("ordinal", {col({"c"})}, {named("unknown", text("extra"))}))
                     .field("yes", call("binary", {col({"s"})}, {named("positive", text("yes"))}))
                     .field("two", call("binary", {col({"n"})}, {named("positive", text("2"))}))
                     .open();
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  expect_near(floats(*dataset, "hot"), {0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0});
  EXPECT_EQ(dataset->find("hot")->dims, std::vector<int64_t>{3});
  // numbers ascending: 1 2 10
  expect_near(floats(*dataset, "less"), {0, 1, 1, 0, 1, 0, 0, 0, 0, 0});
  EXPECT_EQ(integers(*dataset, "listed"), (std::vector<int32_t>{0, 1, 1, 2, 2}));
  EXPECT_EQ(dataset->find("listed")->bound, 3);
  EXPECT_EQ(integers(*dataset, "extra"), (std::vector<int32_t>{1, 0, 1, 2, 3}));
  EXPECT_EQ(dataset->find("extra")->bound, 4);
  expect_near(floats(*dataset, "yes"), {1, 0, 0, 1, 0});
  expect_near(floats(*dataset, "two"), {0, 1, 1, 0, 0});
}

TEST(Dataset, ConcatGlobsAndArithmetic) {
  auto dataset =
      Data("a1,a2,b,c\n1,2,3,p\n4,5,6,q\n7,8,9,p\n")
          .field("x", call("concat", {call("*", {col({"b"}), num(2)}), call("onehot", {col({"c"})}), col({"a*"})}))
          .field("all", call("col", {text("*")}, {named("except", spec_list({text("c"), text("a2")}))}))
          .field("sum", call("+", {col({"a1", "a2"}), col({"b"})}))
          .field("back", call("-", {num(10), call("/", {col({"b"}), num(3)})}))
          .field("negative", call("-", {call("**", {col({"b"}), num(2)})}))
          .open();
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  expect_near(floats(*dataset, "x"), {6, 1, 0, 1, 2, 12, 0, 1, 4, 5, 18, 1, 0, 7, 8});
  EXPECT_EQ(integers(*dataset, "all"), (std::vector<int32_t>{1, 3, 4, 6, 7, 9}));
  expect_near(floats(*dataset, "sum"), {4, 5, 10, 11, 16, 17});
  expect_near(floats(*dataset, "back"), {9, 8, 7});
  expect_near(floats(*dataset, "negative"), {-9, -36, -81});
}

TEST(Dataset, IntegersHaveABoundAndConvert) {
  auto dataset = Data("y,z,h\n3,-1,0.5\n0,2,1\n9,0,2\n")
                     .field("y", col({"y"}))
                     .field("z", col({"z"}))
                     .field("h", col({"h"}))
                     .open();
  ASSERT_TRUE(dataset);
  EXPECT_EQ(dataset->find("y")->bound, 10);
  EXPECT_EQ(dataset->find("z")->type, ElementType::i32);
  EXPECT_EQ(dataset->find("z")->bound, 0);
  EXPECT_EQ(dataset->find("h")->type, ElementType::f32);
  ASSERT_TRUE(convert_to_float(dataset->fields[0]));
  expect_near(floats(*dataset, "y"), {3, 0, 9});
}

TEST(Dataset, ImagesScaleAndReshape) {
  TemporaryFolder folder;
  std::string content("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03", 16);
  for (int i = 0; i < 12; ++i) content += static_cast<char>(i * 20);
  DataSpec spec;
  spec.source = call("idx", {}, {named("images", text(folder.write("i", content)))});
  spec.fields.push_back({"x", 0, call("reshape", {call("/", {col({"images"}), num(255)}), num(1), num(2), num(-1)})});
  spec.fields.push_back({"raw", 0, col({"images"})});
  spec.fields.push_back({"s", 0, call("standard", {col({"images"})})});
  auto dataset = open_dataset(spec);
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  EXPECT_EQ(dataset->find("x")->dims, (std::vector<int64_t>{1, 2, 3}));
  const std::vector<float> x = floats(*dataset, "x");
  for (int i = 0; i < 12; ++i) EXPECT_EQ(x[static_cast<size_t>(i)], static_cast<float>(i * 20) / 255.0f);
  EXPECT_EQ(integers(*dataset, "raw")[11], 220);
  EXPECT_EQ(dataset->find("raw")->bound, 256);
  EXPECT_NEAR(floats(*dataset, "s")[0], -110 / (20 * std::sqrt(143.0 / 12)), 1e-6);
}

TEST(Dataset, FurtherSourcesAndTheirErrors) {
  Data data("a,c\n1,p\n2,q\n3,p\n");
  data.spec.split.reset();
  data.spec.val = spec_call("csv", {text(data.folder.write("v.csv", "c,a\nq,5\n"))}, {}, 2);
  data.spec.test = spec_call("csv", {text(data.folder.write("w.csv", "c,a\nq,8\np,1\n"))}, {}, 3);
  data.field("x", call("minmax", {col({"a"})})).field("y", call("ordinal", {col({"c"})}));
  auto dataset = data.open();
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  EXPECT_EQ(dataset->train, (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(dataset->val, (std::vector<uint32_t>{3}));
  EXPECT_EQ(dataset->test, (std::vector<uint32_t>{4, 5}));
  expect_near(floats(*dataset, "x"), {0, 0.5, 1, 2, 3.5, 0});
  EXPECT_EQ(integers(*dataset, "y"), (std::vector<int32_t>{0, 1, 0, 1, 1, 0}));
  data.folder.write("v.csv", "c,b\nq,5\n");
  EXPECT_EQ(data.errors(), "error[E601]: no column \"a\" in v.csv\nhelp: a similar column exists: \"c\"\n");
  data.folder.write("v.csv", "c,a\nnew,5\nq,wrong\n");
  EXPECT_EQ(data.errors(),
            "v.csv:3:3: error[E602]: \"wrong\" is not a number (column \"a\")\nhelp: if it stands for a missing value, "
            "add \"wrong\" to `missing = [...]`\n"
            "v.csv:2:1: error[E603]: category \"new\" is not among the training rows (column \"c\"), 1 row affected\n"
            "help: give unknown categories a place of their own: ordinal(…, unknown = \"extra\")\n");
}

TEST(Dataset, ErrorsNameColumnsCellsAndCategories) {
  EXPECT_EQ(Data("income,age\n1,2\n3,4\n").field("x", call("concat", {col({"incom"}), col({"zzzz"})})).errors(),
            "error[E601]: no column \"incom\" in t.csv\nhelp: a similar column exists: \"income\"\nerror[E601]: no "
            "column \"zzzz\" in t.csv\n");
  EXPECT_EQ(Data("income\n1\n2\nn/a\n4\n").field("x", call("standard", {col({"income"})})).errors(),
            "t.csv:4:1: error[E602]: \"n/a\" is not a number (column \"income\")\nhelp: if it stands for a missing "
            "value, add \"n/a\" to `missing = [...]`\n");
  EXPECT_EQ(Data("e,y\nba,1\nphd,2\nma,3\nphd,4\n")
                .field("x", call("ordinal", {col({"e"}), spec_list({text("ba"), text("ma")})}))
                .errors(),
            "t.csv:3:1: error[E603]: category \"phd\" is not in the ordinal list (column \"e\"), 2 rows affected\n"
            "help: give unknown categories a place of their own: ordinal(…, unknown = \"extra\")\n");
  EXPECT_EQ(Data("a\n1\n\n3\n").field("x", call("standard", {col({"a"})})).errors(),
            "t.csv:3:1: error[E609]: missing value (column \"a\"), 1 row affected\nhelp: fill missing values: "
            "impute(\"median\"), impute(\"most_frequent\")\n");
  EXPECT_EQ(Data("a,b\n1,x\n2,y\n3,y\n")
                .field("x", call("log", {call("-", {col({"a"}), num(2)})}))
                .field("y", col({"b"}))
                .errors(),
            "error[E611]: column \"b\" holds categories where numbers are needed\n"
            "help: turn them into numbers: onehot(), ordinal() or binary(positive = \"…\")\n");
  EXPECT_EQ(Data("a\n1\n2\n3\n").field("x", call("log", {call("-", {col({"a"}), num(2)})})).errors(),
            "t.csv:2:1: error[E613]: log(-1) is not finite (column \"a\"), 1 row affected\n");
  EXPECT_EQ(Data("a\nbad\ngood\nbad\n", {named("header", spec_bool(true))})
                .field("x", call("binary", {col({"a"})}, {named("positive", text("goood"))}))
                .errors(),
            "error[E612]: category \"goood\" does not occur in the training rows (column \"a\")\nhelp: a similar "
            "category occurs: \"good\"\n");
  EXPECT_EQ(Data("a,b\n1,2\n3,4\n").field("x", call("reshape", {col({"a", "b"}), num(3)})).errors(),
            "error[E611]: cannot reshape 2 values a row to [3]\n");
  EXPECT_EQ(
      Data("a,a\n1,2\n3,4\n").field("x", col({"a"})).errors(),
      "error[E601]: column \"a\" stands twice in t.csv, as number 1 and 2\nhelp: rename one of them in the file\n");
  EXPECT_EQ(Data("a\n1\n2\n").field("x", call("standrad", {col({"a"})})).errors(),
            "error[E608]: unknown transform `standrad`\nhelp: a transform with a similar name exists: `standard`\n");
  EXPECT_EQ(Data("a\n1e300\n2\n").field("x", col({"a"})).errors(),
            "t.csv:2:1: error[E613]: a value is not finite as f32 (column \"a\"), 1 row affected\n");
}

TEST(Dataset, ErrorsKeepTheirOrigins) {
  auto dataset =
      Data("a\n1\n2\n").field("x", call("standard", {col({"a"})}, {named("with_mean", spec_bool(true))}), 42).open();
  ASSERT_FALSE(dataset);
  EXPECT_EQ(dataset.error()[0].code, ErrorCode::E607);
  Data deep("a\n1\n2\n");
  Spec value = col({"a"});
  for (int i = 0; i < 300; ++i) value = call("standard", {std::move(value)});
  EXPECT_EQ(deep.field("x", std::move(value)).errors(), "error[E607]: more than 200 calls within each other\n");
}

TEST(Dataset, SyntheticIsDeterministic) {
  DataSpec spec;
  spec.source = call("synthetic", {},
                     {named("rows", num(50)), named("seed", num(3)), named("x", call("rand", {num(3), num(4)})),
                      named("z", call("randn", {num(2)})), named("y", call("randint", {num(10)}))});
  for (const char* name : {"x", "z", "y"}) spec.fields.push_back({name, 0, col({name})});
  auto a = open_dataset(spec), b = open_dataset(spec);
  ASSERT_TRUE(a) << all_text(a.error());
  EXPECT_EQ(a->find("x")->dims, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(a->find("y")->bound, 10);
  EXPECT_EQ(floats(*a, "x"), floats(*b, "x"));
  EXPECT_EQ(floats(*a, "z").size(), 100u);
  for (float x : floats(*a, "x")) EXPECT_TRUE(x >= 0 && x < 1);
}

TEST(Dataset, RealTables) {
  const std::string examples = std::string(NNC_SOURCE_DIR) + "/examples/data/";
  DataSpec spec;
  spec.source = call("csv", {text(examples + "breast_cancer.csv")});
  spec.split =
      call("random", {}, {named("val", num(0.2)), named("stratify", text("diagnosis")), named("seed", num(1))});
  spec.fields.push_back(
      {"x", 0, call("standard", {call("col", {text("*")}, {named("except", spec_list({text("diagnosis")}))})})});
  spec.fields.push_back({"y", 0, call("binary", {col({"diagnosis"})}, {named("positive", text("malignant"))})});
  auto dataset = open_dataset(spec);
  ASSERT_TRUE(dataset) << all_text(dataset.error());
  EXPECT_EQ(dataset->find("x")->dims, std::vector<int64_t>{30});
  EXPECT_EQ(dataset->rows, 569);
  EXPECT_EQ(dataset->val.size(), 114u);
  const std::vector<float> x = floats(*dataset, "x");
  double sum = 0, squares = 0;
  for (uint32_t row : dataset->train)
    sum += x[row * 30 + 4], squares += static_cast<double>(x[row * 30 + 4]) * x[row * 30 + 4];
  EXPECT_NEAR(sum, 0, 1e-3);
  EXPECT_NEAR(squares / static_cast<double>(dataset->train.size()), 1, 1e-5);
}

TEST(Dataset, GatherCopiesRows) {
  auto dataset = Data("a,b,c\n1,2,3.5\n4,5,6\n7,8,9\n").field("x", col({"a", "b", "c"})).field("y", col({"a"})).open();
  ASSERT_TRUE(dataset);
  const std::vector<uint32_t> rows = {2, 0, 2};
  std::vector<float> x(9);
  std::vector<int32_t> y(3);
  gather_rows(*dataset->find("x"), rows, x.data());
  gather_rows(*dataset->find("y"), rows, y.data());
  EXPECT_EQ(x, (std::vector<float>{7, 8, 9, 1, 2, 3.5, 7, 8, 9}));
  EXPECT_EQ(y, (std::vector<int32_t>{7, 1, 7}));
}

}  // namespace
}  // namespace nnc
