#include "runtime/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace nnc {
namespace {

struct CodeInfo {
  std::string_view name, title;
  int exit;
};

constexpr CodeInfo code_infos[] = {
#define ERROR(code, exit, title) {#code, title, exit},
#include "runtime/errors.def"
#undef ERROR
};

constexpr ErrorCode codes[] = {
#define ERROR(code, exit, title) ErrorCode::code,
#include "runtime/errors.def"
#undef ERROR
};

const CodeInfo& info_of(ErrorCode code) { return code_infos[static_cast<size_t>(code)]; }

// Optimal string alignment distance; words longer than 64 bytes are not compared.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view name_of(ErrorCode code) { return info_of(code).name; }
std::string_view title_of(ErrorCode code) { return info_of(code).title; }
int exit_code(ErrorCode code) { return info_of(code).exit; }
int exit_code(const RuntimeErrors& errors) { return errors.empty() ? 1 : exit_code(errors.front().code); }
std::span<const ErrorCode> all_error_codes() { return codes; }

std::string to_string(const RuntimeError& error) {
  std::string text;
  if (!error.file.empty()) {
    text = error.file;
    if (error.line > 0) text += fmt::format(":{}:{}", error.line, error.column);
    text += ": ";
  }
  text += fmt::format("error[{}]: {}", name_of(error.code), error.message);
  if (!error.help.empty()) text += fmt::format("\nhelp: {}", error.help);
  return text;
}

void ErrorList::add(RuntimeError error) {
  if (std::find(errors.begin(), errors.end(), error) != errors.end()) return;
  if (full()) {
    ++dropped;
    return;
  }
  errors.push_back(std::move(error));
}

void ErrorList::add(ErrorCode code, Origin origin, std::string message, std::string help) {
  RuntimeError error;
  error.code = code;
  error.origin = origin;
  error.message = std::move(message);
  error.help = std::move(help);
  add(std::move(error));
}

std::string_view nearest(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t longest = 64;
  if (word.size() > longest) return {};
  const size_t allowed = std::max<size_t>(1, word.size() / 3);
  size_t best = allowed + 1;
  std::string_view found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest || candidate.size() > word.size() + allowed ||
        word.size() > candidate.size() + allowed)
      continue;
    const size_t distance = edit_distance(word, candidate);
    if (distance < best) best = distance, found = candidate;
  }
  return found;
}

std::string printable(std::string_view text) {
  constexpr size_t longest = 40;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (i >= longest && (c & 0xC0) != 0x80) return out + "…";
    if (c < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace nnc
