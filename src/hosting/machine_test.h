// For tests of this room: the real machine with one or two reactors, a directory that goes at the end, and the files
// that Apache Kafka wrote.
#pragma once

#include <filesystem>
#include <string>

#include "base/logger.h"
#include "base/temporary_directory_test.h"
#include "runtime/os/system.h"

namespace klamm::hosting::testing {

// Beside this file.
inline std::string testdata() {
  return (std::filesystem::path(__FILE__).parent_path() / "testdata").string();
}

class Machine {
 public:
  explicit Machine(unsigned reactors = 1) : system_({.reactors = reactors, .io_uring = false}, sink_) {}

  runtime::os::System& system() { return system_; }
  runtime::Environment& environment() { return system_.environment(); }
  runtime::Disk& disk() { return environment().disk; }
  runtime::Random& random() { return environment().random; }
  runtime::Reactor& reactor(unsigned index = 0) { return system_.reactor(index); }
  const std::string& directory() const { return directory_.path(); }

 private:
  NullLogSink sink_;
  TemporaryDirectory directory_{"klamm-hosting"};
  runtime::os::System system_;
};

}  // namespace klamm::hosting::testing
