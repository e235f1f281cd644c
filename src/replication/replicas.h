// Makes this broker's replicas what the metadata says: creates and removes logs, gives each partition its state and its
// log, hands changed settings on. Works through what happened in order, on one reactor. Source of behaviour:
// kafka.server.ReplicaManager.applyDelta, kafka.server.metadata.BrokerMetadataPublisher.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "metadata/delta.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "runtime/task_group.h"
#include "storage/log_directories.h"

namespace klamm::replication {

// What the owner is told; on the reactor of the Replicas.
class ReplicasEvents {
 public:
  virtual ~ReplicasEvents() = default;
  // The replica lives in another directory than the metadata says (or the metadata did not say): the controller must
  // know.
  virtual void replica_placed(Uuid topic_id, PartitionIndex partition, Uuid directory) = 0;
  virtual void directory_failed(storage::LogDirectory& directory) = 0;
  // Nothing can be stored any more: the process must halt.
  virtual void all_directories_failed() = 0;
};

// The settings of a topic whose own configuration is given; called from any thread.
using TopicSettingsSource = std::function<TopicSettingsRef(const metadata::ConfigEntries&)>;

class Replicas final : public storage::LogDirectoriesEvents {
 public:
  Replicas(runtime::Environment& environment, runtime::Reactor& reactor, BrokerId self, PartitionTable& table,
           storage::LogDirectories& directories, TopicSettingsSource settings, ReplicasEvents& events, Logger log);
  ~Replicas() override;

  // The first delta holds the whole image; then start() looks at the disks. All on the reactor.
  void metadata_changed(const metadata::Delta& delta);
  // Loads the logs in the background. Partitions become ready one by one.
  runtime::Task<void> start();
  // The broker's own defaults changed: every topic's settings are made anew.
  void broker_settings_changed();
  // When all that is known now has been done.
  runtime::Task<void> settled();
  // Ends waits and watches of every partition and stops working; the logs stay open for LogDirectories::stop.
  runtime::Task<void> stop();

  TopicSettingsRef settings_of(const std::string& topic) const;

  // storage::LogDirectoriesEvents
  storage::LogSettingsRef topic_settings(const std::string& topic) override;
  bool is_stray(const TopicPartition& name, std::optional<Uuid> topic_id) override;
  void log_ready(const storage::LogRef& log) override;
  void directory_failed(storage::LogDirectory& directory) override;
  void all_directories_failed() override;

 private:
  // Something to do for one partition: bring it into line with the newest image, or take it away.
  struct Item {
    TopicPartition name;
    Uuid topic_id;
    bool remove = false;
    bool is_new = false;
  };

  void topic_changed(const metadata::TopicChange& change);
  void enqueue(Item item);
  runtime::Task<void> work();
  std::vector<Item> next_items();
  runtime::Task<void> do_one(Item item);
  runtime::Task<void> bring_in_line(Item item);
  runtime::Task<void> take_away(Item item);
  runtime::Task<bool> become(storage::LogRef log, PartitionRef partition, PartitionState state);
  std::optional<PartitionState> wanted(const TopicPartition& name, Uuid topic_id) const;
  void refresh_settings(const std::string& topic);

  runtime::Environment& environment_;
  runtime::Reactor& reactor_;
  BrokerId self_;
  PartitionTable& table_;
  storage::LogDirectories& directories_;
  TopicSettingsSource settings_source_;
  ReplicasEvents& events_;
  Logger log_;

  runtime::TaskGroup tasks_;
  metadata::ImageRef image_;
  std::deque<Item> items_;
  bool started_ = false;
  bool working_ = false;
  bool stopping_ = false;
  runtime::Watermark done_;  // how many items were done
  std::int64_t enqueued_ = 0;

  mutable runtime::ShortLock settings_lock_;
  std::map<std::string, TopicSettingsRef, std::less<>> settings_;  // of topics with a configuration of their own
  TopicSettingsRef default_settings_;
};

}  // namespace klamm::replication
