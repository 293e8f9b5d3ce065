#include "frontend/diagnostics.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <tuple>

namespace nnc {

namespace {

constexpr DiagnosticInfo infos[] = {
#define NNC_DIAGNOSTIC(name, code, severity, explanation) \
  {DiagnosticKind::name, #name, #code, Severity::severity, explanation},
#include "frontend/diagnostics.def"
#undef NNC_DIAGNOSTIC
};

Diagnostic& keep(Diagnostics& diagnostics, Diagnostic diagnostic) {
  (info(diagnostic.kind).severity == Severity::error ? diagnostics.errors : diagnostics.warnings) += 1;
  if (diagnostics.list.size() >= max_kept_diagnostics) return diagnostics.overflow = std::move(diagnostic);
  diagnostics.list.push_back(std::move(diagnostic));
  return diagnostics.list.back();
}

std::string wrap(std::string_view text, size_t width) {
  std::string wrapped;
  size_t column = 0;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > 0 && column + 1 + word.size() > width) {
      wrapped += '\n';
      column = 0;
    } else if (column > 0) {
      wrapped += ' ';
      ++column;
    }
    wrapped += word;
    column += word.size();
  }
  return wrapped + '\n';
}

}  // namespace

std::span<const DiagnosticInfo> all_diagnostic_kinds() { return infos; }

const DiagnosticInfo& info(DiagnosticKind kind) { return infos[static_cast<size_t>(kind)]; }

std::optional<std::string> explain(std::string_view code) {
  auto same = [&](const DiagnosticInfo& candidate) {
    return std::equal(code.begin(), code.end(), candidate.code.begin(), candidate.code.end(),
                      [](unsigned char a, unsigned char b) { return std::toupper(a) == b; });
  };
  auto found = std::find_if(std::begin(infos), std::end(infos), same);
  if (found == std::end(infos)) return std::nullopt;
  std::string title(found->name);
  std::replace(title.begin(), title.end(), '_', ' ');
  return fmt::format("{}[{}]: {}\n\n{}", found->severity == Severity::error ? "error" : "warning", found->code, title,
                     wrap(found->explanation, 100));
}

Diagnostic& report_message(Diagnostics& diagnostics, DiagnosticKind kind, Span span, std::string message) {
  return keep(diagnostics, {kind, std::move(message), span, std::nullopt, {}, {}, {}});
}

Diagnostic& report_message(Diagnostics& diagnostics, DiagnosticKind kind, Place place, std::string message) {
  return keep(diagnostics, {kind, std::move(message), {}, std::move(place), {}, {}, {}});
}

std::vector<const Diagnostic*> sorted(const Diagnostics& diagnostics) {
  std::vector<const Diagnostic*> order;
  for (const Diagnostic& diagnostic : diagnostics.list) order.push_back(&diagnostic);
  auto key = [](const Diagnostic* d) {
    return std::tuple(d->place.has_value(), d->span.file, d->span.begin, d->place.value_or(Place{}));
  };
  std::stable_sort(order.begin(), order.end(), [&](auto* a, auto* b) { return key(a) < key(b); });
  auto same = [](const Diagnostic* a, const Diagnostic* b) {
    return a->kind == b->kind && a->span == b->span && a->place == b->place && a->message == b->message;
  };
  // Repeats share their key but others may stand between them.
  std::vector<const Diagnostic*> unique;
  for (const Diagnostic* candidate : order) {
    bool repeated = false;
    for (auto it = unique.rbegin(); it != unique.rend() && key(*it) == key(candidate) && !repeated; ++it) {
      repeated = same(*it, candidate);
    }
    if (!repeated) unique.push_back(candidate);
  }
  return unique;
}

}  // namespace nnc
