// A directory for one test. Declared before what writes into it, it goes after that: a thread that still writes would
// otherwise make files while they are removed.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

namespace klamm {

class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& name) {
    std::string path = (std::filesystem::temp_directory_path() / (name + "-XXXXXX")).string();
    path_ = mkdtemp(path.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace klamm
