#include "frontend/diagnostics.h"

#include <gtest/gtest.h>

namespace nnc {
namespace {

constexpr auto kind = DiagnosticKind::unexpected_token;

struct Fixture {
  SourceFiles sources;
  Diagnostics diagnostics;
  FileId file;
  explicit Fixture(std::string text) : file(add_source(sources, "net.nn", std::move(text))) {}
  Span span(std::string_view needle, size_t from = 0) const {
    auto begin = static_cast<uint32_t>(sources[file].text.find(needle, from));
    return {file, begin, begin + static_cast<uint32_t>(needle.size())};
  }
  std::string text(RenderOptions options = {}) const { return render(sources, diagnostics, options); }
};

TEST(Render, MarksAndLabels) {
  Fixture f("\n\n  y = h @ w\n");
  report(f.diagnostics, kind, f.span("@"), "`@` needs equal inner dimensions, found {} and {}", 64, 32)
      .label(f.span("h"), "f32[batch, 64]")
      .label(f.span("w"), "f32[32, 10], declared at line 9")
      .help("declare `param w: [64, 10]`");
  EXPECT_EQ(f.text(), R"(net.nn:3:9: error[E006]: `@` needs equal inner dimensions, found 64 and 32
3 |   y = h @ w
  |       - ^ - f32[32, 10], declared at line 9
  |       f32[batch, 64]
help: declare `param w: [64, 10]`
)");
}

TEST(Render, LabelsOnOtherLinesAndOfThePrimarySpan) {
  Fixture f("a = (1\nb = 2\n");
  report(f.diagnostics, kind, f.span("b"), "expected `)`").label(f.span("("), "opened here").label(f.span("b"), "here");
  EXPECT_EQ(f.text(), R"(net.nn:2:1: error[E006]: expected `)`
1 | a = (1
  |     - opened here
2 | b = 2
  | ^ here
)");
}

TEST(Render, TabsAndWideCharactersKeepTheCaretInPlace) {
  Fixture f("\tx = \"\xE6\xBC\xA2\" ?\r\n");
  report(f.diagnostics, kind, f.span("?"), "stray");
  EXPECT_EQ(f.text(), "net.nn:1:10: error[E006]: stray\n1 |     x = \"\xE6\xBC\xA2\" ?\n  |              ^\n");
}

TEST(Render, LongLinesAreCutAroundTheCaret) {
  Fixture f(std::string(500, 'a') + "?" + std::string(500, 'b'));
  report(f.diagnostics, kind, f.span("?"), "stray");
  std::string text = f.text();
  EXPECT_NE(text.find("…aaa"), std::string::npos);
  EXPECT_NE(text.find("bbb…"), std::string::npos);
  EXPECT_LT(text.size(), 350u);
  std::string shown = text.substr(text.find("| ") + 2);
  std::string marks = text.substr(text.rfind("| ") + 2);
  EXPECT_EQ(marks.find('^') + std::string("…").size() - 1, shown.find('?'));
}

TEST(Render, VeryLongLinesCostNoMoreThanLongOnes) {
  Fixture f(std::string(900000, 'a') + "?");
  for (uint32_t i = 0; i < 50; ++i) report(f.diagnostics, kind, Span{f.file, i * 1000, i * 1000 + 1}, "stray");
  EXPECT_LT(f.text().size(), 50 * 350u);
}

TEST(Render, EmptySpansAndEmptyFiles) {
  Fixture f("");
  report(f.diagnostics, kind, Span{f.file, 0, 0}, "nothing here");
  EXPECT_EQ(f.text(), "net.nn:1:1: error[E006]: nothing here\n1 |\n  | ^\n");
}

TEST(Render, PlacesOutsideOfSources) {
  Fixture f("x\n");
  report(f.diagnostics, kind, Place{"customers.csv", 318, 10}, "\"n/a\" is not a number");
  report(f.diagnostics, kind, Place{"command line"}, "no setting `train.epoch`");
  report(f.diagnostics, kind, f.span("x"), "first");
  EXPECT_EQ(f.text(), R"(net.nn:1:1: error[E006]: first
1 | x
  | ^

command line: error[E006]: no setting `train.epoch`

customers.csv:318:10: error[E006]: "n/a" is not a number
)");
}

TEST(Render, SortsDropsRepeatsAndStopsAtTheLimit) {
  Fixture f("a b c d\n");
  for (const char* word : {"c", "a", "b", "a", "d"}) report(f.diagnostics, kind, f.span(word), "wrong");
  std::string text = f.text({.colour = false, .limit = 3});
  EXPECT_LT(text.find("1:1"), text.find("1:3"));
  EXPECT_EQ(text.find("1:7"), std::string::npos);
  EXPECT_NE(text.find("... and 1 more\n"), std::string::npos);
  EXPECT_EQ(f.diagnostics.errors, 5u);
}

TEST(Render, KeepsABoundedNumber) {
  Fixture f("a\n");
  for (size_t i = 0; i < 5000; ++i) report(f.diagnostics, kind, f.span("a"), "wrong {}", i).help("help");
  EXPECT_EQ(f.diagnostics.list.size(), max_kept_diagnostics);
  EXPECT_NE(f.text().find("... and 4950 more"), std::string::npos);
}

TEST(Render, ColourOnlyWhenAsked) {
  Fixture f("a\n");
  report(f.diagnostics, kind, f.span("a"), "wrong");
  EXPECT_EQ(f.text().find('\x1b'), std::string::npos);
  EXPECT_NE(f.text({.colour = true}).find("\x1b[1;31m^\x1b[0m"), std::string::npos);
}

TEST(Render, ControlCharactersNeverReachTheTerminal) {
  Fixture f("x = \"\x1b[2J\"\n");
  report(f.diagnostics, kind, f.span("x"), "bad \x1b[2J");
  EXPECT_EQ(f.text().find('\x1b'), std::string::npos);
}

TEST(Json, OneObjectPerLine) {
  Fixture f("y = h\n");
  report(f.diagnostics, kind, f.span("h"), "a \"quoted\"\tword").help("do this").label(f.span("y"), "label");
  report(f.diagnostics, kind, Place{"command line"}, "no");
  EXPECT_EQ(render_json(f.sources, f.diagnostics),
            R"({"schema":1,"code":"E006","severity":"error","message":"a \"quoted\"\u0009word","file":"net.nn",)"
            R"("line":1,"column":5,)"
            R"("end":{"line":1,"column":6},"labels":[{"file":"net.nn","line":1,"column":1,"end":{"line":1,"column":2},)"
            R"("text":"label"}],"help":["do this"],"notes":[]})"
            "\n"
            R"({"schema":1,"code":"E006","severity":"error","message":"no","file":"command line",)"
            R"("labels":[],"help":[],"notes":[]})"
            "\n");
}

TEST(Similar, FindsTheNearestName) {
  const std::string layers[] = {"Linear", "Bilinear", "LSTM", "Dropout", "BatchNorm2d"};
  EXPECT_EQ(closest("Liner", layers), "Linear");
  EXPECT_EQ(closest("Lienar", layers), "Linear");
  EXPECT_EQ(closest("linear", layers), "Linear");
  EXPECT_EQ(closest("bilinear", layers), "Bilinear");
  EXPECT_EQ(closest("Batchnorm2D", layers), "BatchNorm2d");
  EXPECT_EQ(closest("Transformer", layers), std::nullopt);
  EXPECT_EQ(closest("Q", layers), std::nullopt);
  const std::string letters[] = {"a", "b"};
  EXPECT_EQ(closest("c", letters), std::nullopt);
  EXPECT_EQ(similar("layer", "Liner", layers), "a layer with a similar name exists: `Linear`");
  EXPECT_EQ(similar("option", "Liner", layers), "an option with a similar name exists: `Linear`");
}

TEST(Explain, IsKnownByCode) {
  ASSERT_TRUE(explain("E006").has_value());
  EXPECT_TRUE(explain("e006")->starts_with("error[E006]: unexpected token\n\n"));
  EXPECT_EQ(explain("E999"), std::nullopt);
}

}  // namespace
}  // namespace nnc
