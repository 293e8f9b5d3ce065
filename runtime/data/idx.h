// Reads IDX files: big-endian magic 0x000008NN (unsigned bytes, NN axes), NN extents, then the values. The first axis
// is the rows.
#pragma once

#include <string>

#include "runtime/data/table.h"

namespace nnc {

struct IdxFile {
  int64_t rows = 0;
  Column column;  // bytes, dims without the first axis, bound 256; of rank-1 files the largest value + 1
};

// Memory stays within what the file really holds: a header that promises more is refused while reading. Errors: E604,
// E606.
tl::expected<IdxFile, RuntimeError> read_idx(const std::string& path, Origin origin);

}  // namespace nnc
