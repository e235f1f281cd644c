// The inside of LogDirectories. Everything here belongs to the reactor of load(); the maps of logs are read from others
// too, under `lock`.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "runtime/file_sync.h"
#include "runtime/waiting.h"
#include "storage/log_directories.h"
#include "storage/log_file_names.h"

namespace klamm::storage {

struct LogDirectories::Inner {
  Inner(LogDirectories& owner, LogDirectoriesSettings its_settings);
  ~Inner();

  // One of the directories, with what belongs to it.
  struct Place {
    explicit Place(std::unique_ptr<LogDirectory> its) : directory(std::move(its)) {}
    LogDirectory* live() const { return directory->offline() ? nullptr : directory.get(); }
    // What is still to be loaded counts for room as if it were open.
    std::size_t logs_soon() const { return logs + (to_load - loaded); }

    std::unique_ptr<LogDirectory> directory;
    std::shared_ptr<runtime::FileLock> lock;
    std::optional<MetaProperties> meta;
    bool was_clean = false;
    bool all_loaded = false;
    OffsetMap recovery_points;  // as found; for the logs that are not open yet
    OffsetMap log_starts;
    OffsetMap high_watermarks;
    std::size_t logs = 0;  // open or being made
    std::size_t to_load = 0;
    std::size_t loaded = 0;
    unsigned checkpoints_wanted = 0;  // of write_checkpoints; who comes while one is written shares the next
    std::uint64_t checkpoints_asked = 0;
    std::uint64_t checkpoints_written = 0;
  };
  struct Found {
    Place* place;
    std::string directory_name;
    PartitionDirectory what;
  };
  // Logs carry their own key.
  struct ByName {
    using is_transparent = void;
    bool operator()(const LogRef& a, const LogRef& b) const { return a->name() < b->name(); }
    bool operator()(const LogRef& a, const TopicPartition& b) const { return a->name() < b; }
    bool operator()(const TopicPartition& a, const LogRef& b) const { return a < b->name(); }
  };
  using LogsByName = std::set<LogRef, ByName>;
  // A partition's directory that was renamed to "-delete".
  struct Doomed {
    runtime::MonoTime at;
    Place* place;
    std::string directory_name;
    TopicPartition name;
  };
  // Carries a failure or a wake-up from any thread to the reactor.
  struct FailureWork final : runtime::Work {
    void run() override { inner->handle_failure(*place); }
    Inner* inner = nullptr;
    Place* place = nullptr;
    std::atomic<bool> told{false};
  };
  struct WakeWork final : runtime::Work {
    void run() override;
    Inner* inner = nullptr;
    std::atomic<bool> posted{false};
  };

  // What write_checkpoints writes: LogDirectory's bits, and the cleaner's file without the logs that are gone.
  static constexpr unsigned all_checkpoints =
      LogDirectory::recovery_point_moved | LogDirectory::log_start_moved | LogDirectory::high_watermark_moved;
  static constexpr unsigned cleaner_forgets = 8;
  static constexpr std::size_t closers_max = 16;
  // So many logs with something unsynced are written first and brought to disk with one sync of their file system: a
  // log takes six syncs of its own, a file system one, but that waits for what others wrote to it too.
  static constexpr std::size_t closed_together_min = 64;

  // --- log_directories.cpp -----------------------------------------------------------------------------------------
  Place& place_of(const LogDirectory& directory) const;
  std::string paths() const;
  std::string live_paths() const;
  std::string offline_paths() const;
  void directory_failed_anywhere(Place& place);  // any thread
  void handle_failure(Place& place);
  LogOpening opening_of(Place& place, const TopicPartition& name, std::string directory_name);
  Place* choose_place(Uuid directory_id) const;
  runtime::Task<Result<LogRef>> create(TopicPartition name, Uuid topic_id, Place& place);
  runtime::Task<bool> begin_directory(std::string path, Uuid topic_id);
  runtime::Task<Result<void>> remove(TopicPartition name, bool stray);
  void put(const LogRef& made);
  // The logs of a place, on their way to being closed.
  struct ClosingLogs {
    std::vector<LogRef> logs;
    std::size_t next = 0;
    bool together = false;
    bool all_closed = true;
  };
  runtime::Task<bool> close_all(Place& place);
  runtime::Task<bool> may_close_together(Place& place, const std::vector<LogRef>& unsynced);
  runtime::Task<void> close_some(ClosingLogs& closing);
  runtime::Task<bool> sync_file_system(Place& place);
  runtime::Task<void> stop_place(Place& place, std::int64_t broker_epoch);
  void doom(Place& place, std::string directory_name, TopicPartition name, runtime::MonoTime at);

  // --- log_directories_load.cpp ------------------------------------------------------------------------------------
  std::vector<Found> list(Place& place);
  runtime::Task<void> set_strays_of_known_names_aside(std::vector<Found>& found);
  runtime::Task<void> load_all(std::vector<Found> found);
  struct LoadQueue {
    std::vector<Found> found;
    std::size_t next = 0;
    std::vector<Found> later;  // those with much to recover
  };
  runtime::Task<void> load_place(std::vector<Found> found);
  runtime::Task<void> load_queue(LoadQueue& queue, bool all_at_once);
  runtime::Task<void> load_some(LoadQueue& queue, bool all_at_once);
  runtime::Task<void> take(Found found, LogRef opened, runtime::Duration took);
  void one_less_to_load(Place& place);

  // --- log_directories_upkeep.cpp ----------------------------------------------------------------------------------
  void wake();                  // any thread
  void log_has_work(Log& log);  // any thread
  runtime::Task<void> upkeep();
  runtime::MonoTime next_due();
  runtime::Task<void> upkeep_of_logs(runtime::MonoTime now);
  runtime::Task<void> sweep(runtime::MonoTime now);
  runtime::Task<void> remove_doomed(runtime::MonoTime now);
  runtime::Task<void> write_checkpoints(Place& place, unsigned what);
  std::vector<LogRef> logs_in(const Place& place) const;

  LogDirectories& owner;
  runtime::Environment& environment;
  LogDirectoriesSettings settings;
  Logger log;
  std::vector<std::unique_ptr<Place>> places;
  std::vector<std::unique_ptr<FailureWork>> failures;

  runtime::Reactor* reactor = nullptr;
  runtime::TaskGroup* tasks = nullptr;
  LogDirectoriesEvents* events = nullptr;
  runtime::MonoTime load_began{};
  std::size_t total = 0;
  std::size_t left_to_load = 0;
  std::optional<runtime::FileSync> new_files;  // logs that are made side by side wait for one disk together
  std::set<TopicPartition> changing;           // being made or removed
  runtime::Watermark changes;                  // counts the ends of such
  runtime::Watermark all_loaded;               // 1 when they are

  mutable runtime::ShortLock lock;
  LogsByName current;
  LogsByName future;
  std::set<TopicPartition> loading;
  std::vector<std::weak_ptr<Log>> with_work;  // told since the last look

  WakeWork wake_work;
  std::optional<runtime::Notice> notice;
  void schedule(const LogRef& its);
  std::multimap<runtime::MonoTime, std::pair<const Log*, std::weak_ptr<Log>>> due;
  std::map<const Log*, runtime::MonoTime> scheduled;  // the entry of `due` that counts; only looked up
  std::vector<Doomed> doomed;
  bool writing_checkpoints = false;
  std::optional<runtime::Notice> checkpoints_written;
  struct {
    runtime::MonoTime recovery_point = runtime::never;
    runtime::MonoTime log_start = runtime::never;
    runtime::MonoTime high_watermark = runtime::never;
    runtime::MonoTime retention = runtime::never;
    runtime::MonoTime rest = runtime::never;
  } next;
};

}  // namespace klamm::storage
