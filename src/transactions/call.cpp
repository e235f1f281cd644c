#include "transactions/call.h"

namespace klamm::transactions {
namespace {

std::int16_t told(ErrorCode code, bool knows_producer_fenced) {
  if (code == ErrorCode::producer_fenced && !knows_producer_fenced) code = ErrorCode::invalid_producer_epoch;
  return wire_of(code);
}

}  // namespace

Done failed(const Loaded&, const Error&) {
  return {};
}
Done failed(const VersionChanged&, const Error&) {
  return {};
}
Work failed(const NextWork&, const Error&) {
  return {};
}
Done failed(const MarkersWritten&, const Error&) {
  return {};
}
Done failed(const ProducerIdGiven&, const Error&) {
  return {};
}

protocol::InitProducerIdResponse failed(const Asked<protocol::InitProducerIdRequest>& call, const Error& error) {
  protocol::InitProducerIdResponse response;
  response.error_code = told(error.code, call.api_version >= 4);
  response.producer_id = no_producer_id.value;
  response.producer_epoch = no_producer_epoch.value;
  return response;
}

AddedPartitions failed(const AddPartitions& call, const Error& error) {
  AddedPartitions response;
  response.transactional_id = call.transaction.transactional_id;
  for (const auto& topic : call.transaction.topics) {
    auto& to = response.topic_results.emplace_back();
    to.name = topic.name;
    for (const std::int32_t partition : topic.partitions) {
      auto& result = to.results_by_partition.emplace_back();
      result.partition_index = partition;
      result.partition_error_code = told(error.code, call.api_version >= 2);
    }
  }
  return response;
}

protocol::AddOffsetsToTxnResponse failed(const AddOffsets& call, const Error& error) {
  protocol::AddOffsetsToTxnResponse response;
  response.error_code = told(error.code, call.api_version >= 2);
  return response;
}

protocol::EndTxnResponse failed(const Asked<protocol::EndTxnRequest>& call, const Error& error) {
  protocol::EndTxnResponse response;
  response.error_code = told(error.code, call.api_version >= 2);
  response.producer_id = no_producer_id.value;
  response.producer_epoch = no_producer_epoch.value;
  return response;
}

protocol::DescribeTransactionsResponse failed(const Asked<protocol::DescribeTransactionsRequest>& call,
                                              const Error& error) {
  protocol::DescribeTransactionsResponse response;
  for (const std::string& id : call.request.transactional_ids) {
    auto& state = response.transaction_states.emplace_back();
    state.transactional_id = id;
    state.error_code = wire_of(error.code);
  }
  return response;
}

protocol::ListTransactionsResponse failed(const Asked<protocol::ListTransactionsRequest>&, const Error& error) {
  protocol::ListTransactionsResponse response;
  response.error_code = wire_of(error.code);
  return response;
}

ErrorCode coordinator_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::not_enough_replicas:
    case ErrorCode::not_enough_replicas_after_append:
    case ErrorCode::request_timed_out:
      return ErrorCode::coordinator_not_available;
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::kafka_storage_error:
      return ErrorCode::not_coordinator;
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
      return ErrorCode::unknown_server_error;
    default:
      return code;
  }
}

}  // namespace klamm::transactions
