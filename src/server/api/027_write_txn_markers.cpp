#include "server/api/027_write_txn_markers.h"

#include <map>
#include <string>

namespace klamm::server {

using security::Operation;
using security::ResourceType;

namespace {

// Markers of one producer are one entry, as in Kafka, and what became of a partition last counts.
class Results {
 public:
  void add(std::int64_t producer_id, const std::string& topic, std::int32_t partition, ErrorCode code) {
    producers_[producer_id][topic][partition] = code;
  }
  void add(std::int64_t producer_id) { producers_.try_emplace(producer_id); }

  protocol::WriteTxnMarkersResponse response() const {
    protocol::WriteTxnMarkersResponse response;
    for (const auto& [producer_id, topics] : producers_) {
      auto& marker = response.markers.emplace_back();
      marker.producer_id = producer_id;
      for (const auto& [name, partitions] : topics) {
        auto& topic = marker.topics.emplace_back();
        topic.name = name;
        for (const auto& [index, code] : partitions) topic.partitions.push_back({index, wire_of(code)});
      }
    }
    return response;
  }

 private:
  std::map<std::int64_t, std::map<std::string, std::map<std::int32_t, ErrorCode>>> producers_;
};

}  // namespace

runtime::Task<WriteTxnMarkersHandler::Response> WriteTxnMarkersHandler::handle(const RequestContext& context,
                                                                               const Request& request) {
  const security::Resource cluster{ResourceType::cluster, security::cluster_resource};
  if (!authorizer_.allows(context.identity, Operation::alter, cluster) &&
      !authorizer_.allows(context.identity, Operation::cluster_action, cluster)) {
    throw RequestFailed(ErrorCode::cluster_authorization_failed);
  }
  const runtime::MonoTime deadline = context.reactor.now() + request_timeout_;
  Results results;
  for (const auto& marker : request.markers) {
    const MarkerWriter::Ending ending{
        ProducerId(marker.producer_id),
        ProducerEpoch(marker.producer_epoch),
        {marker.transaction_result, marker.coordinator_epoch, marker.transaction_version}};
    for (const auto& topic : marker.topics) {
      for (const std::int32_t index : topic.partition_indexes) {
        auto ended = markers_.end(context.reactor, TopicPartition{topic.name, PartitionIndex(index)}, ending, deadline);
        results.add(marker.producer_id, topic.name, index, co_await std::move(ended));
      }
    }
  }
  co_return results.response();
}

WriteTxnMarkersHandler::Response WriteTxnMarkersHandler::failed(const RequestContext&, const Request& request,
                                                                const Error& error) const {
  Results results;
  for (const auto& marker : request.markers) {
    results.add(marker.producer_id);
    for (const auto& topic : marker.topics) {
      for (const std::int32_t index : topic.partition_indexes) {
        results.add(marker.producer_id, topic.name, index, error.code);
      }
    }
  }
  return results.response();
}

}  // namespace klamm::server
