#include "records/control_record.h"

#include "base/ensure.h"
#include "records/record_batch_builder.h"

namespace klamm::records {

namespace {

constexpr std::size_t key_size = 4;
// Version and coordinator epoch.
constexpr std::size_t marker_value_size = 6;

}  // namespace

std::string_view control_record_name(ControlRecordType type) {
  switch (type) {
    case ControlRecordType::abort:
      return "ABORT";
    case ControlRecordType::commit:
      return "COMMIT";
    case ControlRecordType::leader_change:
      return "LEADER_CHANGE";
    case ControlRecordType::snapshot_header:
      return "SNAPSHOT_HEADER";
    case ControlRecordType::snapshot_footer:
      return "SNAPSHOT_FOOTER";
    case ControlRecordType::kraft_version:
      return "KRAFT_VERSION";
    case ControlRecordType::kraft_voters:
      return "KRAFT_VOTERS";
    case ControlRecordType::unknown:
      break;
  }
  return "UNKNOWN";
}

Result<ControlRecordType> control_record_type(const RecordView& record) {
  const Bytes key = record.key();
  if (key.size() < key_size) {
    return fail(ErrorCode::invalid_record,
                fmt::format("Invalid value size found for control record key. Must have at least {} bytes, but found "
                            "only {}",
                            key_size, key.size()));
  }
  const auto version = load_big<std::int16_t>(key.data());
  if (version < 0) {
    return fail(ErrorCode::invalid_record,
                fmt::format("Invalid version found for control record: {}. May indicate data corruption", version));
  }
  const auto type = load_big<std::int16_t>(key.data() + 2);
  const bool known = type >= 0 && type <= static_cast<std::int16_t>(ControlRecordType::kraft_voters);
  return known ? static_cast<ControlRecordType>(type) : ControlRecordType::unknown;
}

Result<EndTransactionMarker> parse_end_transaction_marker(const RecordView& record) {
  const auto type = control_record_type(record);
  if (!type) return std::unexpected(type.error());
  if (*type != ControlRecordType::commit && *type != ControlRecordType::abort) {
    return fail(ErrorCode::invalid_record,
                fmt::format("Invalid control record type for end transaction marker {}", control_record_name(*type)));
  }
  const Bytes value = record.value();
  if (value.size() < 2) return fail(ErrorCode::invalid_record, "Found an end transaction marker without a version");
  const auto version = load_big<std::int16_t>(value.data());
  if (version < 0) {
    return fail(
        ErrorCode::invalid_record,
        fmt::format("Invalid version found for end transaction marker: {}. May indicate data corruption", version));
  }
  // Later versions add fields behind this one.
  if (value.size() < marker_value_size)
    return fail(ErrorCode::invalid_record, "Found an end transaction marker without a coordinator epoch");
  return EndTransactionMarker{*type, load_big<std::int32_t>(value.data() + 2)};
}

ByteVector control_record_key(ControlRecordType type) {
  ENSURE(type != ControlRecordType::unknown);
  ByteVector key;
  append_big<std::int16_t>(key, 0);
  append_big(key, static_cast<std::int16_t>(type));
  return key;
}

namespace {

ByteVector control_batch(const BatchOptions& options, Timestamp timestamp, ControlRecordType type, Bytes value) {
  const ByteVector key = control_record_key(type);
  RecordBatchBuilder builder(options);
  builder.append({.timestamp = timestamp, .key = Bytes(key), .value = value});
  return builder.take();
}

}  // namespace

ByteVector end_transaction_batch(const ControlBatchOptions& options, ProducerId producer_id,
                                 ProducerEpoch producer_epoch, EndTransactionMarker marker) {
  ENSURE(marker.type == ControlRecordType::abort || marker.type == ControlRecordType::commit);
  ENSURE(producer_id > no_producer_id);
  ByteVector value;
  append_big<std::int16_t>(value, 0);
  append_big(value, marker.coordinator_epoch);
  return control_batch({.base_offset = options.base_offset,
                        .producer_id = producer_id,
                        .producer_epoch = producer_epoch,
                        .transactional = true,
                        .control = true,
                        .partition_leader_epoch = options.partition_leader_epoch},
                       options.timestamp, marker.type, value);
}

ByteVector kraft_control_batch(const ControlBatchOptions& options, ControlRecordType type, Bytes value) {
  ENSURE(type >= ControlRecordType::leader_change);
  return control_batch(
      {.base_offset = options.base_offset, .control = true, .partition_leader_epoch = options.partition_leader_epoch},
      options.timestamp, type, value);
}

}  // namespace klamm::records
