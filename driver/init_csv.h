// nnc init csv FILE --target COL: a model file for a table, ready to train, on stdout.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "driver/table_profile.h"
#include "runtime/error.h"

namespace nnc {

struct InitCsvArguments {
  std::string file;
  std::string target;     // the name of a column, or its number from 1 ("c3" where the file has no header)
  std::string delimiter;  // empty: found out
  std::string header;     // "true", "false", or empty: found out
};

// Reads the table, writes the file or says what is wrong; returns the exit code.
int init_csv(const InitCsvArguments& arguments);

// What init_csv found out about a table, and what it writes.
struct TableModel {
  InitCsvArguments arguments;
  Table table;
  size_t target = 0;
  TargetProfile target_profile;
  std::vector<ColumnProfile> columns;  // the target's is there, too
};

// Errors: E601 no such target, E604 and E605 the file, E611 a target to learn nothing from.
tl::expected<TableModel, RuntimeErrors> read_table_model(const InitCsvArguments& arguments);

// The model file's text: paths as in `arguments`, so that it belongs into the current folder. E611 where no column is
// left to learn from.
tl::expected<std::string, RuntimeErrors> model_text(const TableModel& model);

}  // namespace nnc
