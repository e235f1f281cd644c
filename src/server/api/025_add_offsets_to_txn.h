// AddOffsetsToTxn, versions 0 to 4: the partition of a group's offsets becomes part of a transaction. Clients of
// transaction.version 2 do not ask. Source of behaviour: KafkaApis.handleAddOffsetsToTxnRequest.
#pragma once

#include "protocol/messages/add_offsets_to_txn.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"
#include "server/transaction_shards.h"

namespace klamm::server {

class AddOffsetsToTxnHandler final
    : public Handler<protocol::AddOffsetsToTxnRequest, protocol::AddOffsetsToTxnResponse> {
 public:
  using Request = protocol::AddOffsetsToTxnRequest;
  using Response = protocol::AddOffsetsToTxnResponse;

  AddOffsetsToTxnHandler(TransactionShards& transactions, const GroupShards& groups,
                         const security::Authorizer& authorizer)
      : transactions_(transactions), groups_(groups), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  TransactionShards& transactions_;
  const GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
