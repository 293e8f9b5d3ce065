// The sources npy(…) and npz(…).
#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <unordered_set>

#include "runtime/data/arguments.h"
#include "runtime/data/bytes.h"
#include "runtime/data/npy.h"

namespace nnc {
namespace {

RuntimeError failure(ErrorCode code, const NpyPlace& place, std::string message) {
  RuntimeError error;
  error.code = code;
  error.origin = place.origin;
  error.file = place.file;
  error.message = std::move(message);
  return error;
}

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

// An array being read. Holds what its bytes come from.
struct OpenArray {
  NpyPlace place;
  ReadBytes read;
  NpyHeader header;
  int64_t possible = 0;  // bytes that can follow the header
  std::shared_ptr<ByteSource> file;
  std::shared_ptr<zip_file_t> member;
};

using Archive = std::unique_ptr<zip_t, CloseZip>;

tl::expected<OpenArray, RuntimeError> open_file_array(const ArrayPlace& at) {
  OpenArray array;
  array.place = {at.path, at.origin};
  auto source = ByteSource::open(at.path, at.origin);
  if (!source) return tl::unexpected(source.error());
  array.file = std::make_shared<ByteSource>(std::move(*source));
  array.read = [file = array.file](std::span<char> into) { return file->read(into); };
  array.possible = array.file->file_bytes() * (array.file->compressed() ? ByteSource::inflation_limit : 1);
  auto header = read_npy_header(array.read, array.place);
  if (!header) return tl::unexpected(header.error());
  array.header = std::move(*header);
  return array;
}

tl::expected<Archive, RuntimeError> open_archive(const std::string& path, Origin origin) {
  // Says in its usual words what is missing or no file.
  if (auto file = ByteSource::open(path, origin); !file) return tl::unexpected(file.error());
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string message = fmt::format("not an npz file: {}", zip_error_strerror(&error));
  zip_error_fini(&error);
  return tl::unexpected(failure(ErrorCode::E620, {path, origin}, std::move(message)));
}

tl::expected<OpenArray, RuntimeError> open_member_array(zip_t* archive, const ArrayPlace& at, uint64_t index) {
  OpenArray array;
  array.place = {fmt::format("{}({})", at.path, printable(at.member)), at.origin};
  zip_stat_t status;
  zip_stat_init(&status);
  zip_file_t* member = nullptr;
  if (zip_stat_index(archive, index, 0, &status) == 0) member = zip_fopen_index(archive, index, 0);
  if (member == nullptr)
    return tl::unexpected(
        failure(ErrorCode::E620, array.place, fmt::format("cannot be read: {}", zip_strerror(archive))));
  array.member = std::shared_ptr<zip_file_t>(member, CloseMember());
  array.read = [member, place = array.place](std::span<char> into) -> tl::expected<int64_t, RuntimeError> {
    size_t filled = 0;
    while (filled < into.size()) {
      const zip_int64_t got = zip_fread(member, into.data() + filled, into.size() - filled);
      if (got < 0) {
        return tl::unexpected(failure(
            ErrorCode::E620, place, fmt::format("cannot be read: {}", zip_error_strerror(zip_file_get_error(member)))));
      }
      if (got == 0) break;
      filled += static_cast<size_t>(got);
    }
    return static_cast<int64_t>(filled);
  };
  int64_t packed = 0;
  const bool known = (status.valid & ZIP_STAT_COMP_SIZE) != 0 && status.comp_size < (uint64_t{1} << 50);
  if (known) packed = static_cast<int64_t>(status.comp_size);
  // Deflate cannot exceed 1032; a stored member is as long as it is.
  array.possible = status.comp_method == ZIP_CM_STORE ? packed : packed * ByteSource::inflation_limit;
  auto header = read_npy_header(array.read, array.place);
  if (!header) return tl::unexpected(header.error());
  array.header = std::move(*header);
  return array;
}

// Members called NAME.npy, by NAME; E620 on one that stands twice.
struct Members {
  std::vector<std::string> names;
  std::vector<uint64_t> indices;

  std::optional<uint64_t> find(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return {};
    return indices[static_cast<size_t>(found - names.begin())];
  }
};

Members members_of(zip_t* archive, const NpyPlace& place, ErrorList& errors) {
  Members members;
  std::unordered_set<std::string> seen;
  const zip_int64_t count = zip_get_num_entries(archive, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* raw = zip_get_name(archive, static_cast<zip_uint64_t>(i), ZIP_FL_ENC_GUESS);
    std::string name = raw == nullptr ? "" : raw;
    if (name.size() <= 4 || !name.ends_with(".npy")) continue;
    name.resize(name.size() - 4);
    if (!seen.insert(name).second) {
      errors.add(failure(ErrorCode::E620, place, fmt::format("array \"{}\" stands twice", printable(name))));
      continue;
    }
    members.names.push_back(std::move(name));
    members.indices.push_back(static_cast<uint64_t>(i));
  }
  if (members.names.empty() && errors.empty())
    errors.add(failure(ErrorCode::E620, place, "the archive holds no arrays (files called NAME.npy)"));
  return members;
}

void add_column(Table& table, std::string name, const OpenArray& array, ArrayPlace at) {
  Column column = npy_column(array.header);
  column.name = std::move(name);
  at.rows = array.header.dims[0];
  if (table.columns.empty()) table.rows = at.rows;
  table.columns.push_back(std::move(column));
  table.arrays.push_back(std::move(at));
}

// The arrays asked for: all, or those that named arguments rename. {column, array, origin}
struct Wanted {
  std::string column, array;
  Origin origin;
};

std::vector<Wanted> wanted_arrays(const Spec& source, const Members& members, ErrorList& errors) {
  std::vector<Wanted> wanted;
  for (const NamedSpec& argument : source.named) {
    const Spec& value = argument.value;
    if (value.kind != Spec::Kind::string) {
      errors.add(ErrorCode::E607, value.origin,
                 fmt::format("`{}` of `npz` must be the name of an array, found {}", argument.name, describe(value)));
    } else if (!members.find(value.text)) {
      const std::string_view similar = nearest(value.text, members.names);
      const std::vector<std::string> few(
          members.names.begin(), members.names.begin() + std::min<std::ptrdiff_t>(6, std::ssize(members.names)));
      errors.add(ErrorCode::E601, value.origin, fmt::format("no array \"{}\" in the npz file", printable(value.text)),
                 similar.empty() ? printable(fmt::format("its arrays: {}", fmt::join(few, ", ")))
                                 : fmt::format("a similar array exists: \"{}\"", printable(similar)));
    } else {
      wanted.push_back({argument.name, value.text, value.origin});
    }
  }
  if (!source.named.empty()) return wanted;
  for (const std::string& name : members.names) wanted.push_back({name, name, source.origin});
  return wanted;
}

bool same_form(const Column& a, const Column& b) { return a.kind == b.kind && a.dims == b.dims; }

void check_rows(const Table& table, size_t first, size_t other, ErrorList& errors) {
  const ArrayPlace &a = table.arrays[first], &b = table.arrays[other];
  if (a.rows == b.rows) return;
  errors.add(failure(ErrorCode::E620, {b.path, b.origin},
                     fmt::format("{} rows in \"{}\", but {} in \"{}\"", b.rows, printable(table.columns[other].name),
                                 a.rows, printable(table.columns[first].name))));
}

}  // namespace

tl::expected<Table, RuntimeErrors> open_npy(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {}, 0, errors, true);
  Table table;
  table.origin = source.origin;
  if (source.named.empty())
    errors.add(ErrorCode::E607, source.origin, "`npy` needs a file for each column", "npy(x = \"…\", y = \"…\")");
  for (const NamedSpec& argument : source.named) {
    if (argument.value.kind != Spec::Kind::string) {
      errors.add(ErrorCode::E607, argument.value.origin,
                 fmt::format("`{}` of `npy` must be a path, found {}", argument.name, describe(argument.value)));
      continue;
    }
    const ArrayPlace at{resolve_path(argument.value), "", 0, argument.value.origin};
    auto array = open_file_array(at);
    if (!array) {
      errors.add(array.error());
      continue;
    }
    if (table.file.empty()) table.file = at.path;
    add_column(table, argument.name, *array, at);
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  return table;
}

tl::expected<Table, RuntimeErrors> open_npz(const Spec& source) {
  ErrorList errors;
  Arguments arguments(source, {"path"}, 0, errors, true);
  Spec arrays = source;
  std::erase_if(arrays.named, [](const NamedSpec& argument) { return argument.name == "path"; });
  Table table;
  table.origin = source.origin;
  if (!arguments.require("path")) return tl::unexpected(std::move(errors.errors));
  const Spec& path = *arguments.find("path");
  if (path.kind != Spec::Kind::string) arguments.wrong("path", "a string");
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  table.file = resolve_path(path);
  auto archive = open_archive(table.file, path.origin);
  if (!archive) return tl::unexpected(RuntimeErrors{archive.error()});
  const Members members = members_of(archive->get(), {table.file, path.origin}, errors);
  std::vector<Wanted> wanted;
  if (errors.empty()) wanted = wanted_arrays(arrays, members, errors);
  for (const Wanted& want : wanted) {
    const ArrayPlace at{table.file, want.array, 0, want.origin};
    auto array = open_member_array(archive->get(), at, *members.find(want.array));
    if (array) {
      add_column(table, want.column, *array, at);
    } else if (source.named.empty() && members.names.size() > 1) {
      continue;  // an array nobody may want; asking for it says that it is not there
    } else {
      errors.add(array.error());
    }
  }
  if (errors.empty() && table.columns.empty())
    errors.add(failure(ErrorCode::E620, {table.file, path.origin}, "no array here can be read"));
  if (!errors.empty()) return tl::unexpected(std::move(errors.errors));
  return table;
}

RuntimeErrors load_arrays(Table& table, const std::vector<bool>& wanted) {
  ErrorList errors;
  std::optional<size_t> first;
  Archive archive;
  std::optional<Members> members;
  for (size_t i = 0; i < table.columns.size() && !errors.full(); ++i) {
    if (!wanted[i]) continue;
    const ArrayPlace& at = table.arrays[i];
    if (first) check_rows(table, *first, i, errors);
    if (!first) first = i;
    if (!at.member.empty() && !archive) {
      auto opened = open_archive(at.path, at.origin);
      if (!opened) return {opened.error()};
      archive = std::move(*opened);
      members = members_of(archive.get(), {at.path, at.origin}, errors);
    }
    const auto index = at.member.empty() ? std::optional<uint64_t>(0) : members->find(at.member);
    if (!index) return {failure(ErrorCode::E620, {at.path, at.origin}, "the file changed while it was read")};
    auto array = at.member.empty() ? open_file_array(at) : open_member_array(archive.get(), at, *index);
    if (!array) {
      errors.add(array.error());
      continue;
    }
    if (array->header.dims[0] != at.rows || !same_form(npy_column(array->header), table.columns[i])) {
      errors.add(failure(ErrorCode::E620, array->place, "the file changed while it was read"));
      continue;
    }
    auto read = read_npy_values(array->header, array->read, array->possible, array->place, table.columns[i]);
    if (!read) errors.add(read.error());
  }
  if (first) table.rows = table.arrays[*first].rows;
  return std::move(errors.errors);
}

}  // namespace nnc
