#include "transactions/record.h"

#include <utility>

#include "base/ensure.h"
#include "protocol/reader.h"
#include "protocol/records/transaction_log_key.h"
#include "protocol/records/transaction_log_value.h"
#include "protocol/writer.h"

namespace klamm::transactions {
namespace {

using protocol::Reader;
using protocol::TransactionLogKey;
using protocol::TransactionLogValue;
using protocol::Writer;

TransactionLogKey key_of(const Record& record) {
  TransactionLogKey key;
  key.transactional_id = record.transactional_id;
  return key;
}

TransactionLogValue value_of(const Transaction& from, std::int16_t version) {
  TransactionLogValue value;
  value.producer_id = from.producer_id.value;
  value.producer_epoch = from.producer_epoch.value;
  value.transaction_timeout_ms = from.timeout_ms;
  value.transaction_status = static_cast<std::int8_t>(from.state);
  value.transaction_last_update_timestamp_ms = from.updated_at.value;
  value.transaction_start_timestamp_ms = from.started_at.value;
  if (version >= 1) {
    value.previous_producer_id = from.previous_producer_id.value;
    value.next_producer_id = from.next_producer_id.value;
    value.client_transaction_version = from.client_version;
  }
  value.transaction_partitions.reset();
  if (from.state == TransactionState::empty) return value;
  auto& topics = value.transaction_partitions.emplace();
  for (const auto& [topic, partitions] : from.partitions) {
    auto& each = topics.emplace_back();
    each.topic = topic;
    each.partition_ids.assign(partitions.begin(), partitions.end());
  }
  return value;
}

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

Result<Transaction> transaction_of(const TransactionLogValue& value) {
  const auto state = static_cast<TransactionState>(value.transaction_status);
  if (value.transaction_status < 0 || state > TransactionState::complete_abort) {
    return corrupt(
        fmt::format("Unknown transaction state id {} from the transaction status message", value.transaction_status));
  }
  Transaction out;
  out.producer_id = ProducerId(value.producer_id);
  out.previous_producer_id = ProducerId(value.previous_producer_id);
  out.next_producer_id = ProducerId(value.next_producer_id);
  out.producer_epoch = ProducerEpoch(value.producer_epoch);
  out.timeout_ms = value.transaction_timeout_ms;
  out.state = state;
  out.started_at = Timestamp(value.transaction_start_timestamp_ms);
  out.updated_at = Timestamp(value.transaction_last_update_timestamp_ms);
  out.client_version = value.client_transaction_version;
  if (state == TransactionState::empty) return out;
  if (!value.transaction_partitions) return corrupt("A transaction without its partitions");
  for (const auto& topic : *value.transaction_partitions) {
    if (topic.partition_ids.empty()) continue;
    out.partitions[topic.topic].insert(topic.partition_ids.begin(), topic.partition_ids.end());
  }
  return out;
}

}  // namespace

Encoded encode(const Record& record) {
  Encoded out{with_number(TransactionLogKey::record_type, key_of(record), 0), std::nullopt};
  if (record.transaction) {
    out.value = with_number(record.version, value_of(*record.transaction, record.version), record.version);
  }
  return out;
}

std::size_t encoded_bytes(const Record& record) {
  const std::size_t key = 2 + key_of(record).encoded_size(0);
  if (!record.transaction) return key;
  return key + 2 + value_of(*record.transaction, record.version).encoded_size(record.version);
}

Result<std::optional<Record>> decode(Bytes key, std::optional<Bytes> value) {
  Reader keys(key);
  const std::int16_t type = keys.read_int16();
  if (!keys.ok()) return corrupt(keys.error());
  if (type != TransactionLogKey::record_type) return std::nullopt;
  TransactionLogKey read_key;
  read_key.decode(keys, 0);
  if (!keys.ok()) return corrupt(keys.error());
  Record record{std::move(read_key.transactional_id), std::nullopt};
  if (!value) return record;

  Reader values(*value);
  record.version = values.read_int16();
  if (!values.ok()) return corrupt(values.error());
  if (record.version < TransactionLogValue::min_version || record.version > TransactionLogValue::highest_version) {
    return std::nullopt;
  }
  TransactionLogValue read_value;
  read_value.decode(values, record.version);
  if (!values.ok()) return corrupt(values.error());
  auto transaction = transaction_of(read_value);
  if (!transaction) return std::unexpected(transaction.error());
  record.transaction = std::move(*transaction);
  return record;
}

}  // namespace klamm::transactions
