// Where a coordinator's records go: a partition that this broker leads. What is taken during a turn of the loop is
// written at its end, in as few batches as it takes; a batch holds decisions of one producer only. What the log would
// refuse of a producer (an epoch that is over, a transaction that ended) is refused before it is taken.
// Source of behaviour: kafka.coordinator.group.CoordinatorPartitionWriter, CoordinatorRuntime (the current batch).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/logger.h"
#include "hosting/shard_log.h"
#include "records/compression.h"
#include "records/record_batch_builder.h"
#include "records/validator.h"
#include "replication/partition.h"
#include "runtime/environment.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace klamm::hosting {

// The end of a producer's transaction in a partition.
struct TransactionEnd {
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
  std::int16_t transaction_version = 0;
};

// A record of a coordinator as it lies in a log.
struct LogEntry {
  ByteVector key;
  std::optional<ByteVector> value;       // none: a tombstone
  ProducerId producer = no_producer_id;  // of the transaction it is part of
  ProducerEpoch producer_epoch = no_producer_epoch;
  std::optional<std::uint32_t> ends_seen = {};  // as in storage::LeaderAppend
  std::optional<TransactionEnd> end = {};       // then there is no key and no value
};

struct PartitionWriterSettings {
  records::Compression compression;
  std::size_t batch_bytes_max = 1'000'000;  // plain, header included

  // What key and value of one record may have together, so that a batch surely holds it.
  std::size_t record_bytes_max() const;
};

// What one reactor needs to make batches and to append them.
struct BatchTools {
  records::Compressor compressor;
  records::ProduceValidator validator;
};

// Belongs to `owner`, the reactor of its shard. Nobody else appends to the partition while it is led; if somebody does,
// this fails.
class PartitionWriter {
 public:
  // Told once, on the owner, before the waits for `committed` end: nothing is taken any more. Not the place to destroy
  // this. A partition that is not led any more when this is made shows in failed() only.
  using FailureListener = std::function<void(const Error&)>;

  // `next`: the end of the log. `tools` outlive this.
  PartitionWriter(runtime::Environment& environment, runtime::Reactor& owner, BatchTools& tools,
                  replication::PartitionRef partition, LeaderEpoch epoch, Offset next, PartitionWriterSettings settings,
                  Logger log, FailureListener on_failure);
  ~PartitionWriter();
  PartitionWriter(const PartitionWriter&) = delete;
  PartitionWriter& operator=(const PartitionWriter&) = delete;

  Offset next_offset() const { return next_offset_; }
  LeaderEpoch epoch() const { return epoch_; }
  // As ShardLog::append.
  Result<Offset> append(std::span<const LogEntry> entries, bool atomic);
  // Follows the partition's high watermark.
  runtime::Watermark& committed() { return committed_; }
  bool failed() const { return failed_; }

  // Writes what was taken, then closes `committed`.
  runtime::Task<void> stop();

 private:
  struct WriteAtTurnEnd;
  struct Watch;
  struct Batch {
    Offset base;
    ByteVector bytes;
    ProducerId producer = no_producer_id;
    std::optional<TransactionEnd> end = {};
  };
  // A producer of whom something is taken that is not in the log yet.
  struct Unwritten {
    storage::ProducerStanding standing;
    std::size_t batches = 0;
  };

  bool fits(std::size_t entry_bytes) const;
  Result<void> check_producer(const LogEntry& entry) const;
  storage::ProducerStanding standing_of(ProducerId producer) const;
  void note_producer(const LogEntry& entry, bool new_batch);
  void was_written(ProducerId producer);
  void take(const LogEntry& entry, Timestamp now);
  void take_end(const LogEntry& entry, Timestamp now);
  void close_batch();
  runtime::Task<void> write();
  runtime::Task<bool> write_one(Batch batch);
  runtime::Task<replication::AppendOutcome> append(Batch& batch);
  void look();
  void fail_with(const Error& error);

  runtime::Environment& environment_;
  runtime::Reactor& owner_;
  BatchTools& tools_;
  replication::PartitionRef partition_;
  LeaderEpoch epoch_;
  Offset next_offset_;
  PartitionWriterSettings settings_;
  Logger log_;
  FailureListener on_failure_;

  runtime::Watermark committed_;
  records::RecordBatchBuilder builder_;  // of the batch that still grows, if it holds any
  Offset open_base_;
  ProducerId open_producer_ = no_producer_id;
  ProducerEpoch open_producer_epoch_ = no_producer_epoch;
  std::deque<Batch> batches_;  // whole, in order
  std::map<ProducerId, Unwritten> unwritten_;
  bool failed_ = false;
  bool writing_ = false;
  std::unique_ptr<WriteAtTurnEnd> at_turn_end_;
  std::unique_ptr<Watch> watch_;
  runtime::TaskGroup tasks_;
};

// The same for records of a machine.
template <typename Record>
class PartitionLog final : public ShardLog<Record> {
 public:
  using Encode = LogEntry (*)(const Record&);

  PartitionLog(PartitionWriter& writer, Encode encode) : writer_(writer), encode_(encode) {}

  Offset next_offset() const override { return writer_.next_offset(); }
  LeaderEpoch epoch() const override { return writer_.epoch(); }
  Result<Offset> append(std::span<const Record> records, bool atomic) override {
    std::vector<LogEntry> entries;
    entries.reserve(records.size());
    for (const Record& record : records) entries.push_back(encode_(record));
    return writer_.append(entries, atomic);
  }
  runtime::Watermark& committed() override { return writer_.committed(); }

 private:
  PartitionWriter& writer_;
  Encode encode_;
};

}  // namespace klamm::hosting
