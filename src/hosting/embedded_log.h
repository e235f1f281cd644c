// The metadata log of a cluster with one voter, itself: __cluster_metadata-0 in KRaft's own format, as Apache Kafka
// would write and continue it. Each start is an election that nobody else takes part in: the epoch rises by one,
// quorum-state says so, and a LeaderChange record opens it.
//
// Committed means on disk. All records taken during a turn of the loop are written and synced together at its end, and
// only then does `committed` move. Snapshots are written when enough has changed, and what they make needless goes.
// Source of behaviour: org.apache.kafka.raft.KafkaRaftClient, internals.KafkaRaftLog,
// image.publisher.SnapshotGenerator.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "hosting/checkpoint.h"
#include "hosting/quorum_state.h"
#include "hosting/shard_log.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "metadata/record.h"
#include "runtime/environment.h"
#include "runtime/task_group.h"
#include "storage/log.h"
#include "storage/log_directory.h"

namespace klamm::hosting {

// The cluster's metadata cannot be led from this directory: other voters, an epoch that ran out, files that contradict
// one another. what() says it to people.
class MetadataLogError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct EmbeddedLogSettings {
  std::int32_t node_id = 1;
  Uuid directory_id;  // of the directory that holds the log
  // The controller's listener, for the VotersRecord of a dynamic quorum; nothing when there is none: then the record is
  // left as it is.
  std::optional<protocol::VotersRecord::Endpoint> controller_endpoint;
  std::int64_t snapshot_bytes = 20 << 20;  // metadata.log.max.record.bytes.between.snapshots
  std::chrono::milliseconds snapshot_interval =
      std::chrono::hours(1);                                      // metadata.log.max.snapshot.interval.ms; 0: never
  std::uint32_t segment_bytes = 1u << 30;                         // metadata.log.segment.bytes
  std::chrono::milliseconds segment_ms = std::chrono::days(7);    // metadata.log.segment.ms
  std::int64_t retention_bytes = 100 << 20;                       // metadata.max.retention.bytes; negative: no limit
  std::chrono::milliseconds retention_ms = std::chrono::days(7);  // metadata.max.retention.ms; negative: no limit
};

// What the files say, before this node leads.
struct LoadedMetadata {
  std::shared_ptr<const metadata::Delta> contents;  // from the empty image to all there is
  metadata::Records bootstrap;                      // for an empty log
  std::string bootstrap_source;
  std::optional<Offset> open_transaction;
};

class EmbeddedLog final : public ShardLog<metadata::Record> {
 public:
  // Told on the owner before `committed` moves: everything below the offset lasts.
  using CommitListener = std::function<void(Offset)>;
  // Told once on the owner when the disk failed; the process cannot go on.
  using FailureListener = std::function<void(const std::string&)>;

  // `directory` is locked, formatted and outlives this.
  EmbeddedLog(runtime::Environment& environment, runtime::Reactor& owner, storage::LogDirectory& directory,
              EmbeddedLogSettings settings, Logger log);
  ~EmbeddedLog() override;

  // Opens the log, recovers it after a crash, and reads snapshot and records. Throws MetadataLogError, DiskError,
  // metadata::BadRecord, std::runtime_error.
  runtime::Task<LoadedMetadata> load();
  // Takes the lead in a new epoch and begins to write that down. Everything loaded is committed together with the first
  // record of the epoch: the first commit is told when all of it, and the election, is on disk. Throws
  // MetadataLogError.
  void lead(CommitListener on_commit, FailureListener on_failure);
  // What went wrong with the disk; nothing while all is well.
  const std::optional<std::string>& failure() const { return failure_; }

  // kraft.version and voters as the control records say.
  const QuorumRecords& quorum() const { return quorum_; }

  Offset next_offset() const override { return next_offset_; }
  LeaderEpoch epoch() const override { return epoch_; }
  // Of its directory.
  std::string path() const;
  Result<Offset> append(std::span<const metadata::Record> records, bool atomic) override;
  runtime::Watermark& committed() override { return committed_; }

  // The image of what is committed, at a batch's end. A snapshot of it is written, in the background, when it is due.
  void consider_snapshot(const metadata::ImageRef& image);
  // Writes one now, unless there is one of this image. For tests and tools.
  runtime::Task<void> write_snapshot(metadata::ImageRef image);

  // Writes and syncs what was taken, then closes the log; waits for a snapshot under way. Nobody appends any more.
  runtime::Task<void> stop(bool clean);

 private:
  struct WriteAtTurnEnd;

  std::vector<SnapshotFile> find_snapshots();
  void drop_needless_snapshots(std::vector<SnapshotFile>& found, Offset log_start);
  void load_bootstrap(LoadedMetadata& loaded);
  void load_snapshot(metadata::Delta& delta, LoadedMetadata& loaded);
  runtime::Task<void> load_log(metadata::Delta& delta, LoadedMetadata& loaded);
  void check_voters() const;
  std::optional<protocol::VotersRecord> voters_to_write() const;
  ByteVector leader_change_batch(const std::optional<protocol::VotersRecord>& voters);

  runtime::Task<void> write_election();
  runtime::Task<void> write_epoch();
  void election_written();
  runtime::Task<void> write_pending();
  void failed(const std::string& what);
  runtime::Task<void> clean_up();
  runtime::Task<bool> has_too_much();
  runtime::Task<void> drop_snapshots_before(SnapshotId kept);

  runtime::Environment& environment_;
  runtime::Reactor& owner_;
  storage::LogDirectory& directory_;
  EmbeddedLogSettings settings_;
  Logger log_line_;

  storage::LogRef log_;
  QuorumRecords quorum_;
  std::optional<QuorumState> quorum_state_;
  std::vector<SnapshotId> snapshots_;  // ascending
  metadata::Provenance loaded_provenance_;
  LeaderEpoch epoch_{0};
  Offset next_offset_{0};

  runtime::Watermark committed_;
  CommitListener on_commit_;
  FailureListener on_failure_;
  std::optional<std::string> failure_;

  int election_parts_left_ = 0;  // files that must be on disk before anything is committed
  runtime::Notice election_;
  bool led_ = false;    // something of this epoch is committed
  ByteVector pending_;  // whole batches, in order
  records::RecordBatchBuilder builder_;
  std::unique_ptr<WriteAtTurnEnd> at_turn_end_;
  bool writing_ = false;
  runtime::Notice written_;
  bool snapshotting_ = false;
  bool cleaning_up_ = false;
  std::int64_t bytes_since_snapshot_ = 0;
  runtime::MonoTime last_snapshot_{};
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::hosting
