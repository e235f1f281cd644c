#include "server/apis.h"

#include "server/api/000_produce.h"
#include "server/api/001_fetch.h"
#include "server/api/002_list_offsets.h"
#include "server/api/003_metadata.h"
#include "server/api/008_offset_commit.h"
#include "server/api/009_offset_fetch.h"
#include "server/api/010_find_coordinator.h"
#include "server/api/011_join_group.h"
#include "server/api/012_heartbeat.h"
#include "server/api/013_leave_group.h"
#include "server/api/014_sync_group.h"
#include "server/api/015_describe_groups.h"
#include "server/api/016_list_groups.h"
#include "server/api/018_api_versions.h"
#include "server/api/019_create_topics.h"
#include "server/api/020_delete_topics.h"
#include "server/api/021_delete_records.h"
#include "server/api/022_init_producer_id.h"
#include "server/api/023_offset_for_leader_epoch.h"
#include "server/api/024_add_partitions_to_txn.h"
#include "server/api/025_add_offsets_to_txn.h"
#include "server/api/026_end_txn.h"
#include "server/api/027_write_txn_markers.h"
#include "server/api/028_txn_offset_commit.h"
#include "server/api/032_describe_configs.h"
#include "server/api/033_alter_configs.h"
#include "server/api/035_describe_log_dirs.h"
#include "server/api/037_create_partitions.h"
#include "server/api/042_delete_groups.h"
#include "server/api/044_incremental_alter_configs.h"
#include "server/api/046_list_partition_reassignments.h"
#include "server/api/047_offset_delete.h"
#include "server/api/060_describe_cluster.h"
#include "server/api/061_describe_producers.h"
#include "server/api/065_describe_transactions.h"
#include "server/api/066_list_transactions.h"
#include "server/api/068_consumer_group_heartbeat.h"
#include "server/api/069_consumer_group_describe.h"
#include "server/api/074_list_config_resources.h"
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

}  // namespace

void add_apis(ApiTable& table, const ApiParts& p) {
  // clang-format off
  table.add(produce(std::make_unique<ProduceHandler>(p.environment, p.metadata, p.partitions, p.authorizer, p.verification)));
  table.add(row(ApiKey::fetch, std::make_unique<FetchHandler>(p.environment, p.metadata, p.partitions, p.authorizer, fetch_settings(*p.config))));
  table.add(row(ApiKey::list_offsets, std::make_unique<ListOffsetsHandler>(p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::metadata, std::make_unique<MetadataHandler>(p.metadata, p.controller, p.partitions, p.authorizer, metadata_settings(p))));
  table.add(row(ApiKey::offset_commit, std::make_unique<OffsetCommitHandler>(p.metadata, p.groups, p.authorizer)));
  table.add(row(ApiKey::offset_fetch, std::make_unique<OffsetFetchHandler>(p.metadata, p.groups, p.authorizer)));
  table.add(row(ApiKey::find_coordinator, std::make_unique<FindCoordinatorHandler>(p.metadata, p.controller, p.groups, p.transactions, p.authorizer)));
  table.add(row(ApiKey::join_group, std::make_unique<JoinGroupHandler>(p.groups, p.authorizer)));
  table.add(row(ApiKey::heartbeat, std::make_unique<HeartbeatHandler>(p.groups, p.authorizer)));
  table.add(row(ApiKey::leave_group, std::make_unique<LeaveGroupHandler>(p.groups, p.authorizer)));
  table.add(row(ApiKey::sync_group, std::make_unique<SyncGroupHandler>(p.groups, p.authorizer)));
  table.add(row(ApiKey::describe_groups, std::make_unique<DescribeGroupsHandler>(p.groups, p.authorizer)));
  table.add(row(ApiKey::list_groups, std::make_unique<ListGroupsHandler>(p.groups, p.authorizer)));
  table.add(on_controller_too(row(ApiKey::api_versions, std::make_unique<ApiVersionsHandler>(table, p.metadata, p.cluster_id, p.node_id, p.kraft_version))));
  table.add(row(ApiKey::create_topics, std::make_unique<CreateTopicsHandler>(p.metadata, p.controller, p.partitions, p.authorizer, p.node_id)));
  table.add(row(ApiKey::delete_topics, std::make_unique<DeleteTopicsHandler>(p.metadata, p.controller, p.authorizer)));
  table.add(row(ApiKey::delete_records, std::make_unique<DeleteRecordsHandler>(p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::init_producer_id, std::make_unique<InitProducerIdHandler>(p.producer_ids, p.transactions, p.authorizer)));
  table.add(row(ApiKey::offset_for_leader_epoch, std::make_unique<OffsetForLeaderEpochHandler>(p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::add_partitions_to_txn, std::make_unique<AddPartitionsToTxnHandler>(p.metadata, p.transactions, p.authorizer)));
  table.add(row(ApiKey::add_offsets_to_txn, std::make_unique<AddOffsetsToTxnHandler>(p.transactions, p.groups, p.authorizer)));
  table.add(row(ApiKey::end_txn, std::make_unique<EndTxnHandler>(p.transactions, p.authorizer)));
  table.add(row(ApiKey::write_txn_markers, std::make_unique<WriteTxnMarkersHandler>(p.transactions.markers(), p.authorizer, p.config->request_timeout())));
  table.add(row(ApiKey::txn_offset_commit, std::make_unique<TxnOffsetCommitHandler>(p.metadata, p.partitions, p.groups, p.verification, p.authorizer)));
  table.add(row(ApiKey::describe_configs, std::make_unique<DescribeConfigsHandler>(p.metadata, p.authorizer, p.settings, p.node_id, p.environment.log)));
  table.add(row(ApiKey::alter_configs, std::make_unique<AlterConfigsHandler>(p.controller, p.authorizer, p.settings)));
  table.add(row(ApiKey::describe_log_dirs, std::make_unique<DescribeLogDirsHandler>(p.environment, p.metadata, p.directories, p.authorizer, p.node_id)));
  table.add(row(ApiKey::create_partitions, std::make_unique<CreatePartitionsHandler>(p.metadata, p.controller, p.partitions, p.authorizer, p.node_id)));
  table.add(row(ApiKey::delete_groups, std::make_unique<DeleteGroupsHandler>(p.groups, p.authorizer)));
  table.add(row(ApiKey::incremental_alter_configs, std::make_unique<IncrementalAlterConfigsHandler>(p.controller, p.authorizer, p.settings, p.alter_loggers)));
  table.add(row(ApiKey::list_partition_reassignments, std::make_unique<ListPartitionReassignmentsHandler>(p.metadata, p.authorizer)));
  table.add(row(ApiKey::offset_delete, std::make_unique<OffsetDeleteHandler>(p.metadata, p.groups, p.authorizer)));
  table.add(on_controller_too(row(ApiKey::describe_cluster, std::make_unique<DescribeClusterHandler>(p.metadata, p.authorizer, p.cluster_id, p.node_id))));
  table.add(row(ApiKey::describe_producers, std::make_unique<DescribeProducersHandler>(p.metadata, p.partitions, p.authorizer)));
  table.add(row(ApiKey::describe_transactions, std::make_unique<DescribeTransactionsHandler>(p.transactions, p.authorizer)));
  table.add(row(ApiKey::list_transactions, std::make_unique<ListTransactionsHandler>(p.transactions, p.authorizer)));
  table.add(row(ApiKey::consumer_group_heartbeat, std::make_unique<ConsumerGroupHeartbeatHandler>(p.metadata, p.groups, p.authorizer)));
  table.add(row(ApiKey::consumer_group_describe, std::make_unique<ConsumerGroupDescribeHandler>(p.metadata, p.groups, p.authorizer)));
  table.add(row(ApiKey::list_config_resources, std::make_unique<ListConfigResourcesHandler>(p.metadata, p.authorizer)));
  table.add(row(ApiKey::describe_topic_partitions, std::make_unique<DescribeTopicPartitionsHandler>(p.metadata, p.partitions, p.authorizer, p.node_id, p.config->max_request_partition_size_limit())));
  // clang-format on
}

}  // namespace klamm::server
