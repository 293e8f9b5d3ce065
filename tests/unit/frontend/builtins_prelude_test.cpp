// The prelude's files parse, and their declarations have distinct names.
#include <gtest/gtest.h>

#include <set>

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

}  // namespace
}  // namespace nnc
