#include "runtime/data/idx.h"

#include <gtest/gtest.h>

#include <random>

#include "files.h"
#include "runtime/data/source.h"

namespace nnc {
namespace {

using test::TemporaryFolder;

std::string word(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string images(uint32_t count, uint32_t rows, uint32_t columns) {
  std::string out = word(0x803) + word(count) + word(rows) + word(columns);
  for (uint32_t i = 0; i < count * rows * columns; ++i) out += static_cast<char>(i);
  return out;
}

TEST(Idx, ReadsImagesAndLabels) {
  TemporaryFolder folder;
  for (bool packed : {false, true}) {
    auto write = [&](const std::string& name, const std::string& content) {
      return packed ? folder.write_gz(name, content) : folder.write(name, content);
    };
    auto file = read_idx(write("i", images(5, 3, 4)), 0);
    ASSERT_TRUE(file) << to_string(file.error());
    EXPECT_EQ(file->rows, 5);
    EXPECT_EQ(file->column.dims, (std::vector<int64_t>{3, 4}));
    EXPECT_EQ(file->column.bytes[13], 13);
    auto labels = read_idx(write("l", word(0x801) + word(3) + std::string("\x02\x09\x00", 3)), 0);
    ASSERT_TRUE(labels);
    EXPECT_TRUE(labels->column.dims.empty());
    EXPECT_EQ(labels->column.bound, 10);
  }
}

TEST(Idx, DiagnosesWhatIsWrong) {
  TemporaryFolder folder;
  auto message = [&](const std::string& content, bool packed = false) {
    auto file = read_idx(packed ? folder.write_gz("f", content) : folder.write("f", content), 0);
    return file ? std::string("fine") : file.error().message;
  };
  const std::string good = images(5, 3, 4);
  EXPECT_EQ(message(good), "fine");
  EXPECT_EQ(message(good.substr(0, 40), true), "the file ends after 24 of 60 values");
  EXPECT_EQ(message(good + "x"), "bytes follow the 60 values the header promises");
  EXPECT_EQ(message(good.substr(0, 10)), "the file ends within its header");
  EXPECT_EQ(message(""), "not an IDX file of unsigned bytes: it starts with 0x00000000");
  EXPECT_EQ(message("hello"), "not an IDX file of unsigned bytes: it starts with 0x68656c6c");
  EXPECT_EQ(message(word(0x801) + word(0)), "axis 0 has no elements");
  EXPECT_EQ(message(word(0x803) + word(0xFFFFFFFF) + word(0xFFFFFFFF) + word(0xFFFFFFFF)),
            "the header promises more elements than can exist");
  EXPECT_EQ(message(word(0x803) + word(60000) + word(28000) + word(28000) + "abc"),
            "the header promises 47040000000000 values, more than the file's 19 bytes can hold");
  EXPECT_EQ(message(word(0x803) + word(60000) + word(28000) + word(28000) + "abc", true).substr(0, 47),
            "the header promises 47040000000000 values, more");
  EXPECT_EQ(message(good.substr(0, 40)), "the header promises 60 values, more than the file's 40 bytes can hold");
}

TEST(Idx, SourceChecksThatFilesAgree) {
  TemporaryFolder folder;
  const std::string a = folder.write("a", images(3, 2, 2)), b = folder.write("b", word(0x801) + word(2) + "ab");
  auto table =
      open_source(test::call("idx", {}, {test::named("images", test::text(a)), test::named("labels", test::text(b))}));
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error()[0].message, "2 rows here, but 3 in " + a);
}

TEST(Idx, MutatedFilesNeverBreakTheReader) {
  TemporaryFolder folder;
  std::mt19937 random(2);
  const std::string plain = images(7, 4, 4);
  const std::string packed = test::read_file(folder.write_gz("p", plain));
  int64_t failed = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string content = round % 2 ? packed : plain;
    for (uint32_t edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % 24 % content.size();
      if (random() % 4 == 0) {
        content.resize(random() % content.size() + 1);
      } else {
        content[at] = static_cast<char>(random());
      }
    }
    auto file = read_idx(folder.write("f", content), 0);
    if (!file) {
      ++failed;
      continue;
    }
    ASSERT_EQ(static_cast<int64_t>(file->column.bytes.size()), file->rows * elements_per_row(file->column));
  }
  EXPECT_GT(failed, 1000);
}

}  // namespace
}  // namespace nnc
