#include "storage/producer_state.h"

#include <algorithm>
#include <tuple>

#include "base/plant.h"

namespace klamm::storage {

using records::no_sequence;

namespace {

// Below this many producers a walk is as good as the table.
constexpr std::size_t table_from = 8;

bool in_sequence(std::int32_t last, std::int32_t next) {
  return std::int64_t{next} == std::int64_t{last} + 1 ||
         (next == 0 && last == std::numeric_limits<std::int32_t>::max());
}

Result<void> check_sequence(const ProducerEntry& updated, const ProducerEntry& before, const ProducerAppend& batch,
                            std::string_view partition) {
  if (planted(Plant::duplicate_sequence)) return {};
  const auto first = batch.base_sequence;
  if (batch.epoch != updated.epoch) {
    if (first == 0 || updated.epoch == no_producer_epoch) return {};
    return fail(
        ErrorCode::out_of_order_sequence_number,
        fmt::format("Invalid sequence number for new epoch of producer {} at offset {} in partition {}: {} (request "
                    "epoch), {} (seq. number), {} (current producer epoch)",
                    batch.id, batch.base_offset, partition, batch.epoch, first, updated.epoch));
  }
  // What an update added counts first; `updated` starts without the batches of `before`.
  std::int32_t last = no_sequence;
  if (!updated.empty()) {
    last = updated.last_sequence();
  } else if (batch.epoch == before.epoch) {
    last = before.last_sequence();
  }
  // Without any known epoch (its records were deleted, or it is new) a producer may go on with any number.
  if (before.epoch == no_producer_epoch || in_sequence(last, first)) return {};
  return fail(
      ErrorCode::out_of_order_sequence_number,
      fmt::format("Out of order sequence number for producer {} at offset {} in partition {}: {} (incoming seq. "
                  "number), {} (current end sequence number)",
                  batch.id, batch.base_offset, partition, first, last));
}

Result<void> check_epoch(const ProducerEntry& updated, const ProducerAppend& batch, std::string_view partition,
                         int transaction_version) {
  const auto current = updated.epoch;
  const bool strict = transaction_version >= 2;
  if (strict ? batch.epoch > current : batch.epoch >= current) return {};
  // A TV2 marker whose epoch is already here is the same marker again (KAFKA-19999): harmless once nothing is open.
  const bool repeated =
      strict && batch.epoch == current &&
      (updated.transaction_start == no_offset || batch.epoch.value == std::numeric_limits<std::int16_t>::max());
  if (repeated) return {};
  return fail(
      ErrorCode::invalid_producer_epoch,
      fmt::format("Epoch of producer {} at offset {} in {} is {}, which is {} the last seen epoch {} (TV{})", batch.id,
                  batch.base_offset, partition, batch.epoch, strict ? "<=" : "<", current, transaction_version));
}

}  // namespace

std::optional<ProducerBatch> ProducerEntry::find(ProducerEpoch of_epoch, std::int32_t first, std::int32_t last) const {
  if (of_epoch != epoch) return std::nullopt;
  for (std::size_t i = 0; i < batch_count; ++i) {
    if (batches[i].first_sequence() == first && batches[i].last_sequence == last) return batches[i];
  }
  return std::nullopt;
}

bool ProducerEntry::operator==(const ProducerEntry& other) const {
  const auto kept = [](const ProducerEntry& of) {
    return std::tie(of.id, of.last_timestamp, of.transaction_start, of.coordinator_epoch, of.epoch, of.batch_count,
                    of.batches);
  };
  return kept(*this) == kept(other);
}

void ProducerEntry::set_epoch(ProducerEpoch new_epoch) {
  if (epoch == new_epoch) return;
  batch_count = 0;
  epoch = new_epoch;
}

void ProducerEntry::add(ProducerEpoch new_epoch, const ProducerBatch& batch) {
  set_epoch(new_epoch);
  if (batch_count == batches_max) {
    std::move(batches.begin() + 1, batches.end(), batches.begin());
    --batch_count;
  }
  batches[batch_count++] = batch;
  last_timestamp = batch.timestamp;
}

// --- Update --------------------------------------------------------------------------------------------------------

ProducerEntry& ProducerState::Update::entry_of(ProducerId id) {
  const auto found = std::ranges::find(entries_, id, &ProducerEntry::id);
  if (found != entries_.end()) return *found;
  ProducerEntry entry{.id = id};
  if (const auto* known = state_.find(id)) {
    entry = *known;
    entry.batch_count = 0;
  }
  return entries_.emplace_back(entry);
}

void ProducerState::Update::clear() {
  entries_.clear();
  started_.clear();
  completed_.clear();
}

Result<void> ProducerState::Update::add(const ProducerAppend& batch, ProducerCheck check, int transaction_version) {
  static constexpr ProducerEntry unknown{};
  ProducerEntry& entry = entry_of(batch.id);
  const auto* known = state_.find(batch.id);
  if (batch.control) {
    // Compaction leaves an empty batch of a transaction that was cleaned away as a whole.
    if (!batch.marker) return {};
    if (check != ProducerCheck::replication) {
      if (auto ok = check_epoch(entry, batch, partition_, transaction_version); !ok) return ok;
      if (entry.coordinator_epoch > batch.marker->coordinator_epoch) {
        return fail(
            ErrorCode::transaction_coordinator_fenced,
            fmt::format("Invalid coordinator epoch for producerId {} at offset {} in partition {}: {} (zombie), {} "
                        "(current)",
                        batch.id, batch.base_offset, partition_, batch.marker->coordinator_epoch,
                        entry.coordinator_epoch));
      }
    }
    // A marker without data before it moves no last stable offset and needs no index entry.
    if (entry.transaction_start != no_offset) {
      completed_.push_back({batch.id, entry.transaction_start, batch.base_offset,
                            batch.marker->type == records::ControlRecordType::abort});
    }
    entry.set_epoch(batch.epoch);
    entry.coordinator_epoch = batch.marker->coordinator_epoch;
    entry.transaction_start = no_offset;
    entry.last_timestamp = batch.marker_timestamp;
    ++entry.ends;
    return {};
  }
  if (check != ProducerCheck::replication) {
    if (auto ok = check_epoch(entry, batch, partition_, 0); !ok) return ok;
  }
  if (check == ProducerCheck::client) {
    if (auto ok = check_sequence(entry, known ? *known : unknown, batch, partition_); !ok) return ok;
  }
  entry.add(batch.epoch, {.last_offset = batch.last_offset,
                          .timestamp = batch.max_timestamp,
                          .last_sequence = batch.last_sequence,
                          .offset_delta = static_cast<std::int32_t>(batch.last_offset - batch.base_offset)});
  if (entry.transaction_start != no_offset && !batch.transactional) {
    return fail(ErrorCode::invalid_txn_state,
                fmt::format("Expected transactional write from producer {} at offset {} in partition {}", batch.id,
                            batch.base_offset, partition_));
  }
  if (entry.transaction_start == no_offset && batch.transactional) {
    entry.transaction_start = batch.base_offset;
    started_.emplace_back(batch.id, batch.base_offset);
  }
  return {};
}

// --- ProducerState -------------------------------------------------------------------------------------------------

std::size_t ProducerState::slot_of(ProducerId id) const {
  auto slot = (static_cast<std::uint64_t>(id.value) * 0x9e3779b97f4a7c15ull) >> 32;
  const auto mask = slots_.size() - 1;
  for (slot &= mask; slots_[slot] != 0 && entries_[slots_[slot] - 1].id != id;) slot = (slot + 1) & mask;
  return slot;
}

void ProducerState::rebuild_index() {
  slots_.clear();
  if (entries_.size() <= table_from) return;
  slots_.resize(std::bit_ceil(entries_.size() * 2));
  for (std::size_t i = 0; i < entries_.size(); ++i) slots_[slot_of(entries_[i].id)] = static_cast<std::uint32_t>(i + 1);
}

void ProducerState::index_entry(std::size_t position) {
  if (entries_.size() <= table_from) return;
  if (slots_.size() < entries_.size() * 2) return rebuild_index();
  slots_[slot_of(entries_[position].id)] = static_cast<std::uint32_t>(position + 1);
}

const ProducerEntry* ProducerState::find(ProducerId id) const {
  if (slots_.empty()) {
    const auto found = std::ranges::find(entries_, id, &ProducerEntry::id);
    return found == entries_.end() ? nullptr : &*found;
  }
  const auto position = slots_[slot_of(id)];
  return position == 0 ? nullptr : &entries_[position - 1];
}

std::optional<ProducerBatch> ProducerState::find_duplicate(const ProducerAppend& batch) const {
  if (planted(Plant::duplicate_sequence)) return std::nullopt;
  const auto* entry = find(batch.id);
  return entry ? entry->find(batch.epoch, batch.base_sequence, batch.last_sequence) : std::nullopt;
}

bool ProducerState::has_open_transaction(ProducerId id, ProducerEpoch epoch) const {
  const auto* entry = find(id);
  return entry && entry->transaction_start != no_offset && entry->epoch == epoch;
}

ProducerState::Transactions& ProducerState::transactions() {
  if (!transactions_) transactions_ = std::make_unique<Transactions>();
  return *transactions_;
}

void ProducerState::apply(const Update& update) {
  for (const auto& updated : update.entries_) {
    auto* known = const_cast<ProducerEntry*>(find(updated.id));
    if (!known) {
      entries_.push_back(updated);
      index_entry(entries_.size() - 1);
      continue;
    }
    known->set_epoch(updated.epoch);
    for (std::size_t i = 0; i < updated.batch_count; ++i) known->add(updated.epoch, updated.batches[i]);
    known->coordinator_epoch = updated.coordinator_epoch;
    known->ends = updated.ends;
    known->transaction_start = updated.transaction_start;
    known->last_timestamp = updated.last_timestamp;
  }
  for (const auto& [id, first] : update.started_) {
    auto& ongoing = transactions().ongoing;
    const auto at = std::ranges::upper_bound(ongoing, first, {}, &OpenTransaction::first);
    ongoing.insert(at, {.first = first, .producer_id = id});
  }
}

Offset ProducerState::last_stable_after(const CompletedTransaction& transaction) const {
  if (!transactions_) return transaction.last_offset + 1;
  for (const auto& open : transactions_->ongoing) {
    if (open.producer_id != transaction.producer_id) return open.first;
  }
  return transaction.last_offset + 1;
}

void ProducerState::complete(const CompletedTransaction& transaction) {
  auto& [ongoing, unreplicated] = transactions();
  const auto open = std::ranges::find_if(ongoing, [&](const OpenTransaction& candidate) {
    return candidate.first == transaction.first_offset && candidate.producer_id == transaction.producer_id;
  });
  if (open == ongoing.end()) return;  // a snapshot that contradicts the log: nothing was held back for it
  open->last = transaction.last_offset;
  const auto at = std::ranges::upper_bound(unreplicated, open->first, {}, &OpenTransaction::first);
  unreplicated.insert(at, *open);
  ongoing.erase(open);
}

void ProducerState::high_watermark_moved(Offset high_watermark) {
  if (!transactions_) return;
  auto& unreplicated = transactions_->unreplicated;
  std::erase_if(unreplicated, [&](const OpenTransaction& ended) { return ended.last < high_watermark; });
}

std::optional<Offset> ProducerState::first_unstable() const {
  const auto undecided = first_undecided();
  if (!transactions_ || transactions_->unreplicated.empty()) return undecided;
  return undecided ? std::min(*undecided, transactions_->unreplicated.front().first)
                   : transactions_->unreplicated.front().first;
}

std::optional<Offset> ProducerState::first_undecided() const {
  if (!transactions_ || transactions_->ongoing.empty()) return std::nullopt;
  return transactions_->ongoing.front().first;
}

void ProducerState::load(const ProducerEntry& entry) {
  if (auto* known = const_cast<ProducerEntry*>(find(entry.id))) {
    if (transactions_)
      std::erase_if(transactions_->ongoing, [&](const OpenTransaction& open) { return open.producer_id == entry.id; });
    *known = entry;
  } else {
    entries_.push_back(entry);
    index_entry(entries_.size() - 1);
  }
  if (entry.transaction_start != no_offset) {
    auto& ongoing = transactions().ongoing;
    const auto at = std::ranges::lower_bound(ongoing, entry.transaction_start, {}, &OpenTransaction::first);
    ongoing.insert(at, {.first = entry.transaction_start, .producer_id = entry.id});
  }
}

void ProducerState::expire(Timestamp now, std::chrono::milliseconds after) {
  const auto removed = std::erase_if(entries_, [&](const ProducerEntry& entry) {
    return entry.transaction_start == no_offset && now - entry.last_timestamp >= after.count();
  });
  if (removed > 0) rebuild_index();
}

void ProducerState::clear() {
  entries_.clear();
  slots_.clear();
  transactions_.reset();
}

}  // namespace klamm::storage
