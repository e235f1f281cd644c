#include "client/sequences.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/ensure.h"
#include "records/record.h"

namespace klamm::client {

namespace {

auto order_of(const BatchSequence& batch) {
  return std::tuple(batch.producer.id, batch.producer.epoch, batch.base);
}

// Numbers wrap from 2^31-1 to 0; the few that are in flight at a time are never half the range apart.
bool is_after(std::int32_t sequence, std::int32_t other) {
  constexpr std::int32_t half = std::numeric_limits<std::int32_t>::max() / 2;
  return other == -1 || (sequence > other ? sequence - other <= half : other - sequence > half);
}

bool is_next(std::int32_t sequence, std::int32_t last_acked) {
  return sequence == (last_acked == -1 ? 0 : records::increment_sequence(last_acked, 1));
}

}  // namespace

std::int32_t BatchSequence::last() const {
  return records::increment_sequence(base, records - 1);
}

void Sequences::start_over() {
  partitions_.clear();
  unresolved_.clear();
}

bool Sequences::resolve() {
  bool lost = false;
  for (auto at = unresolved_.begin(); at != unresolved_.end();) {
    Partition& partition = partitions_[at->first];
    if (!partition.in_flight.empty()) {
      ++at;
      continue;
    }
    // All are settled. If batches after the expired one were acknowledged, it had arrived; else nobody knows.
    if (!is_next(partition.next, partition.last_acked)) {
      if (transactional_) {
        lost = true;
      } else {
        bump_wanted_ = true;
        to_rewrite_.insert(at->first);
      }
    }
    at = unresolved_.erase(at);
  }
  if (bump_wanted_) bump_epoch();
  return lost;
}

void Sequences::bump_epoch() {
  if (producer_.epoch == std::numeric_limits<std::int16_t>::max()) {
    producer_ = {};
  } else {
    ++producer_.epoch;
  }
  ++epoch_bumps_;
  for (const TopicPartition& name : to_rewrite_) {
    start_anew(partitions_[name]);
    unresolved_.erase(name);
  }
  to_rewrite_.clear();
  bump_wanted_ = false;
}

void Sequences::start_anew(Partition& partition) {
  std::int32_t next = 0;
  for (BatchSequence* batch : partition.in_flight) {
    batch->producer = producer_;
    batch->base = next;
    batch->was_reset = true;
    next += batch->records;
  }
  partition.producer = producer_;
  partition.next = next;
  partition.last_acked = -1;
}

// The broker refused a batch and has nothing of it: those after it move up.
void Sequences::close_gap(Partition& partition, const BatchSequence& gone) {
  partition.next = records::decrement_sequence(partition.next, gone.records);
  for (BatchSequence* batch : partition.in_flight) {
    if (!is_after(batch->base, gone.base)) continue;
    batch->base = records::decrement_sequence(batch->base, gone.records);
    batch->was_reset = true;
  }
}

bool Sequences::may_assign(const TopicPartition& partition) const {
  if (!producer_.valid() || unresolved_.contains(partition)) return false;
  const auto found = partitions_.find(partition);
  // Under a new epoch the numbers start again, which must not overtake what is in flight under the old one.
  return found == partitions_.end() || found->second.producer == producer_ || found->second.in_flight.empty();
}

void Sequences::assign(const TopicPartition& name, BatchSequence& batch) {
  ENSURE(!batch.assigned() && may_assign(name));
  Partition& partition = partitions_[name];
  if (partition.producer != producer_) start_anew(partition);
  batch.producer = producer_;
  batch.base = partition.next;
  batch.transactional = transactional_;
  partition.next = records::increment_sequence(partition.next, batch.records);
  insert(partition, batch);
}

bool Sequences::may_resend(const TopicPartition& partition, const BatchSequence& batch) const {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() || found->second.in_flight.empty() || found->second.in_flight.front() == &batch;
}

void Sequences::completed(const TopicPartition& name, BatchSequence& batch, std::int64_t base_offset) {
  Partition& partition = partitions_[name];
  if (batch.producer == partition.producer && is_after(batch.last(), partition.last_acked)) {
    partition.last_acked = batch.last();
  }
  if (base_offset >= 0) {
    partition.last_acked_offset = std::max(partition.last_acked_offset, base_offset + batch.records - 1);
  }
  remove(partition, batch);
}

void Sequences::failed(const TopicPartition& name, BatchSequence& batch, ErrorCode code, bool never_appended) {
  Partition& partition = partitions_[name];
  remove(partition, batch);
  if (transactional_) {
    if (code == ErrorCode::unknown_producer_id) {
      partitions_.erase(name);
      unresolved_.erase(name);
    } else if (never_appended && batch.assigned() && batch.producer == partition.producer) {
      close_gap(partition, batch);
    }
    return;
  }
  switch (code) {
    case ErrorCode::out_of_order_sequence_number:
      bump_wanted_ = true;  // a gap in the log: number 0 of a new epoch closes it
      to_rewrite_.insert(name);
      break;
    case ErrorCode::unknown_producer_id:
      partitions_.erase(name);
      unresolved_.erase(name);
      break;
    default:
      if (never_appended && batch.assigned()) {
        bump_wanted_ = true;
        to_rewrite_.insert(name);
      }
  }
}

void Sequences::unresolved(const TopicPartition& partition, const BatchSequence& batch) {
  const std::int32_t next = records::increment_sequence(batch.last(), 1);
  auto [at, added] = unresolved_.emplace(partition, next);
  if (!added && is_after(next, at->second)) at->second = next;
}

void Sequences::forget(const TopicPartition& partition, BatchSequence& batch) {
  remove(partitions_[partition], batch);
}

void Sequences::adopt(const TopicPartition& partition, BatchSequence& piece) {
  ENSURE(piece.assigned());
  insert(partitions_[partition], piece);
}

bool Sequences::may_retry(const TopicPartition& name, const BatchSequence& batch, const ProduceFailure& failure) {
  const auto bump = [&] {
    bump_wanted_ = true;
    to_rewrite_.insert(name);
    return true;
  };
  if (failure.code == ErrorCode::unknown_producer_id) {
    // The broker forgot this producer. Without its log start offset nothing can be concluded: ask again.
    if (failure.log_start_offset == -1 || batch.was_reset) return true;
    if (!transactional_) return bump();
    // What it wrote is deleted, and with it what the broker knew: the numbers begin again inside of the transaction.
    Partition& partition = partitions_[name];
    if (partition.last_acked_offset >= failure.log_start_offset) return false;
    start_anew(partition);
    return true;
  }
  if (failure.code == ErrorCode::out_of_order_sequence_number) {
    const Partition& partition = partitions_[name];
    const auto open = unresolved_.find(name);
    if (open == unresolved_.end() && (batch.was_reset || !is_next(batch.base, partition.last_acked))) {
      return true;  // an earlier batch failed and will be sent again first
    }
    if (transactional_) return false;
    // The one after the last acknowledged (or after the last of unknown fate) is refused: there is a gap.
    if (open == unresolved_.end() || batch.base == open->second) return bump();
    return true;
  }
  return is_retriable(failure.code);
}

bool Sequences::has_in_flight(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  return found != partitions_.end() && !found->second.in_flight.empty();
}

void Sequences::insert(Partition& partition, BatchSequence& batch) {
  partition.in_flight.push_back(&batch);
  std::ranges::sort(partition.in_flight, {}, [](const BatchSequence* each) { return order_of(*each); });
}

void Sequences::remove(Partition& partition, const BatchSequence& batch) {
  std::erase(partition.in_flight, &batch);
}

}  // namespace klamm::client
