#include "driver/input_zeros.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <span>

#include "passes/plan/form_regions.h"

namespace nnc {
namespace {

constexpr size_t kGroup = most_tile_rows;  // most elements that a tile reads in one step of a sum
constexpr int64_t kSamples = 1024;         // groups a field and direction: the share is known to some 1.5 %

using Rows = std::array<uint32_t, kGroup>;

float value_of(const DataField& field, uint32_t row, int64_t place) {
  float value = 0;
  std::memcpy(&value, field.row(row) + place * static_cast<int64_t>(sizeof value), sizeof value);
  return value;
}

bool rows_are_zero(const DataField& field, const Rows& rows, int64_t place) {
  return std::all_of(rows.begin(), rows.end(), [&](uint32_t row) { return value_of(field, row, place) == 0; });
}

bool places_are_zero(const DataField& field, uint32_t row, int64_t first, int64_t end) {
  for (int64_t place = first; place < end; ++place) {
    if (value_of(field, row, place) != 0) return false;
  }
  return true;
}

// Samples one field of `places` floats a row.
InputZeros measure_field(const DataField& field, std::span<const uint32_t> rows, int64_t places) {
  std::minstd_rand random(1);
  const auto any_row = [&] { return rows[random() % rows.size()]; };
  int64_t across = 0, across_changes = 0, along = 0, along_changes = 0;
  for (int64_t sample = 0; sample < kSamples; ++sample) {
    Rows group;
    std::generate(group.begin(), group.end(), any_row);
    const auto place = static_cast<int64_t>(random()) % places;
    const bool zero = rows_are_zero(field, group, place);
    across += zero;
    across_changes += zero != rows_are_zero(field, group, (place + 1) % places);
    const int64_t first = std::max<int64_t>(0, std::min(place, places - static_cast<int64_t>(kGroup)));
    const int64_t end = std::min(places, first + static_cast<int64_t>(kGroup));
    const bool run = places_are_zero(field, group[0], first, end);
    along += run;
    along_changes += run != places_are_zero(field, group[1], first, end);
  }
  const auto share = [](int64_t count) { return static_cast<double>(count) / kSamples; };
  return {field.name, {share(across), share(across_changes)}, {share(along), share(along_changes)}};
}

}  // namespace

std::vector<InputZeros> measure_zeros(const Dataset& dataset) {
  std::span<const uint32_t> rows = dataset.train;
  for (const DataPart part : {DataPart::val, DataPart::test}) {
    if (rows.empty()) rows = dataset.part(part);
  }
  std::vector<InputZeros> found;
  if (rows.empty()) return found;
  for (const DataField& field : dataset.fields) {
    const int64_t places = field.row_bytes / static_cast<int64_t>(sizeof(float));
    if (field.type != ElementType::f32 || places == 0) continue;
    found.push_back(measure_field(field, rows, places));
  }
  return found;
}

}  // namespace nnc
