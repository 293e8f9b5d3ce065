#include "page_checker.h"

#include <regex>
#include <vector>

namespace nnc::test {

std::string trouble_in(const std::string& page) {
  std::vector<std::string> open;
  for (size_t i = 0; i < page.size(); ++i) {
    if (page[i] == '>') return "stray > at " + page.substr(i > 30 ? i - 30 : 0, 60);
    if (page[i] == '&') {
      static const std::regex entity("^&(amp|lt|gt|quot|#39);");
      if (!std::regex_search(page.substr(i, 8), entity)) return "bare & at " + page.substr(i, 30);
    }
    if (page[i] != '<') continue;
    size_t end = i;
    for (bool quoted = false; end < page.size() && (quoted || page[end] != '>'); ++end) quoted ^= page[end] == '"';
    if (end == page.size()) return "unclosed tag";
    const std::string tag = page.substr(i + 1, end - i - 1);
    i = end;
    if (tag == "!DOCTYPE html") continue;
    if (tag.find('<') != std::string::npos) return "< inside " + tag;
    static const std::regex bad_place("\"[^\"]*(nan|inf)[^\"]*\"");
    static const std::regex named("aria-label=\"[^\"]*\"");
    if (std::regex_search(std::regex_replace(tag, named, ""), bad_place)) return "no place: " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (tag.back() == '/') continue;
    if (name[0] != '/') {
      open.push_back(name);
    } else {
      if (open.empty() || "/" + open.back() != name) return "does not pair: " + tag;
      open.pop_back();
    }
    if (name != "style") continue;
    i = page.find("</style>", i) - 1;
  }
  if (!open.empty()) return "still open: " + open.back();
  for (const char* word : {"<script", "http:", "https:", "//", "url(", "@import", " src=", " href=", "javascript:"}) {
    if (page.find(word) != std::string::npos) return std::string("holds ") + word;
  }
  return "";
}

}  // namespace nnc::test
