// A table in a file of its own with the fields a test asks of it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "files.h"
#include "runtime/data/batches.h"
#include "runtime/data/dataset.h"

namespace nnc::test {

struct TableData {
  TemporaryFolder folder;
  DataSpec spec;

  explicit TableData(const std::string& content) {
    spec.source = spec_call("csv", {text(folder.write("t.csv", content))}, {}, 1);
  }
  TableData& split(Spec value) {
    spec.split = std::move(value);
    return *this;
  }
  TableData& fold(int64_t index, int64_t of) {
    spec.fold = FoldSpec{index, of, 0};
    return *this;
  }
  TableData& field(const std::string& name, Spec value) {
    spec.fields.push_back({name, 0, std::move(value)});
    return *this;
  }
  // `a, b = value`
  TableData& pair(const std::string& first, const std::string& second, const Spec& value) {
    spec.fields.push_back({first, 0, value, 0, 2});
    spec.fields.push_back({second, 0, value, 1, 2});
    return *this;
  }
  Dataset open() const {
    auto dataset = open_dataset(spec);
    if (!dataset) {
      ADD_FAILURE() << all_text(dataset.error());
      return {};
    }
    return std::move(*dataset);
  }
  std::string errors() const {
    auto dataset = open_dataset(spec);
    std::string out = dataset ? "" : all_text(dataset.error());
    const std::string prefix = folder.file("");
    for (size_t at; (at = out.find(prefix)) != std::string::npos;) out.erase(at, prefix.size());
    return out;
  }
};

// The rows of a part, as training would read them.
inline std::vector<float> rows_of(const Dataset& dataset, const std::string& name, DataPart part) {
  const DataField* field = dataset.find(name);
  if (field == nullptr) {
    ADD_FAILURE() << "no field " << name;
    return {};
  }
  const auto rows = dataset.part(part);
  std::vector<std::byte> bytes(rows.size() * static_cast<size_t>(field->row_bytes));
  gather_rows(*field, rows, bytes.data());
  std::vector<float> out;
  for (size_t at = 0; at < bytes.size(); at += 4) {
    if (field->type == ElementType::f32) {
      out.push_back(*reinterpret_cast<const float*>(bytes.data() + at));
    } else {
      out.push_back(static_cast<float>(*reinterpret_cast<const int32_t*>(bytes.data() + at)));
    }
  }
  return out;
}

}  // namespace nnc::test
