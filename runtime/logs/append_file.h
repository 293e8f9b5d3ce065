// A file that only grows, by whole records: what a failed or torn write left behind is cut off again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace nnc {

class AppendFile {
 public:
  // Creates the file empty, or, with `keep` ≥ 0, opens it and cuts it to so many bytes. Errors: what the system said,
  // with the path.
  static tl::expected<AppendFile, std::string> open(const std::string& path, int64_t keep = -1);

  AppendFile() = default;
  AppendFile(AppendFile&& other) noexcept { *this = std::move(other); }
  AppendFile& operator=(AppendFile&& other) noexcept;
  ~AppendFile() { close(); }

  // All of the record or nothing of it reaches the file, as far as the system lets it. It survives the end of this
  // process at once, and of the machine when the system writes it back.
  tl::expected<void, std::string> append(std::string_view record);
  void close();
  bool is_open() const { return handle_ >= 0; }
  const std::string& path() const { return path_; }

 private:
  int handle_ = -1;
  int64_t size_ = 0;
  std::string path_;
};

}  // namespace nnc
