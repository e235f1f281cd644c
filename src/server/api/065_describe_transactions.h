// DescribeTransactions, version 0: what the coordinator knows of transactional ids. Source of behaviour:
// KafkaApis.handleDescribeTransactionsRequest.
#pragma once

#include "protocol/messages/describe_transactions.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/transaction_shards.h"

namespace klamm::server {

class DescribeTransactionsHandler final
    : public Handler<protocol::DescribeTransactionsRequest, protocol::DescribeTransactionsResponse> {
 public:
  using Request = protocol::DescribeTransactionsRequest;
  using Response = protocol::DescribeTransactionsResponse;

  DescribeTransactionsHandler(TransactionShards& transactions, const security::Authorizer& authorizer)
      : transactions_(transactions), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  TransactionShards& transactions_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
