#include <gtest/gtest.h>

#include <numeric>

#include "data_fixture.h"

namespace nnc {
namespace {

using test::call;
using test::col;
using test::named;
using test::num;
using test::rows_of;
using test::TableData;
using test::TemporaryFolder;
using test::text;

using Floats = std::vector<float>;

TEST(Encoding, InfrequentCategoriesShareALane) {
  // b three times, a and d twice, c once. Two lanes of their own, one for the rest; of a and d the first is folded.
  const Dataset data = TableData("c\nb\na\nd\nb\nc\nd\na\nb\n")
                           .field("x", call("onehot", {col({"c"})}, {named("max_categories", num(3))}))
                           .field("less", call("onehot", {col({"c"})},
                                               {named("max_categories", num(2)), named("drop_first", spec_bool(true))}))
                           .field("all", call("onehot", {col({"c"})}, {named("max_categories", num(9))}))
                           .open();
  const PipeStep& step = data.find("x")->plan.pipes[0].steps[0];
  EXPECT_EQ(step.categories, (std::vector<std::string>{"b", "d"}));
  EXPECT_EQ(step.infrequent, (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(rows_of(data, "x", DataPart::train),
            (Floats{1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(rows_of(data, "less", DataPart::train), (Floats{0, 1, 1, 0, 1, 1, 1, 0}));
  EXPECT_EQ(data.find("all")->dims, std::vector<int64_t>{4});
}

TEST(Encoding, LabelsOfACell) {
  const std::string rows = "tags\nred; blue\n\ngreen;red;\n blue\n";
  const Dataset data =
      TableData(rows)
          .field("learnt", call("multilabel", {col({"tags"})}))
          .field("given", call("multilabel", {col({"tags"})},
                               {named("categories", spec_list({text("red"), text("green"), text("blue"), text("x")}))}))
          .open();
  EXPECT_EQ(data.find("learnt")->plan.pipes[0].steps[0].categories, (std::vector<std::string>{"blue", "green", "red"}));
  EXPECT_EQ(rows_of(data, "learnt", DataPart::train), (Floats{1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0}));
  EXPECT_EQ(rows_of(data, "given", DataPart::train), (Floats{1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(data.find("given")->dims, std::vector<int64_t>{4});
}

TEST(Encoding, LabelsMayBeNumbersAndHaveAnotherSeparator) {
  const Dataset data = TableData("a,b\n1,1 | 2\n2,3\n1,2\n")
                           .field("a", call("multilabel", {col({"a"})}))
                           .field("b", call("multilabel", {col({"b"})}, {named("separator", text("|"))}))
                           .open();
  EXPECT_EQ(rows_of(data, "a", DataPart::train), (Floats{1, 0, 0, 1, 1, 0}));
  EXPECT_EQ(rows_of(data, "b", DataPart::train), (Floats{1, 1, 0, 0, 0, 1, 0, 1, 0}));
}

TEST(Encoding, LabelsOfValidationRowsOnlyAreUnknown) {
  TableData data("tags\na;b\nb\nc;a\n");
  data.split(call("sequential", {}, {named("val", num(1))}));
  data.field("x", call("multilabel", {col({"tags"})}));
  EXPECT_EQ(data.errors(),
            "t.csv:4:1: error[E603]: label \"c\" is not among the training rows (column \"tags\"), 1 row affected\n"
            "help: leave unknown labels out: multilabel(unknown = \"zero\")\n");
  data.spec.fields[0].value.named.push_back(named("unknown", text("zero")));
  EXPECT_EQ(rows_of(data.open(), "x", DataPart::val), (Floats{1, 0}));
}

TEST(Encoding, SeveralColumnsOfZerosAndOnesAreATarget) {
  const Dataset data = TableData("a,b,c\n1,0,1\n0,0,1\n").field("y", col({"a", "b", "c"})).open();
  EXPECT_EQ(data.find("y")->dims, std::vector<int64_t>{3});
  EXPECT_EQ(data.find("y")->bound, 2);
  EXPECT_EQ(rows_of(data, "y", DataPart::train), (Floats{1, 0, 1, 0, 0, 1}));
}

TEST(Encoding, ClassesAreIntegersOrStrings) {
  const Dataset data = TableData("s,i,n\nno,3,30\nyes,0,10\nno,1,20\n")
                           .field("s", call("ordinal", {col({"s"})}))
                           .field("i", col({"i"}))
                           .field("n", call("ordinal", {col({"n"})}))
                           .open();
  for (const char* name : {"s", "i", "n"}) EXPECT_EQ(data.find(name)->type, ElementType::i32) << name;
  EXPECT_EQ(data.find("s")->bound, 2);
  EXPECT_EQ(data.find("i")->bound, 4);
  EXPECT_EQ(rows_of(data, "n", DataPart::train), (Floats{2, 0, 1}));
}

TEST(Encoding, ChannelsAreNormalised) {
  TemporaryFolder folder;
  std::string content("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02", 16);
  for (int i = 0; i < 8; ++i) content += static_cast<char>(i);
  DataSpec spec;
  spec.source = call("idx", {}, {named("images", text(folder.write("i", content)))});
  const Spec channels = call("reshape", {col({"images"}), num(2), num(1), num(2)});
  spec.fields.push_back(
      {"x", 0, call("normalise", {channels, spec_list({num(1), num(2)}), spec_list({num(2), num(4)})})});
  spec.fields.push_back({"one", 0, call("normalise", {col({"images"}), num(1), num(2)})});
  auto data = open_dataset(spec);
  ASSERT_TRUE(data) << test::all_text(data.error());
  EXPECT_EQ(data->find("x")->dims, (std::vector<int64_t>{2, 1, 2}));
  EXPECT_EQ(rows_of(*data, "x", DataPart::train), (Floats{-0.5, 0, 0, 0.25, 1.5, 2, 1, 1.25}));
  EXPECT_EQ(rows_of(*data, "one", DataPart::train), (Floats{-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3}));
  spec.fields[0].value = call("normalise", {col({"images"}), spec_list({num(1), num(2), num(3)}), num(1)});
  auto wrong = open_dataset(spec);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(test::all_text(wrong.error()),
            "error[E607]: `std` of `normalise` must be as many numbers as `mean` has, which is 3, found 1\n"
            "error[E611]: `normalise` has 3 means, but the value's first axis is not 3 channels\n");
}

TEST(Encoding, WrongArgumentsAreErrors) {
  TableData data("a\nx\ny\n");
  data.field("x", call("multilabel", {col({"a"})}, {named("separator", text(""))}))
      .field("y", call("onehot", {col({"a"})}, {named("max_categories", num(0))}))
      .field("z", call("normalise", {col({"a"})}, {named("mean", num(0)), named("std", num(0))}))
      .field("w", call("ordinal", {col({"a"}), spec_list({text("x"), text("x")})}));
  EXPECT_EQ(data.errors(),
            "error[E607]: `separator` of `multilabel` must be at least one character, found a string\n"
            "error[E607]: `max_categories` of `onehot` must be a whole number from 1 to 2147483647, found 0\n"
            "error[E607]: `std` of `normalise` must be greater than 0, found 0\n"
            "error[E607]: `order` of `ordinal` must be a list without repetitions, found a list\n");
}

TEST(UglyTables, TenThousandColumns) {
  std::string content;
  for (int i = 0; i < 10000; ++i) content += (i ? ",c" : "c") + std::to_string(i);
  for (int row = 0; row < 4; ++row) {
    content += '\n';
    for (int i = 0; i < 10000; ++i) content += (i ? "," : "") + std::to_string(row + i % 7);
  }
  const Dataset data = TableData(content).field("x", call("standard", {col({"*"})})).open();
  EXPECT_EQ(data.find("x")->dims, std::vector<int64_t>{10000});
  const Floats x = rows_of(data, "x", DataPart::train);
  ASSERT_EQ(x.size(), 40000u);
  EXPECT_FLOAT_EQ(x[9999], -1.3416408f);
}

TEST(UglyTables, OneRowOneClassAndNothingAtAll) {
  const Dataset one = TableData("a,c\n5,x\n")
                          .field("s", call("standard", {col({"a"})}))
                          .field("m", call("minmax", {col({"a"})}))
                          .field("r", call("robust", {col({"a"})}))
                          .field("h", call("onehot", {col({"c"})}))
                          .field("o", call("ordinal", {col({"c"})}))
                          .open();
  for (const char* name : {"s", "m", "r", "o"}) EXPECT_EQ(rows_of(one, name, DataPart::train), Floats{0}) << name;
  EXPECT_EQ(rows_of(one, "h", DataPart::train), Floats{1});
  EXPECT_EQ(one.find("o")->bound, 1);
  EXPECT_EQ(
      TableData("a,c\n5,x\n").field("h", call("onehot", {col({"c"})}, {named("drop_first", spec_bool(true))})).errors(),
      "error[E611]: column \"c\" has a single category: nothing is left without the first\n");
  const std::string empty = TableData("a,b\n1,\n2,\n3,\n")
                                .field("x", call("impute", {col({"b"}), text("median")}))
                                .field("y", call("onehot", {col({"b"})}))
                                .field("z", call("standard", {col({"b"})}))
                                .errors();
  // One cause, said once.
  EXPECT_EQ(empty, "error[E609]: column \"b\" has no values in the training rows\n");
}

TEST(UglyTables, NumbersThatAreNotFinite) {
  const std::string found =
      TableData("a,b\n1,1\ninf,2\n-inf,1e999\n").field("x", call("standard", {col({"a", "b"})})).errors();
  EXPECT_NE(found.find("t.csv:3:1: error[E602]: \"inf\" is not a number"), std::string::npos) << found;
  EXPECT_NE(found.find("t.csv:4:6: error[E602]: \"1e999\" is not a number"), std::string::npos) << found;
}

TEST(UglyTables, FurtherFilesForValidationAndTesting) {
  TableData data("a,c\n1,p\n3,q\n");
  data.spec.val = call("csv", {text(data.folder.write("v.csv", "a,c\n2,q\n"))});
  data.spec.test = call("csv", {text(data.folder.write("w.csv", "c,a\np,5\nq,1\n"))});
  data.field("x", call("minmax", {col({"a"})})).field("y", call("ordinal", {col({"c"})}));
  const Dataset open = data.open();
  EXPECT_EQ(rows_of(open, "x", DataPart::val), Floats{0.5});
  EXPECT_EQ(rows_of(open, "x", DataPart::test), (Floats{2, 0}));
  EXPECT_EQ(rows_of(open, "y", DataPart::test), (Floats{0, 1}));
  data.fold(1, 2);
  EXPECT_EQ(data.errors(),
            "error[E632]: folds take the validation rows from the source, but `val` is a source of its own\n");
}

}  // namespace
}  // namespace nnc
