// Runs the nnc program in this process and catches what it says.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

struct Ran {
  int code = 0;
  std::string out, err;

  // The lines of stdout, each read as JSON.
  std::vector<nlohmann::json> json() const;
};

// run({"check", "net.nn"}). Relative paths start at the root of the project. `train` saves only where it is given a
// --run-dir.
Ran run(const std::vector<std::string>& arguments);
// The same from another folder, given relative to the root.
Ran run_in(const std::string& folder, const std::vector<std::string>& arguments);

// The same where no file may grow beyond so many bytes.
Ran run_limited(int64_t bytes, const std::vector<std::string>& arguments);

// A file of this text in a fresh folder of its own; gone at the end of the test.
class ModelFile {
 public:
  explicit ModelFile(const std::string& text, const std::string& csv = "");
  ~ModelFile();
  ModelFile(const ModelFile&) = delete;
  std::string folder, path;
};
