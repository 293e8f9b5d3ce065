// Decodes PNG (libpng) and JPEG (libjpeg-turbo) images from memory, with errors as values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace nnc {

// Pixels row by row, the channels of a pixel together: [height][width][channels], 1 (grey) or 3 (red, green, blue).
struct Image {
  int64_t height = 0, width = 0, channels = 1;
  std::vector<uint8_t> pixels;
};

constexpr int64_t largest_image_side = 16384;
constexpr int64_t most_image_pixels = int64_t{1} << 26;

// Known by its first bytes, whatever the file is called. 16-bit samples keep their upper byte, palettes become colours,
// transparency is dropped, CMYK becomes RGB. A damaged or truncated image is an error: what is wrong with it, for a
// message. Never more memory than the image's declared size needs, which is bounded by the constants above.
tl::expected<Image, std::string> decode_image(std::string_view file);

// 1 or 3 channels. Grey is the luma of ITU-R BT.601, (19595 R + 38470 G + 7471 B + 32768) / 65536, as Pillow has it.
Image with_channels(Image image, int64_t channels);

// Bilinear, smoothing as it shrinks: a triangle of the size of an output pixel, as Pillow's and torchvision's `resize`
// (the same bits). The ratio of the sides is not kept.
Image resized(const Image& image, int64_t height, int64_t width);

}  // namespace nnc
