// What the Sender does for a producer with a transactional id.
#include <algorithm>

#include "client/sender.h"

namespace klamm::client {

using runtime::MonoTime;

// Of a producer that is of no use any more, or that has a transactional id.
std::optional<Error> Sender::refusal(const RecordView& record) {
  if (transactions_ && !transactions_->machine().may_take()) {
    if (!fatal_ && !knows_topic(record.topic, record.partition)) return std::nullopt;  // it is waited for first
    std::int32_t partition = record.partition;
    if (partition < 0 && knows_topic(record.topic, partition)) {
      const auto& leaders = leaders_of(record.topic);
      partition = record.key && !settings_.ignore_keys
                      ? partition_of_key(as_bytes(*record.key), static_cast<std::int32_t>(leaders.size()))
                      : accumulator_.sticky_partition(record.topic, leaders);
    }
    auto refused = transactions_->machine().refusal({std::string(record.topic), PartitionIndex(partition)});
    if (refused) return refused;
  }
  return fatal_;
}

void Sender::not_taken(const Error& error) {
  if (!transactions_) return;
  transactions_->machine().batch_failed(error);
  transaction_changed();
}

void Sender::transaction_changed() {
  look_again_ = true;
  run_soon();
}

// What the transaction wants sent and dropped; when to look at it again.
MonoTime Sender::run_transactions() {
  TransactionMachine& machine = transactions_->machine();
  if (sequences_.resolve()) machine.lost_track();
  if (machine.fatal() != nullptr) fail_everything(*machine.fatal());
  if (const auto why = machine.drops_unsent()) {
    for (const ProducerBatchRef& batch : accumulator_.take_unsent()) {
      batch->failed([&](std::int32_t) { return *why; });
      finish(*batch);
    }
  }
  const MonoTime next_look = transactions_->step(accumulator_.has_incomplete());
  if (machine.completing() != completing_) {
    completing_ = machine.completing();
    completing_ ? accumulator_.begin_flush() : accumulator_.end_flush();
  }
  return next_look;
}

}  // namespace klamm::client
