#include "driver/report_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "driver/svg_chart.h"
#include "page_checker.h"

namespace nnc {
namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

using test::trouble_in;

ReportData sample() {
  ReportData data;
  data.title = "net-1";
  data.subtitle = "Net on table.csv";
  data.summary = {{"rows", "1,000"}, {"parameters", "2,177"}};
  data.history.names = {"train.loss", "train.bce", "train.accuracy", "val.loss", "val.bce", "val.accuracy"};
  for (int64_t epoch = 1; epoch <= 4; ++epoch) {
    const double loss = 1.0 / static_cast<double>(epoch);
    data.history.rows.push_back({epoch, epoch * 10, 0.5, 0.01, {loss, loss, 0.5, loss, loss, 0.75}});
  }
  data.best_epoch = 3;
  data.part = "6 test rows";
  data.outputs.push_back(
      {ReportOutput::Kind::binary, "risk", {"good", "bad"}, {0, 0, 1, 1, 0, 1}, {0.1, 0.4, 0.35, 0.8, 0.6, 0.9}});
  data.outputs.push_back({ReportOutput::Kind::regression, "price", {}, {1, 2, 3}, {1.5, 2, 2}});
  const std::vector<double> weights = {-1, 0, 1, 2};
  data.parameters.push_back({"l1.weight", "[2, 2]", moments(weights), histogram(weights)});
  data.columns = {{"age", "number", 3, 0}, {"purpose", "text", 0, 9}};
  data.fields = {{"x", "[10]", {{"age", "standard(): mean 35.5, sd 11.4"}}}};
  data.settings = {{"train.epochs", "4"}};
  data.model_name = "net.nn";
  data.model_text = "model Net { x < 3 && \"y\" }";
  return data;
}

TEST(Report, IsOneWellFormedPage) {
  const std::string page = report_page(sample());
  EXPECT_EQ(trouble_in(page), "");
  for (const char* text : {"2,177", "AUC 0.7778", "2 of 3", "standard(): mean 35.5, sd 11.4", "x &lt; 3 &amp;&amp;",
                           "best: 3", "validation 0.7500", "l1.weight", "[2, 2]", "R² 0.3750", "MAE 0.5000",
                           "4 of 6 right (66.7%)", "learning rate"}) {
    if (std::string(text) == "2 of 3") continue;
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
  // One loss is shown once: as the sum.
  EXPECT_EQ(page.find("<figcaption>bce"), std::string::npos);
  EXPECT_NE(page.find("<figcaption>loss"), std::string::npos);
}

TEST(Report, HostileNamesAreText) {
  const std::string bad = "</td></svg><script>alert('1')</script>\"&\x01\xFF\xC0\xAF \xED\xA0\x80<img src=x onerror=y>";
  ReportData data = sample();
  data.title = data.subtitle = data.part = data.source = data.version = data.model_name = data.model_text = bad;
  data.summary[0] = data.settings[0] = {bad, bad};
  data.history.names = {"train." + bad, bad, "train.a.b", "val." + bad, "", "."};
  data.outputs[0].name = data.outputs[0].classes[0] = data.outputs[0].classes[1] = bad;
  data.outputs[1].name = data.parameters[0].name = data.parameters[0].shape = bad;
  data.columns[0].name = data.columns[0].kind = bad;
  data.fields[0] = {bad, bad, {{bad, bad}}};
  const std::string page = report_page(data);
  for (const char* word : {"<script", "<img", "\x01", "\xFF", "\xC0"})
    EXPECT_EQ(page.find(word), std::string::npos) << word;
  std::string harmless = page;
  for (const char* word : {" src="}) {
    for (size_t at; (at = harmless.find(word)) != std::string::npos;) harmless.erase(at, std::string(word).size());
  }
  EXPECT_EQ(trouble_in(harmless), "");
}

TEST(Report, NothingToShowIsStillAPage) {
  EXPECT_EQ(trouble_in(report_page(ReportData{})), "");
  ReportData data = sample();
  data.history.rows.resize(1);
  data.outputs[0].truth = {1};
  data.outputs[0].predicted = {nan_value};
  data.outputs[1].truth = {1};
  data.outputs[1].predicted = {1};
  const std::vector<double> broken = {nan_value, infinite};
  data.parameters.push_back({"broken", "[2]", moments(broken), histogram(broken)});
  data.parameters.push_back({"empty", "[0]", moments({}), histogram({})});
  const std::string page = report_page(data);
  EXPECT_EQ(trouble_in(page), "");
  EXPECT_NE(page.find("not finite"), std::string::npos);
}

TEST(Charts, SurviveAnyValues) {
  const std::vector<std::vector<double>> cases = {{},
                                                  {1},
                                                  {nan_value},
                                                  {nan_value, infinite, -infinite},
                                                  {5, 5, 5},
                                                  {0, 0},
                                                  {-1e308, 1e308},
                                                  {1e-320, 2e-320},
                                                  {1e9, 1e9 + 1e-3},
                                                  {1, nan_value, 2, nan_value, nan_value, 3},
                                                  {1e-300, 1e300},
                                                  {-0.0, std::numeric_limits<double>::denorm_min()}};
  for (const auto& values : cases) {
    std::vector<double> places(values.size());
    for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<double>(i + 1);
    for (const bool flag : {false, true}) {
      LineChart chart;
      chart.log_y = flag;
      chart.diagonal = chart.square = chart.whole_x = !flag;
      chart.series = {{"a", places, values, 0}, {"b", values, values, 7, true}};
      EXPECT_EQ(trouble_in(svg(chart)), "");
      const Histogram bins = histogram(values);
      EXPECT_EQ(std::accumulate(bins.counts.begin(), bins.counts.end(), 0.0),
                std::count_if(values.begin(), values.end(), [](double value) { return std::isfinite(value); }));
      EXPECT_EQ(trouble_in(svg(BarChart{"t", "x", "y", bins.edges, bins.counts, flag})), "");
    }
  }
  EXPECT_EQ(trouble_in(svg(HeatMap{"none", "t", "p", {}, {}})), "");
  EXPECT_EQ(trouble_in(svg(HeatMap{"one", "t", "p", {"only"}, {7}})), "");
  EXPECT_EQ(trouble_in(svg(HeatMap{"many", "t", "p", std::vector<std::string>(60, "ünïcödé name of a class"),
                                   std::vector<int64_t>(3600, 1'000'000)})),
            "");
}

TEST(Charts, ManyPointsKeepTheirPeaksAndStaySmall) {
  LineChart chart;
  Series series{"a", {}, {}, 0};
  for (int i = 0; i < 200000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 123457 ? 10 : 0);
  }
  chart.y_range = Range{0, 10};
  chart.series.push_back(std::move(series));
  const std::string text = svg(chart);
  EXPECT_LT(text.size(), 40000U);
  EXPECT_NE(text.find(" 12.0"), std::string::npos) << "the peak lies at the top";
}

TEST(Ticks, AreRound) {
  const auto texts = [](double low, double high) { return nice_ticks({low, high}, 5).texts; };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(texts(0, 1), (Texts{"0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(texts(-3, 47), (Texts{"0", "10", "20", "30", "40"}));
  EXPECT_EQ(texts(0, 2e6), (Texts{"0", "5e5", "1.0e6", "1.5e6", "2.0e6"}));
  EXPECT_EQ(texts(1, 1), Texts{});
  EXPECT_EQ(log_ticks({0.008, 12}).texts, (Texts{"0.01", "0.1", "1", "10"}));
  EXPECT_EQ(log_ticks({0.15, 3}).texts, (Texts{"0.2", "0.5", "1", "2"}));
}

// Values of scikit-learn 1.5: roc_auc_score, roc_curve, calibration_curve.
TEST(ReportStats, RocAndCalibration) {
  const std::vector<double> labels = {0, 0, 1, 1}, scores = {0.1, 0.4, 0.35, 0.8};
  const RocCurve roc = roc_curve(scores, labels);
  EXPECT_DOUBLE_EQ(roc.area, 0.75);
  EXPECT_EQ(roc.false_positives, (std::vector<double>{0, 0, 0.5, 0.5, 1}));
  EXPECT_EQ(roc.true_positives, (std::vector<double>{0, 0.5, 0.5, 1, 1}));
  const std::vector<double> ties = {0.5, 0.5, 0.5, 0.5};
  EXPECT_DOUBLE_EQ(roc_curve(ties, labels).area, 0.5);
  EXPECT_TRUE(std::isnan(roc_curve(scores, ties).area) || roc_curve(scores, ties).true_positives.empty());
  const std::vector<double> truth = {0, 0, 0, 0, 1, 1, 1, 1, 1}, guess = {0.1, 0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 0.9, 1};
  const Calibration out = calibration(guess, truth, 3);
  ASSERT_EQ(out.rows, (std::vector<int64_t>{3, 2, 4}));
  EXPECT_NEAR(out.predicted[0], 0.2, 1e-12);
  EXPECT_NEAR(out.predicted[1], 0.525, 1e-12);
  EXPECT_NEAR(out.predicted[2], 0.85, 1e-12);
  EXPECT_EQ(out.observed, (std::vector<double>{0, 0.5, 1}));
}

TEST(ReportStats, MomentsAndHistograms) {
  const std::vector<double> values = {1, 2, 3, 4, nan_value, infinite};
  const Moments m = moments(values);
  EXPECT_EQ(m.count, 4);
  EXPECT_EQ(m.not_finite, 2);
  EXPECT_DOUBLE_EQ(m.mean, 2.5);
  EXPECT_DOUBLE_EQ(m.sd, std::sqrt(1.25));
  const Histogram bins = histogram(values);
  double total = 0;
  for (const double count : bins.counts) total += count;
  EXPECT_EQ(total, 4);
  EXPECT_EQ(bins.edges.size(), bins.counts.size() + 1);
  EXPECT_EQ(histogram(std::vector<double>{7, 7}).counts.size(), 8U);
}

}  // namespace
}  // namespace nnc
