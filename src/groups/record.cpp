#include "groups/record.h"

#include <utility>

#include "base/ensure.h"
#include "protocol/reader.h"
#include "protocol/records/legacy_offset_commit_key.h"
#include "protocol/records/legacy_offset_commit_value.h"
#include "protocol/writer.h"

namespace klamm::groups {
namespace {

using protocol::Reader;
using protocol::Writer;

template <typename T>
ByteVector with_number(std::int16_t number, const T& message, std::int16_t version) {
  ByteVector bytes;
  bytes.reserve(2 + message.encoded_size(version));
  Writer writer(bytes);
  writer.write_int16(number);
  message.encode(writer, version);
  ENSURE(writer.ok(), writer.error());
  return bytes;
}

std::unexpected<Error> corrupt(std::string text) {
  return fail(ErrorCode::corrupt_message, std::move(text));
}

template <typename Record>
Result<std::optional<klamm::groups::Record>> read_entry(Reader& keys, std::optional<Bytes> value) {
  Record entry;
  entry.key.decode(keys, 0);
  if (!keys.ok()) return corrupt(keys.error());
  if (!value) return klamm::groups::Record{std::move(entry)};
  Reader values(*value);
  entry.version = values.read_int16();
  using Value = typename Record::Value;
  if (entry.version < Value::min_version || entry.version > Value::highest_version) {
    return corrupt(fmt::format("Unknown value version {} of record type {}", entry.version, Value::record_type));
  }
  entry.value.emplace().decode(values, entry.version);
  if (!values.ok()) return corrupt(values.error());
  return klamm::groups::Record{std::move(entry)};
}

// Type 0 is what the first versions wrote; read as if it were type 1.
Result<std::optional<Record>> read_legacy(Reader& keys, std::optional<Bytes> value) {
  protocol::LegacyOffsetCommitKey key;
  key.decode(keys, 0);
  if (!keys.ok()) return corrupt(keys.error());
  OffsetCommitRecord entry;
  entry.key.group = std::move(key.group);
  entry.key.topic = std::move(key.topic);
  entry.key.partition = key.partition;
  if (value) {
    Reader values(*value);
    if (values.read_int16() != 0) return corrupt("Unknown value version of record type 0");
    protocol::LegacyOffsetCommitValue old;
    old.decode(values, 0);
    if (!values.ok()) return corrupt(values.error());
    entry.value.emplace();
    entry.value->offset = old.offset;
    entry.value->metadata = std::move(old.metadata);
    entry.value->commit_timestamp = old.commit_timestamp;
  }
  return Record{std::move(entry)};
}

template <std::size_t I = 0>
Result<std::optional<Record>> read_type(std::int16_t type, Reader& keys, std::optional<Bytes> value) {
  if constexpr (I == std::variant_size_v<Message>) {
    return std::nullopt;
  } else {
    using Entry = std::variant_alternative_t<I, Message>;
    if (type == Entry::Key::record_type) return read_entry<Entry>(keys, value);
    return read_type<I + 1>(type, keys, value);
  }
}

}  // namespace

Encoded encode(const Record& record) {
  return std::visit(
      [](const auto& entry) {
        Encoded out{with_number(entry.key.record_type, entry.key, 0), std::nullopt};
        if (entry.value) out.value = with_number(entry.version, *entry.value, entry.version);
        return out;
      },
      record.message);
}

std::size_t encoded_bytes(const Record& record) {
  return std::visit(
      [](const auto& entry) {
        const std::size_t key = 2 + entry.key.encoded_size(0);
        return entry.value ? key + 2 + entry.value->encoded_size(entry.version) : key;
      },
      record.message);
}

Result<std::optional<Record>> decode(Bytes key, std::optional<Bytes> value) {
  Reader keys(key);
  const std::int16_t type = keys.read_int16();
  if (!keys.ok()) return corrupt(keys.error());
  if (type == protocol::LegacyOffsetCommitKey::record_type) return read_legacy(keys, value);
  return read_type(type, keys, value);
}

Record offset_commit(std::string group, std::string topic, std::int32_t partition, protocol::OffsetCommitValue value) {
  OffsetCommitRecord entry;
  entry.key.group = std::move(group);
  entry.key.topic = std::move(topic);
  entry.key.partition = partition;
  // Only version 1 can carry a time of expiry that the client chose.
  entry.version = value.expire_timestamp == -1 ? 4 : 1;
  entry.value = std::move(value);
  return {std::move(entry)};
}

Record offset_tombstone(std::string group, std::string topic, std::int32_t partition) {
  OffsetCommitRecord entry;
  entry.key.group = std::move(group);
  entry.key.topic = std::move(topic);
  entry.key.partition = partition;
  return {std::move(entry)};
}

Record group_metadata(std::string group, protocol::GroupMetadataValue value) {
  GroupMetadataRecord entry;
  entry.key.group = std::move(group);
  entry.value = std::move(value);
  entry.version = 3;
  return {std::move(entry)};
}

Record group_tombstone(std::string group) {
  GroupMetadataRecord entry;
  entry.key.group = std::move(group);
  return {std::move(entry)};
}

}  // namespace klamm::groups
