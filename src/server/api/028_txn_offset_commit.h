// TxnOffsetCommit, versions 0 to 6: offsets of a group that count when the transaction is committed. From 2: leader
// epochs; from 3: members; from 4: TRANSACTION_ABORTABLE; from 5: the group's partition becomes part of the transaction
// by it; from 6: topics by id. Source of behaviour: KafkaApis.handleTxnOffsetCommitRequest,
// GroupCoordinatorService.commitTransactionalOffsets.
#pragma once

#include <cstdint>
#include <optional>

#include "hosting/metadata_publisher.h"
#include "protocol/messages/txn_offset_commit.h"
#include "replication/partition_table.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"
#include "server/transaction_verification.h"

namespace klamm::server {

class TxnOffsetCommitHandler final
    : public Handler<protocol::TxnOffsetCommitRequest, protocol::TxnOffsetCommitResponse> {
 public:
  using Request = protocol::TxnOffsetCommitRequest;
  using Response = protocol::TxnOffsetCommitResponse;

  TxnOffsetCommitHandler(const hosting::MetadataPublisher& metadata, const replication::PartitionTable& partitions,
                         GroupShards& groups, TransactionVerification& verification,
                         const security::Authorizer& authorizer)
      : metadata_(metadata),
        partitions_(partitions),
        groups_(groups),
        verification_(verification),
        authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  runtime::Task<Response> commit(const RequestContext& context, Request accepted);
  // How many transactions of the producer had ended in the group's partition; nothing when that does not matter.
  runtime::Task<Result<std::optional<std::uint32_t>>> verify(const RequestContext& context, const Request& request,
                                                             PartitionIndex shard);

  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  GroupShards& groups_;
  TransactionVerification& verification_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
