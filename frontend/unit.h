// All that one compilation has read: files, trees, the names each file sees, overrides and cached static values.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/ast.h"
#include "frontend/frontend.h"
#include "frontend/value.h"

namespace nnc {

struct FileNames;

// A declaration and where it stands. Stable address: Callable::declaration points here.
struct Declared {
  const FileNames* file = nullptr;
  const Ast* ast = nullptr;
  ast::DeclId id;
  std::string name;

  const ast::Decl& decl() const { return (*ast)[id]; }
};

// The names that code of one file sees, before the prelude's. The prelude's files share one table.
struct FileNames {
  bool prelude = false;
  std::map<std::string, const Declared*> names;      // its own and the imported ones
  std::map<std::string, const Declared*> gradients;  // `grad f`, by f; its own only
};

// An option's or constant's value, computed when first asked for.
struct StaticCell {
  enum State : uint8_t { unknown, running, known };
  State state = unknown;
  Value value;
};

// A value from the command line, parsed; `expr` is invalid if it is only text.
struct OverrideText {
  std::string name;
  std::string text;
  const Ast* ast = nullptr;
  ast::ExprId expr;
  bool used = false;
};

struct Unit {
  SourceFiles sources;
  Diagnostics diagnostics;
  std::vector<bool> prelude_sources;  // by FileId: a file of the prelude, never blamed
  std::deque<Ast> asts;
  std::deque<Declared> declared;
  std::deque<FileNames> files;
  FileNames* main = nullptr;
  FileNames* prelude = nullptr;
  const Declared* model = nullptr;
  const Declared* data = nullptr;
  const Declared* train = nullptr;
  std::map<const Declared*, StaticCell> statics;
  std::map<const Declared*, OverrideText*> option_overrides;
  std::deque<OverrideText> overrides;
  std::optional<DataSettings> data_settings;
  std::optional<TrainSettings> train_settings;
};

// Files and names (load.cpp): reads `path` with what it imports, then the prelude; fills the tables of `unit`.
void load_files(Unit& unit, const std::string& name, std::optional<std::string> text, const FileTexts& texts = {});
// Overrides (overrides.cpp): finds the option or setting each one means. Errors: E701, E702.
void apply_overrides(Unit& unit, const std::vector<Override>& overrides);
// The override of a setting ("train.epochs"), null if there is none.
const OverrideText* find_override(const Unit& unit, const std::string& name);

}  // namespace nnc
