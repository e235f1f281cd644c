#include "cli/record_decoders.h"

#include <algorithm>
#include <array>
#include <expected>
#include <memory>

#include "base/varint.h"
#include "protocol/catalog.h"
#include "protocol/records/consumer_protocol_assignment.h"
#include "protocol/records/consumer_protocol_subscription.h"
#include "protocol/records/group_metadata_value.h"
#include "records/control_record.h"

namespace klamm::cli {

namespace {

using protocol::AnyMessage;
using protocol::MessageType;

// A kind of record: the number its keys begin with, and its name in schemas/ (OffsetCommit: OffsetCommitKey, …Value).
struct RecordKind {
  std::int16_t number;
  std::string_view name;
};

constexpr RecordKind offset_kinds[] = {
    {0, "LegacyOffsetCommit"},
    {1, "OffsetCommit"},
    {2, "GroupMetadata"},
    {3, "ConsumerGroupMetadata"},
    {4, "ConsumerGroupPartitionMetadata"},
    {5, "ConsumerGroupMemberMetadata"},
    {6, "ConsumerGroupTargetAssignmentMetadata"},
    {7, "ConsumerGroupTargetAssignmentMember"},
    {8, "ConsumerGroupCurrentMemberAssignment"},
    {10, "ShareGroupMemberMetadata"},
    {11, "ShareGroupMetadata"},
    {12, "ShareGroupTargetAssignmentMetadata"},
    {13, "ShareGroupTargetAssignmentMember"},
    {14, "ShareGroupCurrentMemberAssignment"},
    {15, "ShareGroupStatePartitionMetadata"},
    {16, "ConsumerGroupRegularExpression"},
    {17, "StreamsGroupMetadata"},
    {19, "StreamsGroupMemberMetadata"},
    {20, "StreamsGroupTargetAssignmentMetadata"},
    {21, "StreamsGroupTargetAssignmentMember"},
    {22, "StreamsGroupCurrentMemberAssignment"},
    {23, "StreamsGroupTopology"},
};
constexpr RecordKind transaction_kinds[] = {{0, "TransactionLog"}};
constexpr RecordKind share_kinds[] = {{0, "ShareSnapshot"}, {1, "ShareUpdate"}};

constexpr RecordKind metadata_kinds[] = {
    {0, "RegisterBrokerRecord"},
    {1, "UnregisterBrokerRecord"},
    {2, "TopicRecord"},
    {3, "PartitionRecord"},
    {4, "ConfigRecord"},
    {5, "PartitionChangeRecord"},
    {7, "FenceBrokerRecord"},
    {8, "UnfenceBrokerRecord"},
    {9, "RemoveTopicRecord"},
    {10, "DelegationTokenRecord"},
    {11, "UserScramCredentialRecord"},
    {12, "FeatureLevelRecord"},
    {14, "ClientQuotaRecord"},
    {15, "ProducerIdsRecord"},
    {17, "BrokerRegistrationChangeRecord"},
    {18, "AccessControlEntryRecord"},
    {19, "RemoveAccessControlEntryRecord"},
    {20, "NoOpRecord"},
    {21, "ZkMigrationStateRecord"},
    {22, "RemoveUserScramCredentialRecord"},
    {23, "BeginTransactionRecord"},
    {24, "EndTransactionRecord"},
    {25, "AbortTransactionRecord"},
    {26, "RemoveDelegationTokenRecord"},
    {27, "RegisterControllerRecord"},
    {28, "ClearElrRecord"},
    {29, "UnregisterControllerRecord"},
};

constexpr RecordKind remote_log_kinds[] = {
    {0, "RemoteLogSegmentMetadataRecord"},
    {1, "RemoteLogSegmentMetadataUpdateRecord"},
    {2, "RemotePartitionDeleteMetadataRecord"},
    {3, "RemoteLogSegmentMetadataSnapshotRecord"},
};

std::span<const RecordKind> kinds_of(InternalTopic topic) {
  switch (topic) {
    case InternalTopic::offsets:
      return offset_kinds;
    case InternalTopic::transactions:
      return transaction_kinds;
    case InternalTopic::share_state:
      return share_kinds;
  }
  return {};
}

const RecordKind* find_kind(std::span<const RecordKind> kinds, std::int16_t number) {
  const auto found = std::ranges::find(kinds, number, &RecordKind::number);
  return found == kinds.end() ? nullptr : &*found;
}

// "PARTITION_RECORD" of "PartitionRecord"
std::string upper_snake(std::string_view camel) {
  std::string text;
  for (const char c : camel) {
    if (c >= 'A' && c <= 'Z' && !text.empty()) text += '_';
    text += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return text;
}

std::expected<std::string, std::string> json_of(const MessageType& type, Bytes bytes, std::int16_t version) {
  const std::unique_ptr<AnyMessage> message = type.make();
  protocol::Reader reader(bytes);
  message->decode(reader, version);
  if (!reader.ok()) return std::unexpected(reader.error());
  return message->to_json(version);
}

const MessageType& type_of(std::string_view name) {
  const MessageType* type = protocol::find_message_type(name);
  ENSURE(type != nullptr, name);
  return *type;
}

std::string base64(Bytes bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < count ? static_cast<std::uint32_t>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? alphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

// The bytes of a consumer's subscription or assignment, with their version in front, as JSON.
template <typename Message>
std::optional<std::string> embedded_json(Bytes bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto version = load_big<std::int16_t>(bytes.data());
  if (version < Message::min_version || version > Message::max_version) return std::nullopt;
  protocol::Reader reader(bytes.subspan(2));
  Message message;
  message.decode(reader, version);
  if (!reader.ok()) return std::nullopt;
  return message.to_json(version);
}

// Members of consumer groups carry what the consumer protocol says as bytes; it is shown opened.
void open_members(std::string& json, const protocol::GroupMetadataValue& group) {
  std::size_t at = 0;
  const auto replace = [&](std::string_view field, Bytes bytes, const std::optional<std::string>& opened) {
    const std::string closed = fmt::format("\"{}\":\"{}\"", field, base64(bytes));
    const std::size_t found = json.find(closed, at);
    if (found == std::string::npos) return;
    if (!opened) {
      at = found + closed.size();
      return;
    }
    const std::string open = fmt::format("\"{}\":{}", field, *opened);
    json.replace(found, closed.size(), open);
    at = found + open.size();
  };
  for (const auto& member : group.members) {
    replace("subscription", member.subscription,
            embedded_json<protocol::ConsumerProtocolSubscription>(member.subscription));
    replace("assignment", member.assignment, embedded_json<protocol::ConsumerProtocolAssignment>(member.assignment));
  }
}

std::string broken(std::int16_t version, std::string_view part, std::string_view why) {
  return fmt::format("Could not read record with version {} from {}'s buffer due to: {}.", version, part, why);
}

}  // namespace

std::expected<DecodedRecord, DecodeFailure> RecordDecoder::decode(Bytes key, std::optional<Bytes> value) const {
  const auto fail = [](std::string message) {
    return std::unexpected(DecodeFailure{std::nullopt, std::move(message)});
  };
  if (key.size() < 2) return fail("Could not read version from key's buffer.");
  DecodedRecord result;
  result.key.number = load_big<std::int16_t>(key.data());
  const RecordKind* kind = find_kind(kinds_of(topic_), result.key.number);
  // The oldest kind of key has two numbers: 0 and 1 were its versions.
  if (kind == nullptr) {
    return std::unexpected(
        DecodeFailure{result.key.number, fmt::format("Found an unknown record type {}", result.key.number)});
  }
  const std::string name(kind->name);
  auto key_json = json_of(type_of(name + "Key"), key.subspan(2), 0);
  if (!key_json) return fail(broken(result.key.number, "key", key_json.error()));
  result.key.json = *std::move(key_json);
  if (!value) return result;

  if (value->size() < 2) return fail("Could not read version from value's buffer.");
  DecodedPart part{load_big<std::int16_t>(value->data()), {}};
  const MessageType& type = type_of(name + "Value");
  if (part.number < type.min_version || part.number > type.max_version) {
    return fail(fmt::format("Found an unknown record version {} for {} type", part.number, result.key.number));
  }
  auto value_json = json_of(type, value->subspan(2), part.number);
  if (!value_json) return fail(broken(part.number, "value", value_json.error()));
  part.json = *std::move(value_json);
  if (open_members_ && name == "GroupMetadata") {
    protocol::GroupMetadataValue group;
    protocol::Reader reader(value->subspan(2));
    group.decode(reader, part.number);
    if (group.protocol_type == "consumer") open_members(part.json, group);
  }
  result.value = std::move(part);
  return result;
}

std::expected<std::string, std::string> decode_metadata_record(Bytes value) {
  std::array<std::uint32_t, 3> head{};  // frame version, type, version
  constexpr std::array names{"frame version", "type", "version"};
  for (std::size_t i = 0; i < head.size(); ++i) {
    const auto number = load_unsigned_varint(value);
    if (!number || number.value > 0x7fff) return std::unexpected(fmt::format("Error while reading {}", names[i]));
    head[i] = number.value;
    value = value.subspan(number.size);
  }
  if (head[0] == 0) {
    return std::unexpected(std::string(
        "Could not deserialize metadata record with frame version 0. Note that upgrades from the preview release of "
        "KRaft in 2.8 to newer versions are not supported."));
  }
  if (head[0] != 1) {
    return std::unexpected(
        fmt::format("Could not deserialize metadata record due to unknown frame version {}(only frame version 1 is "
                    "supported)",
                    head[0]));
  }
  const auto number = static_cast<std::int16_t>(head[1]);
  const RecordKind* kind = find_kind(metadata_kinds, number);
  if (kind == nullptr) {
    return std::unexpected(
        fmt::format("org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id {}", number));
  }
  const MessageType& type = type_of(kind->name);
  const auto version = static_cast<std::int16_t>(head[2]);
  const std::unique_ptr<AnyMessage> message = type.make();
  protocol::Reader reader(value);
  message->decode(reader, version);
  if (!reader.ok()) return std::unexpected(fmt::format("Failed to deserialize record with type {}", number));
  if (reader.remaining() > 0) {
    return std::unexpected(fmt::format("Found {} byte(s) of garbage after {}", reader.remaining(), number));
  }
  return fmt::format(R"({{"type":"{}","version":{},"data":{}}})", upper_snake(kind->name), version,
                     message->to_json(version));
}

std::expected<std::string, std::string> decode_remote_log_record(Bytes value) {
  std::array<std::uint32_t, 3> head{};
  for (std::uint32_t& each : head) {
    const auto number = load_unsigned_varint(value);
    if (!number || number.value > 0x7fff) return std::unexpected(std::string("Error while reading the frame"));
    each = number.value;
    value = value.subspan(number.size);
  }
  const RecordKind* kind = find_kind(remote_log_kinds, static_cast<std::int16_t>(head[1]));
  if (kind == nullptr) return std::unexpected(fmt::format("Received unknown record type {}", head[1]));
  const auto version = static_cast<std::int16_t>(head[2]);
  auto json = json_of(type_of(kind->name), value, version);
  if (!json) return std::unexpected(json.error());
  return fmt::format(R"({{"type":"{}","version":{},"data":{}}})", upper_snake(kind->name), version, *json);
}

std::string describe_control_record(const records::RecordView& record) {
  using records::ControlRecordType;
  const auto type = records::control_record_type(record);
  const std::int16_t wire =
      record.key().size() >= 4 ? load_big<std::int16_t>(record.key().data() + 2) : std::int16_t{-1};
  const auto control = type ? *type : ControlRecordType::unknown;
  const auto message = [&](std::string_view label, std::string_view name) {
    // They say their version in their first field; a newer one than ours is read as far as ours goes.
    const MessageType& kind = type_of(name);
    const std::int16_t said =
        record.value().size() < 2 ? std::int16_t{0} : load_big<std::int16_t>(record.value().data());
    const auto json = json_of(kind, record.value(), std::clamp(said, kind.min_version, kind.max_version));
    return fmt::format(" {}{}", label, json ? *json : json.error());
  };
  switch (control) {
    case ControlRecordType::abort:
    case ControlRecordType::commit: {
      const auto marker = records::parse_end_transaction_marker(record);
      if (!marker) return fmt::format(" {}", marker.error().message);
      return fmt::format(" endTxnMarker: {} coordinatorEpoch: {}", records::control_record_name(marker->type),
                         marker->coordinator_epoch);
    }
    case ControlRecordType::leader_change:
      return message("LeaderChange: ", "LeaderChangeMessage");
    case ControlRecordType::snapshot_header:
      return message("SnapshotHeader ", "SnapshotHeaderRecord");
    case ControlRecordType::snapshot_footer:
      return message("SnapshotFooter ", "SnapshotFooterRecord");
    case ControlRecordType::kraft_version:
      return message("KRaftVersion ", "KRaftVersionRecord");
    case ControlRecordType::kraft_voters:
      return message("KRaftVoters ", "VotersRecord");
    case ControlRecordType::unknown:
      break;
  }
  return fmt::format(" controlType: {}({})", records::control_record_name(control), wire);
}

}  // namespace klamm::cli
