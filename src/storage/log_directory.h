// One of the broker's log.dirs: its path, its id, and whether it still works. The first I/O error of any log in it
// takes it offline, at once and for good (until a restart): from then on every log in it answers KAFKA_STORAGE_ERROR.
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
#include "runtime/lock.h"

namespace klamm::storage {

class Log;

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

// How many index entries are held in memory, for all logs of a directory; each holder counts its own.
class IndexMemory {
 public:
  explicit IndexMemory(std::atomic<std::int64_t>& total) : total_(total) {}
  ~IndexMemory() { set(0); }
  IndexMemory(const IndexMemory&) = delete;
  IndexMemory& operator=(const IndexMemory&) = delete;

  void set(std::size_t entries) {
    if (entries == mine_) return;
    total_.fetch_add(static_cast<std::int64_t>(entries) - static_cast<std::int64_t>(mine_), std::memory_order_relaxed);
    mine_ = entries;
  }

 private:
  std::atomic<std::int64_t>& total_;
  std::size_t mine_ = 0;
};

// Outlives the logs in it. Callable from any thread.
class LogDirectory {
 public:
  // Told once, by the thread that met the error.
  using FailureListener = std::function<void(LogDirectory&)>;
  // Told when a number that a checkpoint file holds moved and none had since take_touched().
  using TouchListener = std::function<void()>;
  // Told, by any thread, that a log's due() may have become earlier. Only posts.
  using UpkeepListener = std::function<void(Log&)>;
  static constexpr unsigned recovery_point_moved = 1;
  static constexpr unsigned log_start_moved = 2;
  static constexpr unsigned high_watermark_moved = 4;

  LogDirectory(runtime::Environment& environment, std::string path, FailureListener on_failure = {},
               TouchListener on_touch = {}, UpkeepListener on_upkeep = {});
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

  void log_has_work(Log& log) const {
    if (on_upkeep_) on_upkeep_(log);
  }
  // Guards what is held of the logs that sleep, and their waking up.
  runtime::ShortLock& sleepers() { return sleepers_; }

  // The name of a log's directory was made here. On disk after the next sync_names(), which many logs share.
  void name_made() { names_made_.fetch_add(1, std::memory_order_acq_rel); }
  // All that were made before. Blocks; throws DiskError.
  void sync_names();

  std::atomic<std::int64_t>& index_entries() { return index_entries_; }
  // Then who needs more lets go of its own older ones.
  bool index_memory_is_scarce() const { return index_entries_.load(std::memory_order_relaxed) > index_entries_max; }

  void touch(unsigned what) {
    if ((touched_.load(std::memory_order_relaxed) & what) == what) return;
    if ((touched_.fetch_or(what) & what) != what && on_touch_) on_touch_();
  }
  unsigned touched() const { return touched_.load(std::memory_order_relaxed); }
  // True when one of them moved since the last time.
  bool take_touched(unsigned what) { return (touched_.fetch_and(~what) & what) != 0; }

 private:
  static constexpr std::int64_t index_entries_max = 1'400'000;  // 16 MiB

  runtime::Environment& environment_;
  std::string path_;
  std::atomic<std::int64_t> index_entries_{0};
  std::atomic<std::uint64_t> names_made_{0};
  std::atomic<std::uint64_t> names_synced_{0};
  Uuid id_;
  std::atomic<bool> offline_{false};
  std::atomic<unsigned> touched_{0};
  FailureListener on_failure_;
  TouchListener on_touch_;
  UpkeepListener on_upkeep_;
  runtime::ShortLock sleepers_;
  Logger log_;
};

}  // namespace klamm::storage
