#include <gtest/gtest.h>

#include <cmath>

#include "data_fixture.h"

namespace nnc {
namespace {

using test::call;
using test::col;
using test::named;
using test::num;
using test::rows_of;
using test::TableData;
using test::text;

using Floats = std::vector<float>;

std::string counting(int rows) {
  std::string out = "t,u\n";
  for (int i = 0; i < rows; ++i) out += std::to_string(i) + "," + std::to_string(100 + i) + "\n";
  return out;
}

Spec windows(Spec value, int length, std::vector<NamedSpec> arguments = {}) {
  arguments.push_back(named("length", num(length)));
  return call("windows", {std::move(value)}, std::move(arguments));
}

Spec sequential(double val, double test = 0) {
  return call("sequential", {}, {named("val", num(val)), named("test", num(test))});
}

TEST(Windows, AreCutWithinTheParts) {
  const Dataset data = TableData(counting(12)).split(sequential(4, 3)).field("x", windows(col({"t"}), 3)).open();
  EXPECT_EQ(data.find("x")->dims, std::vector<int64_t>{3});
  EXPECT_EQ(data.rows, 6);
  EXPECT_EQ(rows_of(data, "x", DataPart::train), (Floats{0, 1, 2, 1, 2, 3, 2, 3, 4}));
  EXPECT_EQ(rows_of(data, "x", DataPart::val), (Floats{5, 6, 7, 6, 7, 8}));
  EXPECT_EQ(rows_of(data, "x", DataPart::test), (Floats{9, 10, 11}));
}

TEST(Windows, ShiftedWindowsAreASecondField) {
  const Dataset data = TableData(counting(9))
                           .pair("x", "next", windows(col({"t"}), 3, {named("stride", num(3)), named("shift", num(1))}))
                           .open();
  EXPECT_EQ(rows_of(data, "x", DataPart::train), (Floats{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(rows_of(data, "next", DataPart::train), (Floats{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(data.find("next")->dims, std::vector<int64_t>{3});
  EXPECT_EQ(data.find("x")->bound, 9);
}

TEST(Windows, RowsAfterAWindowAreASecondField) {
  const Dataset one = TableData(counting(6)).pair("x", "y", windows(col({"t"}), 3, {named("after", num(1))})).open();
  EXPECT_EQ(rows_of(one, "x", DataPart::train), (Floats{0, 1, 2, 1, 2, 3, 2, 3, 4}));
  EXPECT_EQ(rows_of(one, "y", DataPart::train), (Floats{3, 4, 5}));
  EXPECT_TRUE(one.find("y")->dims.empty());
  const Dataset two = TableData(counting(6)).pair("x", "y", windows(col({"t"}), 3, {named("after", num(2))})).open();
  EXPECT_EQ(rows_of(two, "x", DataPart::train), (Floats{0, 1, 2, 1, 2, 3}));
  EXPECT_EQ(rows_of(two, "y", DataPart::train), (Floats{3, 4, 4, 5}));
  EXPECT_EQ(two.find("y")->dims, std::vector<int64_t>{2});
}

TEST(Windows, OfSeveralColumnsHaveAVectorAStep) {
  const Dataset data =
      TableData(counting(4)).pair("x", "y", windows(col({"t", "u"}), 2, {named("after", num(1))})).open();
  EXPECT_EQ(data.find("x")->dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(data.find("y")->dims, (std::vector<int64_t>{2}));
  EXPECT_EQ(rows_of(data, "x", DataPart::train), (Floats{0, 100, 1, 101, 1, 101, 2, 102}));
  EXPECT_EQ(rows_of(data, "y", DataPart::train), (Floats{2, 102, 3, 103}));
}

TEST(Windows, AreFittedOnTrainingRowsOnceEach) {
  const Dataset data = TableData("t\n1\n2\n3\n4\n1000\n2000\n3000\n")
                           .split(sequential(3))
                           .pair("x", "y", windows(call("standard", {col({"t"})}), 2, {named("after", num(1))}))
                           .open();
  for (const char* name : {"x", "y"}) {
    const PipeStep& step = data.find(name)->plan.pipes[0].steps[0];
    EXPECT_DOUBLE_EQ(step.a[0], 2.5);
    EXPECT_DOUBLE_EQ(step.b[0], std::sqrt(1.25));
  }
  EXPECT_EQ(data.train.size(), 2u);
  EXPECT_EQ(data.val.size(), 1u);
}

TEST(Windows, FieldsOfDifferentReachStartTogether) {
  const Dataset data = TableData(counting(5))
                           .pair("x", "y", windows(col({"t"}), 2, {named("after", num(2))}))
                           .field("z", windows(col({"u"}), 2))
                           .open();
  EXPECT_EQ(rows_of(data, "z", DataPart::train), (Floats{100, 101, 101, 102}));
  EXPECT_EQ(rows_of(data, "y", DataPart::train), (Floats{2, 3, 3, 4}));
}

TEST(Windows, FoldsInOrderAreRunsToo) {
  TableData data(counting(9));
  data.split(call("kfold", {num(3)}, {named("shuffle", spec_bool(false))})).field("x", windows(col({"t"}), 2));
  const Dataset second = data.fold(2, 3).open();
  EXPECT_EQ(rows_of(second, "x", DataPart::val), (Floats{3, 4, 4, 5}));
  EXPECT_EQ(rows_of(second, "x", DataPart::train), (Floats{0, 1, 1, 2, 6, 7, 7, 8}));
}

TEST(Windows, OfATextHoldItsSymbols) {
  TableData data("");
  data.spec.source = call("text", {text(data.folder.write("t.txt", "abcabd\xc3\xa9"))});
  data.pair("ids", "next", windows(call("chars"), 3, {named("stride", num(3)), named("shift", num(1))}));
  const Dataset chars = data.open();
  ASSERT_NE(chars.find("ids"), nullptr);
  EXPECT_EQ(chars.find("ids")->type, ElementType::i32);
  EXPECT_EQ(chars.find("ids")->bound, 5);
  EXPECT_EQ(chars.find("ids")->plan.pipes[0].steps[0].categories,
            (std::vector<std::string>{"a", "b", "c", "d", "\xc3\xa9"}));
  EXPECT_EQ(rows_of(chars, "ids", DataPart::train), (Floats{0, 1, 2, 0, 1, 3}));
  EXPECT_EQ(rows_of(chars, "next", DataPart::train), (Floats{1, 2, 0, 1, 3, 4}));
  for (FieldSpec& field : data.spec.fields) field.value.items[0] = call("bytes");
  const Dataset bytes = data.open();
  EXPECT_EQ(bytes.find("next")->bound, 256);
  EXPECT_EQ(rows_of(bytes, "next", DataPart::train), (Floats{98, 99, 97, 98, 100, 195}));
  data.spec.val = call("text", {text(data.folder.write("v.txt", "abxa"))});
  for (FieldSpec& field : data.spec.fields) field.value.items[0] = call("chars");
  EXPECT_EQ(data.errors().substr(0, data.errors().find(", 1 row")),
            "v.txt: error[E603]: symbol \"x\" is not in the vocabulary of the training text (column \"chars\")");
}

TEST(Windows, LieInTheTableOnce) {
  const Dataset data = TableData(counting(500)).field("x", windows(col({"t"}), 100)).open();
  EXPECT_EQ(data.rows, 401);
  EXPECT_EQ(data.find("x")->row_bytes, 400);
  EXPECT_EQ(data.find("x")->values.bytes(), 2000);
}

TEST(Windows, MistakesAreErrors) {
  const Spec two = windows(col({"t"}), 3, {named("after", num(1))});
  EXPECT_EQ(TableData(counting(9)).field("x", two).errors(),
            "error[E633]: 1 name for a value with 2 results\n"
            "help: name both the windows and what comes after them: `x, y = …`\n");
  EXPECT_EQ(TableData(counting(9)).pair("x", "y", windows(col({"t"}), 3)).errors(),
            "error[E633]: 2 names for a value with 1 result\n"
            "help: windows(length = …, shift = …) and windows(length = …, after = …) have two results\n");
  EXPECT_EQ(TableData(counting(9)).field("x", windows(col({"t"}), 3)).field("y", col({"u"})).errors(),
            "error[E630]: `y` has a row for each row of the table, but `x` has windows\n"
            "help: cut the same windows: `|> windows(length = 3, stride = 1)`\n");
  EXPECT_EQ(TableData(counting(9)).field("x", windows(col({"t"}), 3)).field("y", windows(col({"u"}), 4)).errors(),
            "error[E630]: the windows of `y` have length 4 and stride 1, those of `x` 3 and 1\n");
  EXPECT_EQ(TableData(counting(9))
                .split(call("random", {}, {named("val", num(3))}))
                .field("x", windows(col({"t"}), 3))
                .errors(),
            "error[E631]: this split scatters the rows, but windows are runs of consecutive rows of one part\n"
            "help: `split = sequential(val = 0.1)`, or `kfold(shuffle = false)`\n");
  EXPECT_EQ(TableData(counting(9)).split(sequential(2)).field("x", windows(col({"t"}), 3)).errors(),
            "error[E610]: the 2 validation rows have no 3 in a row, which one window takes\n");
  EXPECT_EQ(TableData(counting(9)).field("x", call("standard", {windows(col({"t"}), 3)})).errors(),
            "error[E611]: `windows` comes last: nothing can follow it\n"
            "help: transform the rows first, then cut windows from them\n");
  EXPECT_EQ(TableData(counting(9)).field("x", windows(col({"t"}), 0, {named("stride", num(-1))})).errors(),
            "error[E607]: `length` of `windows` must be a whole number from 1 to 2147483647, found 0\n"
            "error[E607]: `stride` of `windows` must be a whole number from 1 to 2147483647, found -1\n");
  EXPECT_EQ(TableData(counting(9)).field("x", call("chars")).errors(),
            "error[E611]: `chars()` needs a source of text\nhelp: source = text(\"…\")\n");
  EXPECT_EQ(TableData(counting(2147)).field("x", windows(col({"t"}), 2147483647)).errors(),
            "error[E610]: the 2147 training rows have no 2147483647 in a row, which one window takes\n");
}

}  // namespace
}  // namespace nnc
