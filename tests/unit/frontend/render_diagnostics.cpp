#include "render_diagnostics.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontend/parser.h"

std::string render_all_diagnostics(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  nnc::SourceFiles sources;
  nnc::Diagnostics diagnostics;
  nnc::FileId file = nnc::add_source(sources, std::filesystem::path(path).filename().string(), text.str());
  nnc::parse(sources, file, diagnostics);
  return nnc::render(sources, diagnostics);
}
