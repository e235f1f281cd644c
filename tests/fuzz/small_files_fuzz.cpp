// The small files of a log directory, each through its own reader: checkpoints, meta.properties, partition.metadata,
// quorum-state, producer snapshots, and the names of files and directories. What can be read is written again and read
// back the same.
#include "base/crc32c.h"
#include "hosting/checkpoint.h"
#include "hosting/quorum_state.h"
#include "input.h"
#include "storage/checkpoint_file.h"
#include "storage/leader_epochs.h"
#include "storage/log_file_names.h"
#include "storage/meta_properties.h"
#include "storage/partition_metadata.h"
#include "storage/producer_snapshot.h"
#include "storage/transaction_index.h"

namespace klamm::fuzz {
namespace {

void offset_checkpoint(std::string_view text) {
  const auto offsets = storage::parse_offset_checkpoint(text, "checkpoint");
  if (!offsets) return;
  const auto again = storage::parse_offset_checkpoint(storage::offset_checkpoint_text(*offsets), "checkpoint");
  // A topic may be any text without a blank; what parts fields in one locale's eyes is part of a name in another's.
  ENSURE(again && *again == *offsets, "an offset checkpoint is read back otherwise");
}

void leader_epochs(std::string_view text) {
  const auto epochs = storage::LeaderEpochs::parse(text, "leader-epoch-checkpoint");
  if (!epochs) return;
  const auto again = storage::LeaderEpochs::parse(epochs->to_text(), "leader-epoch-checkpoint");
  ENSURE(again && *again == *epochs, "leader epochs are read back otherwise");
  for (std::size_t i = 1; i < epochs->entries().size(); ++i) {
    ENSURE(epochs->entries()[i - 1].epoch < epochs->entries()[i].epoch);
    ENSURE(epochs->entries()[i - 1].start < epochs->entries()[i].start);
  }
  (void)epochs->end_offset_of(LeaderEpoch(1), Offset(100));
  (void)epochs->epoch_of(Offset(7));
}

void meta_properties(std::string_view text) {
  const auto properties = storage::parse_meta_properties(text);
  if (!properties) return;
  const auto again = storage::parse_meta_properties(storage::meta_properties_text(*properties, Timestamp(0)));
  ENSURE(again && *again == *properties, "meta.properties is read back otherwise");
}

void partition_metadata(std::string_view text) {
  const auto id = storage::parse_partition_metadata(text, "partition.metadata");
  if (!id) return;
  const auto again = storage::parse_partition_metadata(storage::partition_metadata_text(*id), "partition.metadata");
  ENSURE(again && *again == *id, "partition.metadata is read back otherwise");
}

void quorum_state(std::string_view text) {
  const auto state = hosting::parse_quorum_state(text);
  if (!state) return;
  const auto again = hosting::parse_quorum_state(hosting::quorum_state_text(*state));
  ENSURE(again && again->leader_epoch == state->leader_epoch && again->leader_id == state->leader_id &&
             again->voted_id == state->voted_id && again->data_version == state->data_version,
         "quorum-state is read back otherwise");
}

void producer_snapshot(Bytes content, bool repair) {
  ByteVector bytes = exact_copy(content);
  constexpr std::size_t behind_crc = 6;
  if (repair && bytes.size() >= behind_crc) {
    store_big<std::int16_t>(bytes.data(), 1);
    store_big(bytes.data() + 2, crc32c(Bytes(bytes).subspan(behind_crc)));
  }
  const auto producers = storage::decode_producer_snapshot(bytes);
  if (!producers) return;
  storage::ProducerState state;
  for (const auto& entry : *producers) state.load(entry);
  (void)state.first_unstable();
  const auto again = storage::decode_producer_snapshot(storage::encode_producer_snapshot(*producers));
  ENSURE(again && again->size() == producers->size(), "a producer snapshot is read back otherwise");
}

void aborted_entries(Bytes content) {
  for (; content.size() >= storage::AbortedEntry::bytes; content = content.subspan(storage::AbortedEntry::bytes)) {
    const auto entry = storage::AbortedEntry::load(content.data());
    if (!entry) continue;
    std::byte stored[storage::AbortedEntry::bytes];
    entry->store(stored);
    ENSURE(storage::AbortedEntry::load(stored) == entry);
  }
}

void names(std::string_view text) {
  (void)storage::offset_of_file_name(text);
  (void)hosting::parse_snapshot_name(text);
  const auto directory = storage::parse_partition_directory(text, text);
  if (!directory || directory->kind != storage::DirectoryKind::current) return;
  const auto again = storage::parse_partition_directory(storage::partition_directory_name(directory->name), text);
  ENSURE(again && again->name == directory->name, "a directory's name is read back otherwise");
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace klamm;
  using namespace klamm::fuzz;
  Input input(data, size);
  const auto kind = input.take<std::uint8_t>();
  const auto text = as_text(input.rest());
  switch (kind % 8) {
    case 0:
      offset_checkpoint(text);
      break;
    case 1:
      leader_epochs(text);
      break;
    case 2:
      meta_properties(text);
      break;
    case 3:
      partition_metadata(text);
      break;
    case 4:
      quorum_state(text);
      break;
    case 5:
      producer_snapshot(input.rest(), kind & 8);
      break;
    case 6:
      aborted_entries(input.rest());
      break;
    default:
      names(text);
  }
  return 0;
}
