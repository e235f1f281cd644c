// A record of __transaction_state: all that is to be known of one transactional id, or that it is gone.
// Source: org.apache.kafka.coordinator.transaction.TransactionLog.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "transactions/transaction.h"

namespace klamm::transactions {

struct Record {
  std::string transactional_id;
  std::optional<Transaction> transaction;  // none: a tombstone
  std::int16_t version = 1;                // at which the value is written

  bool operator==(const Record&) const = default;
};

struct Encoded {
  ByteVector key;
  std::optional<ByteVector> value;  // none: a tombstone

  bool operator==(const Encoded&) const = default;
};

// At the version that Kafka writes at this level of transaction.version: 0, then 1.
constexpr std::int16_t value_version(TransactionVersion version) {
  return version >= 1 ? 1 : 0;
}
// Version 0 knows no previous and no next producer id and no version of the client: they are not kept.
Encoded encode(const Record& record);
// Bytes of key and value together.
std::size_t encoded_bytes(const Record& record);

// Nothing for a key or a value of a version that is not known: left over from a later release, and passed over.
// Errors: corrupt_message for a cut key or value, a state that is none or is never logged.
Result<std::optional<Record>> decode(Bytes key, std::optional<Bytes> value);

}  // namespace klamm::transactions
