// ListTransactions, versions 0 to 2: the transactional ids that this broker coordinates. From 1: those whose
// transaction is older than so long; from 2: by a pattern. Source of behaviour:
// KafkaApis.handleListTransactionsRequest.
#pragma once

#include "protocol/messages/list_transactions.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/transaction_shards.h"

namespace klamm::server {

class ListTransactionsHandler final
    : public Handler<protocol::ListTransactionsRequest, protocol::ListTransactionsResponse> {
 public:
  using Request = protocol::ListTransactionsRequest;
  using Response = protocol::ListTransactionsResponse;

  ListTransactionsHandler(TransactionShards& transactions, const security::Authorizer& authorizer)
      : transactions_(transactions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  TransactionShards& transactions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
