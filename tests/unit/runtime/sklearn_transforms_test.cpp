// Fitted parameters and transformed values against scikit-learn's: tests/goldens/sklearn/transforms.py.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "files.h"
#include "runtime/data/dataset.h"

namespace nnc {
namespace {

using nlohmann::json;
using test::all_text;
using test::call;
using test::named;
using test::num;
using test::text;

const std::string root = NNC_SOURCE_DIR;

// The table with the cells emptied that the script empties.
std::string planted(const std::string& name) {
  std::ifstream file(root + "/examples/data/" + name);
  std::string line, out;
  for (int i = -1; std::getline(file, line); ++i) {
    std::stringstream cells(line);
    std::string cell;
    for (int j = 0; std::getline(cells, cell, ','); ++j) {
      if (j > 0) out += ',';
      if (i < 0 || (31 * i + 17 * j) % 23 != 0) out += cell;
    }
    out += '\n';
  }
  return out;
}

Spec spec_of(const json& value) {
  if (value.is_string()) return text(value.get<std::string>());
  if (value.is_boolean()) return spec_bool(value.get<bool>());
  return num(value.get<double>());
}

Spec pipeline_of(const json& golden) {
  Spec value = call("col", {text(golden["column"].get<std::string>())});
  for (const json& step : golden["steps"]) {
    std::vector<NamedSpec> arguments;
    for (const auto& [name, argument] : step[1].items()) arguments.push_back(named(name, spec_of(argument)));
    value = call(step[0].get<std::string>(), {std::move(value)}, std::move(arguments));
  }
  return value;
}

void expect_near(double found, double wanted) { EXPECT_NEAR(found, wanted, 1e-6 * std::max(1.0, std::abs(wanted))); }

void expect_fitted(const PipeStep& step, const json& wanted) {
  for (const auto& [name, values] : wanted.items()) {
    SCOPED_TRACE(name);
    if (name == "fill") {
      EXPECT_EQ(step.fill, values.get<std::string>());
    } else if (name == "a" || name == "b") {
      const std::vector<double>& own = name == "a" ? step.a : step.b;
      ASSERT_EQ(own.size(), values.size());
      for (size_t i = 0; i < own.size(); ++i) expect_near(own[i], values[i].get<double>());
    } else {
      EXPECT_EQ(name == "categories" ? step.categories : step.infrequent, values.get<std::vector<std::string>>());
    }
  }
}

TEST(SklearnTransforms, FittedParametersAndValuesAgree) {
  const json goldens = json::parse(std::ifstream(root + "/tests/goldens/sklearn/transforms.json"));
  ASSERT_GT(goldens.size(), 100u);
  test::TemporaryFolder folder;
  std::map<std::string, DataSpec> specs;
  for (size_t i = 0; i < goldens.size(); ++i) {
    const auto table = goldens[i]["table"].get<std::string>();
    DataSpec& spec = specs[table];
    if (!spec.source) spec.source = call("csv", {text(folder.write(table, planted(table)))});
    spec.split = call("sequential", {}, {named("val", num(0.2))});
    spec.fields.push_back({"f" + std::to_string(i), 0, pipeline_of(goldens[i])});
  }
  size_t compared = 0;
  for (const auto& [table, spec] : specs) {
    auto dataset = open_dataset(spec);
    ASSERT_TRUE(dataset) << all_text(dataset.error());
    for (DataField& field : dataset->fields) {
      const json& golden = goldens[std::stoul(field.name.substr(1))];
      SCOPED_TRACE(table + " " + golden["column"].get<std::string>() + " " + golden["steps"].dump());
      const auto& steps = field.plan.pipes[0].steps;
      ASSERT_EQ(steps.size(), golden["fitted"].size());
      for (size_t i = 0; i < steps.size(); ++i) expect_fitted(steps[i], golden["fitted"][i]);
      ASSERT_TRUE(convert_to_float(field));
      const auto width = static_cast<size_t>(field.row_bytes / 4);
      for (size_t i = 0; i < golden["rows"].size(); ++i) {
        const auto* row = reinterpret_cast<const float*>(field.row(golden["rows"][i].get<size_t>()));
        ASSERT_EQ(width, golden["values"][i].size());
        for (size_t lane = 0; lane < width; ++lane) expect_near(row[lane], golden["values"][i][lane].get<double>());
      }
      double sum = 0;
      const auto* values = reinterpret_cast<const float*>(field.values.data());
      for (size_t i = 0; i < width * static_cast<size_t>(dataset->rows); ++i) sum += std::abs(values[i]);
      expect_near(sum, golden["sum"].get<double>());
      ++compared;
    }
  }
  EXPECT_EQ(compared, goldens.size());
}

}  // namespace
}  // namespace nnc
