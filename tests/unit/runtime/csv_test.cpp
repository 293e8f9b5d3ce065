#include "runtime/data/csv.h"

#include <gtest/gtest.h>

#include <chrono>
#include <clocale>
#include <cmath>
#include <random>

#include "files.h"

namespace nnc {
namespace {

using test::all_text;
using test::TemporaryFolder;

tl::expected<Table, RuntimeErrors> read(const std::string& path, CsvOptions options = {}) {
  options.path = path;
  auto table = open_csv(options, 0);
  if (!table) return table;
  RuntimeErrors errors = load_csv(*table, std::vector<bool>(table->columns.size(), true));
  if (!errors.empty()) return tl::unexpected(errors);
  return table;
}

std::string word(const Column& column, size_t row) {
  return column.codes[row] == missing_code ? "<missing>" : column.words[column.codes[row]];
}

TEST(Csv, ReadsNumbersAndText) {
  TemporaryFolder folder;
  auto table = read(folder.write("a.csv", "a,b,c\n1,x,-2.5e3\n2,y,.5\n"));
  ASSERT_TRUE(table) << all_text(table.error());
  EXPECT_EQ(table->rows, 2);
  EXPECT_EQ(table->columns[0].numbers, (std::vector<double>{1, 2}));
  EXPECT_EQ(table->columns[1].kind, ColumnKind::text);
  EXPECT_EQ(word(table->columns[1], 1), "y");
  EXPECT_EQ(table->columns[2].numbers, (std::vector<double>{-2500, 0.5}));
}

TEST(Csv, QuotesBomCrlfBlanksAndNewlinesInCells) {
  TemporaryFolder folder;
  auto table = read(folder.write(
      "a.csv", "\xEF\xBB\xBF\"na\"\"me\" , b\r\n \"x, \"\"y\"\"\" ,  two words \r\n\"line\r\nbreak\",\"\"\r\n\r\nz,q"));
  ASSERT_TRUE(table) << all_text(table.error());
  EXPECT_EQ(table->columns[0].name, "na\"me");
  ASSERT_EQ(table->rows, 3);
  EXPECT_EQ(word(table->columns[0], 0), "x, \"y\"");
  EXPECT_EQ(word(table->columns[0], 1), "line\r\nbreak");
  EXPECT_EQ(word(table->columns[0], 2), "z");
  EXPECT_EQ(word(table->columns[1], 0), "two words");
  EXPECT_EQ(word(table->columns[1], 1), "<missing>");
  EXPECT_EQ(word(table->columns[1], 2), "q");
}

TEST(Csv, ColumnThatTurnsToTextKeepsItsFirstCellsAsWritten) {
  TemporaryFolder folder;
  auto table = read(folder.write("a.csv", "id,n\n007,1\n1.50,2\nx,3\n"));
  ASSERT_TRUE(table);
  EXPECT_EQ(word(table->columns[0], 0), "007");
  EXPECT_EQ(word(table->columns[0], 1), "1.50");
  EXPECT_EQ(word(table->columns[0], 2), "x");
  EXPECT_EQ(table->columns[0].unreadable, std::vector<int64_t>{2});
  EXPECT_EQ(table->columns[1].numbers, (std::vector<double>{1, 2, 3}));
}

TEST(Csv, MissingCells) {
  TemporaryFolder folder;
  CsvOptions options;
  options.missing = {"", "NA"};
  auto table = read(folder.write("a.csv", "a,b\n,x\nNA,\n3,NA\n"), options);
  ASSERT_TRUE(table);
  EXPECT_TRUE(std::isnan(table->columns[0].numbers[0]));
  EXPECT_TRUE(std::isnan(table->columns[0].numbers[1]));
  EXPECT_EQ(table->columns[0].numbers[2], 3);
  EXPECT_EQ(word(table->columns[1], 1), "<missing>");
  EXPECT_EQ(word(table->columns[1], 2), "<missing>");
}

TEST(Csv, HeaderIsDetectedAndCanBeDecided) {
  TemporaryFolder folder;
  using Header = CsvOptions::Header;
  auto names = [&](const std::string& content, Header header) {
    CsvOptions options;
    options.header = header;
    auto table = read(folder.write("a.csv", content), options);
    std::string out;
    if (!table) return all_text(table.error());
    for (const Column& column : table->columns) out += column.name + " ";
    return out + std::to_string(table->rows);
  };
  EXPECT_EQ(names("a,b\n1,2\n", Header::detect), "a b 1");
  EXPECT_EQ(names("1,b\n1,2\n", Header::detect), "c1 c2 2");
  EXPECT_EQ(names("1,2\n3,4\n", Header::present), "1 2 1");
  EXPECT_EQ(names("a,b\n1,2\n", Header::absent), "c1 c2 2");
  EXPECT_EQ(names("x,x\ny,x\n", Header::detect), "c1 c2 2");
  EXPECT_EQ(names("x,x\n1,2\n", Header::detect), "x x 1");
  EXPECT_EQ(names("a,\n1,2\n", Header::present), "a c2 1");
}

TEST(Csv, RaggedRowsAllNamedWithPlace) {
  TemporaryFolder folder;
  const std::string path = folder.write("a.csv", "a,b,c\n1,2,3\n1,2\n\"x\ny\",2,3\n4,5,6,7\n");
  auto table = read(path);
  ASSERT_FALSE(table);
  ASSERT_EQ(table.error().size(), 2u) << all_text(table.error());
  EXPECT_EQ(to_string(table.error()[0]), path + ":3:4: error[E605]: 2 cells in this record, 3 in the first");
  EXPECT_EQ(table.error()[1].line, 6);
  EXPECT_EQ(table.error()[1].column, 7);
}

TEST(Csv, ErrorsAreCapped) {
  TemporaryFolder folder;
  std::string content = "a,b\n1,2\n";
  for (int i = 0; i < 1000; ++i) content += "1\n";
  auto table = read(folder.write("a.csv", content));
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().size(), 20u);
}

TEST(Csv, MalformedQuotesAreLocated) {
  TemporaryFolder folder;
  auto open = read(folder.write("a.csv", "a,b\n1,2\n3,\"x\n4,5\n"));
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error()[0].line, 3);
  EXPECT_EQ(open.error()[0].column, 3);
  auto after = read(folder.write("b.csv", "a,b\n1,2\né,\"x\" y\n"));
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error()[0].line, 3);
  EXPECT_EQ(after.error()[0].column, 7);
}

TEST(Csv, EmptyAndMissingFilesAndFolders) {
  TemporaryFolder folder;
  EXPECT_EQ(read(folder.write("a.csv", "")).error()[0].code, ErrorCode::E605);
  EXPECT_EQ(read(folder.write("b.csv", "\n\n")).error()[0].code, ErrorCode::E605);
  EXPECT_EQ(read(folder.write("c.csv", "a,b\n")).error()[0].code, ErrorCode::E605);
  EXPECT_EQ(read(folder.file("none.csv")).error()[0].code, ErrorCode::E604);
  EXPECT_EQ(read(folder.file(".")).error()[0].code, ErrorCode::E604);
  EXPECT_EQ(read(folder.write("d.csv", std::string("\xFF\xFE"
                                                   "a\0b\0",
                                                   6)))
                .error()[0]
                .code,
            ErrorCode::E605);
}

TEST(Csv, OneColumnKeepsEmptyLines) {
  TemporaryFolder folder;
  auto table = read(folder.write("a.csv", "a\n1\n\n3\n"));
  ASSERT_TRUE(table);
  EXPECT_EQ(table->rows, 3);
  EXPECT_TRUE(std::isnan(table->columns[0].numbers[1]));
}

TEST(Csv, TenThousandColumns) {
  TemporaryFolder folder;
  std::string content;
  for (int row = 0; row < 3; ++row) {
    for (int i = 0; i < 10000; ++i)
      content += (i ? "," : "") + (row == 0 ? "n" + std::to_string(i) : std::to_string(i * row));
    content += '\n';
  }
  auto table = read(folder.write("a.csv", content));
  ASSERT_TRUE(table);
  ASSERT_EQ(table->columns.size(), 10000u);
  EXPECT_EQ(table->columns[9999].name, "n9999");
  EXPECT_EQ(table->columns[9999].numbers[1], 19998);
}

TEST(Csv, GzipByMagicAndDamagedGzip) {
  TemporaryFolder folder;
  std::string content = "a,b\n";
  for (int i = 0; i < 5000; ++i) content += std::to_string(i) + "," + std::to_string(i * i) + "\n";
  const std::string path = folder.write_gz("a.csv", content);
  auto table = read(path);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->rows, 5000);
  EXPECT_EQ(table->columns[1].numbers[4999], 4999.0 * 4999);
  const std::string packed = test::read_file(path);
  auto damaged = read(folder.write("b.csv", packed.substr(0, packed.size() / 2)));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error()[0].code, ErrorCode::E604);
}

TEST(Csv, CellsAcrossBlocksAndLongRecords) {
  TemporaryFolder folder;
  std::string content = "a,b\n";
  for (int i = 0; i < 40; ++i)
    content += std::to_string(i) + ",\"" + std::string(100000, 'x') + "\n" + std::to_string(i) + "\"\n";
  content += "40,\"" + std::string(3000000, 'y') + "\"\n";
  auto table = read(folder.write("a.csv", content));
  ASSERT_TRUE(table) << all_text(table.error());
  ASSERT_EQ(table->rows, 41);
  EXPECT_EQ(table->columns[0].numbers[40], 40);
  EXPECT_EQ(word(table->columns[1], 40).size(), 3000000u);
  EXPECT_EQ(word(table->columns[1], 39).size(), 100003u);
}

TEST(Csv, PlacesOfCells) {
  TemporaryFolder folder;
  auto table = read(folder.write("a.csv", "a,b\n\"p\nq\",1\né , 2\n"));
  ASSERT_TRUE(table);
  RuntimeError error;
  place_error(*table, 1, 1, error);
  EXPECT_EQ(error.line, 4);
  EXPECT_EQ(error.column, 5);
}

TEST(Csv, NumberSyntax) {
  double value = 0;
  for (const char* good :
       {"0", "-0", "+1", "1.", ".5", "-.5", "1e5", "1E+5", "12345678901234567890", "1e-400", "0.1234567890123456789"}) {
    EXPECT_TRUE(parse_number(good, value)) << good;
    EXPECT_NEAR(value, std::strtod(good, nullptr), std::abs(value) * 1e-16) << good;
  }
  for (const char* bad : {"",         "-",     "+",      ".",    "e5",  "1e",  "nan", "NaN", "inf", "-inf",
                          "Infinity", "1e999", "-1e999", "0x10", "1,5", "1 2", "--1", "+-1", "1f",  "-+1"}) {
    EXPECT_FALSE(parse_number(bad, value)) << bad;
  }
}

TEST(Csv, NumbersAreTheNearestDoubles) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200000; ++i) {
    const double exact = std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 80) - 60);
    char text[64];
    const int length =
        std::snprintf(text, sizeof text, i % 2 ? "%.*f" : "%.*g", static_cast<int>(random() % 12) + 1, exact);
    double value = 0;
    ASSERT_TRUE(parse_number({text, static_cast<size_t>(length)}, value)) << text;
    ASSERT_EQ(value, std::strtod(text, nullptr)) << text;
  }
}

TEST(Csv, UglyCells) {
  TemporaryFolder folder;
  // Not finite, so no numbers; said to be missing they are.
  const std::string path = folder.write("a.csv", "a,b\nnan,1\ninf,2\n-Infinity,3\nNaN,4\n");
  auto table = read(path);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->columns[0].kind, ColumnKind::text);
  CsvOptions options;
  options.missing = {"nan", "NaN", "inf", "-Infinity"};
  table = read(path, options);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->columns[0].kind, ColumnKind::number);
  EXPECT_TRUE(std::isnan(table->columns[0].numbers[2]));
  // A NUL is a character like another.
  table = read(folder.write("b.csv", std::string("a,b\nx\0y,1\n\0,2\n", 14)));
  ASSERT_TRUE(table);
  EXPECT_EQ(word(table->columns[0], 0), std::string("x\0y", 3));
  EXPECT_EQ(table->columns[1].numbers, (std::vector<double>{1, 2}));
  // A cell of a megabyte and more, quoted and not.
  const std::string large(3 << 20, 'q');
  table = read(folder.write("c.csv", "a,b\n" + large + ",1\n\"" + large + "\"\"\n,\",2\n"));
  ASSERT_TRUE(table);
  EXPECT_EQ(word(table->columns[0], 0).size(), large.size());
  EXPECT_EQ(word(table->columns[0], 1), large + "\"\n,");
}

TEST(Csv, UglyTables) {
  TemporaryFolder folder;
  auto one = read(folder.write("a.csv", "a,b\n1,x"));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->rows, 1);
  auto empty_cells = read(folder.write("b.csv", "a,b,c\n,,\n,,\n"));
  ASSERT_TRUE(empty_cells);
  EXPECT_EQ(empty_cells->rows, 2);
  EXPECT_EQ(empty_cells->columns[2].kind, ColumnKind::number);
  EXPECT_TRUE(std::isnan(empty_cells->columns[2].numbers[1]));
  auto without = read(folder.write("c.csv", "5.1,3.5,setosa\r\n4.9,3.0,setosa"));
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->named);
  EXPECT_EQ(without->rows, 2);
  EXPECT_EQ(without->columns[2].name, "c3");
  EXPECT_EQ(without->columns[2].words, std::vector<std::string>{"setosa"});
  // All text: the first line is taken as a header.
  auto text = read(folder.write("d.csv", "red,big\nblue,small\n"));
  ASSERT_TRUE(text);
  EXPECT_TRUE(text->named);
  EXPECT_EQ(text->rows, 1);
  CsvOptions options;
  options.header = CsvOptions::Header::absent;
  text = read(folder.file("d.csv"), options);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->rows, 2);
  // Bare carriage returns end lines, and blank lines are passed over.
  auto returns = read(folder.write("e.csv", "a,b\r1,2\r\r3,4\r"));
  ASSERT_TRUE(returns);
  EXPECT_EQ(returns->columns[1].numbers, (std::vector<double>{2, 4}));
}

// Whatever bytes a file holds, reading it ends with a table or with errors.
TEST(Csv, MutatedFilesNeverBreakTheReader) {
  TemporaryFolder folder;
  std::mt19937 random(1);
  const std::string seed = "a,\"b\"\"\",c\r\n1,\"x\ny\",3\n,NA, 5 \n\"\",\"q\",1e9\n";
  const std::string bytes = "\",\n\r\t x0.-e\xEF\xBB\xBF";
  int64_t read_well = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string content = seed;
    for (uint32_t edits = random() % 8; edits > 0; --edits) {
      const size_t at = random() % (content.size() + 1);
      const uint32_t what = random() % 3;
      if (what == 0) content.insert(at, 1, bytes[random() % bytes.size()]);
      if (what == 1 && at < content.size()) content.erase(at, 1 + random() % 5);
      if (what == 2 && at < content.size()) content[at] = static_cast<char>(random());
    }
    auto table = read(folder.write("f.csv", content));
    if (!table) {
      ASSERT_FALSE(table.error().empty());
      continue;
    }
    ++read_well;
    for (const Column& column : table->columns) {
      const size_t values = column.kind == ColumnKind::number ? column.numbers.size() : column.codes.size();
      ASSERT_EQ(values, static_cast<size_t>(table->rows)) << content;
      for (uint32_t code : column.codes) ASSERT_TRUE(code == missing_code || code < column.words.size());
    }
  }
  EXPECT_GT(read_well, 150);
}

}  // namespace
}  // namespace nnc
