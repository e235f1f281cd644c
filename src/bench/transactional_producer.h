// A producer of transactions as a machine: init, then (add partitions,) produce to each of them, commit, and again.
// Source of the protocol: org.apache.kafka.clients.producer.internals.TransactionManager; KIP-890 for the second
// version of transactions, in which producing adds partitions and each end gives a new epoch.
#pragma once

#include <string>
#include <vector>

#include "bench/frames.h"
#include "bench/target.h"
#include "records/record_batch_builder.h"

namespace klamm::bench {

struct TransactionSettings {
  std::string id;
  std::string topic;
  Uuid topic_id;
  std::vector<std::int32_t> partitions;  // one record to each, in each transaction
  std::size_t record_bytes = 100;
  bool second_version = true;                            // of transactions
  std::int16_t init = 0, add = 0, produce = 0, end = 0;  // versions of the requests
};
// Those of a target, at this level of the feature transaction.version.
void choose_versions(TransactionSettings& settings, const Target& target, std::int16_t level);

class TransactionalProducer {
 public:
  enum class Step : std::uint8_t { init, add, produce, end };
  struct Outcome {
    std::string failure;  // "" when nothing is wrong
    bool again = false;   // the same request, a little later: the transaction before is still ending
    bool committed = false;
  };

  explicit TransactionalProducer(TransactionSettings settings);

  Step step() const { return step_; }
  // Nothing of a transaction was asked yet.
  bool between() const { return step_ == first_step(); }
  // The request of this step.
  const Frame& request(Timestamp now);
  // Of this step. After a failure the producer is of no use.
  Outcome answered(Bytes answer);
  std::size_t partitions() const { return settings_.partitions.size(); }

 private:
  Step first_step() const { return settings_.second_version ? Step::produce : Step::add; }
  Frame init_frame() const;
  Frame add_frame() const;
  Frame produce_frame(Timestamp now);
  Frame end_frame() const;
  std::int16_t initialized(Bytes answer);
  std::int16_t added(Bytes answer) const;
  std::int16_t produced(Bytes answer) const;
  std::int16_t ended(Bytes answer);
  void advance();

  TransactionSettings settings_;
  ByteVector value_;
  Step step_ = Step::init;
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::int32_t sequence_ = 0;  // of the next record, the same in every partition
  records::RecordBatchBuilder builder_;
  std::vector<ByteVector> batches_;
  Frame frame_;
};

}  // namespace klamm::bench
