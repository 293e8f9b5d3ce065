// nnc init csv: whatever the table, the file it writes trains at once.
#include "driver/init_csv.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "run.h"

namespace {

namespace fs = std::filesystem;

const fs::path root = NNC_SOURCE_DIR;

// A folder with one table in it, where nnc runs.
struct Folder {
  ModelFile file{""};

  explicit Folder(const std::string& table, const std::string& name = "t.csv") {
    std::ofstream(file.folder + "/" + name, std::ios::binary) << table;
  }
  Ran nnc(const std::vector<std::string>& arguments) const {
    return run_in(fs::relative(file.folder, root).string(), arguments);
  }
  // The model file for the table, empty if there is none.
  std::string init(const std::string& target, std::vector<std::string> more = {},
                   const std::string& name = "t.csv") const {
    std::vector<std::string> arguments = {"init", "csv", name, "--target", target};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = nnc(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    std::ofstream(file.folder + "/made.nn") << ran.out;
    return ran.out;
  }
  // Trains what init wrote: the last epoch's line.
  nlohmann::json train(int epochs = 2) const {
    const Ran ran = nnc({"train", "made.nn", "--json", "train.epochs=" + std::to_string(epochs)});
    std::ifstream made(file.folder + "/made.nn");
    EXPECT_EQ(ran.code, 0) << ran.out << ran.err << std::string(std::istreambuf_iterator<char>(made), {});
    EXPECT_EQ(ran.err.find("warning"), std::string::npos) << ran.err;
    nlohmann::json last;
    for (const auto& line : ran.json()) {
      if (line.value("event", "") == "epoch") last = line;
    }
    EXPECT_FALSE(last.is_null()) << ran.out;
    return last;
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Rows from a function of their number.
template <class F>
std::string rows(const std::string& header, int count, F&& row) {
  std::string table = header;
  for (int i = 0; i < count; ++i) table += row(i) + "\n";
  return table;
}

std::string number(double value) { return fmt::format("{}", value); }

TEST(InitCsv, GermanCredit) {
  const Folder folder("");
  fs::copy_file(root / "examples/data/german_credit.csv", folder.file.folder + "/german_credit.csv");
  const std::string text = folder.init("risk", {}, "german_credit.csv");
  EXPECT_TRUE(contains(text, "model GermanCreditNet {")) << text;
  EXPECT_TRUE(contains(text, "binary(positive = \"2\")")) << text;
  EXPECT_TRUE(contains(text, "stratify = \"risk\"")) << text;
  EXPECT_TRUE(contains(text, "bce_with_logits")) << text;
  const auto last = folder.train(12);
  EXPECT_GE(last["val"]["accuracy"].get<double>(), 0.7);
}

TEST(InitCsv, Temperatures) {
  const Folder folder("");
  fs::copy_file(root / "examples/data/daily_min_temperatures.csv", folder.file.folder + "/temp.csv");
  const std::string text = folder.init("Temp", {}, "temp.csv");
  EXPECT_TRUE(contains(text, "windows(length = 14, after = 1)")) << text;
  EXPECT_TRUE(contains(text, "sequential(val = 0.2)")) << text;
  const auto last = folder.train(8);
  EXPECT_GE(last["val"]["r2"].get<double>(), 0.5);
}

TEST(InitCsv, NamesOfAllKinds) {
  const Folder folder(
      rows("\"a \"\"b\"\"\",\"back\\slash\",*,x*,x1,\"new\nline\",größe,,\"tab\there\"\n", 60, [](int i) {
        return fmt::format("{},{},{},{},{},{},{},{},{}", i * 7 % 11, 0.5 * (i * 5 % 13), i * 3 % 17 * 0.1,
                           i * 3 % 19 * 0.1, i % 23 * 0.1, i * 11 % 29 * 0.1,
                           i % 3 == 0 ? "\"ja \"\"so\"\"\"" : "\"nein, nie\"", i * 13 % 31 * 0.1, i * 17 % 37);
      }));
  const std::string text = folder.init("größe", {"--header", "true"});
  EXPECT_TRUE(contains(text, "\"a \\\"b\\\"\"")) << text;
  EXPECT_TRUE(contains(text, "\"back\\\\slash\"")) << text;
  EXPECT_TRUE(contains(text, "binary(positive = \"ja \\\"so\\\"\")")) << text;
  folder.train();
}

TEST(InitCsv, AStarInTheTargetsName) {
  for (const bool number : {true, false}) {
    const Folder folder(rows("y*,yes,b\n", 40, [&](int i) {
      return fmt::format("{},{},{}", number ? fmt::format("{}", i * 0.37) : i % 3 == 0 ? "p" : "q", i % 5 * 0.1, i % 7);
    }));
    EXPECT_TRUE(contains(folder.init("y*"), "except = [\"yes\"]"));
    folder.train();
  }
}

TEST(InitCsv, TextTargetWithQuotesAndUnicode) {
  const Folder folder(rows("a,kind\n", 90, [](int i) {
    const char* kinds[] = {"\"say \"\"hi\"\"\"", "zwölf äpfel", "back\\slash", "it's # fine"};
    return fmt::format("{},{}", i % 4 + 0.01 * (i % 7), kinds[i % 4]);
  }));
  const std::string text = folder.init("kind");
  EXPECT_TRUE(contains(text, "ordinal([")) << text;
  EXPECT_TRUE(contains(text, "cross_entropy")) << text;
  EXPECT_GE(folder.train(100)["train"]["accuracy"].get<double>(), 0.9);
}

TEST(InitCsv, MissingValuesAndColumnsThatTeachNothing) {
  const Folder folder(rows("id,code,empty,half,name,same,colour,amount,label\n", 200, [](int i) {
    return fmt::format("{},{},,{},person {},7,{},{},{}", i + 1, i % 4, i % 3 == 0 ? "NA" : number(i * 0.3), i,
                       i % 9 == 0   ? ""
                       : i % 2 == 0 ? "red"
                                    : "blue",
                       i % 8 == 0 ? "?" : number(i * 1.5), i % 5 == 0 ? "yes" : "no");
  }));
  const std::string text = folder.init("label");
  EXPECT_TRUE(contains(text, "missing = [\"\", \"?\", \"NA\"]")) << text;
  EXPECT_TRUE(contains(text, "impute(\"median\") |> standard()")) << text;
  EXPECT_TRUE(contains(text, "col(\"colour\") |> impute(\"missing\") |> onehot(unknown = \"zero\")")) << text;
  EXPECT_TRUE(contains(text, "col(\"code\") |> onehot")) << text;
  EXPECT_TRUE(contains(text, "left out, empty: \"empty\"")) << text;
  EXPECT_TRUE(contains(text, "left out, numbers the rows: \"id\"")) << text;
  EXPECT_TRUE(contains(text, "left out, a different text in each row: \"name\"")) << text;
  EXPECT_TRUE(contains(text, "left out, the same in all rows: \"same\"")) << text;
  EXPECT_TRUE(contains(text, "binary(positive = \"yes\")")) << text;
  folder.train();
}

TEST(InitCsv, ManyCategories) {
  const Folder folder(rows("city,y\n", 400, [](int i) { return fmt::format("city {},{}", i * i % 97, i % 7 * 1.5); }));
  EXPECT_TRUE(contains(folder.init("y"), "max_categories = 20"));
  folder.train();
}

TEST(InitCsv, WithoutAHeader) {
  const Folder folder(rows("", 50, [](int i) { return fmt::format("{},{},{}", i * 0.1, i % 6 * 0.3, i % 2); }));
  for (const char* target : {"c3", "3"}) {
    const std::string text = folder.init(target);
    EXPECT_TRUE(contains(text, "header = false")) << text;
    EXPECT_TRUE(contains(text, "y = col(\"c3\") |> binary(positive = \"1\")")) << text;
    folder.train();
  }
}

TEST(InitCsv, OtherDelimiters) {
  for (const char delimiter : {';', '\t', '|'}) {
    const Folder folder(rows(fmt::format("a{}b{}c\n", delimiter, delimiter), 30, [&](int i) {
      return fmt::format("{}{}\"x, {}\"{}{}", i * 0.5, delimiter, i % 3, delimiter, i % 4 * 2.5);
    }));
    const std::string text = folder.init("c");
    EXPECT_TRUE(contains(text, "delimiter = \"")) << text;
    folder.train();
  }
}

TEST(InitCsv, OneNumericColumn) {
  const Folder folder(rows("a,b\n", 40, [](int i) { return fmt::format("{},{}", i * i * 0.1, i * 1e6 + 0.5); }));
  const std::string text = folder.init("b");
  EXPECT_TRUE(contains(text, "x = concat(")) << text;
  EXPECT_GE(folder.train(100)["train"]["r2"].get<double>(), 0.5);
}

TEST(InitCsv, FewRows) {
  for (const int count : {2, 5, 12}) {
    for (const char* target : {"a", "kind"}) {
      const Folder folder(rows("a,b,kind\n", count, [](int i) {
        return fmt::format("{},{},{}", i * i * 1.5, i * 7 % 5 * 0.5, i % 2 == 0 ? "p" : "q");
      }));
      folder.init(target);
      folder.train();
    }
  }
}

TEST(InitCsv, ClassesOfASingleRow) {
  const Folder folder(rows("a,kind\n", 40, [](int i) {
    return fmt::format("{},{}", i * 0.5, i < 5 ? fmt::format("rare {}", i) : i % 2 == 0 ? "p" : "q");
  }));
  folder.init("kind");
  folder.train();
}

TEST(InitCsv, TwoHundredColumns) {
  std::string header = "y";
  for (int k = 0; k < 200; ++k) header += fmt::format(",column {}", k);
  const Folder folder(rows(header + "\n", 30, [](int i) {
    std::string row = number(i * 0.25);
    for (int k = 0; k < 200; ++k) row += fmt::format(",{}", (i * (k % 30 + 1)) % 31 * (k % 7 == 0 ? 1e6 : 0.1));
    return row;
  }));
  const std::string text = folder.init("y");
  EXPECT_TRUE(contains(text, "col(\"*\", except = [\"y\"]) |> standard()")) << text;
  folder.train();
}

TEST(InitCsv, SaysWhatIsWrong) {
  const Folder folder("risk,a,b,name\ngood,1,2,x\ngood,2,3,y\ngood,3,1,z\ngood,3,,w\n");
  const auto wrong = [&](const std::string& target, const std::string& file = "t.csv") {
    const Ran ran = folder.nnc({"init", "csv", file, "--target", target});
    EXPECT_EQ(ran.out, "");
    return fmt::format("{}: {}", ran.code, ran.err);
  };
  EXPECT_EQ(wrong("rsk"), "3: error[E601]: no column \"rsk\" in t.csv\nhelp: a similar column exists: \"risk\"\n");
  EXPECT_EQ(wrong("9"), "3: error[E601]: no column \"9\" in t.csv\nhelp: there are 4, counted from 1\n");
  EXPECT_TRUE(contains(wrong("risk"), "it is \"good\" in all rows"));
  EXPECT_TRUE(contains(wrong("name"), "4 different texts in 4 rows"));
  EXPECT_TRUE(contains(wrong("b"), "1 of 4 rows have no value there"));
  EXPECT_TRUE(contains(wrong("a", "none.csv"), "error[E604]"));
  std::ofstream(folder.file.folder + "/bad.csv") << "a,b\n1,2\n3\n";
  EXPECT_TRUE(contains(wrong("a", "bad.csv"), "bad.csv:3:2: error[E605]"));
  std::ofstream(folder.file.folder + "/alone.csv") << "a,id\n1.5,x\n2.5,y\n3.5,z\n";
  EXPECT_TRUE(contains(wrong("a", "alone.csv"), "no column is left to predict \"a\" from"));
  EXPECT_EQ(folder.nnc({"init"}).code, 2);
  EXPECT_EQ(folder.nnc({"init", "csv", "t.csv"}).code, 2);
}

}  // namespace
