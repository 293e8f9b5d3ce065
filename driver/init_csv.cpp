#include "driver/init_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "driver/commands.h"
#include "runtime/data/columns.h"
#include "runtime/data/csv.h"
#include "runtime/data/csv_records.h"

namespace nnc {
namespace {

RuntimeErrors one_error(ErrorCode code, std::string message, std::string help = {}) {
  ErrorList errors;
  errors.add(code, 0, std::move(message), std::move(help));
  return std::move(errors.errors);
}

// The delimiter that cuts the first records into equally many cells, more than one; the comma where none does.
char find_delimiter(const std::string& path) {
  constexpr int looked_at = 50;
  char best = ',';
  size_t most = 1;
  for (const char delimiter : {',', ';', '\t', '|'}) {
    auto records = CsvRecords::open(path, delimiter, 0);
    if (!records || !records->next()) continue;
    const size_t cells = records->cells().size();
    bool equal = cells > most;
    for (int i = 0; equal && i < looked_at && records->next(); ++i) equal = records->cells().size() == cells;
    if (!equal || records->error()) continue;
    best = delimiter;
    most = cells;
    if (delimiter == ',') break;
  }
  return best;
}

// Opens the file and loads all of it.
tl::expected<Table, RuntimeErrors> load_all(const CsvOptions& options) {
  auto table = open_csv(options, 0);
  if (!table) return table;
  RuntimeErrors errors = load_csv(*table, std::vector<bool>(table->columns.size(), true));
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return table;
}

// By name, else by number.
tl::expected<size_t, RuntimeErrors> find_target(const Table& table, const std::string& name) {
  ErrorList errors;
  if (const auto found = find_column(table, name, 0, errors)) return *found;
  size_t number = 0;
  const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = status == std::errc() && end == name.data() + name.size();
  const bool named = std::any_of(table.columns.begin(), table.columns.end(),
                                 [&](const Column& column) { return column.name == name; });
  if (!named && whole) {
    if (number >= 1 && number <= table.columns.size()) return number - 1;
    errors.errors[0].help = fmt::format("there are {}, counted from 1", table.columns.size());
  }
  return tl::unexpected(std::move(errors.errors));
}

}  // namespace

tl::expected<TableModel, RuntimeErrors> read_table_model(const InitCsvArguments& arguments) {
  if (!writable(arguments.file)) {
    return tl::unexpected(
        one_error(ErrorCode::E604, "the path of this file cannot be written in a model file", "rename the file"));
  }
  TableModel model;
  model.arguments = arguments;
  CsvOptions options;
  options.path = arguments.file;
  options.delimiter = arguments.delimiter.empty() ? find_delimiter(arguments.file) : arguments.delimiter[0];
  using Header = CsvOptions::Header;
  options.header = arguments.header == "true"    ? Header::present
                   : arguments.header == "false" ? Header::absent
                                                 : Header::detect;
  auto table = load_all(options);
  if (!table) return tl::unexpected(table.error());
  const std::vector<std::string> words = missing_words(*table);
  if (!words.empty()) {
    options.missing.insert(options.missing.end(), words.begin(), words.end());
    table = load_all(options);
    if (!table) return tl::unexpected(table.error());
  }
  const auto target = find_target(*table, arguments.target);
  if (!target) return tl::unexpected(target.error());
  model.target = *target;
  model.table = std::move(*table);
  const std::string name = printable(model.table.columns[model.target].name);
  if (model.table.rows < 2)
    return tl::unexpected(one_error(ErrorCode::E611, "one row is too few to learn from", "add rows to the file"));
  model.columns = profile_columns(model.table);
  if (!writable(model.table.columns[model.target].name)) {
    return tl::unexpected(one_error(
        ErrorCode::E611, fmt::format("the name \"{}\" cannot be written in a model file", name), "rename the column"));
  }
  model.target_profile = profile_target(model.table, model.target);
  if (model.target_profile.kind == TargetKind::wrong) {
    return tl::unexpected(one_error(ErrorCode::E611,
                                    fmt::format("column \"{}\" is no target: {}", name, model.target_profile.why),
                                    model.target_profile.help));
  }
  return model;
}

int init_csv(const InitCsvArguments& arguments) {
  const auto complain = [](const RuntimeErrors& errors) {
    for (const RuntimeError& error : errors) fmt::print(stderr, "{}\n", to_string(error));
    return exit_code(errors);
  };
  const auto model = read_table_model(arguments);
  if (!model) return complain(model.error());
  const auto text = model_text(*model);
  if (!text) return complain(text.error());
  std::fwrite(text->data(), 1, text->size(), stdout);
  std::fflush(stdout);
  fmt::print(stderr, "next: save this in a file of the current folder and train it: nnc train FILE.nn\n");
  return kOk;
}

}  // namespace nnc
