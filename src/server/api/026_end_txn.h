// EndTxn, versions 0 to 5: a producer commits or aborts its transaction. From 5: it goes on with the next epoch, which
// is in the answer (KIP-890). Source of behaviour: KafkaApis.handleEndTxnRequest.
#pragma once

#include "protocol/messages/end_txn.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/transaction_shards.h"

namespace klamm::server {

class EndTxnHandler final : public Handler<protocol::EndTxnRequest, protocol::EndTxnResponse> {
 public:
  using Request = protocol::EndTxnRequest;
  using Response = protocol::EndTxnResponse;

  EndTxnHandler(TransactionShards& transactions, const security::Authorizer& authorizer)
      : transactions_(transactions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  TransactionShards& transactions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
