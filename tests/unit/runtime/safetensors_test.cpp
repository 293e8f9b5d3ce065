// The safetensors format: what is written is read back, Python's files are read, and nothing malformed is believed.
#include "runtime/checkpoint/safetensors.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <random>

#include "files.h"

namespace nnc {
namespace {

using test::TemporaryFolder;

template <class T>
std::vector<T> values(const SafeTensorsReader& reader, const char* name) {
  const SafeTensor* tensor = reader.find(name);
  if (tensor == nullptr) return {};
  std::vector<T> into(static_cast<size_t>(tensor->end - tensor->begin) / sizeof(T));
  EXPECT_TRUE(reader.read(*tensor, std::as_writable_bytes(std::span(into))));
  return into;
}

std::string encoded(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

TEST(SafeTensors, ReadsWhatPythonWrote) {
  const auto reader =
      SafeTensorsReader::open(std::string(NNC_SOURCE_DIR) + "/tests/goldens/safetensors/python.safetensors");
  ASSERT_TRUE(reader) << to_string(reader.error());
  EXPECT_EQ(reader->tensors().size(), 8u);
  const auto weight = values<float>(*reader, "fc1.weight");
  ASSERT_EQ(weight.size(), 12u);
  for (size_t k = 0; k < 12; ++k) EXPECT_EQ(weight[k], static_cast<float>(k) / 8);
  EXPECT_EQ(reader->find("fc1.weight")->dims, (std::vector<int64_t>{3, 4}));
  const auto bias = values<float>(*reader, "fc1.bias");
  EXPECT_TRUE(std::signbit(bias.at(1)) && std::isinf(bias.at(2)));
  EXPECT_EQ(values<int64_t>(*reader, "steps"), (std::vector<int64_t>{int64_t{1} << 40}));
  EXPECT_TRUE(reader->find("steps")->dims.empty());
  EXPECT_EQ(values<uint16_t>(*reader, "half"), (std::vector<uint16_t>{0x3E00, 0xC000}));
  EXPECT_EQ(values<double>(*reader, "double"), std::vector<double>{0.1});
  EXPECT_EQ(values<uint8_t>(*reader, "mask"), (std::vector<uint8_t>{1, 0, 1}));
  EXPECT_EQ(reader->find("empty")->dims, (std::vector<int64_t>{0, 5}));
  EXPECT_EQ(values<int32_t>(*reader, "quoted \"name\" é"), std::vector<int32_t>{7});
}

TEST(SafeTensors, WritesTheFormatToTheByte) {
  const TemporaryFolder folder;
  const float one = 1;
  const int64_t big = 5;
  const auto bytes = [](const auto& value) { return std::as_bytes(std::span(&value, 1)); };
  auto file = DurableFile::create(folder.file("t"));
  ASSERT_TRUE(file);
  ASSERT_TRUE(write_safetensors(*file, {{"b", ElementType::f32, {1, 1}, bytes(one)},
                                        {"z", ElementType::i64, {}, bytes(big)},
                                        {"a", ElementType::f32, {0}, {}}}));
  ASSERT_TRUE(file->finish());
  std::string header =
      R"({"__metadata__":{"format":"pt"},"z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]},"b":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(test::read_file(folder.file("t")), encoded(header, std::string("\5\0\0\0\0\0\0\0\0\0\x80\x3f", 12)));
  const auto reader = SafeTensorsReader::open(folder.file("t"));
  ASSERT_TRUE(reader) << to_string(reader.error());
  EXPECT_EQ(values<float>(*reader, "b"), std::vector<float>{1});
  EXPECT_FALSE(DurableFile::create(folder.file("t"))) << "files are never overwritten";
}

std::string refusal(const std::string& header, int64_t data_bytes) {
  const auto parsed = parse_safetensors_header(header, data_bytes);
  return parsed ? "" : parsed.error();
}

TEST(SafeTensors, RefusesWhatTheFormatForbids) {
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const auto with = [&](const std::string& more) { return refusal("{" + a + "," + more + "}", 8); };
  EXPECT_EQ(refusal("{" + a + "}", 4), "");
  EXPECT_EQ(refusal("{" + a + "}   ", 4), "");
  EXPECT_EQ(refusal("{}", 0), "");
  EXPECT_EQ(with(R"("b":{"shape":[],"dtype":"U32","data_offsets":[4,8]})"), "");
  for (const std::string& header :
       {std::string(), std::string(" {}"), std::string("{}\n"), std::string("[]"), std::string("{} {}"),
        "{" + a + "," + a + "}", "{" + a, std::string(R"({"a":1})"), std::string(R"({"a":{}})"), "{" + a + "}x",
        std::string("{\"\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"),
        std::string(R"({"__metadata__":{"x":1}})"), std::string(R"({"__metadata__":{"x":"1","x":"2"}})"),
        std::string(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})"),
        std::string(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":"x"}})"),
        std::string(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})"),
        std::string(R"({"a":{"dtype":"F32","shape":{"x":1},"data_offsets":[0,4]}})")})
    EXPECT_NE(refusal(header, 4), "") << header;
  const auto second = [&](const char* shape, const char* offsets, const char* type = "F32") {
    return with(fmt::format(R"("b":{{"dtype":"{}","shape":{},"data_offsets":{}}})", type, shape, offsets));
  };
  EXPECT_EQ(second("[1]", "[4,8]"), "");
  EXPECT_EQ(second("[2,1,1]", "[4,8]", "BF16"), "");
  EXPECT_NE(second("[1]", "[5,9]"), "") << "a hole";
  EXPECT_NE(second("[1]", "[3,7]"), "") << "an overlap";
  EXPECT_NE(second("[1]", "[0,4]"), "") << "shared bytes";
  EXPECT_NE(second("[2]", "[4,8]"), "") << "shorter than its shape";
  EXPECT_NE(second("[1]", "[8,4]"), "") << "backwards";
  EXPECT_NE(second("[1]", "[4]"), "");
  EXPECT_NE(second("[1]", "[4,8,12]"), "");
  EXPECT_NE(second("[-1]", "[4,8]"), "");
  EXPECT_NE(second("[1.0]", "[4,8]"), "");
  EXPECT_NE(second("[4294967296,4294967296,4294967296]", "[4,8]"), "") << "overflow";
  EXPECT_NE(second("[0,9223372036854775808]", "[4,4]"), "");
  EXPECT_NE(second("[1]", "[4,8]", "F31"), "");
  EXPECT_NE(second("[]", "[4,12]", "F64"), "") << "beyond the file";
  EXPECT_NE(refusal("{" + a + "}", 5), "") << "bytes behind the last tensor";
  std::string deep = R"({"a":)" + std::string(100000, '[');
  EXPECT_NE(refusal(deep, 0), "");
}

TEST(SafeTensors, RefusesLengthsBeyondTheFile) {
  const TemporaryFolder folder;
  const auto code = [&](const std::string& content) {
    const auto reader = SafeTensorsReader::open(folder.write("t", content));
    return reader ? std::string() : std::string(name_of(reader.error().code));
  };
  EXPECT_EQ(code(encoded("{}", "")), "");
  EXPECT_EQ(code(""), "E801");
  EXPECT_EQ(code("1234567"), "E801");
  EXPECT_EQ(code(std::string(8, '\xff') + "{}"), "E801");
  EXPECT_EQ(code(std::string("\x01\0\0\0\0\0\0\0", 8)), "E801");
  EXPECT_EQ(code(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8) + "{}"), "E801") << "100,000,001";
  EXPECT_EQ(code(encoded("{}", "x")), "E801");
  EXPECT_EQ(SafeTensorsReader::open("/nowhere").error().code, ErrorCode::E604);
  EXPECT_EQ(SafeTensorsReader::open("/").error().code, ErrorCode::E604);
}

TEST(SafeTensors, MutatedFilesNeverCrash) {
  const TemporaryFolder folder;
  const std::string golden =
      test::read_file(std::string(NNC_SOURCE_DIR) + "/tests/goldens/safetensors/python.safetensors");
  ASSERT_GT(golden.size(), 100u);
  uint64_t length = 0;
  std::memcpy(&length, golden.data(), 8);
  std::mt19937 random(7);
  const std::string alphabet = "{}[]\",:0123456789-.eE\\u \xff";
  int accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string header = golden.substr(8, length);
    for (uint32_t edit = random() % 3 + 1; edit > 0; --edit) {
      const size_t at = random() % header.size();
      switch (random() % 4) {
        case 0:
          header[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          header.erase(at, random() % 9);
          break;
        case 2:
          header.insert(at, header.substr(random() % header.size(), random() % 60));
          break;
        default:
          header[at] = static_cast<char>(random());
      }
      if (header.empty()) header = "{";
    }
    const auto data = static_cast<int64_t>(golden.size() - 8 - length);
    const auto parsed = parse_safetensors_header(header, data);
    if (!parsed) continue;
    ++accepted;
    int64_t at = 0;
    for (const SafeTensor& tensor : *parsed) {
      EXPECT_EQ(tensor.begin, at);
      at = tensor.end;
    }
    EXPECT_EQ(at, data);
  }
  EXPECT_GT(accepted, 0);
  for (int round = 0; round < 200; ++round) {
    std::string file = golden;
    file[random() % 20] = static_cast<char>(random());
    if (round % 2 == 0) file.resize(random() % file.size());
    (void)SafeTensorsReader::open(folder.write("t", file));
  }
}

}  // namespace
}  // namespace nnc
