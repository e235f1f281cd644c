#include "server/apis.h"

#include "server/api/000_produce.h"
#include "server/api/001_fetch.h"
#include "server/api/002_list_offsets.h"
#include "server/api/003_metadata.h"
#include "server/api/018_api_versions.h"
#include "server/api/019_create_topics.h"
#include "server/api/020_delete_topics.h"
#include "server/api/021_delete_records.h"
#include "server/api/022_init_producer_id.h"
#include "server/api/023_offset_for_leader_epoch.h"
#include "server/api/032_describe_configs.h"
#include "server/api/033_alter_configs.h"
#include "server/api/035_describe_log_dirs.h"
#include "server/api/037_create_partitions.h"
#include "server/api/044_incremental_alter_configs.h"
#include "server/api/046_list_partition_reassignments.h"
#include "server/api/060_describe_cluster.h"
#include "server/api/075_describe_topic_partitions.h"

namespace klamm::server {

namespace {

using protocol::ApiKey;

// In every stable version of the schema, on broker listeners, in every mode.
ServedApi row(ApiKey key, std::unique_ptr<ApiHandler> handler) {
  const protocol::ApiRow& api = protocol::api_row(key);
  ServedApi served;
  served.api = &api;
  served.versions = api.stable();
  served.advertised_low = served.versions.low;
  served.handler = std::move(handler);
  return served;
}

ServedApi on_controller_too(ServedApi served) {
  served.on_controller = true;
  return served;
}

ServedApi produce(std::unique_ptr<ApiHandler> handler) {
  ServedApi served = row(ApiKey::produce, std::move(handler));
  served.advertised_low = 0;  // KAFKA-18659: librdkafka takes its absence for a broker without newer formats
  served.overlaps_itself = true;
  return served;
}

FetchSettings fetch_settings(const config::BrokerConfig& config) {
  return {.response_bytes_max = config.fetch_max_bytes(),
          .sessions_max = static_cast<std::size_t>(config.max_incremental_fetch_session_cache_slots())};
}

MetadataSettings metadata_settings(const ApiParts& p) {
  return {.node_id = p.node_id,
          .cluster_id = p.cluster_id,
          .auto_create_topics = p.config->auto_create_topics_enable(),
          .creation_timeout = p.config->request_timeout()};
}

// The epoch this broker is registered with; -1 before it is.
std::function<BrokerEpoch()> broker_epoch(const ApiParts& p) {
  return [&metadata = p.metadata, node = p.node_id] {
    const auto image = metadata.latest();
    const auto* broker = image ? image->broker(node) : nullptr;
    return broker ? broker->epoch : BrokerEpoch(-1);
  };
}

}  // namespace

void add_apis(ApiTable& table, const ApiParts& p) {
  // clang-format off
  table.add(produce(std::make_unique<ProduceHandler>(p.environment, p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::fetch, std::make_unique<FetchHandler>(p.environment, p.metadata, p.partitions, p.authorizer, fetch_settings(*p.config))));
  table.add(row(ApiKey::list_offsets, std::make_unique<ListOffsetsHandler>(p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::metadata, std::make_unique<MetadataHandler>(p.metadata, p.controller, p.partitions, p.authorizer, metadata_settings(p))));
  table.add(on_controller_too(row(ApiKey::api_versions, std::make_unique<ApiVersionsHandler>(table, p.metadata, p.cluster_id, p.node_id, p.kraft_version))));
  table.add(row(ApiKey::create_topics, std::make_unique<CreateTopicsHandler>(p.metadata, p.controller, p.partitions, p.authorizer, p.node_id)));
  table.add(row(ApiKey::delete_topics, std::make_unique<DeleteTopicsHandler>(p.metadata, p.controller, p.authorizer)));
  table.add(row(ApiKey::delete_records, std::make_unique<DeleteRecordsHandler>(p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::init_producer_id, std::make_unique<InitProducerIdHandler>(p.environment, p.controller, p.node_id, broker_epoch(p), p.authorizer)));
  table.add(row(ApiKey::offset_for_leader_epoch, std::make_unique<OffsetForLeaderEpochHandler>(p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::describe_configs, std::make_unique<DescribeConfigsHandler>(p.metadata, p.authorizer, p.settings, p.node_id)));
  table.add(row(ApiKey::alter_configs, std::make_unique<AlterConfigsHandler>(p.controller, p.authorizer, p.settings)));
  table.add(row(ApiKey::describe_log_dirs, std::make_unique<DescribeLogDirsHandler>(p.environment, p.metadata, p.directories, p.authorizer, p.node_id)));
  table.add(row(ApiKey::create_partitions, std::make_unique<CreatePartitionsHandler>(p.metadata, p.controller, p.partitions, p.authorizer, p.node_id)));
  table.add(row(ApiKey::incremental_alter_configs, std::make_unique<IncrementalAlterConfigsHandler>(p.controller, p.authorizer, p.settings, p.alter_loggers)));
  table.add(row(ApiKey::list_partition_reassignments, std::make_unique<ListPartitionReassignmentsHandler>(p.metadata, p.authorizer)));
  table.add(on_controller_too(row(ApiKey::describe_cluster, std::make_unique<DescribeClusterHandler>(p.metadata, p.authorizer, p.cluster_id, p.node_id))));
  table.add(row(ApiKey::describe_topic_partitions, std::make_unique<DescribeTopicPartitionsHandler>(p.metadata, p.partitions, p.authorizer, p.node_id, p.config->max_request_partition_size_limit())));
  // clang-format on
}

}  // namespace klamm::server
