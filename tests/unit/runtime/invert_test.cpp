// Scaled numbers turned back into those of their column.
#include "runtime/data/invert.h"

#include <gtest/gtest.h>

#include "data_fixture.h"

namespace nnc {
namespace {

using test::call;
using test::col;
using test::num;
using test::rows_of;
using test::TableData;
using test::text;

const std::string table = "a,b,c\n1.5,2,x\n4,3,y\n2.25,7,x\n10,1,y\n";

TEST(Invert, UndoesEveryScaling) {
  const Spec a = col({"a"});
  const std::vector<Spec> scalings = {
      call("standard", {a}),
      call("robust", {a}),
      call("minmax", {a, num(-1), num(3)}),
      call("log", {a}),
      call("+", {a, num(3)}),
      call("-", {a, num(3)}),
      call("-", {num(3), a}),
      call("*", {a, num(-2)}),
      call("/", {a, num(8)}),
      call("/", {num(8), a}),
      call("standard", {call("log", {call("impute", {call("*", {a, num(5)}), text("mean")})})}),
  };
  for (const Spec& scaling : scalings) {
    TableData data(table);
    const Dataset dataset = data.field("y", scaling).open();
    ASSERT_EQ(dataset.fields.size(), 1u);
    const Pipe& pipe = dataset.fields[0].plan.pipes.at(0);
    ASSERT_TRUE(is_invertible(pipe)) << scaling.text;
    const std::vector<float> values = rows_of(dataset, "y", DataPart::train);
    const double expected[] = {1.5, 4, 2.25, 10};
    ASSERT_EQ(values.size(), 4u);
    for (size_t row = 0; row < 4; ++row) EXPECT_NEAR(original_value(pipe, values[row]), expected[row], 1e-5);
  }
}

TEST(Invert, KnowsWhatCanBeUndone) {
  const Spec a = col({"a"});
  for (const Spec& field : {a, call("clip", {a}, {test::named("low", num(2)), test::named("high", num(3))}),
                            call("*", {a, num(0)}), call("**", {a, num(2)}), call("-", {a, col({"b"})}),
                            call("onehot", {col({"c"})}), call("binary", {col({"c"}), text("x")})}) {
    TableData data(table);
    const Dataset dataset = data.field("y", field).open();
    ASSERT_EQ(dataset.fields.size(), 1u);
    EXPECT_FALSE(is_invertible(dataset.fields[0].plan.pipes.at(0))) << field.text;
  }
  TableData constant("a\n3\n3\n");
  const Dataset dataset = constant.field("y", call("minmax", {a})).open();
  const Pipe& pipe = dataset.fields.at(0).plan.pipes.at(0);
  ASSERT_TRUE(is_invertible(pipe));
  EXPECT_EQ(original_value(pipe, 0), 3);
}

}  // namespace
}  // namespace nnc
