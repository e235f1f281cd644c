// AddPartitionsToTxn, versions 0 to 5. Up to 3 producers ask, for one transaction; from 4 on brokers, for several,
// which they may also only verify. Source of behaviour: KafkaApis.handleAddPartitionsToTxnRequest.
#pragma once

#include <optional>

#include "hosting/metadata_publisher.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/transaction_shards.h"

namespace klamm::server {

class AddPartitionsToTxnHandler final
    : public Handler<protocol::AddPartitionsToTxnRequest, protocol::AddPartitionsToTxnResponse> {
 public:
  using Request = protocol::AddPartitionsToTxnRequest;
  using Response = protocol::AddPartitionsToTxnResponse;

  AddPartitionsToTxnHandler(const hosting::MetadataPublisher& metadata, TransactionShards& transactions,
                            const security::Authorizer& authorizer)
      : metadata_(metadata), transactions_(transactions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  std::optional<transactions::AddedPartitions> refused(const RequestContext& context,
                                                       const transactions::AddPartitions& call) const;
  ErrorCode check(const RequestContext& context, const std::string& topic, std::int32_t partition) const;

  const hosting::MetadataPublisher& metadata_;
  TransactionShards& transactions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
