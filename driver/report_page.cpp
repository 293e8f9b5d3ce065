#include "driver/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "driver/console.h"
#include "driver/report_style.h"
#include "driver/svg_chart.h"

namespace nnc {
namespace {

constexpr size_t most_rows = 300;       // of a table
constexpr size_t most_histograms = 48;  // more parameters than these have a line in the table only

std::string facts(const ReportPairs& pairs) {
  std::string out = "<dl class=\"facts\">\n";
  for (const auto& [name, value] : pairs)
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
  return out + "</dl>\n";
}

std::string data_section(const ReportData& data) {
  if (data.columns.empty() && data.fields.empty()) return "";
  std::string out = "<h2>Data</h2>\n";
  if (!data.source.empty()) out += fmt::format("<p class=\"sub\">{}</p>\n", escape_html(data.source));
  std::vector<std::vector<std::string>> rows;
  for (const ReportColumn& column : data.columns) {
    rows.push_back({column.name, column.kind, group_digits(column.missing),
                    column.categories > 0 ? group_digits(column.categories) : ""});
  }
  if (!rows.empty()) out += report_table({"column", "kind", "missing", "categories"}, rows, 2);
  rows.clear();
  for (const ReportField& field : data.fields) {
    for (size_t i = 0; i < field.columns.size(); ++i) {
      rows.push_back({i == 0 ? fmt::format("{} {}", field.name, field.shape) : "", field.columns[i].first,
                      field.columns[i].second});
    }
  }
  if (!rows.empty())
    out += "<h2>Transforms</h2>\n" + report_table({"field", "column", "transforms, as fitted"}, rows, 0);
  return out;
}

std::string parameter_section(const ReportData& data) {
  if (data.parameters.empty()) return "";
  std::string out = "<h2>Parameters</h2>\n";
  std::vector<std::vector<std::string>> rows;
  bool broken = false;
  for (const ReportParameter& parameter : data.parameters) broken |= parameter.moments.not_finite > 0;
  for (const ReportParameter& parameter : data.parameters) {
    const Moments& m = parameter.moments;
    rows.push_back({parameter.name, parameter.shape, group_digits(m.count + m.not_finite), short_number(m.mean),
                    short_number(m.sd), short_number(m.low), short_number(m.high)});
    if (broken) rows.back().push_back(group_digits(m.not_finite));
  }
  std::vector<std::string> head = {"name", "shape", "count", "mean", "sd", "lowest", "highest"};
  if (broken) head.push_back("not finite");
  out += report_table(head, rows, head.size() - 2);
  out += "<h2>Weights</h2>\n<div class=\"charts small\">\n";
  const size_t shown = std::min(most_histograms, data.parameters.size());
  for (size_t i = 0; i < shown; ++i) {
    const ReportParameter& parameter = data.parameters[i];
    if (parameter.histogram.counts.empty()) continue;
    out += report_figure(parameter.name, {},
                         svg(BarChart{"values of " + parameter.name, "", "", parameter.histogram.edges,
                                      parameter.histogram.counts, true}));
  }
  out += "</div>\n";
  if (shown < data.parameters.size())
    out += fmt::format("<p class=\"note\">and {} more</p>\n", data.parameters.size() - shown);
  return out;
}

std::string model_section(const ReportData& data) {
  std::string out;
  if (!data.settings.empty()) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : data.settings) rows.push_back({name, value});
    out += "<h2>Settings</h2>\n" + report_table({"name", "value"}, rows, 0);
  }
  if (data.model_text.empty()) return out;
  return out + fmt::format("<h2>Model file</h2>\n<p class=\"sub\">{}</p>\n<div class=\"card\"><pre>{}</pre></div>\n",
                           escape_html(data.model_name), escape_html(data.model_text));
}

}  // namespace

std::string report_figure(const std::string& title, const std::vector<std::pair<int, std::string>>& legend,
                          const std::string& chart, const std::string& note) {
  std::string out = fmt::format("<figure><figcaption>{}</figcaption>\n", escape_html(title));
  if (!legend.empty()) out += "<div class=\"legend\">";
  for (const auto& [color, text] : legend)
    out += fmt::format("<span><i class=\"s{}\"></i>{}</span>", color % 6, escape_html(text));
  if (!legend.empty()) out += "</div>\n";
  out += chart;
  if (!note.empty()) out += fmt::format("<p class=\"note\">{}</p>\n", escape_html(note));
  return out + "</figure>\n";
}

std::string report_table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                         size_t numbers) {
  const auto cell = [&](const char* tag, size_t column, const std::string& text) {
    const bool number = column + numbers >= head.size();
    return fmt::format("<{}{}>{}</{}>", tag, number ? " class=\"n\"" : "", escape_html(text), tag);
  };
  std::string out = "<div class=\"card\"><table>\n<thead><tr>";
  for (size_t i = 0; i < head.size(); ++i) out += cell("th", i, head[i]);
  out += "</tr></thead>\n<tbody>\n";
  for (size_t row = 0; row < std::min(rows.size(), most_rows); ++row) {
    out += "<tr>";
    for (size_t i = 0; i < rows[row].size(); ++i) out += cell("td", i, rows[row][i]);
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  if (rows.size() > most_rows) out += fmt::format("<p class=\"note\">and {} more</p>\n", rows.size() - most_rows);
  return out;
}

std::string report_page(const ReportData& data) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n";
  out += fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n", escape_html(data.title),
                     report_style);
  out += fmt::format("<header>\n<h1>{}</h1>\n<p class=\"sub\">{}</p>\n</header>\n", escape_html(data.title),
                     escape_html(data.subtitle));
  out += facts(data.summary);
  out += report_curves(data);
  out += report_evaluation(data);
  if (!data.missing.empty()) out += fmt::format("<p class=\"note\">{}</p>\n", escape_html(data.missing));
  out += data_section(data);
  out += parameter_section(data);
  out += model_section(data);
  out += fmt::format("<footer>{}</footer>\n", escape_html(data.version));
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace nnc
