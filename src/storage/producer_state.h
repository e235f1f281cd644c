// What a log remembers of the idempotent and transactional producers that wrote to it: epoch, the last five batches,
// the open transaction. It answers resent batches with their first offsets, refuses gaps and zombies, and knows the
// first offset that is not yet decided. Values only: snapshots are read and written around it (producer_snapshot.h).
// Source of behaviour:
// org.apache.kafka.storage.internals.log.{ProducerStateManager,ProducerAppendInfo,ProducerStateEntry}.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "records/control_record.h"
#include "records/record_batch_view.h"

namespace klamm::storage {

// Who appends, which says how far a producer's state is checked: wholly, epochs only, not at all.
enum class ProducerCheck : std::uint8_t { client, coordinator, replication };

struct ProducerBatch {
  Offset last_offset = no_offset;
  Timestamp timestamp = no_timestamp;
  std::int32_t last_sequence = records::no_sequence;
  std::int32_t offset_delta = 0;

  Offset first_offset() const { return last_offset - offset_delta; }
  std::int32_t first_sequence() const { return records::decrement_sequence(last_sequence, offset_delta); }
  bool operator==(const ProducerBatch&) const = default;
};

struct ProducerEntry {
  static constexpr std::size_t batches_max = 5;

  ProducerId id = no_producer_id;
  Timestamp last_timestamp = no_timestamp;
  Offset transaction_start = no_offset;  // -1: none open
  std::int32_t coordinator_epoch = -1;
  ProducerEpoch epoch = no_producer_epoch;
  std::uint8_t batch_count = 0;
  // Ends of its transactions since the log was opened; snapshots do not have it, and it is no part of what is equal.
  std::uint32_t ends = 0;
  std::array<ProducerBatch, batches_max> batches{};  // oldest first

  bool empty() const { return batch_count == 0; }
  std::int32_t last_sequence() const {
    return empty() ? records::no_sequence : batches[batch_count - 1u].last_sequence;
  }
  Offset last_offset() const { return empty() ? no_offset : batches[batch_count - 1u].last_offset; }
  std::int32_t last_offset_delta() const { return empty() ? 0 : batches[batch_count - 1u].offset_delta; }
  std::optional<ProducerBatch> find(ProducerEpoch of_epoch, std::int32_t first, std::int32_t last) const;
  void add(ProducerEpoch new_epoch, const ProducerBatch& batch);
  void set_epoch(ProducerEpoch new_epoch);
  bool operator==(const ProducerEntry& other) const;
};

// A transaction that a marker ended.
struct CompletedTransaction {
  ProducerId producer_id;
  Offset first_offset;
  Offset last_offset;
  bool aborted = false;
};

// One batch as the producer state sees it; `base_offset` is the one it will have.
struct ProducerAppend {
  ProducerId id;
  ProducerEpoch epoch;
  std::int32_t base_sequence = records::no_sequence;
  std::int32_t last_sequence = records::no_sequence;
  Offset base_offset;
  Offset last_offset;
  Timestamp max_timestamp = no_timestamp;
  bool transactional = false;
  // A control batch; nothing when compaction emptied it.
  bool control = false;
  std::optional<records::EndTransactionMarker> marker;
  Timestamp marker_timestamp = no_timestamp;
};

class ProducerState {
 public:
  // What one append would change: prepared and checked batch by batch, then applied at once or dropped.
  class Update {
   public:
    // `partition`: for messages.
    Update(const ProducerState& state, std::string partition) : state_(state), partition_(std::move(partition)) {}
    // Errors: OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED,
    // with Kafka's texts. With ProducerCheck::replication nothing is refused but a plain batch inside a transaction.
    // `transaction_version`: of the coordinator that sent the marker (TV2 markers carry a bumped epoch).
    Result<void> add(const ProducerAppend& batch, ProducerCheck check, int transaction_version = 0);
    void clear();

   private:
    friend class ProducerState;
    ProducerEntry& entry_of(ProducerId id);

    const ProducerState& state_;
    std::string partition_;
    std::vector<ProducerEntry> entries_;
    std::vector<std::pair<ProducerId, Offset>> started_;
    std::vector<CompletedTransaction> completed_;
  };

  std::size_t size() const { return entries_.size(); }
  // In the order of their first appearance here.
  std::span<const ProducerEntry> producers() const { return entries_; }
  const ProducerEntry* find(ProducerId id) const;
  // A resent batch: where its first copy went.
  std::optional<ProducerBatch> find_duplicate(const ProducerAppend& batch) const;
  bool has_open_transaction(ProducerId id, ProducerEpoch epoch) const;

  // Takes the entries and started transactions of `update`; its completed ones wait for complete(), after their index
  // entries were written.
  void apply(const Update& update);
  static std::span<const CompletedTransaction> completed(const Update& update) { return update.completed_; }
  // The last stable offset once `transaction` is completed: what goes into the transaction index.
  Offset last_stable_after(const CompletedTransaction& transaction) const;
  void complete(const CompletedTransaction& transaction);

  // Transactions that ended below it are no longer unstable.
  void high_watermark_moved(Offset high_watermark);
  // The first offset that is undecided, or decided by a marker at or above the high watermark.
  std::optional<Offset> first_unstable() const;
  // The first offset of the oldest open transaction.
  std::optional<Offset> first_undecided() const;

  // From a snapshot.
  void load(const ProducerEntry& entry);
  void expire(Timestamp now, std::chrono::milliseconds after);
  void clear();
  bool is_empty() const { return entries_.empty() && (!transactions_ || transactions_->unreplicated.empty()); }

 private:
  struct OpenTransaction {
    Offset first;
    ProducerId producer_id;
    Offset last = no_offset;
  };
  void index_entry(std::size_t position);
  void rebuild_index();
  std::size_t slot_of(ProducerId id) const;

  std::vector<ProducerEntry> entries_;
  std::vector<std::uint32_t> slots_;  // open addressing over entries_, position + 1; a power of two
  // Most logs never see one.
  struct Transactions {
    std::vector<OpenTransaction> ongoing;       // by first offset
    std::vector<OpenTransaction> unreplicated;  // by first offset
  };
  Transactions& transactions();
  std::unique_ptr<Transactions> transactions_;
};

}  // namespace klamm::storage
