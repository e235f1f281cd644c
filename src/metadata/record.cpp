#include "metadata/record.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/ensure.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace klamm::metadata {
namespace {

constexpr std::uint32_t frame_version = 1;

constexpr std::array<std::string_view, std::variant_size_v<Message>> type_names{
    "REGISTER_BROKER_RECORD",
    "UNREGISTER_BROKER_RECORD",
    "TOPIC_RECORD",
    "PARTITION_RECORD",
    "CONFIG_RECORD",
    "PARTITION_CHANGE_RECORD",
    "FENCE_BROKER_RECORD",
    "UNFENCE_BROKER_RECORD",
    "REMOVE_TOPIC_RECORD",
    "DELEGATION_TOKEN_RECORD",
    "USER_SCRAM_CREDENTIAL_RECORD",
    "FEATURE_LEVEL_RECORD",
    "CLIENT_QUOTA_RECORD",
    "PRODUCER_IDS_RECORD",
    "BROKER_REGISTRATION_CHANGE_RECORD",
    "ACCESS_CONTROL_ENTRY_RECORD",
    "REMOVE_ACCESS_CONTROL_ENTRY_RECORD",
    "NO_OP_RECORD",
    "ZK_MIGRATION_STATE_RECORD",
    "REMOVE_USER_SCRAM_CREDENTIAL_RECORD",
    "BEGIN_TRANSACTION_RECORD",
    "END_TRANSACTION_RECORD",
    "ABORT_TRANSACTION_RECORD",
    "REMOVE_DELEGATION_TOKEN_RECORD",
    "REGISTER_CONTROLLER_RECORD",
    "CLEAR_ELR_RECORD",
    "UNREGISTER_CONTROLLER_RECORD",
};

// Makes the empty message of a type; false when there is no such type.
template <std::size_t... I>
bool make_message(Message& to, std::int16_t type, std::index_sequence<I...>) {
  return ((std::variant_alternative_t<I, Message>::record_type == type && (to.emplace<I>(), true)) || ...);
}

// A varint that fits 15 bits, as frame version, type and version do.
Result<std::int16_t> read_short(protocol::Reader& reader, std::string_view what) {
  const std::uint32_t value = reader.read_unsigned_varint();
  if (!reader.ok()) return fail(ErrorCode::corrupt_message, fmt::format("Error while reading {}", what));
  if (value > 32767) return fail(ErrorCode::corrupt_message, fmt::format("Value for {} was too large.", what));
  return static_cast<std::int16_t>(value);
}

}  // namespace

std::string_view type_name(const Record& record) {
  return type_names[record.message.index()];
}

std::int16_t type_of(const Record& record) {
  return std::visit([](const auto& message) { return std::remove_cvref_t<decltype(message)>::record_type; },
                    record.message);
}

std::string to_json(const Record& record) {
  const std::string data =
      std::visit([&](const auto& message) { return message.to_json(record.version); }, record.message);
  return fmt::format(R"({{"type":"{}","version":{},"data":{}}})", type_name(record), record.version, data);
}

void encode(const Record& record, ByteVector& to) {
  protocol::Writer writer(to);
  writer.write_unsigned_varint(frame_version);
  writer.write_unsigned_varint(static_cast<std::uint32_t>(type_of(record)));
  writer.write_unsigned_varint(static_cast<std::uint32_t>(record.version));
  std::visit([&](const auto& message) { message.encode(writer, record.version); }, record.message);
  ENSURE(writer.ok(), writer.error());
}

Result<Record> decode(Bytes bytes) {
  protocol::Reader reader(bytes);
  const auto frame = read_short(reader, "frame version");
  if (!frame) return std::unexpected(frame.error());
  if (*frame == 0) {
    return fail(
        ErrorCode::corrupt_message,
        "Could not deserialize metadata record with frame version 0. Note that upgrades from the preview release "
        "of KRaft in 2.8 to newer versions are not supported.");
  }
  if (*frame != frame_version) {
    return fail(
        ErrorCode::corrupt_message,
        fmt::format("Could not deserialize metadata record due to unknown frame version {}(only frame version {} "
                    "is supported)",
                    *frame, frame_version));
  }
  const auto type = read_short(reader, "type");
  if (!type) return std::unexpected(type.error());
  const auto version = read_short(reader, "version");
  if (!version) return std::unexpected(version.error());

  Record record{{}, *version};
  if (!make_message(record.message, *type, std::make_index_sequence<std::variant_size_v<Message>>{})) {
    return fail(ErrorCode::corrupt_message, fmt::format("Unknown metadata id {}", *type));
  }
  std::visit([&](auto& message) { message.decode(reader, *version); }, record.message);
  if (!reader.ok()) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("Failed to deserialize record with type {}: {}", *type, reader.error()));
  }
  if (reader.remaining() > 0) {
    return fail(ErrorCode::corrupt_message,
                fmt::format("Found {} byte(s) of garbage after {}", reader.remaining(), *type));
  }
  return record;
}

}  // namespace klamm::metadata
