// What a shard of transactions can be asked, and what it answers: the protocol's own messages, at the version at which
// the client spoke, and a few calls of those who work for it. A request that names several ids is asked in parts, one
// for each id or each shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_transactions.h"
#include "transactions/markers.h"
#include "transactions/transaction.h"

namespace klamm::transactions {

// The first call after loading: what was prepared is completed, timeouts begin to count.
struct Loaded {
  TransactionVersion version = 0;  // the cluster's transaction.version
};
// The cluster's transaction.version from now on.
struct VersionChanged {
  TransactionVersion version = 0;
};

template <typename Request>
struct Asked {
  Request request;
  std::int16_t api_version = Request::max_version;
  // A producer id that nobody had before, for a call that was answered with ProducerIdWanted; else none.
  ProducerId fresh_id = no_producer_id;
};
// The same call again, with a fresh producer id.
struct ProducerIdWanted {};

// One transaction of AddPartitionsToTxn.
struct AddPartitions {
  protocol::AddPartitionsToTxnRequest::AddPartitionsToTxnTransaction transaction;
  std::int16_t api_version = protocol::AddPartitionsToTxnRequest::max_version;
};
using AddedPartitions = protocol::AddPartitionsToTxnResponse::AddPartitionsToTxnResult;

// AddOffsetsToTxn; the partition of __consumer_offsets is that of the request's group.
struct AddOffsets {
  protocol::AddOffsetsToTxnRequest request;
  std::int16_t api_version = protocol::AddOffsetsToTxnRequest::max_version;
  PartitionIndex offsets_partition;
};

// Asked by whoever works for this shard; answered when there is something to do, which is when the records that make it
// necessary are committed. One waits at a time: another one makes the answer to the first an empty one.
struct NextWork {};
struct Work {
  std::vector<Marker> markers;      // each is answered by MarkersWritten, whatever became of it
  bool producer_id_wanted = false;  // is answered by ProducerIdGiven
};
struct MarkersWritten {
  std::vector<MarkerReport> reports;
};
// None: there is none to be had; the shard asks again.
struct ProducerIdGiven {
  ProducerId id = no_producer_id;
};
struct Done {};

using Call = std::variant<Loaded, VersionChanged, Asked<protocol::InitProducerIdRequest>, AddPartitions, AddOffsets,
                          Asked<protocol::EndTxnRequest>, Asked<protocol::DescribeTransactionsRequest>,
                          Asked<protocol::ListTransactionsRequest>, NextWork, MarkersWritten, ProducerIdGiven>;

using Answer = std::variant<Done, ProducerIdWanted, Work, AddedPartitions, protocol::InitProducerIdResponse,
                            protocol::AddOffsetsToTxnResponse, protocol::EndTxnResponse,
                            protocol::DescribeTransactionsResponse, protocol::ListTransactionsResponse>;

// The answer when the whole call failed. PRODUCER_FENCED is INVALID_PRODUCER_EPOCH for clients that do not know it:
// before version 4 of InitProducerId and 2 of the others.
Done failed(const Loaded&, const Error& error);
Done failed(const VersionChanged&, const Error& error);
Work failed(const NextWork&, const Error& error);
Done failed(const MarkersWritten&, const Error& error);
Done failed(const ProducerIdGiven&, const Error& error);
protocol::InitProducerIdResponse failed(const Asked<protocol::InitProducerIdRequest>& call, const Error& error);
AddedPartitions failed(const AddPartitions& call, const Error& error);
protocol::AddOffsetsToTxnResponse failed(const AddOffsets& call, const Error& error);
protocol::EndTxnResponse failed(const Asked<protocol::EndTxnRequest>& call, const Error& error);
protocol::DescribeTransactionsResponse failed(const Asked<protocol::DescribeTransactionsRequest>& call,
                                              const Error& error);
protocol::ListTransactionsResponse failed(const Asked<protocol::ListTransactionsRequest>& call, const Error& error);

// What a client of the coordinator is told of a failed log. Source: TransactionStateManager.appendTransactionToLog.
ErrorCode coordinator_error(ErrorCode code);

}  // namespace klamm::transactions
