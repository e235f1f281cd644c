// Records of internal topics and of the metadata log as text, in the JSON that Kafka's tools print.
// Source of the forms: org.apache.kafka.tools.DumpLogSegments and the classes of org.apache.kafka.tools.consumer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "records/record.h"

namespace klamm::cli {

// A key or a value of an internal topic: its type (of a value: its version) and the JSON of what it says.
struct DecodedPart {
  std::int16_t number = 0;
  std::string json;
};

enum class InternalTopic : std::uint8_t { offsets, transactions, share_state };

struct DecodedRecord {
  DecodedPart key;
  std::optional<DecodedPart> value;  // none: a tombstone
};

// What went wrong, in the words of Kafka's serdes; `unknown_type` when the record is of a kind that nobody knows.
struct DecodeFailure {
  std::optional<std::int16_t> unknown_type;
  std::string message;
};

class RecordDecoder {
 public:
  // `open_members`: what members of consumer groups carry as bytes is shown as JSON too.
  RecordDecoder(InternalTopic topic, bool open_members) : topic_(topic), open_members_(open_members) {}

  std::expected<DecodedRecord, DecodeFailure> decode(Bytes key, std::optional<Bytes> value) const;

 private:
  InternalTopic topic_;
  bool open_members_;
};

// A record of __cluster_metadata: {"type":"TOPIC_RECORD","version":0,"data":{…}}.
std::expected<std::string, std::string> decode_metadata_record(Bytes value);

// A record of __remote_log_metadata: {"type":"…","version":0,"data":{…}}.
std::expected<std::string, std::string> decode_remote_log_record(Bytes value);

// What a control record says, as dump-log prints it behind the record: " endTxnMarker: COMMIT coordinatorEpoch: 0".
std::string describe_control_record(const records::RecordView& record);

}  // namespace klamm::cli
