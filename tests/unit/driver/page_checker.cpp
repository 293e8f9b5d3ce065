#include "page_checker.h"

#include <algorithm>
#include <array>
#include <vector>

namespace nnc::test {

namespace {

bool starts_entity(std::string_view text) {
  constexpr std::array<std::string_view, 5> entities = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  return std::any_of(entities.begin(), entities.end(), [&](std::string_view name) { return text.starts_with(name); });
}

// Whether an attribute other than aria-label, which may name anything, has a number that is none. Not std::regex, whose
// depth of recursion grows with the attribute.
bool has_bad_place(std::string_view tag) {
  for (size_t from = tag.find('"'); from != std::string_view::npos;) {
    const size_t to = tag.find('"', from + 1);
    if (to == std::string_view::npos) return false;
    const std::string_view value = tag.substr(from + 1, to - from - 1);
    const bool is_name = tag.substr(0, from).ends_with("aria-label=");
    if (!is_name && (value.find("nan") != value.npos || value.find("inf") != value.npos)) return true;
    from = tag.find('"', to + 1);
  }
  return false;
}

}  // namespace

std::string trouble_in(const std::string& page) {
  std::vector<std::string> open;
  for (size_t i = 0; i < page.size(); ++i) {
    if (page[i] == '>') return "stray > at " + page.substr(i > 30 ? i - 30 : 0, 60);
    if (page[i] == '&' && !starts_entity(std::string_view(page).substr(i))) return "bare & at " + page.substr(i, 30);
    if (page[i] != '<') continue;
    size_t end = i;
    for (bool quoted = false; end < page.size() && (quoted || page[end] != '>'); ++end) quoted ^= page[end] == '"';
    if (end == page.size()) return "unclosed tag";
    const std::string tag = page.substr(i + 1, end - i - 1);
    i = end;
    if (tag == "!DOCTYPE html") continue;
    if (tag.find('<') != std::string::npos) return "< inside " + tag;
    if (has_bad_place(tag)) return "no place: " + tag;
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
