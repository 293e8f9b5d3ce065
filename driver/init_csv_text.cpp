// The text that nnc init csv writes: a model sized to the table, its transforms, its training.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "driver/console.h"
#include "driver/init_csv.h"
#include "runtime/data/columns.h"

namespace nnc {
namespace {

constexpr size_t width = 110;       // of the lines written
constexpr int64_t most_lanes = 20;  // of the categories of one column

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n' || c == '\t') {
      out += c == '\n' ? "\\n" : "\\t";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Fit for a comment: one line of printable text.
std::string in_comment(std::string_view text) { return printable(text); }

// `open` a, b, c `close`, wrapped; further lines start `indent` blanks in.
std::string list_text(const std::string& open, const std::vector<std::string>& items, const std::string& close,
                      size_t indent) {
  std::string out, line = std::string(indent, ' ') + open;
  const std::string start(indent + 2, ' ');
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string item = items[i] + (i + 1 < items.size() ? "," : "");
    if (i > 0 && line.size() + 1 + item.size() > width) {
      out += line + "\n";
      line = start + item;
    } else {
      line += (i > 0 ? " " : "") + item;
    }
  }
  return (out + line + close).substr(indent);
}

std::string model_name(const std::string& path) {
  std::string name;
  bool capital = true;
  for (const char c : std::filesystem::path(path).stem().string()) {
    if (!std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80) {
      capital = true;
      continue;
    }
    name += capital ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    capital = false;
  }
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "Table" + name;
  return name.substr(0, 40) + "Net";
}

// Columns that share their transforms.
struct Group {
  std::string transforms;
  std::vector<std::string> names;
};

// How large a net, and how long to train it.
struct Sizes {
  int64_t hidden, batch, epochs, patience;
  const char* rate;
};

Sizes choose_sizes(int64_t rows, int64_t features, int64_t classes) {
  Sizes sizes{};
  sizes.hidden = rows < 50 ? 8 : rows < 300 ? 16 : rows < 1000 ? 32 : rows < 20000 ? 64 : 128;
  // A net much wider than what goes in and comes out has nothing to do with its width.
  const int64_t wide = std::max<int64_t>(16, 4 * std::max(features, classes));
  while (sizes.hidden > wide) sizes.hidden /= 2;
  while (sizes.hidden / 2 < classes && sizes.hidden < 256) sizes.hidden *= 2;
  sizes.batch = rows < 500 ? 16 : rows < 10000 ? 32 : rows < 100000 ? 128 : 512;
  sizes.epochs = rows < 300 ? 200 : rows < 100000 ? 100 : 30;
  sizes.patience = rows < 3000 ? 20 : rows < 100000 ? 10 : 5;
  sizes.rate = rows < 300 ? "1e-2" : rows < 1000 ? "3e-3" : "1e-3";
  return sizes;
}

struct TextWriter {
  const TableModel& model;
  const Table& table = model.table;
  const TargetProfile& target = model.target_profile;
  std::vector<Group> groups;
  std::vector<std::string> alone;                            // values that are written as they stand
  std::map<std::string, std::vector<std::string>> left_out;  // by reason
  int64_t features = 0, used = 0;
  bool in_time = false;  // the rows are ordered by a date
  bool windows = false;  // and the target's own past is all there is to learn from
  std::string text;

  bool validates() const { return table.rows >= 10; }
  const std::string& target_name() const { return table.columns[model.target].name; }

  std::string transforms_of(const ColumnProfile& column) const {
    switch (column.use) {
      case ColumnUse::number:
        return column.missing > 0 ? "impute(\"median\") |> standard()" : "standard()";
      case ColumnUse::codes:
        return column.missing > 0 ? "impute(\"most_frequent\") |> onehot(unknown = \"zero\")"
                                  : "onehot(unknown = \"zero\")";
      case ColumnUse::words:
        return column.missing > 0 ? "impute(\"missing\") |> onehot(unknown = \"zero\")" : "onehot(unknown = \"zero\")";
      case ColumnUse::many: {
        const std::string onehot = fmt::format("onehot(unknown = \"zero\", max_categories = {})", most_lanes);
        return column.missing > 0 ? "impute(\"missing\") |> " + onehot : onehot;
      }
      case ColumnUse::unused:
        break;
    }
    return "";
  }

  // A name with a `*` is a pattern: what else it matches is taken out. Nothing where that takes out the column, too.
  std::optional<std::string> pattern(const std::string& name) const {
    std::vector<std::string> others;
    for (const size_t i : match_columns(table, name)) {
      const std::string& other = table.columns[i].name;
      if (other == name) continue;
      const std::vector<size_t> removed = is_pattern(other) ? match_columns(table, other) : std::vector<size_t>{};
      const bool itself =
          std::any_of(removed.begin(), removed.end(), [&](size_t k) { return table.columns[k].name == name; });
      if (itself || !writable(other)) return {};
      others.push_back(literal(other));
    }
    if (others.empty()) return fmt::format("col({})", literal(name));
    return fmt::format("col({}, except = [{}])", literal(name), fmt::join(others, ", "));
  }

  void add_column(const ColumnProfile& column) {
    const std::string transforms = transforms_of(column);
    if (is_pattern(column.name)) {
      const auto value = pattern(column.name);
      if (!value) return left_out["its name is a pattern"].push_back(column.name);
      alone.push_back(*value + " |> " + transforms);
    } else {
      const auto group =
          std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.transforms == transforms; });
      if (group == groups.end()) {
        groups.push_back({transforms, {column.name}});
      } else {
        group->names.push_back(column.name);
      }
    }
    ++used;
    features += column.use == ColumnUse::number ? 1 : std::min(column.distinct + 1, most_lanes);
  }

  void sort_columns() {
    for (size_t i = 0; i < model.columns.size(); ++i) {
      const ColumnProfile& column = model.columns[i];
      in_time = in_time || column.ascending_dates;
      if (i == model.target) continue;
      if (column.use == ColumnUse::unused) {
        left_out[column.why].push_back(column.name);
      } else {
        add_column(column);
      }
    }
    in_time = in_time && target.kind == TargetKind::number;
    windows = used == 0 && in_time && table.rows >= 60;
  }

  // `col("*", except = […])` where that says the same in fewer words.
  std::optional<std::string> all_but(const Group& group) const {
    std::vector<std::string> others;
    for (const Column& column : table.columns) {
      if (std::find(group.names.begin(), group.names.end(), column.name) != group.names.end()) continue;
      if (is_pattern(column.name) || !writable(column.name)) return {};
      others.push_back(literal(column.name));
    }
    if (groups.size() != 1 || !alone.empty() || group.names.size() < 7 || others.size() > 4) return {};
    return fmt::format("col(\"*\", except = [{}]) |> {}", fmt::join(others, ", "), group.transforms);
  }

  std::string inputs_text() const {
    if (groups.size() == 1) {
      if (const auto value = all_but(groups[0])) return "  x = " + *value + "\n";
    }
    std::vector<std::string> values = alone;
    for (const Group& group : groups) {
      std::vector<std::string> names;
      for (const std::string& name : group.names) names.push_back(literal(name));
      values.push_back(list_text("col(", names, ") |> " + group.transforms, 4));
    }
    return fmt::format("  x = concat(\n    {})\n", fmt::join(values, ",\n    "));
  }

  bool lists_classes() const {
    const bool rare = std::any_of(target.counts.begin(), target.counts.end(), [](int64_t n) { return n < 2; });
    return std::all_of(target.classes.begin(), target.classes.end(), writable) && (rare || target.classes.size() <= 12);
  }

  std::string target_text() const {
    // A pattern is a vector, the target a single value.
    const std::string name = target_name();
    std::string value = is_pattern(name) ? pattern(name).value_or("") + " |> reshape()" : "col(" + literal(name) + ")";
    if (target.kind == TargetKind::binary)
      return fmt::format("  y = {} |> binary(positive = {})\n", value, literal(target.positive));
    if (target.kind == TargetKind::number) return fmt::format("  y = {} |> standard()\n", value);
    if (!lists_classes()) return fmt::format("  y = {} |> ordinal()\n", value);
    std::vector<std::string> classes;
    for (const std::string& name : target.classes) classes.push_back(literal(name));
    return "  " + list_text("y = " + value + " |> ordinal([", classes, "])\n", 2);
  }

  void write_heading() {
    const auto file = std::filesystem::path(model.arguments.file).filename().string();
    text += fmt::format("# {}: {} rows, {} columns. The target is \"{}\"", in_comment(file), group_digits(table.rows),
                        table.columns.size(), in_comment(target_name()));
    if (target.kind == TargetKind::number) {
      text += ", a number.\n";
    } else {
      std::vector<std::string> shares;
      for (size_t i = 0; i < std::min<size_t>(target.classes.size(), 4); ++i)
        shares.push_back(fmt::format("\"{}\" {} times", in_comment(target.classes[i]), group_digits(target.counts[i])));
      if (target.classes.size() > 4) shares.push_back("…");
      text += fmt::format(":\n# {}.\n", fmt::join(shares, ", "));
    }
    text +=
        "# Everything here can be changed; on the command line, too: nnc train FILE.nn hidden=128 train.epochs=20\n";
  }

  void write_options(const Sizes& sizes) {
    text += fmt::format("\noption hidden  = {:<6} # how many neurons in the first layer\n", sizes.hidden);
    text +=
        "option dropout = 0.2    # the share of neurons that sit out each training step, against learning by heart\n";
  }

  void write_model() {
    const bool binary = target.kind == TargetKind::binary, classes = target.kind == TargetKind::classes;
    text += fmt::format("\nmodel {} {{\n", model_name(model.arguments.file));
    text += windows
                ? "  input  x: [batch, lags]        # the values before the one to predict; how many is said below\n"
                : "  input  x: [batch, features]    # a row of numbers; the data say how many features there are\n";
    text += binary    ? fmt::format("  target y: [batch]              # 1 where \"{}\" is \"{}\", else 0\n",
                                    in_comment(target_name()), in_comment(target.positive))
            : classes ? "  target y: i32<classes>[batch]  # the number of the class, from 0\n"
                      : "  target y: [batch]\n";
    text += "  # Linear layers with a bend (relu) between them: without it they would be one linear layer.\n";
    text += "  h = x |> Linear(hidden) |> relu |> Dropout(dropout) |> Linear(hidden / 2) |> relu\n";
    if (binary) {
      text +=
          "  logit = h |> Linear(1) |> squeeze(-1)     # above 0: rather yes\n"
          "  output p = sigmoid(logit)                 # the probability of yes\n"
          "  loss   bce = bce_with_logits(logit, y)    # what training makes small: surprise at the true answer\n"
          "  metric accuracy = mean((p > 0.5) == (y > 0.5))\n"
          "  metric f1 = f1(p, y)                      # 1 when all yes are found and nothing else; fair to rare ones\n"
          "  metric auc = roc_auc(p, y)                # how often a yes scores above a no: 0.5 is guessing\n";
    } else if (classes) {
      text +=
          "  logits = h |> Linear(classes)             # a score for each class; the data say how many there are\n"
          "  output probs = softmax(logits)            # the scores as probabilities\n"
          "  loss   ce = cross_entropy(logits, y)      # what training makes small: surprise at the true class\n"
          "  metric accuracy = accuracy(logits, y)     # the share of rows whose best class is the true one\n";
    } else {
      text +=
          "  output z = h |> Linear(1) |> squeeze(-1)  # the prediction, in standard deviations from the mean\n"
          "  loss   mse = mse(z, y)                    # what training makes small: the mean squared error\n"
          "  metric rmse = rmse(z, y)                  # its root: a typical error\n"
          "  metric mae = mae(z, y)                    # the mean error, less moved by a few large ones\n"
          "  metric r2 = r2(z, y)                      # 1 is perfect, 0 is no better than always saying the mean\n";
    }
    text += "}\n";
  }

  std::string source_text() const {
    std::string value = "csv(" + literal(model.arguments.file);
    if (table.csv.delimiter != ',') value += ", delimiter = " + literal(std::string(1, table.csv.delimiter));
    if (!table.named) value += ", header = false";
    if (table.csv.header == CsvOptions::Header::present) value += ", header = true";
    if (table.csv.missing.size() > 1) {
      std::vector<std::string> words;
      for (const std::string& word : table.csv.missing) words.push_back(literal(word));
      value += fmt::format(", missing = [{}]", fmt::join(words, ", "));
    }
    return value + ")";
  }

  void write_left_out() {
    for (const auto& [why, names] : left_out) {
      std::vector<std::string> shown;
      for (size_t i = 0; i < std::min<size_t>(names.size(), 5); ++i)
        shown.push_back("\"" + in_comment(names[i]) + "\"");
      if (names.size() > 5) shown.push_back(fmt::format("{} more", names.size() - 5));
      text += fmt::format("  # left out, {}: {}\n", why, fmt::join(shown, ", "));
    }
  }

  void write_data() {
    text += fmt::format("\ndata {{\n  source = {}\n", source_text());
    if (validates()) {
      text += "  # A fifth of the rows is kept away from training, to see how well the rest was understood.\n";
      text += in_time ? "  # It is the last fifth: the future must not help to learn the past.\n"
                        "  split  = sequential(val = 0.2)\n"
              : target.kind == TargetKind::number
                  ? "  split  = random(val = 0.2, seed = 7)\n"
                  : fmt::format("  split  = random(val = 0.2, stratify = {}, seed = 7)\n", literal(target_name()));
    } else {
      text += "  # Too few rows to keep some away from training: `split = random(val = 0.2)` would do so.\n";
    }
    write_left_out();
    if (windows) {
      text += fmt::format(
          "  # x: 14 rows in a row; y: the value right after them. Both scaled by what the training rows say.\n"
          "  x, y = col({}) |> standard() |> windows(length = 14, after = 1)\n",
          literal(target_name()));
    } else {
      text += "  # Means, deviations and categories are learnt from the training rows alone.\n";
      text += inputs_text() + target_text();
    }
    text += "}\n";
  }

  void write_training(const Sizes& sizes) {
    const char* loss = target.kind == TargetKind::binary ? "bce" : target.kind == TargetKind::classes ? "ce" : "mse";
    const auto line = [&](const std::string& setting, const char* comment) {
      text += fmt::format("  {:<48}  # {}\n", setting, comment);
    };
    text += "\ntrain {\n";
    line(fmt::format("optimizer = Adam(lr = {}, weight_decay = 1e-4)", sizes.rate),
         "lr: how far a step goes; weight_decay keeps weights small");
    line(fmt::format("batch  = mini({})", sizes.batch), "rows a step looks at");
    line(fmt::format("epochs = {}", sizes.epochs), "how often training sees all rows, at most");
    if (validates()) {
      text += fmt::format(
          "  # Ends when {} epochs in a row brought nothing better on the rows kept away, and goes back to the best.\n"
          "  stop   = early(\"val.{}\", patience = {}, restore = true)\n",
          sizes.patience, loss, sizes.patience);
    }
    text += "}\n";
  }
};

}  // namespace

tl::expected<std::string, RuntimeErrors> model_text(const TableModel& model) {
  TextWriter writer{model, model.table, model.target_profile, {}, {}, {}, 0, 0, false, false, {}};
  writer.sort_columns();
  ErrorList errors;
  if (writer.used == 0 && !writer.windows) {
    errors.add(ErrorCode::E611, 0,
               fmt::format("no column is left to predict \"{}\" from", printable(writer.target_name())),
               "constant columns and those with a different value in each row teach nothing about other rows");
  }
  if (is_pattern(writer.target_name()) && !writer.pattern(writer.target_name())) {
    errors.add(ErrorCode::E611, 0,
               fmt::format("the name \"{}\" is a pattern of other columns", printable(writer.target_name())),
               "rename the column");
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  const Sizes sizes = choose_sizes(
      model.table.rows, writer.features,
      model.target_profile.kind == TargetKind::classes ? static_cast<int64_t>(model.target_profile.classes.size()) : 1);
  writer.write_heading();
  writer.write_options(sizes);
  writer.write_model();
  writer.write_data();
  writer.write_training(sizes);
  return std::move(writer.text);
}

}  // namespace nnc
