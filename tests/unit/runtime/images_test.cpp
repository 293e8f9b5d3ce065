#include "runtime/data/images.h"

#include <nlohmann/json.hpp>
#include <random>

#include "data_files.h"
#include "files.h"
#include "runtime/data/source.h"

namespace nnc {
namespace {

using test::all_text;
using test::pattern;
using test::TemporaryFolder;

Image decoded(const std::string& path) {
  auto image = decode_image(test::read_file(path));
  EXPECT_TRUE(image) << path << ": " << (image ? "" : image.error());
  return image ? *image : Image{};
}

TEST(ImageFile, PngOfAllKinds) {
  TemporaryFolder folder;
  const std::string path = folder.file("a.png");
  for (bool interlaced : {false, true}) {
    const Image grey = pattern(7, 5, 1), rgb = pattern(7, 5, 3), rgba = pattern(7, 5, 4), both = pattern(7, 5, 2);
    test::write_png(path, grey, PNG_COLOR_TYPE_GRAY, interlaced);
    EXPECT_EQ(decoded(path).channels, 1);
    EXPECT_EQ(decoded(path).pixels, grey.pixels);
    test::write_png(path, rgb, PNG_COLOR_TYPE_RGB, interlaced);
    EXPECT_EQ(decoded(path).pixels, rgb.pixels);
    test::write_png(path, rgba, PNG_COLOR_TYPE_RGB_ALPHA, interlaced);
    EXPECT_EQ(decoded(path).pixels, rgb.pixels);
    test::write_png(path, both, PNG_COLOR_TYPE_GRAY_ALPHA, interlaced);
    EXPECT_EQ(decoded(path).pixels, grey.pixels);
  }
}

TEST(ImageFile, JpegOfAllKinds) {
  TemporaryFolder folder;
  const std::string path = folder.file("a.jpg");
  for (bool progressive : {false, true}) {
    for (int64_t channels : {1, 3, 4}) {
      Image image{16, 24, channels, std::vector<uint8_t>(static_cast<size_t>(16 * 24 * channels), 200)};
      test::write_jpeg(path, image, progressive);
      const Image read = decoded(path);
      EXPECT_EQ(read.channels, channels == 1 ? 1 : 3);
      EXPECT_EQ(read.height, 16);
      EXPECT_EQ(read.width, 24);
      // Ink of 200 on black of 200, as Adobe means them: 200 of light times 200.
      for (uint8_t value : read.pixels) EXPECT_NEAR(value, channels == 4 ? 200 * 200 / 255 : 200, 2);
    }
  }
}

TEST(ImageFile, ResizesAndTurnsGreyAsPillow) {
  const auto golden =
      nlohmann::json::parse(test::read_file(std::string(NNC_SOURCE_DIR) + "/tests/goldens/images/resize.json"));
  for (const auto& entry : golden["resize"]) {
    const Image image = pattern(entry["from"][0], entry["from"][1], entry["from"][2]);
    EXPECT_EQ(resized(image, entry["to"][0], entry["to"][1]).pixels, entry["pixels"].get<std::vector<uint8_t>>())
        << entry["from"] << entry["to"];
  }
  EXPECT_EQ(with_channels(pattern(6, 11, 3), 1).pixels, golden["grey"].get<std::vector<uint8_t>>());
  const Image colour = with_channels(pattern(2, 2, 1), 3);
  EXPECT_EQ(colour.channels, 3);
  EXPECT_EQ(colour.pixels[4], pattern(2, 2, 1).pixels[1]);
}

TEST(ImageFile, DiagnosesWhatIsWrong) {
  TemporaryFolder folder;
  const auto told = [](std::string_view content) {
    auto image = decode_image(content);
    return image ? "fine" : image.error();
  };
  EXPECT_EQ(told(""), "neither a PNG nor a JPEG image");
  EXPECT_EQ(told("GIF89a"), "neither a PNG nor a JPEG image");
  test::write_png(folder.file("a.png"), pattern(30, 30, 3));
  std::string png = test::read_file(folder.file("a.png"));
  EXPECT_EQ(told(png), "fine");
  EXPECT_EQ(told(png.substr(0, png.size() / 2)), "a damaged PNG image: the file ends early");
  png[60] = static_cast<char>(png[60] + 1);
  EXPECT_EQ(told(png).substr(0, 20), "a damaged PNG image:");
  test::write_jpeg(folder.file("a.jpg"), pattern(30, 30, 3));
  const std::string jpeg = test::read_file(folder.file("a.jpg"));
  EXPECT_EQ(told(jpeg), "fine");
  EXPECT_EQ(told(jpeg.substr(0, jpeg.size() / 2)), "a damaged JPEG image: Premature end of JPEG file");
  EXPECT_EQ(told(jpeg.substr(0, 30)).substr(0, 21), "a damaged JPEG image:");
  // A header that claims 65500 x 65500 pixels.
  std::string large = jpeg;
  const size_t frame = large.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  for (size_t i : {5, 7}) large[frame + i] = '\xFF', large[frame + i + 1] = '\xDC';
  EXPECT_EQ(told(large), "65500 x 65500 pixels, more than can be read");
}

struct Folders {
  TemporaryFolder folder;
  std::string of(const std::string& name) {
    std::filesystem::create_directories(std::filesystem::path(folder.file(name)).parent_path());
    return folder.file(name);
  }
  tl::expected<Table, RuntimeErrors> read(std::vector<NamedSpec> named = {}) {
    return open_source(test::call("images", {test::text(folder.file("."))}, std::move(named)));
  }
};

TEST(Images, ClassFolders) {
  Folders folders;
  test::write_png(folders.of("dog/b.png"), pattern(4, 6, 1, 2));
  test::write_png(folders.of("dog/a.PNG"), pattern(4, 6, 1, 1));
  test::write_png(folders.of("cat/deep/x.png"), pattern(4, 6, 1, 3));
  folders.folder.write("dog/notes.txt", "none");
  folders.folder.write("dog/.hidden.png", "none");
  std::filesystem::create_directory(folders.folder.file(".git"));
  auto table = folders.read();
  ASSERT_TRUE(table) << all_text(table.error());
  EXPECT_EQ(table->rows, 3);
  const Column &images = table->columns[0], &labels = table->columns[1];
  EXPECT_EQ(images.dims, (std::vector<int64_t>{1, 4, 6}));
  EXPECT_EQ(labels.words, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(labels.numbers, (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(labels.bound, 2);
  std::vector<uint8_t> all;
  for (int64_t seed : {3, 1, 2}) {
    const Image image = pattern(4, 6, 1, seed);
    all.insert(all.end(), image.pixels.begin(), image.pixels.end());
  }
  EXPECT_EQ(images.bytes, all);
}

TEST(Images, ChannelsAndSizes) {
  Folders folders;
  test::write_png(folders.of("a/1.png"), pattern(4, 4, 1));
  test::write_png(folders.of("a/2.png"), pattern(4, 4, 3));
  test::write_png(folders.of("b/3.png"), pattern(4, 4, 1, 5));
  auto table = folders.read();
  ASSERT_TRUE(table) << all_text(table.error());
  EXPECT_EQ(table->columns[0].dims, (std::vector<int64_t>{3, 4, 4}));  // one image has colours
  const std::vector<uint8_t>& bytes = table->columns[0].bytes;
  ASSERT_EQ(bytes.size(), 3u * 48);
  EXPECT_EQ(bytes[17], pattern(4, 4, 1).pixels[1]);          // grey, second plane
  EXPECT_EQ(bytes[48 + 16], pattern(4, 4, 3).pixels[1]);     // green of the first pixel
  EXPECT_EQ(bytes[96 + 33], pattern(4, 4, 1, 5).pixels[1]);  // grey, third plane
  table = folders.read({test::named("channels", test::num(1))});
  ASSERT_TRUE(table);
  EXPECT_EQ(table->columns[0].dims, (std::vector<int64_t>{1, 4, 4}));
  test::write_png(folders.of("b/4.png"), pattern(9, 5, 1));
  table = folders.read();
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error()[0].code, ErrorCode::E623);
  table = folders.read({test::named("size", spec_list({test::num(8), test::num(2)}))});
  ASSERT_TRUE(table);
  EXPECT_EQ(table->columns[0].dims, (std::vector<int64_t>{3, 8, 2}));
}

TEST(Images, SeveralErrorsInOneRun) {
  Folders folders;
  test::write_png(folders.of("a/1.png"), pattern(4, 4, 1));
  folders.folder.write("a/2.png", "no image");
  folders.folder.write("a/3.jpg", "");
  auto table = folders.read();
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().size(), 2u);
  EXPECT_EQ(table.error()[0].code, ErrorCode::E621);
  EXPECT_TRUE(table.error()[1].file.ends_with("a/3.jpg"));
  std::filesystem::create_directory(folders.folder.file("empty"));
  EXPECT_EQ(folders.read().error()[0].message, "this class folder holds no images");
  Folders none;
  EXPECT_EQ(none.read().error()[0].message, "no class folders in it");
  EXPECT_EQ(open_source(test::call("images", {test::text("/nowhere/at/all")})).error()[0].code, ErrorCode::E604);
  for (double size : {0.0, -1.0, 1.5, 1e9}) {
    auto wrong = folders.read({test::named("size", spec_list({test::num(size), test::num(2)}))});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error()[0].code, ErrorCode::E607);
  }
}

TEST(ImageFile, MutatedFilesNeverBreakTheReader) {
  TemporaryFolder folder;
  std::mt19937 random(4);
  std::vector<std::string> seeds;
  test::write_png(folder.file("a"), pattern(12, 9, 3), PNG_COLOR_TYPE_RGB, true);
  seeds.push_back(test::read_file(folder.file("a")));
  for (bool progressive : {false, true}) {
    test::write_jpeg(folder.file("a"), pattern(12, 9, 3), progressive);
    seeds.push_back(test::read_file(folder.file("a")));
  }
  int64_t read_well = 0, failed = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string content = seeds[static_cast<size_t>(round) % seeds.size()];
    for (uint32_t edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % content.size();
      const uint32_t what = random() % 10;
      if (what == 0) content.resize(at + 1);
      if (what == 1) content.erase(at, 1 + random() % 4);
      if (what > 1) content[at] = static_cast<char>(random());
    }
    // A size of many pixels is legal, and only slow.
    auto image = decode_image(content);
    image ? ++read_well : ++failed;
    if (image) {
      ASSERT_EQ(static_cast<int64_t>(image->pixels.size()), image->height * image->width * image->channels);
    }
  }
  EXPECT_GT(failed, 300);
  EXPECT_GT(read_well, 20);
}

}  // namespace
}  // namespace nnc
