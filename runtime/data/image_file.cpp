#include "runtime/data/image_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

// After cstdio, which it needs.
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

namespace nnc {
namespace {

// "" or why the dimensions are refused.
std::string refuse(int64_t height, int64_t width) {
  if (height < 1 || width < 1) return "an image without pixels";
  if (height <= largest_image_side && width <= largest_image_side && height * width <= most_image_pixels) return "";
  return fmt::format("{} x {} pixels, more than can be read", width, height);
}

// What the C libraries' callbacks share. Lives outside of the functions that longjmp leaves.
struct Decoding {
  std::string_view file;
  size_t at = 0;
  Image image;
  std::vector<uint8_t*> rows;
  std::jmp_buf escape;
  char message[256] = "";
  std::string refused;
};

void png_failed(png_structp png, png_const_charp message) {
  auto* decoding = static_cast<Decoding*>(png_get_error_ptr(png));
  std::snprintf(decoding->message, sizeof decoding->message, "%s", message);
  std::longjmp(decoding->escape, 1);
}

void png_warned(png_structp, png_const_charp) {}

void png_fetch(png_structp png, png_bytep to, size_t count) {
  auto* decoding = static_cast<Decoding*>(png_get_io_ptr(png));
  if (count > decoding->file.size() - decoding->at) png_error(png, "the file ends early");
  std::memcpy(to, decoding->file.data() + decoding->at, count);
  decoding->at += count;
}

// Outside of any function with a setjmp: allocates.
bool make_room(Decoding& decoding, int64_t height, int64_t width, int64_t channels) {
  decoding.refused = refuse(height, width);
  if (!decoding.refused.empty()) return false;
  decoding.image = {height, width, channels, {}};
  decoding.image.pixels.resize(static_cast<size_t>(height * width * channels));
  for (int64_t row = 0; row < height; ++row)
    decoding.rows.push_back(decoding.image.pixels.data() + row * width * channels);
  return true;
}

// No object with a destructor lives in here: png_error leaves by longjmp.
bool run_png(Decoding& decoding, png_structp png, png_infop info) {
  if (setjmp(decoding.escape) != 0) return false;
  png_set_read_fn(png, &decoding, png_fetch);
  png_set_user_limits(png, largest_image_side * 4, largest_image_side * 4);
  png_set_chunk_malloc_max(png, 1 << 23);
  png_set_chunk_cache_max(png, 64);
  png_read_info(png, info);
  const int color = png_get_color_type(png, info);
  png_set_strip_16(png);
  png_set_expand(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  const bool grey = color == PNG_COLOR_TYPE_GRAY || color == PNG_COLOR_TYPE_GRAY_ALPHA;
  const int64_t height = png_get_image_height(png, info), width = png_get_image_width(png, info);
  // Deflate cannot exceed 1032.
  constexpr int64_t inflation_limit = 1040;
  if (height * static_cast<int64_t>(png_get_rowbytes(png, info)) / inflation_limit > std::ssize(decoding.file))
    png_error(png, "more pixels than the file can hold");
  if (!make_room(decoding, height, width, grey ? 1 : 3)) return false;
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != static_cast<size_t>(width * (grey ? 1 : 3))) png_error(png, "unusual pixels");
  png_read_image(png, decoding.rows.data());
  png_read_end(png, nullptr);
  return true;
}

bool decode_png(Decoding& decoding) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoding, png_failed, png_warned);
  if (png == nullptr) return false;
  png_infop info = png_create_info_struct(png);
  const bool done = info != nullptr && run_png(decoding, png, info);
  png_destroy_read_struct(&png, &info, nullptr);
  return done;
}

struct JpegErrors {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer to it is one to all
  Decoding* decoding;
};

void jpeg_failed(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  char message[JMSG_LENGTH_MAX];
  info->err->format_message(info, message);
  std::snprintf(errors->decoding->message, sizeof errors->decoding->message, "%s", message);
  std::longjmp(errors->decoding->escape, 1);
}

// libjpeg fills what is missing of a file with grey and warns; other warnings are harmless.
void jpeg_warned(j_common_ptr info, int level) {
  if (level >= 0) return;
  const int code = info->err->msg_code;
  if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE) jpeg_failed(info);
}

// A progressive file of very many scans takes time without end.
void jpeg_progressed(j_common_ptr info) {
  constexpr int most_scans = 500;
  if (!info->is_decompressor || reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= most_scans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  std::snprintf(errors->decoding->message, sizeof errors->decoding->message, "more than %d scans", most_scans);
  std::longjmp(errors->decoding->escape, 1);
}

bool run_jpeg(Decoding& decoding, jpeg_decompress_struct& jpeg, jpeg_progress_mgr& progress) {
  if (setjmp(decoding.escape) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg.progress = &progress;
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(decoding.file.data()),
               static_cast<unsigned long>(decoding.file.size()));
  jpeg_read_header(&jpeg, TRUE);
  const bool four = jpeg.num_components == 4;
  jpeg.out_color_space = four ? JCS_CMYK : jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  // The integer transform has the same bits on every machine.
  jpeg.dct_method = JDCT_ISLOW;
  if (!make_room(decoding, jpeg.image_height, jpeg.image_width, four ? 4 : jpeg.num_components == 1 ? 1 : 3))
    return false;
  jpeg_start_decompress(&jpeg);
  while (jpeg.output_scanline < jpeg.output_height)
    jpeg_read_scanlines(&jpeg, decoding.rows.data() + jpeg.output_scanline, jpeg.output_height - jpeg.output_scanline);
  jpeg_finish_decompress(&jpeg);
  return true;
}

bool decode_jpeg(Decoding& decoding) {
  jpeg_decompress_struct jpeg{};
  JpegErrors errors{};
  jpeg_progress_mgr progress{};
  progress.progress_monitor = jpeg_progressed;
  errors.decoding = &decoding;
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = jpeg_failed;
  errors.manager.emit_message = jpeg_warned;
  const bool done = run_jpeg(decoding, jpeg, progress);
  const bool inverted = jpeg.saw_Adobe_marker != FALSE;  // Adobe writes the complement
  jpeg_destroy_decompress(&jpeg);
  if (!done || decoding.image.channels != 4) return done;
  std::vector<uint8_t> rgb;
  const std::vector<uint8_t>& inks = decoding.image.pixels;
  rgb.reserve(inks.size() / 4 * 3);
  for (size_t at = 0; at < inks.size(); at += 4) {
    const int black = inverted ? inks[at + 3] : 255 - inks[at + 3];
    for (size_t i = 0; i < 3; ++i)
      rgb.push_back(static_cast<uint8_t>((inverted ? inks[at + i] : 255 - inks[at + i]) * black / 255));
  }
  decoding.image.pixels = std::move(rgb);
  decoding.image.channels = 3;
  return true;
}

// The weights of one axis: output i is the sum of input first[i] + k times weight[i * taps + k], 22 bits after the
// point. Those of one output add up to 1.
struct Weights {
  int64_t taps = 0;
  std::vector<int64_t> first, count;
  std::vector<int32_t> weight;
};

constexpr int fraction_bits = 22;

Weights triangle_weights(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to), support = std::max(scale, 1.0);
  Weights out;
  out.taps = static_cast<int64_t>(support) * 2 + 3;
  out.weight.resize(static_cast<size_t>(to * out.taps));
  std::vector<double> raw(static_cast<size_t>(out.taps));
  for (int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t low = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t high = std::min<int64_t>(from, static_cast<int64_t>(center + support + 0.5));
    double sum = 0;
    for (int64_t k = low; k < high; ++k) {
      const double distance = (static_cast<double>(k) - center + 0.5) / support;
      raw[static_cast<size_t>(k - low)] = std::max(0.0, 1 - (distance < 0 ? -distance : distance));
      sum += raw[static_cast<size_t>(k - low)];
    }
    for (int64_t k = 0; k < high - low; ++k) {
      const double share = sum == 0 ? 0 : raw[static_cast<size_t>(k)] / sum;
      out.weight[static_cast<size_t>(i * out.taps + k)] = static_cast<int32_t>(share * (1 << fraction_bits) + 0.5);
    }
    out.first.push_back(low);
    out.count.push_back(high - low);
  }
  return out;
}

// Resizes the middle axis of [outer][from][inner].
std::vector<uint8_t> resize_axis(const std::vector<uint8_t>& pixels, int64_t outer, int64_t from, int64_t to,
                                 int64_t inner) {
  if (from == to) return pixels;
  const Weights weights = triangle_weights(from, to);
  std::vector<uint8_t> out(static_cast<size_t>(outer * to * inner));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < to; ++i) {
      const int32_t* weight = weights.weight.data() + i * weights.taps;
      const uint8_t* at = pixels.data() + (o * from + weights.first[static_cast<size_t>(i)]) * inner;
      uint8_t* result = out.data() + (o * to + i) * inner;
      for (int64_t c = 0; c < inner; ++c) {
        int32_t sum = 1 << (fraction_bits - 1);
        for (int64_t k = 0; k < weights.count[static_cast<size_t>(i)]; ++k) sum += at[k * inner + c] * weight[k];
        result[c] = static_cast<uint8_t>(std::clamp(sum >> fraction_bits, 0, 255));
      }
    }
  }
  return out;
}

}  // namespace

tl::expected<Image, std::string> decode_image(std::string_view file) {
  Decoding decoding;
  decoding.file = file;
  const bool png = file.starts_with("\x89PNG\r\n\x1A\n");
  if (!png && !file.starts_with("\xFF\xD8\xFF")) return tl::unexpected<std::string>("neither a PNG nor a JPEG image");
  const bool done = png ? decode_png(decoding) : decode_jpeg(decoding);
  if (done) return std::move(decoding.image);
  if (!decoding.refused.empty()) return tl::unexpected(decoding.refused);
  const std::string_view why = decoding.message[0] != 0 ? decoding.message : "out of memory";
  return tl::unexpected(fmt::format("a damaged {} image: {}", png ? "PNG" : "JPEG", why));
}

Image with_channels(Image image, int64_t channels) {
  if (image.channels == channels) return image;
  Image out{image.height, image.width, channels, {}};
  out.pixels.reserve(static_cast<size_t>(image.height * image.width * channels));
  const std::vector<uint8_t>& from = image.pixels;
  if (channels == 3) {
    for (uint8_t grey : from) out.pixels.insert(out.pixels.end(), 3, grey);
    return out;
  }
  for (size_t at = 0; at < from.size(); at += 3)
    out.pixels.push_back(
        static_cast<uint8_t>((19595 * from[at] + 38470 * from[at + 1] + 7471 * from[at + 2] + 32768) >> 16));
  return out;
}

Image resized(const Image& image, int64_t height, int64_t width) {
  if (image.height == height && image.width == width) return image;
  Image out{height, width, image.channels, {}};
  out.pixels = resize_axis(image.pixels, image.height, image.width, width, image.channels);
  out.pixels = resize_axis(out.pixels, 1, image.height, height, width * image.channels);
  return out;
}

}  // namespace nnc
