// Records that say something about the log itself: ends of transactions, and what a KRaft quorum writes into its log.
// Source: org.apache.kafka.common.record.ControlRecordType, EndTransactionMarker.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/types.h"
#include "records/record.h"

namespace klamm::records {

enum class ControlRecordType : std::int16_t {
  unknown = -1,
  abort = 0,
  commit = 1,
  leader_change = 2,
  snapshot_header = 3,
  snapshot_footer = 4,
  kraft_version = 5,
  kraft_voters = 6,
};

// "COMMIT", "LEADER_CHANGE"
std::string_view control_record_name(ControlRecordType type);

// The type in a control record's key; unknown for types of later versions, which readers skip. invalid_record, with
// Kafka's text, when the key is too short or its version negative.
Result<ControlRecordType> control_record_type(const RecordView& record);

struct EndTransactionMarker {
  ControlRecordType type = ControlRecordType::abort;
  std::int32_t coordinator_epoch = 0;
};
// invalid_record unless the record is an abort or a commit with a value.
Result<EndTransactionMarker> parse_end_transaction_marker(const RecordView& record);

struct ControlBatchOptions {
  Offset base_offset{0};
  Timestamp timestamp = no_timestamp;
  LeaderEpoch partition_leader_epoch = no_leader_epoch;
};

// The batch that ends a transaction in a partition: one record, transactional, no sequence.
ByteVector end_transaction_batch(const ControlBatchOptions& options, ProducerId producer_id,
                                 ProducerEpoch producer_epoch, EndTransactionMarker marker);
// A batch of one KRaft control record. `value` is the encoded message (LeaderChangeMessage, SnapshotHeaderRecord,
// SnapshotFooterRecord, KRaftVersionRecord, VotersRecord), without a version in front.
ByteVector kraft_control_batch(const ControlBatchOptions& options, ControlRecordType type, Bytes value);

// The key of a control record: version 0 and the type, four bytes.
ByteVector control_record_key(ControlRecordType type);

}  // namespace klamm::records
