// All logs of a broker, in its log.dirs: locks the directories, opens the logs (in parallel, in the background), makes
// and removes them, and keeps them up: retention, delayed deletion, checkpoints, flush.ms, producer expiry.
// Source of behaviour: kafka.log.LogManager (org.apache.kafka.storage.internals.log.LogManager).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/topic_partition.h"
#include "runtime/environment.h"
#include "runtime/task_group.h"
#include "storage/checkpoint_file.h"
#include "storage/log.h"
#include "storage/log_directory.h"
#include "storage/meta_properties.h"

namespace klamm::storage {

struct LogDirectoriesSettings {
  using Milliseconds = std::chrono::milliseconds;

  std::vector<std::string> paths;                                 // log.dirs
  unsigned recovery_threads_per_directory = 2;                    // num.recovery.threads.per.data.dir
  Milliseconds initial_task_delay_ms = std::chrono::seconds(30);  // log.initial.task.delay.ms
  Milliseconds retention_check_ms = std::chrono::minutes(5);      // log.retention.check.interval.ms
  Milliseconds flush_check_ms = Milliseconds::max();              // log.flush.scheduler.interval.ms, for its log line
  Milliseconds recovery_point_checkpoint_ms = std::chrono::minutes(1);  // log.flush.offset.checkpoint.interval.ms
  Milliseconds log_start_checkpoint_ms = std::chrono::minutes(1);       // log.flush.start.offset.checkpoint.interval.ms
  Milliseconds high_watermark_checkpoint_ms = std::chrono::seconds(5);  // replica.high.watermark.checkpoint.interval.ms
  Milliseconds producer_id_expiration = std::chrono::days(1);           // producer.id.expiration.ms
  Milliseconds producer_id_expiration_check = std::chrono::minutes(10);  // producer.id.expiration.check.interval.ms
};

// What the owner is asked and told, on the reactor of load().
class LogDirectoriesEvents {
 public:
  virtual ~LogDirectoriesEvents() = default;
  virtual LogSettingsRef topic_settings(const std::string& topic) = 0;
  // A log found on disk that does not belong here any more (topic gone, replica moved): it is renamed "-stray".
  virtual bool is_stray(const TopicPartition& name, std::optional<Uuid> topic_id) = 0;
  // Recovery of the log is done.
  virtual void log_ready(const LogRef& log) = 0;
  virtual void directory_failed(LogDirectory& directory) = 0;
  // No directory is left: the process must halt.
  virtual void all_directories_failed() = 0;
};

class LogDirectories {
 public:
  LogDirectories(runtime::Environment& environment, LogDirectoriesSettings settings);
  ~LogDirectories();

  // Makes missing directories, locks them, reads meta.properties; nothing else is opened before all locks are held.
  // Blocks. A directory that does not work is offline from then on. Throws std::runtime_error with Kafka's message when
  // a lock is held by another process, when a directory is named twice, or when none works.
  void lock();

  // In the order of log.dirs, the offline ones too.
  std::vector<LogDirectory*> directories() const;
  LogDirectory* directory_of(Uuid id) const;
  // As it was found; nothing when the file is missing or the directory offline.
  const std::optional<MetaProperties>& meta_properties(const LogDirectory& directory) const;
  // After formatting.
  void set_meta_properties(LogDirectory& directory, MetaProperties properties);
  // The broker epoch in the clean-shutdown files, when all directories have the same one. Before load(), which deletes
  // them.
  std::optional<std::int64_t> clean_shutdown_broker_epoch() const;

  // Reads the markers and checkpoints, lists the logs, opens them in parallel in the background of `tasks`, which is
  // `reactor`'s; returns when the listing is done. Then upkeep begins. `events` outlives this. Throws
  // std::runtime_error with Kafka's message for a directory that is not a partition's and for a partition found twice.
  runtime::Task<void> load(runtime::Reactor& reactor, runtime::TaskGroup& tasks, LogDirectoriesEvents& events);
  // Every log is open (or failed).
  bool loaded() const;
  // On disk but not yet open.
  bool is_loading(const TopicPartition& name) const;
  runtime::Task<void> wait_loaded(runtime::Reactor& reactor);

  LogRef find(const TopicPartition& name, bool future = false) const;
  std::vector<LogRef> logs() const;

  // The log of the partition; made when there is none: in the directory with this id, else in the one with the fewest
  // logs. Errors: KAFKA_STORAGE_ERROR (no directory works; or one is offline and may hold it, unless `is_new`),
  // INCONSISTENT_TOPIC_ID, and while it is still being recovered NOT_LEADER_OR_FOLLOWER.
  runtime::Task<Result<LogRef>> get_or_create(runtime::Reactor& reactor, TopicPartition name, Uuid topic_id,
                                              Uuid directory_id, bool is_new);
  // Renames the directory to "-delete" (the files go later) or "-stray" and forgets the log.
  runtime::Task<Result<void>> remove(runtime::Reactor& reactor, TopicPartition name, bool stray = false);
  void reconfigure(const std::string& topic, const LogSettingsRef& settings);
  // New intervals; the paths stay as they are.
  void reconfigure(LogDirectoriesSettings settings);

  // After the tasks were stopped: flushes and closes all logs, writes the checkpoints and, where every log was loaded,
  // the clean-shutdown file; then lets the locks go.
  runtime::Task<void> stop(runtime::Reactor& reactor, std::int64_t broker_epoch);

 private:
  struct Inner;
  runtime::Environment& environment_;
  std::unique_ptr<Inner> inner_;
};

}  // namespace klamm::storage
