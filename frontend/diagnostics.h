// What the compiler tells the user about a program: collected, located, deduplicated, never thrown.
//
// Each kind is one line in diagnostics.def. Emit with
//   report(diagnostics, DiagnosticKind::unknown_name, span, "unknown layer `{}`", name).help("...").label(other,
//   "...");
// The reference that report() returns is valid until the next report().
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/source.h"

namespace nnc {

enum class Severity : uint8_t { error, warning };

enum class DiagnosticKind : uint16_t {
#define NNC_DIAGNOSTIC(name, code, severity, explanation) name,
#include "frontend/diagnostics.def"
#undef NNC_DIAGNOSTIC
};

struct DiagnosticInfo {
  DiagnosticKind kind;
  std::string_view name;  // "unknown_name"
  std::string_view code;  // "E101"
  Severity severity;
  std::string_view explanation;  // a paragraph for `nnc explain`
};

// All kinds, in the order of the enum.
std::span<const DiagnosticInfo> all_diagnostic_kinds();
const DiagnosticInfo& info(DiagnosticKind kind);
// The text of `nnc explain CODE`, wrapped to 100 columns; nothing if there is no such code. Case does not matter.
std::optional<std::string> explain(std::string_view code);

// A place that is not in a source file: a cell of a data file (line and column from 1) or, with line 0, a name alone:
// "command line".
struct Place {
  std::string name;
  uint64_t line = 0;
  uint64_t column = 0;

  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Label {
  Span span;
  std::string text;
};

struct Diagnostic {
  DiagnosticKind kind;
  std::string message;
  Span span;  // where there is no `place`
  std::optional<Place> place;
  std::vector<Label> labels;  // a label with the primary span is written behind its caret
  std::vector<std::string> helps;
  std::vector<std::string> notes;

  Diagnostic& label(Span where, std::string text) { return labels.push_back({where, std::move(text)}), *this; }
  Diagnostic& help(std::string text) { return helps.push_back(std::move(text)), *this; }
  // Adds no help when there is none to give: what similar() returns fits.
  Diagnostic& help(std::optional<std::string> text) { return text ? help(std::move(*text)) : *this; }
  Diagnostic& help(const char* text) { return help(std::string(text)); }
  Diagnostic& note(std::string text) { return notes.push_back(std::move(text)), *this; }
};

struct Diagnostics {
  std::deque<Diagnostic> list;  // at most max_kept_diagnostics, in the order of report
  size_t errors = 0;            // all reported, kept or not
  size_t warnings = 0;
  Diagnostic overflow{};  // where those above the limit go
};
inline constexpr size_t max_kept_diagnostics = 200;

Diagnostic& report_message(Diagnostics& diagnostics, DiagnosticKind kind, Span span, std::string message);
Diagnostic& report_message(Diagnostics& diagnostics, DiagnosticKind kind, Place place, std::string message);

template <class Where, class... Args>
Diagnostic& report(Diagnostics& diagnostics, DiagnosticKind kind, Where where, fmt::format_string<Args...> message,
                   Args&&... args) {
  return report_message(diagnostics, kind, std::move(where), fmt::format(message, std::forward<Args>(args)...));
}

inline bool has_errors(const Diagnostics& diagnostics) { return diagnostics.errors > 0; }

// The diagnostics to show: by place (source files in table order, then other places by name), without repeats.
std::vector<const Diagnostic*> sorted(const Diagnostics& diagnostics);

struct RenderOptions {
  bool colour = false;
  size_t limit = 50;  // shown; then "... and N more"
};

// For people: location, message, excerpt with marks, help, in the format of docs. Ends with a newline unless empty.
std::string render(const SourceFiles& sources, const Diagnostics& diagnostics, const RenderOptions& options = {});
std::string render(const SourceFiles& sources, const Diagnostic& diagnostic, const RenderOptions& options = {});

// For programs: one JSON object per line with schema (1), code, severity, message, file, line, column, end {line,
// column}, labels, help and notes (lists of strings). Places without a line leave out line, column and end.
std::string render_json(const SourceFiles& sources, const Diagnostics& diagnostics);

// The candidate nearest to `name`: the fewest insertions, deletions, replacements and swaps of neighbours (capitals
// count as half a replacement), at most a third of the length of the longer one and at least one. The first of equals.
std::optional<std::string> closest(std::string_view name, std::span<const std::string> candidates);
// "a layer with a similar name exists: `Linear`" for what = "layer"; nothing if none is close.
std::optional<std::string> similar(std::string_view what, std::string_view name,
                                   std::span<const std::string> candidates);

}  // namespace nnc
