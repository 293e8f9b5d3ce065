// Small helpers of the runtime's tests: files in a folder of their own, and short ways to write specs.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/error.h"
#include "runtime/spec.h"

namespace nnc::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "nnc-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }
  std::string write_gz(const std::string& name, const std::string& content) const {
    gzFile out = gzopen(file(name).c_str(), "wb");
    gzwrite(out, content.data(), static_cast<unsigned>(content.size()));
    gzclose(out);
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline Spec text(const std::string& value) { return spec_string(value); }
inline Spec num(double value) { return spec_number(value); }
inline NamedSpec named(const std::string& name, Spec value) { return {name, 0, std::move(value)}; }
inline Spec call(const std::string& name, std::vector<Spec> items = {}, std::vector<NamedSpec> arguments = {}) {
  return spec_call(name, std::move(items), std::move(arguments));
}
inline Spec col(std::initializer_list<const char*> names) {
  std::vector<Spec> items;
  for (const char* name : names) items.push_back(text(name));
  return call("col", std::move(items));
}

inline std::string all_text(const RuntimeErrors& errors) {
  std::string out;
  for (const RuntimeError& error : errors) out += to_string(error) + "\n";
  return out;
}

}  // namespace nnc::test
