#include "runtime/data/text.h"

#include <algorithm>
#include <random>

#include "files.h"
#include "runtime/data/source.h"

namespace nnc {
namespace {

using test::all_text;
using test::TemporaryFolder;

tl::expected<Table, RuntimeErrors> read(const std::string& path, bool bytes = false) {
  auto table = open_source(test::call("text", {test::text(path)}));
  if (!table) return table;
  RuntimeErrors errors = load_columns(*table, {!bytes, bytes});
  if (!errors.empty()) return tl::unexpected(errors);
  return table;
}

std::string joined(const Column& column) {
  std::string out;
  for (uint32_t code : column.codes) out += column.words[code];
  return out;
}

TEST(Text, CharactersAndTheirVocabulary) {
  TemporaryFolder folder;
  const std::string content = "né日\n𝄞naïve\r\n";
  auto table = read(folder.write("a.txt", "\xEF\xBB\xBF" + content));
  ASSERT_TRUE(table) << all_text(table.error());
  const Column& chars = table->columns[0];
  EXPECT_EQ(chars.name, "chars");
  EXPECT_EQ(table->rows, 12);
  EXPECT_EQ(chars.words, (std::vector<std::string>{"\n", "\r", "a", "e", "n", "v", "é", "ï", "日", "𝄞"}));
  EXPECT_EQ(chars.bound, 10);
  EXPECT_EQ(joined(chars), content);
  EXPECT_TRUE(chars.loaded);
  EXPECT_FALSE(table->columns[1].loaded);
}

TEST(Text, Bytes) {
  TemporaryFolder folder;
  const std::string content("\xFF\x00q\xC3", 4);
  auto table = read(folder.write("a.bin", content), true);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->columns[1].codes, (std::vector<uint32_t>{255, 0, 'q', 0xC3}));
  EXPECT_EQ(table->columns[1].bound, 256);
  EXPECT_EQ(joined(table->columns[1]), content);
}

TEST(Text, NotUtf8IsLocated) {
  TemporaryFolder folder;
  for (const char* bad : {"\x80", "\xC1\x81", "\xC3", "\xC3(", "\xE0\x80\x80", "\xED\xA0\x80", "\xE6\x97",
                          "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    const std::string path = folder.write("a.txt", std::string("é\nété ") + bad);
    auto table = read(path);
    ASSERT_FALSE(table) << bad;
    EXPECT_EQ(table.error()[0].code, ErrorCode::E622);
    EXPECT_EQ(table.error()[0].line, 2);
    EXPECT_EQ(table.error()[0].column, 5);
    EXPECT_TRUE(read(path, true));
  }
}

TEST(Text, EmptyMissingAndBoth) {
  TemporaryFolder folder;
  EXPECT_EQ(read(folder.write("a.txt", "")).error()[0].code, ErrorCode::E622);
  EXPECT_EQ(read(folder.write("b.txt", "\xEF\xBB\xBF")).error()[0].code, ErrorCode::E622);
  EXPECT_EQ(read(folder.file("none")).error()[0].code, ErrorCode::E604);
  auto table = open_source(test::call("text", {test::text(folder.write("c.txt", "x"))}));
  ASSERT_TRUE(table);
  EXPECT_EQ(load_columns(*table, {true, true})[0].code, ErrorCode::E611);
}

TEST(Text, AnyBytesEndWithATextOrAPlace) {
  TemporaryFolder folder;
  std::mt19937 random(5);
  int64_t failed = 0;
  for (int round = 0; round < 250; ++round) {
    std::string content = "né日𝄞\nab";
    for (uint32_t edits = random() % 3; edits > 0; --edits)
      content[random() % content.size()] = static_cast<char>(random());
    auto table = read(folder.write("f.txt", content));
    if (table) {
      EXPECT_EQ(joined(table->columns[0]), content);
    } else {
      ++failed;
      EXPECT_GE(table.error()[0].line, 1);
    }
  }
  EXPECT_GT(failed, 40);
}

}  // namespace
}  // namespace nnc
