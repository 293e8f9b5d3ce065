// Runs the steps of a pipe over blocks of rows. Used by fitting and by applying.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/data/pipeline.h"

namespace nnc {

// Values of some rows, [rows][lanes][elements]. Of text: codes into BoundPipe::words. NaN is missing.
struct ValueBlock {
  int64_t rows = 0, lanes = 1, elements = 1;
  bool text = false;
  std::vector<double> values;
};

// A pipe tied to the table it runs on.
struct BoundPipe {
  const Pipe* pipe = nullptr;
  const Table* table = nullptr;
  size_t index = 0;  // of the column
  const Column* column = nullptr;
  bool text = false;
  std::vector<uint32_t> codes;     // where the pipe wants text and the column holds numbers
  std::vector<std::string> words;  // the column's, then those steps add
  struct Lookup {
    std::vector<int32_t> of_word;                       // category of each word, -1 for none
    std::vector<std::pair<double, int32_t>> of_number;  // ascending
    int32_t filled = -1;                                // of impute: the word
    std::vector<std::vector<int32_t>> labels_of_word;   // of multilabel: the categories of each word
    std::vector<std::string> unknown_of_word;           // of multilabel: a label that is no category, or empty
    std::vector<BoundPipe> other;
  };
  std::vector<Lookup> lookups;  // one a step bound so far
};

// Troubles met while running, by cause: how many rows, and which came first.
struct Trouble {
  int64_t first_row = 0, rows = 0;
};
struct TroubleKey {
  ErrorCode code;
  size_t step;
  std::string value;
  auto operator<=>(const TroubleKey&) const = default;
};
struct Troubles {
  std::map<TroubleKey, Trouble> found;
  void add(ErrorCode code, size_t step, std::string value, int64_t row);
  static constexpr size_t limit = 64;  // distinct causes a pipe
};

// Ties the pipe to its column. E601 where the table lacks it; E602 where numbers are wanted and the column holds text,
// E611 where its shape differs. Steps are bound by bind_step, in order, once they are fitted.
bool bind_pipe(const Pipe& pipe, const Table& table, BoundPipe& bound, ErrorList& errors);
bool bind_step(BoundPipe& bound, size_t step, ErrorList& errors);

// The column's values of these rows.
void load_block(const BoundPipe& bound, std::span<const uint32_t> rows, ValueBlock& block);
// One step, in place. `troubles` may be null.
void run_step(const BoundPipe& bound, size_t step, std::span<const uint32_t> rows, ValueBlock& block,
              Troubles* troubles);

// The kinds that turn categories into numbers.
bool is_categorical(StepKind kind);

// The labels in a cell, without blanks around them; empty ones are none.
std::vector<std::string> labels_of(std::string_view cell, std::string_view separator);

// E602 for the first cells of a column that should hold numbers and does not.
void report_text(const Table& table, size_t column, Origin origin, ErrorList& errors);

}  // namespace nnc
