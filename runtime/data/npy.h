// NumPy's array files: "\x93NUMPY", version, the header (a Python dict of descr, fortran_order and shape), the
// elements.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/table.h"

namespace nnc {

struct NpyHeader {
  char type = 'f';       // b bool, i signed, u unsigned, f float
  int64_t size = 4;      // bytes an element
  bool swapped = false;  // big-endian
  bool fortran = false;
  std::vector<int64_t> dims;  // the first is the rows; all positive
  int64_t elements = 1;       // at most INT64_MAX / 16
};

// Fills the span or reaches the end of the data; returns how many bytes.
using ReadBytes = std::function<tl::expected<int64_t, RuntimeError>(std::span<char>)>;

// Where the array comes from, for errors.
struct NpyPlace {
  std::string file;
  Origin origin = 0;
};

// Reads versions 1 to 3, of bools, integers of 1 to 8 bytes and floats of 2, 4 or 8, in both byte orders. Errors: E604
// of `read`, E620.
tl::expected<NpyHeader, RuntimeError> read_npy_header(const ReadBytes& read, const NpyPlace& place);

// What `header` becomes: kind and dims, no values. Arrays of rank 1 are numbers; those of higher rank are bytes (of
// bools and u1), integers (i32) or floats (f32).
Column npy_column(const NpyHeader& header);

// Reads the elements that follow the header into `column`, in row-major order whatever the file's, and its bound.
// Memory follows what is really read. possible: the most bytes that `read` can still deliver. Errors: E604, E620 (too
// few or too many bytes, integers of a tensor beyond i32).
tl::expected<void, RuntimeError> read_npy_values(const NpyHeader& header, const ReadBytes& read, int64_t possible,
                                                 const NpyPlace& place, Column& column);

//   npy(x = "x.npy", …)         one column a file, named as the arguments are; gzip too
//   npz("data.npz")             one column an array, named as the arrays are
//   npz("data.npz", x = "x_train", …)   these arrays only, under new names
//
// Columns without values until load_arrays. Errors: E601, E604, E607, E620.
tl::expected<Table, RuntimeErrors> open_npy(const Spec& source);
tl::expected<Table, RuntimeErrors> open_npz(const Spec& source);

// Fills in `rows` and the values of the columns wanted, which must agree on their rows.
RuntimeErrors load_arrays(Table& table, const std::vector<bool>& wanted);

}  // namespace nnc
