#include "runtime/data/images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "runtime/data/arguments.h"
#include "runtime/data/bytes.h"
#include "runtime/data/image_file.h"
#include "runtime/memory.h"

namespace nnc {
namespace {

namespace fs = std::filesystem;

constexpr int64_t longest_file = int64_t{1} << 28;

struct Request {
  std::string folder;
  Origin origin = 0;              // of the folder's name
  int64_t height = 0, width = 0;  // 0 where they are not given
  int64_t channels = 0;
};

struct ImagePath {
  std::string path;
  size_t label;
};

RuntimeError located(ErrorCode code, Origin origin, std::string file, std::string message, std::string help = {}) {
  RuntimeError error;
  error.code = code;
  error.origin = origin;
  error.file = std::move(file);
  error.message = std::move(message);
  error.help = std::move(help);
  return error;
}

Request read_request(const Spec& source, ErrorList& errors) {
  Request request;
  Arguments arguments(source, {"folder", "size", "channels"}, 0, errors);
  if (arguments.require("folder")) {
    const Spec& folder = *arguments.find("folder");
    if (folder.kind != Spec::Kind::string) arguments.wrong("folder", "a string");
    request.folder = resolve_path(folder);
    request.origin = folder.origin;
  }
  request.channels = arguments.integer("channels", 0, 1, 3);
  if (request.channels == 2) arguments.wrong("channels", "1 or 3");
  const Spec* size = arguments.find("size");
  if (size == nullptr) return request;
  const auto side = [](const Spec& item) {
    const bool whole = item.kind == Spec::Kind::number && item.number == std::floor(item.number) && item.number >= 1 &&
                       item.number <= static_cast<double>(largest_image_side);
    return whole ? static_cast<int64_t>(item.number) : 0;
  };
  const bool pair = size->kind == Spec::Kind::list && size->items.size() == 2;
  request.height = side(pair ? size->items[0] : *size);
  request.width = side(pair ? size->items[1] : *size);
  if (request.height == 0 || request.width == 0)
    arguments.wrong("size", fmt::format("[height, width], each from 1 to {}", largest_image_side));
  return request;
}

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

bool hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

// Sorted names of the subfolders.
std::vector<std::string> classes_of(const Request& request, ErrorList& errors) {
  std::vector<std::string> classes;
  std::error_code failed;
  fs::directory_iterator entries(request.folder, failed);
  if (failed) {
    errors.add(located(ErrorCode::E604, request.origin, request.folder,
                       fmt::format("cannot open the folder {}: {}", request.folder, failed.message())));
    return {};
  }
  for (; entries != fs::directory_iterator(); entries.increment(failed)) {
    std::error_code ignored;
    if (entries->is_directory(ignored) && !hidden(entries->path()))
      classes.push_back(entries->path().filename().string());
    if (failed) break;
  }
  std::sort(classes.begin(), classes.end());
  if (classes.empty()) {
    errors.add(located(ErrorCode::E623, request.origin, request.folder, "no class folders in it",
                       "put the images of each class into a folder of its own, named after the class"));
  }
  return classes;
}

// Files of all classes, in the order of the rows.
std::vector<ImagePath> paths_of(const Request& request, const std::vector<std::string>& classes, ErrorList& errors) {
  std::vector<ImagePath> paths;
  for (size_t label = 0; label < classes.size(); ++label) {
    const fs::path folder = fs::path(request.folder) / classes[label];
    std::vector<std::string> own;
    std::error_code failed;
    fs::recursive_directory_iterator entries(folder, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && entries != fs::recursive_directory_iterator(); entries.increment(failed)) {
      std::error_code ignored;
      if (entries->is_directory(ignored)) {
        if (hidden(entries->path())) entries.disable_recursion_pending();
      } else if (is_image(entries->path()) && !hidden(entries->path())) {
        own.push_back(entries->path().string());
      }
    }
    if (failed) {
      errors.add(located(ErrorCode::E604, request.origin, folder.string(),
                         fmt::format("cannot read the folder {}: {}", folder.string(), failed.message())));
    } else if (own.empty()) {
      errors.add(located(ErrorCode::E623, request.origin, folder.string(), "this class folder holds no images",
                         "images are files ending in .png, .jpg or .jpeg"));
    }
    std::sort(own.begin(), own.end());
    for (std::string& path : own) paths.push_back({std::move(path), label});
  }
  return paths;
}

// Collects images of one size, channel planes apart.
struct Collector {
  const Request& request;
  int64_t count;  // of all images
  ErrorList& errors;
  int64_t height = 0, width = 0, channels = 0;
  std::string first;  // the image that gave the size
  std::vector<uint8_t> bytes;

  bool fits() {
    int64_t total = height * width * channels;
    if (!__builtin_mul_overflow(total, count, &total) && total <= available_memory() / 2) return true;
    errors.add(ErrorCode::E650, request.origin,
               fmt::format("{} images of {} x {} pixels do not fit into memory", count, width, height),
               "read them smaller: size = [height, width]");
    return false;
  }

  // All images so far were grey.
  void add_colour() {
    const auto plane = static_cast<size_t>(height * width);
    std::vector<uint8_t> colour;
    colour.reserve(plane * 3 * static_cast<size_t>(count));
    for (size_t at = 0; at < bytes.size(); at += plane) {
      for (int copy = 0; copy < 3; ++copy)
        colour.insert(colour.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      bytes.begin() + static_cast<std::ptrdiff_t>(at + plane));
    }
    bytes = std::move(colour);
  }

  // False where nothing more is worth reading.
  bool add(Image image, const std::string& path) {
    if (request.height > 0) image = resized(image, request.height, request.width);
    const int64_t wanted = request.channels > 0 ? request.channels : std::max(channels, image.channels);
    if (first.empty()) {
      first = path;
      height = image.height;
      width = image.width;
      channels = wanted;
      if (!fits()) return false;
      bytes.reserve(static_cast<size_t>(count * height * width * channels));
    } else if (image.height != height || image.width != width) {
      errors.add(
          located(ErrorCode::E623, request.origin, path,
                  fmt::format("{} x {} pixels, but {} x {} in {}", image.width, image.height, width, height, first),
                  "give all one size: size = [height, width]"));
      return !errors.full();
    } else if (wanted > channels) {
      channels = wanted;
      if (!fits()) return false;
      add_colour();
    }
    image = with_channels(std::move(image), channels);
    for (int64_t channel = 0; channel < channels; ++channel) {
      for (size_t at = static_cast<size_t>(channel); at < image.pixels.size(); at += static_cast<size_t>(channels))
        bytes.push_back(image.pixels[at]);
    }
    return true;
  }
};

void read_images(const std::vector<ImagePath>& paths, Collector& collector) {
  for (const ImagePath& path : paths) {
    auto file = read_whole_file(path.path, collector.request.origin, longest_file);
    if (!file) {
      collector.errors.add(file.error());
    } else if (auto image = decode_image(*file); !image) {
      collector.errors.add(located(ErrorCode::E621, collector.request.origin, path.path, image.error()));
    } else if (!collector.add(std::move(*image), path.path)) {
      return;
    }
    if (collector.errors.full()) return;
  }
}

}  // namespace

tl::expected<Table, RuntimeErrors> open_images(const Spec& source) {
  ErrorList errors;
  const Request request = read_request(source, errors);
  std::vector<std::string> classes;
  std::vector<ImagePath> paths;
  if (errors.empty()) classes = classes_of(request, errors);
  if (errors.empty()) paths = paths_of(request, classes, errors);
  Collector collector{request, std::ssize(paths), errors};
  if (errors.empty()) read_images(paths, collector);
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  Table table;
  table.file = request.folder;
  table.origin = source.origin;
  table.rows = std::ssize(paths);
  Column images, labels;
  images.name = "images";
  images.kind = ColumnKind::bytes;
  images.dims = {collector.channels, collector.height, collector.width};
  images.bytes = std::move(collector.bytes);
  images.bound = 256;
  labels.name = "labels";
  labels.bound = std::ssize(classes);
  labels.words = std::move(classes);
  for (const ImagePath& path : paths) labels.numbers.push_back(static_cast<double>(path.label));
  table.columns = {std::move(images), std::move(labels)};
  return table;
}

}  // namespace nnc
