// The sequence numbers of an idempotent producer (KIP-98, KIP-360): which batch may be sent next, what may be sent
// again, when the epoch must be bumped because a batch's fate is unknown. A producer with transactions never bumps by
// itself: its transaction is given up instead. Knows no network: it is told what was sent and what came back. Source of
// the rules: org.apache.kafka.clients.producer.internals.TransactionManager, TxnPartitionEntry.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/error_code.h"
#include "base/topic_partition.h"

namespace klamm::client {

struct ProducerIdentity {
  std::int64_t id = -1;
  std::int16_t epoch = -1;

  bool operator==(const ProducerIdentity&) const = default;
  bool valid() const { return id >= 0; }
};

// What a batch carries of it. Lives in the batch, at a place that does not move while the batch is in flight.
struct BatchSequence {
  ProducerIdentity producer;
  std::int32_t base = -1;
  std::int32_t records = 0;
  // The numbers were given anew after the batch had been sent under others.
  bool was_reset = false;
  bool transactional = false;

  bool assigned() const { return base >= 0; }
  std::int32_t last() const;
};

// What a failed batch's answer said.
struct ProduceFailure {
  ErrorCode code = ErrorCode::none;
  std::int64_t log_start_offset = -1;
};

class Sequences {
 public:
  explicit Sequences(bool transactional = false) : transactional_(transactional) {}

  const ProducerIdentity& producer() const { return producer_; }
  // The broker handed out an id.
  void set_producer(ProducerIdentity identity) { producer_ = identity; }
  // The numbers of all partitions begin at 0. Nothing is in flight.
  void start_over();

  // Of a producer with transactions: only to the partitions of the transaction anything is sent.
  void add_to_transaction(const TopicPartition& partition) { in_transaction_.insert(partition); }
  const std::set<TopicPartition>& in_transaction() const { return in_transaction_; }
  void end_transaction() { in_transaction_.clear(); }
  bool may_send(const TopicPartition& partition) const {
    return !transactional_ || in_transaction_.contains(partition);
  }

  // Before batches are drained: partitions whose last sent batches all expired, and pending epoch bumps. After it,
  // producer() may be invalid again (the epoch was used up): ask the broker for a new id. True when a producer with
  // transactions has batches whose fate nobody can tell any more.
  bool resolve();

  // A batch that has no numbers yet may take some now. False while the fate of earlier batches is not settled.
  bool may_assign(const TopicPartition& partition) const;
  // Numbers a batch that is about to be sent for the first time; it is in flight from here on.
  void assign(const TopicPartition& partition, BatchSequence& batch);
  // A batch that was sent before may be sent again: only the first one in flight, else order would be lost.
  bool may_resend(const TopicPartition& partition, const BatchSequence& batch) const;

  void completed(const TopicPartition& partition, BatchSequence& batch, std::int64_t base_offset);
  // A batch was given up. `never_appended`: the broker refused it, so that its numbers are free.
  void failed(const TopicPartition& partition, BatchSequence& batch, ErrorCode code, bool never_appended);
  // A batch that had been sent expired without an answer: the broker may have it or not.
  void unresolved(const TopicPartition& partition, const BatchSequence& batch);
  // Pieces take the place of a batch that was too large: it goes, and they come with its numbers.
  void forget(const TopicPartition& partition, BatchSequence& batch);
  void adopt(const TopicPartition& partition, BatchSequence& piece);
  // May a batch that failed so be sent again? May ask for an epoch bump, which resolve() does.
  bool may_retry(const TopicPartition& partition, const BatchSequence& batch, const ProduceFailure& failure);

  bool has_in_flight(const TopicPartition& partition) const;
  // Bumps were made so far: for logs and tests.
  int epoch_bumps() const { return epoch_bumps_; }

 private:
  struct Partition {
    ProducerIdentity producer;
    std::int32_t next = 0;
    std::int32_t last_acked = -1;
    std::int64_t last_acked_offset = -1;
    std::vector<BatchSequence*> in_flight;  // by producer id, epoch, base sequence
  };

  void bump_epoch();
  void start_anew(Partition& partition);
  static void close_gap(Partition& partition, const BatchSequence& gone);
  static void insert(Partition& partition, BatchSequence& batch);
  static void remove(Partition& partition, const BatchSequence& batch);

  bool transactional_;
  ProducerIdentity producer_;
  std::set<TopicPartition> in_transaction_;
  std::map<TopicPartition, Partition> partitions_;
  // The sequence number after the last batch whose fate is unknown.
  std::map<TopicPartition, std::int32_t> unresolved_;
  std::set<TopicPartition> to_rewrite_;
  bool bump_wanted_ = false;
  int epoch_bumps_ = 0;
};

}  // namespace klamm::client
