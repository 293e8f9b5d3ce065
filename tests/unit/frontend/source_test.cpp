#include "frontend/source.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "frontend/lexer.h"

namespace nnc {
namespace {

struct At {
  uint32_t line, column;
  bool operator==(const At&) const = default;
};

At at(const SourceFiles& sources, FileId file, uint32_t offset) {
  Location location = locate(sources, {file, offset, offset});
  return {location.line, location.column};
}

TEST(Source, ColumnsCountCodePoints) {
  SourceFiles sources;
  FileId file = add_source(sources, "a.nn", "\xEF\xBB\xBF# \xC3\xA4\xE2\x82\xAC x\r\n\ty\n");
  EXPECT_EQ(at(sources, file, 0), (At{1, 1}));
  EXPECT_EQ(at(sources, file, 8), (At{1, 6}));   // x
  EXPECT_EQ(at(sources, file, 11), (At{2, 1}));  // the tab
  EXPECT_EQ(at(sources, file, 12), (At{2, 2}));
  EXPECT_EQ(at(sources, file, 14), (At{3, 1}));  // the end
  EXPECT_EQ(line_text(sources[file], 1), "# \xC3\xA4\xE2\x82\xAC x");
  EXPECT_EQ(line_text(sources[file], 2), "\ty");
  EXPECT_EQ(line_text(sources[file], 3), "");
}

TEST(Source, Utf8IsStrict) {
  EXPECT_EQ(utf8_length("a"), 1u);
  EXPECT_EQ(utf8_length("\xC3\xA4"), 2u);
  EXPECT_EQ(utf8_length("\xF0\x9F\x98\x80"), 4u);
  for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xC3", "\xFF"}) {
    EXPECT_EQ(utf8_length(bad), 0u);
  }
}

TEST(Source, UnreadableFilesAreErrors) {
  SourceFiles sources;
  auto missing = load_source(sources, "/nonexistent/model.nn");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error(), "cannot read `/nonexistent/model.nn`: no such file");
  auto folder = load_source(sources, std::filesystem::temp_directory_path().string());
  ASSERT_FALSE(folder.has_value());
  EXPECT_NE(folder.error().find("it is a folder"), std::string::npos);
}

std::vector<TokenKind> kinds(const std::string& text) {
  SourceFiles sources;
  Diagnostics diagnostics;
  std::vector<TokenKind> result;
  for (const Token& token : lex(sources, add_source(sources, "a.nn", text), diagnostics).tokens) {
    result.push_back(token.kind);
  }
  EXPECT_FALSE(has_errors(diagnostics)) << render(sources, diagnostics);
  return result;
}

TEST(Lexer, TakesTheLongestToken) {
  using enum TokenKind;
  EXPECT_EQ(
      kinds("0..4 ... x.T 1e-3 a<-b a< -b ** // |> ->"),
      (std::vector{number, dot_dot, number, ellipsis, name, dot,       name,        number, name,        left_arrow,
                   name,   name,    less,   minus,    name, star_star, slash_slash, pipe,   right_arrow, end}));
  EXPECT_EQ(kinds("in input for form scan _x"), (std::vector{word_in, name, word_for, name, word_scan, name, end}));
}

TEST(Lexer, ReadsValues) {
  EXPECT_EQ(number_value("1_000"), 1000);
  EXPECT_EQ(number_value("2.5e-1"), 0.25);
  EXPECT_EQ(string_value(R"("a\"b\\c\n\t")"), "a\"b\\c\n\t");
}

TEST(Lexer, PairsBracketsOverMistakes) {
  SourceFiles sources;
  Diagnostics diagnostics;
  // indices:                                            0 1 2 3 4 5 6
  Tokens tokens = lex(sources, add_source(sources, "a.nn", "{ ( [ ) } ] )"), diagnostics);
  EXPECT_EQ(tokens.partner, (std::vector<uint32_t>{4, 3, 0, 1, 0, 5, 6, 0}));
}

}  // namespace
}  // namespace nnc
