// What administrators ask about transactions, and do about them. Source of behaviour: the handlers of
// org.apache.kafka.clients.admin.internals for these calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/consumer.h"
#include "client/result.h"
#include "runtime/task.h"

namespace klamm::client {

struct TransactionFilter {
  std::vector<std::int64_t> producer_ids = {};
  std::int64_t longer_than_ms = -1;         // negative: all
  std::optional<std::string> pattern = {};  // of transactional ids
};

struct TransactionListing {
  std::string transactional_id;
  std::int32_t coordinator = -1;
  std::int64_t producer_id = -1;
  std::string state;  // "CompleteCommit"
};

struct TransactionDescription {
  std::int32_t coordinator = -1;
  std::string state;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t timeout_ms = -1;
  std::optional<std::int64_t> started_at_ms;
  std::vector<PartitionName> partitions;
};

struct ProducerDescription {
  std::int64_t producer_id = -1;
  std::int32_t producer_epoch = -1;
  std::int32_t last_sequence = -1;
  std::int64_t last_timestamp = -1;
  std::optional<std::int32_t> coordinator_epoch;
  std::optional<std::int64_t> transaction_start;
};

// A transaction to be aborted in one partition, whatever its coordinator knows.
struct AbortedTransaction {
  PartitionName partition;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t coordinator_epoch = 0;
};

class TransactionsAdmin {
 public:
  // The client's properties count, as for Admin.
  explicit TransactionsAdmin(Client& client) : core_(&client.core()) {}

  // Of all brokers.
  runtime::Task<Result<std::vector<TransactionListing>>> list(TransactionFilter filter);
  // Of its coordinator. Errors: TRANSACTIONAL_ID_NOT_FOUND.
  runtime::Task<Result<TransactionDescription>> describe(std::string transactional_id);
  // Of the leader, or of the broker that is named.
  runtime::Task<Result<std::vector<ProducerDescription>>> describe_producers(PartitionName partition,
                                                                             std::optional<std::int32_t> broker = {});
  runtime::Task<Result<void>> abort(AbortedTransaction transaction);
  // Whoever has the id is fenced; what is open is aborted.
  runtime::Task<Result<void>> force_terminate(std::string transactional_id);

 private:
  runtime::MonoTime deadline() const;
  runtime::Task<Result<std::int32_t>> find_coordinator(std::string transactional_id, std::string_view call,
                                                       runtime::MonoTime until);
  runtime::Task<Result<std::int32_t>> find_leader(PartitionName partition, std::string_view call,
                                                  runtime::MonoTime until);
  runtime::Task<void> pause(runtime::MonoTime until);

  Core* core_;
};

}  // namespace klamm::client
