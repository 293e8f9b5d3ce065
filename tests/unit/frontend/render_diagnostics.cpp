#include "render_diagnostics.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "frontend/frontend.h"
#include "frontend/parser.h"

namespace {

namespace fs = std::filesystem;

// "x f32[30]", "y i32<10>[]"
nnc::FieldType parse_field(const std::string& text) {
  nnc::FieldType field;
  std::stringstream words(text);
  std::string type;
  words >> field.name;
  std::getline(words >> std::ws, type);
  nnc::parse_dtype(type.substr(0, type.find_first_of("<[")), field.row_type.dtype);
  if (type.find('<') != std::string::npos) field.row_type.bound = std::atoll(type.c_str() + type.find('<') + 1);
  std::stringstream extents(type.substr(type.find('[') + 1));
  for (int64_t extent = 0; extents >> extent; extents.ignore(1)) field.row_type.dims.push_back(extent);
  return field;
}

// The parts of the comment `# key: a; b` in one of the first two lines; `found` tells whether there is one.
std::vector<std::string> header(const std::string& text, const std::string& key, bool& found) {
  std::stringstream lines(text);
  std::vector<std::string> parts;
  std::string line;
  for (int k = 0; k < 2 && std::getline(lines, line); ++k) {
    const std::string start = "# " + key + ":";
    if (!line.starts_with(start)) continue;
    found = true;
    std::stringstream rest(line.substr(start.size()));
    for (std::string part; std::getline(rest >> std::ws, part, ';');) parts.push_back(part);
  }
  return parts;
}

std::string render_syntax(const std::string& name, const std::string& text) {
  nnc::SourceFiles sources;
  nnc::Diagnostics diagnostics;
  nnc::parse(sources, nnc::add_source(sources, name, text), diagnostics);
  return nnc::render(sources, diagnostics);
}

}  // namespace

std::string render_all_diagnostics(const std::string& path, DataTypes types) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  const fs::path file(path);
  bool built = false, overridden = false;
  std::vector<nnc::FieldType> fields;
  for (const std::string& field : header(text.str(), "fields", built)) {
    fields.push_back(parse_field(field));
    fields.back().known = types == DataTypes::known;
  }
  if (!built) return render_syntax(file.filename().string(), text.str());
  std::vector<nnc::Override> overrides;
  for (const std::string& set : header(text.str(), "set", overridden)) {
    overrides.push_back({set.substr(0, set.find('=')), set.substr(set.find('=') + 1)});
  }
  const fs::path before = fs::current_path();
  fs::current_path(file.parent_path());  // imports, and names in messages, are relative
  const nnc::UnitPointer unit = nnc::load(file.filename().string(), overrides);
  nnc::data_settings(*unit);
  nnc::build_program(*unit, fields, {.batches = {32}});
  fs::current_path(before);
  return nnc::render(nnc::sources(*unit), nnc::diagnostics(*unit));
}
