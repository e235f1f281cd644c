#include "runtime/disk.h"

#include <cstring>

namespace klamm::runtime {

DiskError::DiskError(int error, std::string_view operation, std::string_view path)
    : std::system_error(error, std::generic_category(), std::string(operation) + " " + std::string(path)),
      path_(path) {}

std::vector<std::exception_ptr> Disk::sync_files(std::span<const FileRef> files) {
  std::vector<std::exception_ptr> errors(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    try {
      files[i]->sync_data();
    } catch (const DiskError&) {
      errors[i] = std::current_exception();
    }
  }
  return errors;
}

namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void Disk::make_durable_directories(const std::string& path) {
  make_directories(path);
  for (std::string directory = absolute(path); directory != "/";) {
    directory = parent_of(directory);
    try {
      sync_directory(directory);
    } catch (const DiskError& error) {
      if (!error.is(std::errc::permission_denied) && !error.is(std::errc::read_only_file_system)) throw;
    }
  }
}

void Disk::replace_file(const std::string& path, Bytes content) {
  const std::string temporary = path + ".tmp";
  {
    remove_file(temporary);
    const FileRef file = open(temporary, OpenMode::create_new);
    if (!content.empty()) file->write_at(0, content);
    file->sync_data();
    file->close();
  }
  rename(temporary, path);
  sync_directory(parent_of(path));
}

}  // namespace klamm::runtime
