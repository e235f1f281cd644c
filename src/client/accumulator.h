// Records on their way: per partition a queue of batches that fill up, wait for linger.ms, leave, and come back when
// they must be sent again. Knows no network and no clock: it is told the time. Source of the rules:
// org.apache.kafka.clients.producer.internals.RecordAccumulator, ProducerBatch.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/topic_partition.h"
#include "client/partitioner.h"
#include "client/record.h"
#include "client/result.h"
#include "client/sequences.h"
#include "records/record_batch_builder.h"
#include "runtime/clock.h"

namespace klamm::client {

// Called once for each record that was taken, on the producer's reactor, in the order of the records of a partition.
using Delivered = std::function<void(const Result<Produced>&)>;

// One batch from its first record until its last answer.
class ProducerBatch {
 public:
  ProducerBatch(TopicPartition partition, const records::BatchOptions& options, runtime::MonoTime now)
      : partition_(std::move(partition)), created_(now), builder_(options) {}

  const TopicPartition& partition() const { return partition_; }
  std::int32_t record_count() const { return record_count_; }
  runtime::MonoTime created() const { return created_; }
  int attempts() const { return attempts_; }
  bool in_retry() const { return attempts_ > 0; }

  // A batch takes its first record however large it is.
  bool has_room(const records::RecordFields& fields, std::size_t batch_bytes, double ratio) const;
  void append(const records::RecordFields& fields, Delivered delivered);
  // Nothing is added any more; the bytes stand after it. Safe to call again.
  void close(records::Compressor& compressor);
  bool closed() const { return closed_; }
  // Valid once closed. Stay at their place; what goes onto the wire shares ownership of the batch.
  Bytes bytes() const { return bytes_; }
  std::size_t plain_bytes() const { return plain_bytes_; }
  std::size_t estimated_bytes(double ratio) const { return closed_ ? bytes_.size() : builder_.estimated_bytes(ratio); }
  // Writes the numbers into the closed batch.
  void stamp(const BatchSequence& sequence);

  void succeeded(std::int64_t base_offset, std::int64_t log_append_time);
  // `error_of` gives the error of the record at an index.
  void failed(const std::function<Error(std::int32_t)>& error_of);
  bool done() const { return done_; }

  BatchSequence sequence;
  bool in_flight = false;
  std::optional<runtime::MonoTime> last_attempt;
  runtime::MonoTime retry_at{};    // not before
  std::int32_t leader_epoch = -1;  // of the partition when it was last sent
  std::size_t reserved_bytes = 0;  // of buffer.memory
  std::uint64_t serial = 0;        // order of creation

  void sent_again(runtime::MonoTime now) {
    ++attempts_;
    last_attempt = now;
  }

 private:
  friend class Accumulator;
  struct Record {
    Delivered delivered;
    std::int64_t timestamp;
  };

  TopicPartition partition_;
  runtime::MonoTime created_;
  records::RecordBatchBuilder builder_;
  ByteVector bytes_;
  std::vector<Record> records_;
  std::size_t plain_bytes_ = 0;
  std::int32_t record_count_ = 0;
  int attempts_ = 0;
  bool closed_ = false;
  bool done_ = false;
};
using ProducerBatchRef = std::shared_ptr<ProducerBatch>;

struct AccumulatorSettings {
  std::size_t batch_bytes = 16384;
  std::size_t memory_bytes = 33554432;
  std::size_t request_bytes_max = 1048576;
  runtime::Duration linger{};
  runtime::Duration retry_backoff{};
  runtime::Duration retry_backoff_max{};
  runtime::Duration delivery_timeout{};
  records::Compression compression = {};
  bool adaptive_partitioning = true;
  bool order_by_muting = false;  // max.in.flight.requests.per.connection=1
};

// The leader of a partition as metadata know it.
struct LeaderOf {
  std::int32_t node = -1;  // -1: none known
  std::int32_t epoch = -1;
};

class Accumulator {
 public:
  Accumulator(AccumulatorSettings settings, runtime::Random& random);

  enum class Appended : std::uint8_t {
    taken,
    something_to_do,  // taken, and a batch became full or a new one began: look at ready()
    no_memory,
  };
  // `partition` is -1 for the sticky partitioner's choice among `leaders` (indexed by partition). The bytes are copied.
  Appended append(const RecordView& record, const records::RecordFields& fields, std::int32_t partition,
                  std::span<const LeaderOf> leaders, Delivered delivered, runtime::MonoTime now);

  struct Ready {
    std::vector<std::int32_t> nodes;               // with something to send now
    std::vector<std::string> leaderless_topics;    // with something to send and no known leader
    runtime::MonoTime next_look = runtime::never;  // when something becomes ready by waiting
  };
  using Leaders = std::function<LeaderOf(const TopicPartition&)>;
  Ready ready(const Leaders& leaders, runtime::MonoTime now) const;

  // Takes batches for one request to `node`, at most request_bytes_max together, the partitions in turn.
  std::vector<ProducerBatchRef> drain(std::int32_t node, const Leaders& leaders, Sequences* sequences,
                                      runtime::MonoTime now);

  // Back to the queue, in the order of the sequence numbers.
  void enqueue_again(ProducerBatchRef batch, bool idempotent, runtime::MonoTime now);
  // Puts smaller batches in the place of one that the broker found too large, with its sequence numbers; none when it
  // has one record only or cannot be read.
  std::vector<ProducerBatchRef> split(const ProducerBatchRef& batch, runtime::MonoTime now);
  void unmute(const TopicPartition& partition);
  // The batch has its last answer: gives its memory back.
  void release(ProducerBatch& batch);

  // Takes out what waits longer than delivery.timeout.ms.
  std::vector<ProducerBatchRef> take_expired(runtime::MonoTime now);
  std::vector<ProducerBatchRef> take_all();
  // What was never sent, so that no broker can have it.
  std::vector<ProducerBatchRef> take_unsent();
  runtime::MonoTime next_expiry() const;

  // All that is queued now is ready at once, until end_flush().
  void begin_flush() { ++flushes_; }
  void end_flush() { --flushes_; }
  void close() { closed_ = true; }
  // Called when a record began a batch.
  void on_new_batch(std::function<void(const TopicPartition&)> began) { began_ = std::move(began); }
  // Where the next record without a key goes.
  std::int32_t sticky_partition(std::string_view topic, std::span<const LeaderOf> leaders);
  // Somebody waits for memory: nothing lingers any more.
  void set_exhausted(bool exhausted) { exhausted_ = exhausted; }

  // Batches that are not released yet, queued or in flight.
  bool has_incomplete() const { return !incomplete_.empty(); }
  // For flush: all batches that exist now have been released once no serial up to this one is incomplete.
  std::uint64_t last_serial() const { return next_serial_ - 1; }
  bool incomplete_up_to(std::uint64_t serial) const { return !incomplete_.empty() && *incomplete_.begin() <= serial; }
  std::size_t memory_used() const { return memory_used_; }
  bool fits(std::size_t bytes) const { return memory_used_ == 0 || memory_used_ + bytes <= settings_.memory_bytes; }
  const AccumulatorSettings& settings() const { return settings_; }

 private:
  struct Queue {
    std::deque<ProducerBatchRef> batches;
    bool muted = false;
  };
  struct Topic {
    std::vector<Queue> queues;  // by partition
    StickyPartitioner partitioner;
  };

  Topic& topic_of(std::string_view name, std::size_t partitions);
  std::int32_t choose_partition(Topic& topic, std::span<const LeaderOf> leaders);
  void closed(ProducerBatch& batch);
  double ratio_of(std::string_view topic) const;
  Queue* find_queue(const TopicPartition& partition);
  bool sendable(const Queue& queue, runtime::MonoTime now, runtime::MonoTime& next_look) const;
  bool backs_off(const ProducerBatch& batch, LeaderOf leader, runtime::MonoTime now, runtime::MonoTime& until) const;
  runtime::Duration backoff_after(int attempts) const;

  AccumulatorSettings settings_;
  runtime::Random& random_;
  std::map<std::string, Topic, std::less<>> topics_;
  std::map<std::int32_t, std::size_t> next_partition_of_node_;
  records::Compressor compressor_;
  std::map<std::string, double, std::less<>> compression_ratio_;  // by topic: compressed / plain
  std::multiset<std::uint64_t> incomplete_;  // serials; the pieces of a split batch keep its serial
  std::uint64_t next_serial_ = 1;
  std::size_t memory_used_ = 0;
  int flushes_ = 0;
  bool closed_ = false;
  bool exhausted_ = false;
  std::function<void(const TopicPartition&)> began_;
};

}  // namespace klamm::client
