// Produce, versions 3 to 13. From 8: errors of single records; from 10: who leads instead; from 12: a transaction's
// first partition may come unannounced; from 13: topics by id. Source of behaviour: KafkaApis.handleProduceRequest,
// ReplicaManager.handleProduceAppend.
#pragma once

#include <memory>
#include <vector>

#include "hosting/metadata_publisher.h"
#include "protocol/messages/produce.h"
#include "records/validator.h"
#include "replication/large_batches.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/transaction_verification.h"

namespace klamm::server {

class ProduceHandler final : public ApiHandler {
 public:
  ProduceHandler(runtime::Environment& environment, const hosting::MetadataPublisher& metadata,
                 const replication::PartitionTable& partitions, const security::Authorizer& authorizer,
                 TransactionVerification& verification);

  runtime::Task<void> answer(Exchange& exchange) override;

 private:
  using Request = protocol::ProduceRequestView;
  using Response = protocol::ProduceResponseView;
  struct Append;
  struct Target;
  struct Unverified;
  // Whether anything is transactional, when nothing refuses the whole request.
  Result<bool> look(const RequestContext& context, const Request& request) const;
  void refuse(Exchange& exchange, std::span<Append> appends, const Error& error) const;
  std::span<Append> list(Exchange& exchange, const Request& request, Response& response) const;
  std::optional<Target> locate(const RequestContext& context, Append& append) const;
  replication::PartitionRef resolve(const RequestContext& context, const Request& request, Append& append) const;
  // Where the producer has no transaction open yet; who may not write at all is answered.
  std::vector<Unverified> find_unverified(Exchange& exchange, std::span<Append> appends) const;
  runtime::Task<void> verify(Exchange& exchange, std::string transactional_id, std::vector<Unverified> unverified);
  runtime::Task<void> append(Exchange& exchange, const Request& request, Append& append,
                             replication::PartitionRef partition);
  void add_leader_hints(Exchange& exchange, std::span<Append> appends, Response& response) const;
  void finish(Exchange& exchange, const Request& request, std::span<Append> appends, Response& response) const;

  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
  TransactionVerification& verification_;
  std::vector<std::unique_ptr<records::ProduceValidator>> validators_;  // one a reactor
  replication::LargeBatches large_batches_;
};

}  // namespace klamm::server
