// One of the broker's log.dirs: its path, its id, and whether it still works. The first I/O error of any log in it takes
// it offline, at once and for good (until a restart): from then on every log in it answers KAFKA_STORAGE_ERROR.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/logger.h"
#include "base/uuid.h"
#include "runtime/environment.h"

namespace klamm::storage {

// Names of the files in a log directory.
namespace directory_file {
inline constexpr std::string_view lock = ".lock";
inline constexpr std::string_view clean_shutdown = ".kafka_cleanshutdown";
inline constexpr std::string_view meta_properties = "meta.properties";
inline constexpr std::string_view recovery_point = "recovery-point-offset-checkpoint";
inline constexpr std::string_view log_start = "log-start-offset-checkpoint";
inline constexpr std::string_view high_watermark = "replication-offset-checkpoint";
inline constexpr std::string_view cleaner = "cleaner-offset-checkpoint";
}  // namespace directory_file

// Outlives the logs in it. Callable from any thread.
class LogDirectory {
 public:
  // Told once, by the thread that met the error.
  using FailureListener = std::function<void(LogDirectory&)>;

  LogDirectory(runtime::Environment& environment, std::string path, FailureListener on_failure = {});
  LogDirectory(const LogDirectory&) = delete;
  LogDirectory& operator=(const LogDirectory&) = delete;

  const std::string& path() const { return path_; }  // absolute
  std::string file(std::string_view name) const;
  runtime::Environment& environment() const { return environment_; }

  // directory.id of meta.properties; zero when it has none.
  Uuid id() const { return id_; }
  void set_id(Uuid id) { id_ = id; }

  bool offline() const { return offline_.load(std::memory_order_acquire); }
  // "Error while appending records to orders-0 in dir /data": the first call takes the directory offline and tells the
  // listener; later ones only answer. Gives KAFKA_STORAGE_ERROR with the message.
  Error failed(std::string message, const std::exception& cause);
  // What every operation answers once offline.
  Error offline_error() const;

 private:
  runtime::Environment& environment_;
  std::string path_;
  Uuid id_;
  std::atomic<bool> offline_{false};
  FailureListener on_failure_;
  Logger log_;
};

}  // namespace klamm::storage
