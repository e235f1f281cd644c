// Whether a producer may write to partitions inside its transaction (KIP-890): asked of the transaction's coordinator
// before the first batch of the transaction goes into a partition. Clients of transaction.version 2 add the partitions
// by asking; of others it is verified that they were added.
// Source of behaviour: org.apache.kafka.server.transaction.AddPartitionsToTxnManager,
// ReplicaManager.maybeSendPartitionsToTransactionCoordinator.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/topic_partition.h"
#include "config/dynamic_config.h"
#include "hosting/metadata_publisher.h"
#include "server/transaction_shards.h"

namespace klamm::server {

// What the version of a request says of its client.
enum class TransactionSupport : std::uint8_t {
  verified,  // does not know TRANSACTION_ABORTABLE
  verified_abortable,
  adds,  // names partitions by writing to them
};
TransactionSupport produce_support(std::int16_t version);
TransactionSupport offset_commit_support(std::int16_t version);

struct TransactionClaim {
  std::string transactional_id;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  TransactionSupport support;
};

struct TransactionVerificationSettings {
  std::chrono::milliseconds retry_backoff{20};  // add.partitions.to.txn.retry.backoff.ms
  std::chrono::milliseconds retry_max{100};     // add.partitions.to.txn.retry.backoff.max.ms, request.timeout.ms
};

class TransactionVerification {
 public:
  // The references outlive this.
  TransactionVerification(const hosting::MetadataPublisher& metadata, TransactionShards& transactions,
                          std::function<config::DynamicConfigRef()> config, TransactionVerificationSettings settings)
      : metadata_(metadata), transactions_(transactions), config_(std::move(config)), settings_(settings) {}

  // Not for such a client, by transaction.partition.verification.enable.
  bool is_off(TransactionSupport support) const;

  // A code for each partition, in their order, as producers know them. Any reactor. COORDINATOR_NOT_AVAILABLE when
  // nobody coordinates the id.
  runtime::Task<std::vector<ErrorCode>> ask(runtime::Reactor& reactor, TransactionClaim claim,
                                            std::vector<TopicPartition> partitions);
  // The same, and again for a while as long as the transaction before it is being ended.
  runtime::Task<std::vector<ErrorCode>> ask_patiently(runtime::Reactor& reactor, TransactionClaim claim,
                                                      std::vector<TopicPartition> partitions);

 private:
  bool has_coordinator(runtime::Reactor& reactor, PartitionIndex partition) const;

  const hosting::MetadataPublisher& metadata_;
  TransactionShards& transactions_;
  std::function<config::DynamicConfigRef()> config_;
  TransactionVerificationSettings settings_;
};

}  // namespace klamm::server
