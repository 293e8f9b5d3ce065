// The prelude's files and the examples of docs/language.md parse; the complete ones build.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "builtins_model.h"
#include "frontend/parser.h"
#include "frontend/prelude.h"

namespace nnc {
namespace {

TEST(Prelude, FilesParseWithoutComplaint) {
  ASSERT_FALSE(prelude_files().empty());
  for (const PreludeFile& file : prelude_files()) {
    SourceFiles sources;
    Diagnostics diagnostics;
    FileId id = add_source(sources, std::string(file.name), std::string(file.text));
    parse(sources, id, diagnostics);
    EXPECT_TRUE(diagnostics.list.empty()) << render(sources, diagnostics);
  }
}

// The blocks between ```nn and ``` of a page.
std::vector<std::string> examples_of(const std::string& path) {
  std::ifstream page(path);
  std::vector<std::string> examples;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line == "```nn") {
      inside = true;
      examples.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      examples.back() += line + "\n";
    }
  }
  return examples;
}

TEST(LanguagePage, ExamplesParse) {
  std::vector<std::string> examples = examples_of(NNC_SOURCE_DIR "/docs/language.md");
  ASSERT_GT(examples.size(), 5u);
  for (const std::string& example : examples) {
    SourceFiles sources;
    Diagnostics diagnostics;
    parse(sources, add_source(sources, "language.md", example), diagnostics);
    EXPECT_TRUE(diagnostics.list.empty()) << example << render(sources, diagnostics);
  }
}

// All declarations of the page together, behind one model that uses them.
TEST(LanguagePage, DeclarationsWork) {
  std::string text;
  for (const std::string& example : examples_of(NNC_SOURCE_DIR "/docs/language.md")) {
    bool complete = example.find("model ") != std::string::npos || example.find("train {") != std::string::npos;
    if (!complete) text += example;
  }
  text += R"nn(
model Uses {
  input x: [batch, 4]
  a = norm(x) + scaled(x, ones(4)) + swish(x) * huber_like(x, 0 * x)
  b = x |> Scale() |> Block(8)
  loss l = mean(a) + mean(b) + mean(last(x, 2)) + mean(softplus(x)) + mean(Wide(2)(x))
}
train { optimizer = Momentum(lr = halving(0.1, 100)) }
)nn";
  testing::Built built = testing::build(text, {{"x", {DType::f32, 0, {4}}}}, 3);
  EXPECT_TRUE(built.program) << built.complaints();
}

}  // namespace
}  // namespace nnc
