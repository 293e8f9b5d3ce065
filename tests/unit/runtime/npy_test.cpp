#include "runtime/data/npy.h"

#include <cmath>
#include <random>

#include "data_files.h"
#include "files.h"
#include "runtime/data/source.h"

namespace nnc {
namespace {

using test::all_text;
using test::npy;
using test::raw;
using test::TemporaryFolder;

tl::expected<Table, RuntimeErrors> read(const Spec& source) {
  auto table = open_source(source);
  if (!table) return table;
  RuntimeErrors errors = load_columns(*table, std::vector<bool>(table->columns.size(), true));
  if (!errors.empty()) return tl::unexpected(errors);
  return table;
}

tl::expected<Table, RuntimeErrors> read_npy(const std::string& path) {
  return read(test::call("npy", {}, {test::named("x", test::text(path))}));
}

std::string message(const std::string& path) {
  auto table = read_npy(path);
  return table ? "fine" : table.error()[0].message;
}

template <class T>
void expect_numbers(const char* kind, const std::vector<T>& values, int64_t bound) {
  TemporaryFolder folder;
  for (const char* order : {"<", ">"}) {
    if (sizeof(T) == 1 && *order == '>') continue;
    const std::string descr = (sizeof(T) == 1 ? "|" : order) + std::string(kind);
    auto table = read_npy(folder.write("a.npy", npy(descr, "(3,)", raw(values, *order == '>'))));
    ASSERT_TRUE(table) << descr << all_text(table.error());
    EXPECT_EQ(table->rows, 3);
    EXPECT_EQ(table->columns[0].kind, ColumnKind::number);
    EXPECT_EQ(table->columns[0].numbers, std::vector<double>(values.begin(), values.end())) << descr;
    EXPECT_EQ(table->columns[0].bound, bound) << descr;
  }
}

TEST(Npy, ScalarsOfEveryTypeAndByteOrder) {
  expect_numbers<uint8_t>("u1", {0, 7, 255}, 256);
  expect_numbers<int8_t>("i1", {-128, 7, 127}, 0);
  expect_numbers<uint16_t>("u2", {0, 65535, 258}, 65536);
  expect_numbers<int16_t>("i2", {2, 1, 0}, 3);
  expect_numbers<uint32_t>("u4", {1, 2, 4294967295u}, 0);
  expect_numbers<int32_t>("i4", {9, 1, 4}, 10);
  expect_numbers<int64_t>("i8", {5000000000, -1, 4}, 0);
  expect_numbers<uint64_t>("u8", {5, 1, 4}, 6);
  expect_numbers<float>("f4", {1.5f, -2, 3}, 0);
  expect_numbers<double>("f8", {1.5, 1e300, -0.1}, 0);
}

TEST(Npy, HalfFloatsAndBools) {
  TemporaryFolder folder;
  const std::vector<uint16_t> halves = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x8000, 0x7C00, 0x03FF, 0x3555};
  auto table = read_npy(folder.write("a.npy", npy("<f2", "(8,)", raw(halves))));
  ASSERT_TRUE(table);
  const std::vector<double>& x = table->columns[0].numbers;
  EXPECT_EQ(x[0], 1);
  EXPECT_EQ(x[1], -2);
  EXPECT_EQ(x[2], std::ldexp(1.0, -24));
  EXPECT_EQ(x[3], 65504);
  EXPECT_EQ(x[4], 0);
  EXPECT_TRUE(std::isinf(x[5]));
  EXPECT_EQ(x[6], std::ldexp(1023.0, -24));
  EXPECT_EQ(x[7], 0.333251953125);
  table = read_npy(folder.write("b.npy", npy("|b1", "(3,)", std::string("\x00\x01\x02", 3))));
  ASSERT_TRUE(table);
  EXPECT_EQ(table->columns[0].numbers, (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(table->columns[0].bound, 2);
}

TEST(Npy, TensorsInBothOrders) {
  TemporaryFolder folder;
  const std::vector<float> c_order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  std::vector<float> f_order;
  for (int k = 0; k < 2; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 2; ++i) f_order.push_back(static_cast<float>(i * 6 + j * 2 + k));
  for (int version : {1, 2, 3}) {
    auto c = read_npy(folder.write("c.npy", npy("<f4", "(2, 3, 2)", raw(c_order), false, version)));
    auto f = read_npy(folder.write_gz("f.npy.gz", npy(">f4", "(2L, 3L, 2L)", raw(f_order, true), true, version)));
    ASSERT_TRUE(c && f) << (c ? "" : all_text(c.error())) << (f ? "" : all_text(f.error()));
    EXPECT_EQ(c->columns[0].dims, (std::vector<int64_t>{3, 2}));
    EXPECT_EQ(c->columns[0].kind, ColumnKind::floats);
    EXPECT_EQ(c->columns[0].floats, c_order);
    EXPECT_EQ(f->columns[0].floats, c_order);
  }
  auto ids = read_npy(folder.write("i.npy", npy("<i8", "(2, 2)", raw<int64_t>({3, 0, 9, 1}))));
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->columns[0].integers, (std::vector<int32_t>{3, 0, 9, 1}));
  EXPECT_EQ(ids->columns[0].bound, 10);
  auto bytes = read_npy(folder.write("u.npy", npy("|u1", "(1, 2)", "ab")));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->columns[0].bytes, (std::vector<uint8_t>{'a', 'b'}));
}

TEST(Npy, DiagnosesWhatIsWrong) {
  TemporaryFolder folder;
  const auto told = [&](const std::string& content) { return message(folder.write("f.npy", content)); };
  const std::string values = raw<float>({1, 2});
  EXPECT_EQ(told(npy("<f4", "(2,)", values)), "fine");
  EXPECT_EQ(told(npy("|O", "(2,)", values)), "an array of Python objects, which only Python can read");
  EXPECT_EQ(told(npy("<U4", "(2,)", values)), "an array of text; save class numbers instead");
  EXPECT_EQ(told(npy("<c8", "(2,)", values)), "elements of the type \"<c8\" cannot be read");
  EXPECT_EQ(told(npy("<f16", "(2,)", values)), "elements of the type \"<f16\" cannot be read");
  EXPECT_EQ(told(test::npy_with_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", values)),
            "an array of records; save its fields as arrays of their own");
  EXPECT_EQ(told(npy("<f4", "()", values)), "a single value: the first axis has to be the rows");
  EXPECT_EQ(told(npy("<f4", "(2, 0)", values)), "axis 1 has no elements");
  EXPECT_EQ(told(npy("<f4", "(3,)", values)), "the file ends after 2 of 3 values");
  EXPECT_EQ(told(npy("<f4", "(1,)", values)), "bytes follow the 1 values the header promises");
  EXPECT_EQ(told(npy("<f4", "(200000000, 2000000000)", values)),
            "the header promises 400000000000000000 values, more than the file can hold");
  EXPECT_EQ(told(npy("<f4", "(99999999999999999999,)", values)).substr(0, 21), "the header is no dict");
  EXPECT_EQ(told(npy("<f4", "(2000000000, 2000000000, 9)", values)),
            "the header promises more elements than can exist");
  EXPECT_EQ(told(npy("<i8", "(1, 1)", raw<int64_t>({5000000000}))), "a value of 5000000000 is beyond 32 bits");
  EXPECT_EQ(told("hello"), "not an npy file: it does not start with \\x93NUMPY");
  EXPECT_EQ(told(npy("<f4", "(2,)", values, false, 9)), "version 9 of the npy format is not known");
  EXPECT_EQ(told(npy("<f4", "(2,)", values).substr(0, 40)), "the file ends within its header");
  EXPECT_EQ(told(test::npy_with_header("{'shape': (2,)}", values)).substr(0, 21), "the header is no dict");
  EXPECT_EQ(told(std::string("\x93NUMPY\x02\x00\xFF\xFF\xFF\x7F", 12)), "a header of 2147483647 bytes");
}

TEST(Npy, RowsMustAgree) {
  TemporaryFolder folder;
  const std::string a = folder.write("a.npy", npy("|u1", "(2,)", "ab")),
                    b = folder.write("b.npy", npy("|u1", "(3,)", "abc"));
  auto table = read(test::call("npy", {}, {test::named("x", test::text(a)), test::named("y", test::text(b))}));
  ASSERT_FALSE(table);
  EXPECT_EQ(to_string(table.error()[0]), b + ": error[E620]: 3 rows in \"y\", but 2 in \"x\"");
}

TEST(Npz, ColumnsByArrayNames) {
  TemporaryFolder folder;
  for (bool stored : {false, true}) {
    const std::string path = folder.file("a.npz");
    test::write_zip(path,
                    {{"x.npy", npy("<f4", "(2, 2)", raw<float>({1, 2, 3, 4}))},
                     {"y.npy", npy("<i4", "(2,)", raw<int32_t>({1, 0}))},
                     {"other.npy", npy("<f4", "(3,)", raw<float>({1, 2, 3}))},
                     {"notes.npy", npy("|O", "(3,)", "abc")},
                     {"readme.txt", "hello"}},
                    stored);
    auto table = open_source(test::call("npz", {test::text(path)}));
    ASSERT_TRUE(table) << all_text(table.error());
    ASSERT_EQ(table->columns.size(), 3u);  // without the objects
    EXPECT_EQ(table->columns[1].name, "y");
    EXPECT_TRUE(load_columns(*table, {true, true, false}).empty());
    EXPECT_EQ(table->rows, 2);
    EXPECT_EQ(table->columns[0].floats, (std::vector<float>{1, 2, 3, 4}));
    EXPECT_EQ(table->columns[1].bound, 2);
    auto all = read(test::call("npz", {test::text(path)}));
    ASSERT_FALSE(all);
    EXPECT_EQ(all.error()[0].message, "3 rows in \"other\", but 2 in \"x\"");
    auto renamed = read(test::call("npz", {test::text(path)}, {test::named("ids", test::text("other"))}));
    ASSERT_TRUE(renamed);
    EXPECT_EQ(renamed->columns[0].name, "ids");
    EXPECT_EQ(renamed->rows, 3);
    auto wrong = read(test::call("npz", {test::text(path)}, {test::named("ids", test::text("othr"))}));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error()[0].help, "a similar array exists: \"other\"");
  }
}

TEST(Npz, BombsAndBrokenArchivesAreRefused) {
  TemporaryFolder folder;
  const std::string path = folder.file("a.npz");
  const auto told = [&] {
    auto table = read(test::call("npz", {test::text(path)}));
    return table ? "fine" : table.error()[0].message;
  };
  test::write_zip(path, {{"x.npy", npy("|u1", "(1000000000,)", std::string(5000, '\0'))}});
  EXPECT_EQ(told(), "the header promises 1000000000 values, more than the file can hold");
  test::write_zip(path, {{"x.npy", npy("|u1", "(9000,)", std::string(5000, '\0'))}});
  EXPECT_EQ(told(), "the file ends after 5000 of 9000 values");
  test::write_zip(path, {{"x.txt", "abc"}});
  EXPECT_EQ(told(), "the archive holds no arrays (files called NAME.npy)");
  folder.write("a.npz", "PK\x03\x04 and nothing else");
  EXPECT_EQ(told().substr(0, 16), "not an npz file:");
  std::filesystem::remove(path);
  EXPECT_EQ(told().substr(0, 11), "cannot open");
  // A damaged member: its checksum tells.
  test::write_zip(path, {{"x.npy", npy("|u1", "(300,)", std::string(300, 'a'))}}, true);
  std::string content = test::read_file(path);
  content[content.find("aaaa") + 50] = 'b';
  folder.write("a.npz", content);
  EXPECT_EQ(told(), "cannot be read: CRC error");
}

TEST(Npy, MutatedFilesNeverBreakTheReader) {
  TemporaryFolder folder;
  std::mt19937 random(3);
  const std::string plain = npy("<f4", "(2, 3)", raw<float>({1, 2, 3, 4, 5, 6}), true);
  const std::string zip = folder.file("seed.npz");
  test::write_zip(zip, {{"x.npy", plain}, {"y.npy", npy("<i8", "(2,)", raw<int64_t>({1, 2}))}});
  const std::string packed = test::read_file(zip);
  int64_t failed = 0, read_well = 0;
  for (int round = 0; round < 1200; ++round) {
    const bool is_zip = round % 2;
    std::string content = is_zip ? packed : plain;
    for (uint32_t edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % (is_zip ? content.size() : std::min<size_t>(content.size(), 80));
      const uint32_t what = random() % 8;
      if (what == 0) content.resize(at + 1);
      if (what == 1) content.insert(at, 1, "0123456789(),:'TF"[random() % 17]);
      if (what > 1) content[at] = what < 5 ? static_cast<char>(random()) : "0123456789(),:'TF"[random() % 17];
    }
    const std::string path = folder.write(is_zip ? "f.npz" : "f.npy", content);
    auto table = is_zip ? read(test::call("npz", {test::text(path)})) : read_npy(path);
    table ? ++read_well : ++failed;
    if (!table) continue;
    for (const Column& column : table->columns) {
      const size_t values = column.numbers.size() + column.bytes.size() + column.floats.size() + column.integers.size();
      ASSERT_EQ(static_cast<int64_t>(values), table->rows * elements_per_row(column));
    }
  }
  EXPECT_GT(failed, 500);
  EXPECT_GT(read_well, 20);
}

}  // namespace
}  // namespace nnc
