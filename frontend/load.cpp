// Reading a file with its imports and the prelude, and the names each of them sees.
#include <algorithm>
#include <filesystem>

#include "frontend/parser.h"
#include "frontend/prelude.h"
#include "frontend/unit.h"

namespace nnc {

namespace {

constexpr size_t max_files = 1000;

const ast::Name* name_of_decl(const ast::Decl& decl) {
  switch (decl.kind()) {
    case ast::DeclKind::option:
      return &decl.as<ast::Option>().name;
    case ast::DeclKind::constant:
      return &decl.as<ast::Const>().name;
    case ast::DeclKind::function:
      return &decl.as<ast::Function>().name;
    case ast::DeclKind::schedule:
      return &decl.as<ast::Schedule>().name;
    case ast::DeclKind::gradient:
      return &decl.as<ast::Gradient>().name;
    case ast::DeclKind::layer:
      return &decl.as<ast::Layer>().name;
    case ast::DeclKind::optimizer:
      return &decl.as<ast::Optimizer>().name;
    case ast::DeclKind::model:
      return &decl.as<ast::Model>().name;
    default:
      return nullptr;
  }
}

void report_clash(Unit& unit, const std::string& name, Span at, Span other) {
  report(unit.diagnostics, DiagnosticKind::already_declared, at, "`{}` is declared twice", name)
      .label(other, "the other one");
}

// The blocks a file has at most one of; imported files' are not looked at.
const Declared** block_slot(Unit& unit, ast::DeclKind kind) {
  if (kind == ast::DeclKind::model) return &unit.model;
  if (kind == ast::DeclKind::data) return &unit.data;
  return kind == ast::DeclKind::train ? &unit.train : nullptr;
}

// Fills the table of one file with its own declarations.
void declare_own(Unit& unit, FileNames& file, const Ast& tree) {
  for (size_t k = 0; k < tree.decls.size(); ++k) {
    const ast::Decl& decl = tree.decls[k];
    if (decl.kind() == ast::DeclKind::import) continue;
    const ast::Name* name = name_of_decl(decl);
    if (name != nullptr && name->text.empty()) continue;
    const Declared& declared =
        unit.declared.emplace_back(Declared{&file, &tree, ast::DeclId(k), name != nullptr ? name->text : ""});
    if (const Declared** slot = block_slot(unit, decl.kind())) {
      if (&file != unit.main) continue;
      if (*slot != nullptr) {
        report(unit.diagnostics, DiagnosticKind::already_declared, decl.keyword_span, "a file has one `{}`",
               decl.kind() == ast::DeclKind::model  ? "model"
               : decl.kind() == ast::DeclKind::data ? "data"
                                                    : "train")
            .label((*slot)->decl().keyword_span, "the other one");
      }
      *slot = &declared;
      continue;
    }
    auto& table = decl.kind() == ast::DeclKind::gradient ? file.gradients : file.names;
    const auto [entry, fresh] = table.emplace(declared.name, &declared);
    if (!fresh) report_clash(unit, declared.name, name->span, name_of_decl(entry->second->decl())->span);
  }
}

struct Loaded {
  std::string path;
  const Ast* ast = nullptr;
  FileNames* names = nullptr;
};

struct Loader {
  Unit& unit;
  const FileTexts& texts;
  std::deque<Loaded> files;

  tl::expected<FileId, std::string> read(const std::string& path) {
    const auto given = texts.find(path);
    if (given == texts.end()) return load_source(unit.sources, path);
    if (given->second.size() > max_source_bytes) return tl::unexpected(std::string("it is too large"));
    return add_source(unit.sources, path, given->second);
  }

  Loaded& add(FileId id, std::string path, FileNames* names) {
    unit.prelude_sources.resize(unit.sources.files.size(), names != nullptr && names->prelude);
    const Ast& tree = unit.asts.emplace_back(parse(unit.sources, id, unit.diagnostics));
    if (names == nullptr) names = &unit.files.emplace_back();
    return files.emplace_back(Loaded{std::move(path), &tree, names});
  }

  // The imported file, loaded once; null if it cannot be.
  Loaded* find(const std::string& from, const ast::Import& import) {
    const std::filesystem::path folder = std::filesystem::path(from).parent_path();
    const std::string path = (folder / import.path).lexically_normal().string();
    const auto known = std::find_if(files.begin(), files.end(), [&](const Loaded& file) { return file.path == path; });
    if (known != files.end()) return &*known;
    if (files.size() >= max_files) {
      report(unit.diagnostics, DiagnosticKind::bad_import, import.path_span, "more than {} files are imported",
             max_files);
      return nullptr;
    }
    const auto id = read(path);
    if (!id) {
      report(unit.diagnostics, DiagnosticKind::bad_import, import.path_span, "`{}` cannot be imported: {}", import.path,
             id.error());
      return nullptr;
    }
    Loaded& file = add(*id, path, nullptr);
    declare_own(unit, *file.names, *file.ast);
    return &file;
  }
};

void bring(Unit& unit, FileNames& into, const FileNames& from, Span at) {
  for (const auto& [name, declared] : from.names) {
    if (declared->file != &from) continue;  // what it imported itself stays there
    const auto [entry, fresh] = into.names.emplace(name, declared);
    if (!fresh && entry->second != declared) report_clash(unit, name, at, name_of_decl(entry->second->decl())->span);
  }
}

}  // namespace

void load_files(Unit& unit, const std::string& name, std::optional<std::string> text, const FileTexts& texts) {
  Loader loader{unit, texts, {}};
  unit.main = &unit.files.emplace_back();
  unit.prelude = &unit.files.emplace_back();
  unit.prelude->prelude = true;
  tl::expected<FileId, std::string> id;
  if (text && text->size() > max_source_bytes) {
    id = tl::unexpected(std::string("it is too large"));
  } else {
    id = text ? tl::expected<FileId, std::string>(add_source(unit.sources, name, std::move(*text))) : loader.read(name);
  }
  if (id) {
    Loaded& main = loader.add(*id, std::filesystem::path(name).lexically_normal().string(), unit.main);
    declare_own(unit, *unit.main, *main.ast);
  } else {
    report(unit.diagnostics, DiagnosticKind::bad_import, Place{name}, "the file cannot be read: {}", id.error());
  }
  for (size_t k = 0; k < loader.files.size(); ++k) {  // grows while it is walked
    const Loaded file = loader.files[k];
    for (const ast::Decl& decl : file.ast->decls) {
      if (decl.kind() != ast::DeclKind::import) continue;
      const auto& import = decl.as<ast::Import>();
      const Loaded* found = loader.find(file.path, import);
      if (found != nullptr && found->names != file.names) bring(unit, *file.names, *found->names, import.path_span);
    }
  }
  for (const PreludeFile& file : prelude_files()) {
    const Loaded& loaded = loader.add(add_source(unit.sources, std::string(file.name), std::string(file.text)),
                                      std::string(file.name), unit.prelude);
    declare_own(unit, *unit.prelude, *loaded.ast);
  }
}

void UnitDeleter::operator()(Unit* unit) const { delete unit; }

UnitPointer load(const std::string& path, const std::vector<Override>& overrides, const FileTexts& texts) {
  UnitPointer unit(new Unit);
  load_files(*unit, path, std::nullopt, texts);
  apply_overrides(*unit, overrides);
  return unit;
}

UnitPointer load_text(const std::string& name, std::string text, const std::vector<Override>& overrides) {
  UnitPointer unit(new Unit);
  load_files(*unit, name, std::move(text));
  apply_overrides(*unit, overrides);
  return unit;
}

Diagnostics& diagnostics(Unit& unit) { return unit.diagnostics; }

const SourceFiles& sources(const Unit& unit) { return unit.sources; }

std::vector<const SourceFile*> user_files(const Unit& unit) {
  std::vector<const SourceFile*> files;
  for (size_t k = 0; k < unit.sources.files.size(); ++k) {
    const SourceFile& file = unit.sources.files[k];
    if (!unit.prelude_sources[k] && file.name != "command line") files.push_back(&file);
  }
  return files;
}

std::string model_name(const Unit& unit) { return unit.model != nullptr ? unit.model->name : ""; }

}  // namespace nnc
