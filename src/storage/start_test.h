// For tests of LogDirectories: one start of a broker's storage on a disk, and what it is asked and told.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/log_directories.h"
#include "storage/test_world.h"

namespace klamm::storage::test {

class Events final : public LogDirectoriesEvents {
 public:
  LogSettingsRef topic_settings(const std::string&) override { return std::make_shared<LogSettings>(settings); }
  bool is_stray(const TopicPartition& name, std::optional<Uuid> id) override {
    return stray.contains(name.topic) || (id && stray_ids.contains(*id));
  }
  void log_ready(const LogRef& log) override { ready.push_back(log->name().to_string()); }
  void directory_failed(LogDirectory& directory) override { failed.push_back(directory.path()); }
  void all_directories_failed() override { halted = true; }

  LogSettings settings;
  std::set<std::string> stray;
  std::set<Uuid> stray_ids;
  std::vector<std::string> ready;
  std::vector<std::string> failed;
  bool halted = false;
};

// One start of a broker's storage on a disk.
class Start : public World {
 public:
  explicit Start(DiskState disk_state = {}, std::vector<std::string> paths = {"/a", "/b"}, bool loading = true)
      : World(std::move(disk_state)) {
    LogDirectoriesSettings settings;
    settings.paths = std::move(paths);
    directories = std::make_unique<LogDirectories>(environment, std::move(settings));
    directories->lock();
    if (loading) load();
  }
  ~Start() { settle(); }

  void load() {
    run(directories->load(first, tasks, events));
    settle();
  }
  LogRef make(const std::string& topic, int partition = 0, Uuid id = {7, 7}, Uuid directory = directory_unassigned,
              bool is_new = true) {
    const auto made = create(topic, partition, id, directory, is_new);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return made ? *made : nullptr;
  }
  Result<LogRef> create(const std::string& topic, int partition = 0, Uuid id = {7, 7},
                        Uuid directory = directory_unassigned, bool is_new = true) {
    return run(directories->get_or_create(first, {topic, PartitionIndex(partition)}, id, directory, is_new));
  }
  void fill(const LogRef& log, int count = 3) {
    ASSERT_TRUE(run(log->set_writer_epoch(first, LeaderEpoch(0), true)));
    for (int i = 0; i < count; ++i) {
      records::RecordBatchBuilder builder;
      builder.append({.timestamp = clock.time, .key = {}, .value = as_bytes("v")});
      auto bytes = builder.take();
      ASSERT_TRUE(run(log->append_as_leader(first, MutableBytes(bytes), {.epoch = LeaderEpoch(0), .now = clock.time})));
    }
    log->update_high_watermark(log->log_end());
  }
  void stop(std::int64_t broker_epoch = 17) {
    run(tasks.stop());
    run(directories->stop(first, broker_epoch));
  }
  std::string text(const std::string& path) { return std::string(as_text(disk.content(path))); }
  LogRef find(const std::string& topic, int partition = 0) {
    return directories->find({topic, PartitionIndex(partition)});
  }

  Events events;
  std::unique_ptr<LogDirectories> directories;
  runtime::TaskGroup tasks{first};
};

}  // namespace klamm::storage::test
