#include "storage/producer_snapshot.h"

#include <algorithm>

#include "base/crc32c.h"

namespace klamm::storage {

namespace {

constexpr std::int16_t version_1 = 1;
constexpr std::size_t crc_position = 2;
constexpr std::size_t entries_position = 6;  // the checksum begins here, with the count
constexpr std::size_t header_bytes = 10;
constexpr std::size_t entry_bytes = 46;

}  // namespace

ByteVector encode_producer_snapshot(std::span<const ProducerEntry> producers) {
  std::vector<const ProducerEntry*> sorted;
  sorted.reserve(producers.size());
  for (const auto& entry : producers) sorted.push_back(&entry);
  std::ranges::sort(sorted, {}, [](const ProducerEntry* entry) { return entry->id; });

  ByteVector content;
  content.reserve(header_bytes + entry_bytes * producers.size());
  append_big(content, version_1);
  append_big(content, std::uint32_t{0});
  append_big(content, static_cast<std::int32_t>(producers.size()));
  for (const auto* entry : sorted) {
    append_big(content, entry->id.value);
    append_big(content, entry->epoch.value);
    append_big(content, entry->last_sequence());
    append_big(content, entry->last_offset().value);
    append_big(content, entry->last_offset_delta());
    append_big(content, entry->last_timestamp.value);
    append_big(content, entry->coordinator_epoch);
    append_big(content, entry->transaction_start.value);
  }
  store_big(content.data() + crc_position, crc32c(Bytes(content).subspan(entries_position)));
  return content;
}

Result<std::vector<ProducerEntry>> decode_producer_snapshot(Bytes content) {
  const auto corrupt = [](std::string message) { return fail(ErrorCode::corrupt_message, std::move(message)); };
  if (content.size() < 2) return corrupt("Snapshot failed schema validation: null");
  const auto version = load_big<std::int16_t>(content.data());
  if (version != version_1) {
    return corrupt(
        fmt::format("Snapshot failed schema validation: Snapshot contained an unknown file version {}", version));
  }
  if (content.size() < header_bytes) return corrupt("Snapshot failed schema validation: null");
  const auto count = load_big<std::int32_t>(content.data() + entries_position);
  if (count < 0 || static_cast<std::size_t>(count) > (content.size() - header_bytes) / entry_bytes) {
    return corrupt(fmt::format("Snapshot failed schema validation: {} entries in {} bytes", count, content.size()));
  }
  const auto stored = load_big<std::uint32_t>(content.data() + crc_position);
  const auto computed = crc32c(content.subspan(entries_position));
  if (stored != computed) {
    return corrupt(fmt::format("Snapshot is corrupt (CRC is no longer valid). Stored crc: {}. Computed crc: {}", stored,
                               computed));
  }

  std::vector<ProducerEntry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  const std::byte* at = content.data() + header_bytes;
  for (std::int32_t i = 0; i < count; ++i, at += entry_bytes) {
    ProducerEntry entry{.id = ProducerId(load_big<std::int64_t>(at)),
                        .last_timestamp = Timestamp(load_big<std::int64_t>(at + 26)),
                        .transaction_start = Offset(std::max<std::int64_t>(load_big<std::int64_t>(at + 38), -1)),
                        .coordinator_epoch = load_big<std::int32_t>(at + 34),
                        .epoch = ProducerEpoch(load_big<std::int16_t>(at + 8))};
    const Offset last_offset(load_big<std::int64_t>(at + 14));
    if (last_offset.value >= 0) {
      entry.add(entry.epoch, {.last_offset = last_offset,
                              .timestamp = entry.last_timestamp,
                              .last_sequence = load_big<std::int32_t>(at + 10),
                              .offset_delta = load_big<std::int32_t>(at + 22)});
    }
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace klamm::storage
