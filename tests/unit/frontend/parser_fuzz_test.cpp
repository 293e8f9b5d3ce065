// Mutated programs: the parser neither crashes nor accepts in silence what it cannot print and read back.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "frontend/parser.h"
#include "samples.h"

namespace nnc {
namespace {

using Random = std::mt19937;

size_t below(Random& random, size_t limit) { return limit == 0 ? 0 : random() % limit; }

std::string mutate(std::string text, Random& random) {
  static constexpr std::string_view pieces[] = {"(",    ")",     "[",   "]",      "{", "}",  "\"",    "..",  ".",
                                                ",",    "=",     "<-",  "|>",     "-", "**", "scan ", "in ", "if ",
                                                "not ", "with ", "fn ", "model ", "0", "1e", "#",     "\n",  "x "};
  for (size_t i = 0, count = 1 + below(random, 4); i < count; ++i) {
    size_t at = below(random, text.size());
    size_t length = 1 + below(random, 12);
    switch (below(random, 5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, pieces[below(random, std::size(pieces))]);
        break;
      case 2:
        text.insert(at, text.substr(below(random, text.size()), length));
        break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      default:
        text.resize(at);
        break;
    }
  }
  return text;
}

// Short excerpts mutate the interesting places more often than whole programs do.
std::string excerpt(Random& random) {
  std::string_view sample = samples[below(random, std::size(samples))];
  size_t begin = below(random, sample.size());
  return below(random, 8) == 0 ? std::string(sample) : std::string(sample.substr(begin, 300));
}

TEST(ParserFuzz, MutatedProgramsParseOrHaveADiagnostic) {
  Random random(20240501);
  size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = mutate(excerpt(random), random);
    SourceFiles sources;
    Diagnostics diagnostics;
    Ast ast = parse(sources, add_source(sources, "a.nn", text), diagnostics);
    std::string printed = print_ast(ast);
    ASSERT_FALSE(has_errors(diagnostics) && render(sources, diagnostics).empty());
    if (has_errors(diagnostics)) continue;
    ++accepted;
    Diagnostics again;
    Ast reparsed = parse(sources, add_source(sources, "b.nn", printed), again);
    ASSERT_FALSE(has_errors(again)) << text << "\n---\n" << printed << render(sources, again);
    ASSERT_EQ(print_ast(reparsed), printed);
  }
  EXPECT_GT(accepted, 100u);
}

}  // namespace
}  // namespace nnc
