#include "client/admin.h"

#include <algorithm>
#include <set>

#include "client/admin_call.h"
#include "client/core.h"
#include "client/offset_lookup.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/list_config_resources.h"
#include "protocol/messages/list_partition_reassignments.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/unregister_broker.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

std::int32_t milliseconds_until(Core& core, MonoTime deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - core.now()).count();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(left, 0, 0x7fffffff));
}

std::optional<Error> error_of(std::int16_t code, const std::optional<std::string>& message = {}) {
  if (code == 0) return std::nullopt;
  return Error(error_code_of(code), message.value_or(""));
}

bool is_controller_error(std::int16_t code) {
  return error_code_of(code) == ErrorCode::not_controller;
}

TopicPartition internal(const PartitionName& name) {
  return {name.topic, PartitionIndex(name.partition)};
}
PartitionName external(const TopicPartition& name) {
  return {name.topic, name.partition.value};
}

}  // namespace

std::string_view config_source_name(ConfigSource source) {
  switch (source) {
    case ConfigSource::dynamic_topic_config:
      return "DYNAMIC_TOPIC_CONFIG";
    case ConfigSource::dynamic_broker_config:
      return "DYNAMIC_BROKER_CONFIG";
    case ConfigSource::dynamic_default_broker_config:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case ConfigSource::static_broker_config:
      return "STATIC_BROKER_CONFIG";
    case ConfigSource::default_config:
      return "DEFAULT_CONFIG";
    case ConfigSource::dynamic_broker_logger_config:
      return "DYNAMIC_BROKER_LOGGER_CONFIG";
    case ConfigSource::dynamic_client_metrics_config:
      return "DYNAMIC_CLIENT_METRICS_CONFIG";
    case ConfigSource::dynamic_group_config:
      return "DYNAMIC_GROUP_CONFIG";
    case ConfigSource::unknown:
      break;
  }
  return "UNKNOWN";
}

Admin::Admin(Client& client) : configuration_error_(client.configuration_error()), core_(&client.core()) {
  if (!configuration_error_) {
    if (Result<void> checked = check_admin_properties(client.properties(), core_->log()); !checked) {
      configuration_error_ = checked.error();
    }
  }
}

MonoTime Admin::deadline() const {
  return core_->now() + timeout_.value_or(core_->settings().default_api_timeout);
}

Task<Result<std::vector<TopicListing>>> Admin::list_topics() {
  using protocol::MetadataResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::MetadataRequest request;
  request.topics.reset();
  request.allow_auto_topic_creation = false;
  const auto reply = co_await admin_call<MetadataResponse>(*core_, Target::any(), request, "listTopics", deadline(),
                                                           &never<MetadataResponse>);
  if (!reply) co_return reply.error();
  std::vector<TopicListing> topics;
  for (const auto& topic : reply->body.topics)
    topics.push_back({topic.name.value_or(""), topic.topic_id, topic.is_internal});
  co_return std::move(topics);
}

namespace {

TopicDescription described(
    const protocol::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic& topic) {
  TopicDescription result{topic.name.value_or(""), topic.topic_id, topic.is_internal, {}, error_of(topic.error_code)};
  for (const auto& each : topic.partitions) {
    result.partitions.push_back({each.partition_index, each.leader_id, each.replica_nodes, each.isr_nodes,
                                 each.eligible_leader_replicas.value_or(std::vector<std::int32_t>{}),
                                 each.last_known_elr.value_or(std::vector<std::int32_t>{})});
  }
  return result;
}

TopicDescription described(const protocol::MetadataResponse::MetadataResponseTopic& topic) {
  TopicDescription result{topic.name.value_or(""), topic.topic_id, topic.is_internal, {}, error_of(topic.error_code)};
  for (const auto& each : topic.partitions) {
    result.partitions.push_back({each.partition_index, each.leader_id, each.replica_nodes, each.isr_nodes, {}, {}});
  }
  return result;
}

Task<Result<std::vector<TopicDescription>>> describe_by_metadata(Core& core, protocol::MetadataRequest request,
                                                                 MonoTime deadline) {
  using protocol::MetadataResponse;
  request.allow_auto_topic_creation = false;
  const auto reply = co_await admin_call<MetadataResponse>(core, Target::any(), request, "describeTopics", deadline,
                                                           &never<MetadataResponse>);
  if (!reply) co_return reply.error();
  std::vector<TopicDescription> topics;
  for (const auto& topic : reply->body.topics) topics.push_back(described(topic));
  co_return std::move(topics);
}

}  // namespace

Task<Result<std::vector<TopicDescription>>> Admin::describe_topics(std::vector<std::string> names,
                                                                   std::int32_t partitions_per_answer) {
  using protocol::DescribeTopicPartitionsRequest;
  using protocol::DescribeTopicPartitionsResponse;
  if (configuration_error_) co_return *configuration_error_;
  std::ranges::sort(names);
  DescribeTopicPartitionsRequest request;
  request.response_partition_limit = partitions_per_answer;
  for (const std::string& name : names) request.topics.push_back({.name = name});
  std::vector<TopicDescription> topics;
  for (;;) {
    const auto reply = co_await admin_call<DescribeTopicPartitionsResponse>(
        *core_, Target::any(), request, "describeTopicPartitions", deadline(), &never<DescribeTopicPartitionsResponse>);
    if (!reply && reply.error().code() == ErrorCode::unsupported_version && topics.empty()) break;
    if (!reply) co_return reply.error();
    for (const auto& topic : reply->body.topics) {
      TopicDescription next = described(topic);
      if (!topics.empty() && topics.back().name == next.name) {  // the page before ended inside of it
        std::ranges::move(next.partitions, std::back_inserter(topics.back().partitions));
      } else {
        topics.push_back(std::move(next));
      }
    }
    const auto& cursor = reply->body.next_cursor;
    if (!cursor) co_return std::move(topics);
    std::erase_if(request.topics, [&](const auto& topic) { return topic.name < cursor->topic_name; });
    request.cursor = DescribeTopicPartitionsRequest::Cursor{.topic_name = cursor->topic_name,
                                                            .partition_index = cursor->partition_index};
  }
  protocol::MetadataRequest metadata;
  metadata.topics.emplace();
  for (const std::string& name : names) metadata.topics->push_back({.name = name});
  auto result = co_await describe_by_metadata(*core_, std::move(metadata), deadline());
  co_return std::move(result);
}

Task<Result<std::vector<TopicDescription>>> Admin::describe_topics(std::vector<Uuid> ids) {
  if (configuration_error_) co_return *configuration_error_;
  protocol::MetadataRequest request;
  request.topics.emplace();
  for (const Uuid& id : ids) request.topics->push_back({.topic_id = id, .name = std::nullopt});
  auto result = co_await describe_by_metadata(*core_, std::move(request), deadline());
  co_return std::move(result);
}

Task<Result<std::vector<CreatedTopic>>> Admin::create_topics(std::vector<TopicSpec> topics, bool validate_only) {
  using protocol::CreateTopicsResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::CreateTopicsRequest request;
  const MonoTime until = deadline();
  request.timeout_ms = milliseconds_until(*core_, until);
  request.validate_only = validate_only;
  for (const TopicSpec& spec : topics) {
    auto& topic = request.topics.emplace_back();
    topic.name = spec.name;
    topic.num_partitions = spec.assignment.empty() ? spec.partitions.value_or(-1) : -1;
    topic.replication_factor = spec.assignment.empty() ? spec.replication_factor.value_or(-1) : std::int16_t{-1};
    for (const auto& [partition, brokers] : spec.assignment) {
      topic.assignments.push_back({.partition_index = partition, .broker_ids = brokers});
    }
    for (const auto& [key, value] : spec.configs) topic.configs.push_back({.name = key, .value = value});
  }
  constexpr auto again = +[](const CreateTopicsResponse& response) {
    return std::ranges::any_of(response.topics,
                               [](const auto& topic) { return is_controller_error(topic.error_code); });
  };
  const auto reply =
      co_await admin_call<CreateTopicsResponse>(*core_, Target::controller(), request, "createTopics", until, again);
  if (!reply) co_return reply.error();
  std::vector<CreatedTopic> created;
  for (const auto& topic : reply->body.topics) {
    created.push_back({topic.name, topic.topic_id, topic.num_partitions, topic.replication_factor,
                       error_of(topic.error_code, topic.error_message)});
  }
  co_return std::move(created);
}

Task<Result<CreatedTopic>> Admin::create_topic(const TopicSpec& topic) {
  std::vector<TopicSpec> one{topic};
  const auto created = co_await create_topics(std::move(one));
  if (!created) co_return created.error();
  if (created->size() != 1) co_return Error(ErrorCode::unknown_server_error);
  if (created->front().error) co_return *created->front().error;
  co_return created->front();
}

Task<Result<std::vector<NamedOutcome>>> Admin::delete_topics(std::vector<std::string> names) {
  using protocol::DeleteTopicsResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::DeleteTopicsRequest request;
  const MonoTime until = deadline();
  request.timeout_ms = milliseconds_until(*core_, until);
  for (const std::string& name : names) request.topics.push_back({.name = name});
  constexpr auto again = +[](const DeleteTopicsResponse& response) {
    return std::ranges::any_of(response.responses,
                               [](const auto& topic) { return is_controller_error(topic.error_code); });
  };
  const auto reply =
      co_await admin_call<DeleteTopicsResponse>(*core_, Target::controller(), request, "deleteTopics", until, again);
  if (!reply) co_return reply.error();
  std::vector<NamedOutcome> outcomes;
  for (const auto& topic : reply->body.responses) {
    outcomes.push_back({topic.name.value_or(""), error_of(topic.error_code, topic.error_message)});
  }
  co_return std::move(outcomes);
}

Task<Result<void>> Admin::create_partitions(std::string topic, std::int32_t count,
                                            std::optional<std::vector<std::vector<std::int32_t>>> assignment,
                                            bool validate_only) {
  using protocol::CreatePartitionsResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::CreatePartitionsRequest request;
  const MonoTime until = deadline();
  request.timeout_ms = milliseconds_until(*core_, until);
  request.validate_only = validate_only;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  wanted.count = count;
  wanted.assignments.reset();
  if (assignment) {
    wanted.assignments.emplace();
    for (const auto& brokers : *assignment) wanted.assignments->push_back({.broker_ids = brokers});
  }
  constexpr auto again = +[](const CreatePartitionsResponse& response) {
    return std::ranges::any_of(response.results, [](const auto& each) { return is_controller_error(each.error_code); });
  };
  const auto reply = co_await admin_call<CreatePartitionsResponse>(*core_, Target::controller(), request,
                                                                   "createPartitions", until, again);
  if (!reply) co_return reply.error();
  for (const auto& each : reply->body.results) {
    if (auto error = error_of(each.error_code, each.error_message)) co_return *std::move(error);
  }
  co_return Result<void>();
}

namespace {

// The configuration of a broker and its loggers is that broker's to tell and to change; the rest is anybody's.
std::optional<std::int32_t> broker_of(const ConfigResource& resource) {
  if (resource.type != ResourceType::broker && resource.type != ResourceType::broker_logger) return std::nullopt;
  if (resource.name.empty()) return std::nullopt;
  std::int32_t id = -1;
  const auto [end, failed] = std::from_chars(resource.name.data(), resource.name.data() + resource.name.size(), id);
  if (failed != std::errc() || end != resource.name.data() + resource.name.size()) return std::nullopt;
  return id;
}

Target target_of(std::optional<std::int32_t> broker) {
  return broker ? Target::node(*broker) : Target::any();
}

}  // namespace

Task<Result<std::vector<ConfigDescription>>> Admin::describe_configs(std::vector<ConfigResource> resources,
                                                                     bool synonyms) {
  using protocol::DescribeConfigsRequest;
  using protocol::DescribeConfigsResponse;
  if (configuration_error_) co_return *configuration_error_;
  std::map<std::optional<std::int32_t>, DescribeConfigsRequest> requests;
  for (const ConfigResource& resource : resources) {
    DescribeConfigsRequest& request = requests[broker_of(resource)];
    request.include_synonyms = synonyms;
    request.resources.push_back({.resource_type = static_cast<std::int8_t>(resource.type),
                                 .resource_name = resource.name,
                                 .configuration_keys = std::nullopt});
  }
  std::vector<ConfigDescription> descriptions;
  const MonoTime until = deadline();
  for (const auto& [broker, request] : requests) {
    const auto reply = co_await admin_call<DescribeConfigsResponse>(
        *core_, target_of(broker), request, broker ? "describeBrokerConfigs" : "describeConfigs", until,
        &never<DescribeConfigsResponse>);
    if (!reply) co_return reply.error();
    for (const auto& result : reply->body.results) {
      ConfigDescription& description = descriptions.emplace_back();
      description.resource = {static_cast<ResourceType>(result.resource_type), result.resource_name};
      description.error = error_of(result.error_code, result.error_message);
      for (const auto& config : result.configs) {
        ConfigEntry& entry = description.entries.emplace_back();
        entry = {config.name,         config.value,     static_cast<ConfigSource>(config.config_source),
                 config.is_sensitive, config.read_only, {}};
        for (const auto& synonym : config.synonyms) {
          entry.synonyms.push_back({synonym.name, synonym.value, static_cast<ConfigSource>(synonym.source)});
        }
      }
    }
  }
  co_return std::move(descriptions);
}

Task<Result<void>> Admin::alter_configs(ConfigResource resource, std::vector<ConfigChange> changes,
                                        bool validate_only) {
  using protocol::IncrementalAlterConfigsResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::IncrementalAlterConfigsRequest request;
  request.validate_only = validate_only;
  auto& altered = request.resources.emplace_back();
  altered.resource_type = static_cast<std::int8_t>(resource.type);
  altered.resource_name = resource.name;
  for (const ConfigChange& change : changes) {
    altered.configs.push_back(
        {.name = change.name, .config_operation = static_cast<std::int8_t>(change.operation), .value = change.value});
  }
  constexpr auto again = +[](const IncrementalAlterConfigsResponse& response) {
    return std::ranges::any_of(response.responses,
                               [](const auto& each) { return is_controller_error(each.error_code); });
  };
  const auto reply = co_await admin_call<IncrementalAlterConfigsResponse>(
      *core_, target_of(broker_of(resource)), request, "incrementalAlterConfigs", deadline(), again);
  if (!reply) co_return reply.error();
  for (const auto& each : reply->body.responses) {
    if (auto error = error_of(each.error_code, each.error_message)) co_return *std::move(error);
  }
  co_return Result<void>();
}

Task<Result<std::vector<ConfigResource>>> Admin::list_config_resources(std::vector<ResourceType> types) {
  using protocol::ListConfigResourcesResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::ListConfigResourcesRequest request;
  for (const ResourceType type : types) request.resource_types.push_back(static_cast<std::int8_t>(type));
  const auto reply = co_await admin_call<ListConfigResourcesResponse>(
      *core_, Target::any(), request, "listConfigResources", deadline(), &never<ListConfigResourcesResponse>);
  if (!reply) co_return reply.error();
  if (auto error = error_of(reply->body.error_code)) co_return *std::move(error);
  std::vector<ConfigResource> resources;
  for (const auto& each : reply->body.config_resources) {
    resources.push_back({static_cast<ResourceType>(each.resource_type), each.resource_name});
  }
  co_return std::move(resources);
}

Task<Result<ClusterDescription>> Admin::describe_cluster(bool include_fenced, std::string name) {
  using protocol::DescribeClusterResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::DescribeClusterRequest request;
  request.endpoint_type = core_->settings().to_controllers ? 2 : 1;
  request.include_fenced_brokers = include_fenced;
  const auto reply = co_await admin_call<DescribeClusterResponse>(*core_, Target::any(), request, std::move(name),
                                                                  deadline(), &never<DescribeClusterResponse>);
  if (!reply) co_return reply.error();
  if (auto error = error_of(reply->body.error_code, reply->body.error_message)) co_return *std::move(error);
  ClusterDescription cluster{reply->body.cluster_id, reply->body.controller_id, {}};
  for (const auto& each : reply->body.brokers) {
    cluster.brokers.push_back({{each.broker_id, each.host, each.port, each.rack}, each.is_fenced});
  }
  co_return std::move(cluster);
}

Task<Result<std::map<std::int32_t, std::vector<LogDirectoryDescription>>>> Admin::describe_log_dirs(
    std::vector<std::int32_t> brokers) {
  using protocol::DescribeLogDirsResponse;
  if (configuration_error_) co_return *configuration_error_;
  std::map<std::int32_t, std::vector<LogDirectoryDescription>> result;
  const MonoTime until = deadline();
  for (const std::int32_t broker : brokers) {
    protocol::DescribeLogDirsRequest request;
    request.topics.reset();
    const auto reply = co_await admin_call<DescribeLogDirsResponse>(
        *core_, Target::node(broker), request, "describeLogDirs", until, &never<DescribeLogDirsResponse>);
    if (!reply) co_return reply.error();
    if (auto error = error_of(reply->body.error_code)) co_return *std::move(error);
    auto& directories = result[broker];
    for (const auto& each : reply->body.results) {
      LogDirectoryDescription directory{
          each.log_dir, error_of(each.error_code), {}, each.total_bytes, each.usable_bytes};
      for (const auto& topic : each.topics) {
        for (const auto& partition : topic.partitions) {
          directory.replicas.push_back({topic.name, partition.partition_index, partition.partition_size,
                                        partition.offset_lag, partition.is_future_key});
        }
      }
      directories.push_back(std::move(directory));
    }
  }
  co_return std::move(result);
}

namespace {

// A topic whose metadata are an error: what Kafka's admin client says of each of its partitions, and once in its log.
Error topic_failure(Core& core, const TopicPartition& partition, const Error& error, std::set<std::string>& logged) {
  const std::string& topic = partition.topic;
  const std::string begin = fmt::format("Failed to fetch metadata for partition {} due to ", partition.to_string());
  std::string_view what = "unexpected error";
  std::string text = fmt::format("{}unexpected error for topic `{}`", begin, topic);
  if (error.code() == ErrorCode::topic_authorization_failed) {
    what = "authorization failure";
    text = begin + "topic authorization failure";
  } else if (error.code() == ErrorCode::invalid_topic_exception) {
    what = "invalid topic error";
    text = fmt::format("{}invalid topic `{}`", begin, topic);
  }
  if (logged.insert(topic).second) {
    handler_log(core, "PartitionLeaderStrategy")
        .error("Received {} for topic {} in `Metadata` response\f{}", what, topic, error.to_string());
  }
  return Error(error.code(), text);
}

}  // namespace

Task<Result<std::map<PartitionName, ListedOffset>>> Admin::list_offsets(
    std::map<PartitionName, std::int64_t> timestamps, Isolation isolation) {
  if (configuration_error_) co_return *configuration_error_;
  std::map<TopicPartition, std::int64_t> asked;
  for (const auto& [name, timestamp] : timestamps) asked[internal(name)] = timestamp;
  const auto found = co_await look_up_offsets(*core_, std::move(asked), isolation, deadline());
  std::map<PartitionName, ListedOffset> result;
  std::set<std::string> logged;
  for (const auto& [name, each] : found) {
    if (each.error && each.error->code() == ErrorCode::unsupported_version &&
        each.error->message() == error_message(ErrorCode::unsupported_version)) {
      handler_log(*core_, "ListOffsetsHandler")
          .error("ListOffsets request for topic partition {} failed due to an unexpected error {}", name.to_string(),
                 error_name(each.error->code()));
    }
    ListedOffset& listed = result[external(name)] = {each.offset, each.timestamp, each.leader_epoch, each.error};
    if (each.topic_failed) listed.error = topic_failure(*core_, name, *each.error, logged);
    if (each.error && each.error->exception_class() == kinds::timeout) {
      listed.error = timed_out(*core_, "listOffsets(api=METADATA)", 1);
    }
  }
  co_return std::move(result);
}

Task<Result<std::map<PartitionName, LowWatermark>>> Admin::delete_records(
    std::map<PartitionName, std::int64_t> before) {
  using protocol::DeleteRecordsRequest;
  using protocol::DeleteRecordsResponse;
  if (configuration_error_) co_return *configuration_error_;
  const MonoTime until = deadline();
  const Logger log = core_->log().named("org.apache.kafka.clients.admin.internals.DeleteRecordsHandler",
                                        fmt::format("[AdminClient clientId={}] ", core_->settings().client_id));
  for (const auto& [name, offset] : before) core_->watch_topic(name.topic, false);
  std::map<PartitionName, LowWatermark> result;
  Backoff pause = core_->backoff();
  while (!before.empty()) {
    std::map<std::int32_t, DeleteRecordsRequest> by_leader;
    for (const auto& [name, offset] : before) {
      const PartitionInfo* info = core_->cluster().partition(name.topic, name.partition);
      if (info == nullptr || info->leader < 0) continue;
      DeleteRecordsRequest& request = by_leader[info->leader];
      request.timeout_ms = milliseconds_until(*core_, until);
      if (request.topics.empty() || request.topics.back().name != name.topic) {
        request.topics.emplace_back();
        request.topics.back().name = name.topic;
      }
      request.topics.back().partitions.push_back({.partition_index = name.partition, .offset = offset});
    }
    for (const auto& [leader, request] : by_leader) {
      Link* link = core_->link(leader);
      if (link == nullptr) continue;
      const auto reply = co_await core_->exchange<DeleteRecordsResponse>(*link, request, until);
      if (!reply && !reply.error().retriable()) co_return reply.error();
      if (!reply) continue;
      for (const auto& topic : reply->body.topics) {
        for (const auto& each : topic.partitions) {
          const PartitionName name{topic.name, each.partition_index};
          const ErrorCode code = error_code_of(each.error_code);
          if (code == ErrorCode::none) {
            result[name].low_watermark = each.low_watermark;
          } else if (is_retriable(code)) {
            continue;
          } else {
            log.error("DeleteRecords request for topic partition {}-{} failed due to an unexpected error {}",
                      name.topic, name.partition, error_name(code));
            result[name].error = Error(code);
          }
          before.erase(name);
        }
      }
    }
    if (before.empty()) break;
    if (core_->now() >= until) {
      for (const auto& [name, offset] : before) {
        result[name].error =
            Error::of_kind(kinds::timeout, "Timed out waiting for a node assignment. Call: deleteRecords");
      }
      break;
    }
    const Result<void> fresh = co_await core_->wait_refresh(until);
    static_cast<void>(fresh);
    if (by_leader.empty()) continue;
    co_await core_->links_changed().wait(std::min(until, core_->now() + pause.next()));
  }
  co_return std::move(result);
}

Task<Result<std::map<PartitionName, Reassignment>>> Admin::list_reassignments(std::vector<PartitionName> partitions) {
  using protocol::ListPartitionReassignmentsResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::ListPartitionReassignmentsRequest request;
  const MonoTime until = deadline();
  request.timeout_ms = milliseconds_until(*core_, until);
  request.topics.emplace();
  std::ranges::sort(partitions);
  for (const PartitionName& name : partitions) {
    if (request.topics->empty() || request.topics->back().name != name.topic) {
      request.topics->emplace_back();
      request.topics->back().name = name.topic;
    }
    request.topics->back().partition_indexes.push_back(name.partition);
  }
  constexpr auto again =
      +[](const ListPartitionReassignmentsResponse& response) { return is_controller_error(response.error_code); };
  const auto reply = co_await admin_call<ListPartitionReassignmentsResponse>(
      *core_, Target::controller(), request, "listPartitionReassignments", until, again);
  if (!reply) co_return reply.error();
  if (auto error = error_of(reply->body.error_code, reply->body.error_message)) co_return *std::move(error);
  std::map<PartitionName, Reassignment> result;
  for (const auto& topic : reply->body.topics) {
    for (const auto& each : topic.partitions) {
      result[{topic.name, each.partition_index}] = {each.replicas, each.adding_replicas, each.removing_replicas};
    }
  }
  co_return std::move(result);
}

Task<Result<std::vector<ServedApi>>> Admin::api_versions(std::int32_t broker) {
  if (configuration_error_) co_return *configuration_error_;
  const MonoTime until = deadline();
  const Result<Link*> link = co_await core_->link_to(Target::node(broker), until);
  if (!link) co_return link.error();
  const Result<void> ready = co_await (*link)->wait_ready(until);
  if (!ready) co_return ready.error();
  std::vector<ServedApi> apis;
  for (std::int16_t key = 0; key < 1000; ++key) {
    const auto range = (*link)->versions().range(key);
    if (!range.empty()) apis.push_back({key, range.low, range.high});
  }
  co_return std::move(apis);
}

Task<Result<void>> Admin::unregister_broker(std::int32_t id) {
  using protocol::UnregisterBrokerResponse;
  if (configuration_error_) co_return *configuration_error_;
  protocol::UnregisterBrokerRequest request;
  request.broker_id = id;
  constexpr auto again =
      +[](const UnregisterBrokerResponse& response) { return is_controller_error(response.error_code); };
  const auto reply = co_await admin_call<UnregisterBrokerResponse>(*core_, Target::any(), request, "unregisterBroker",
                                                                   deadline(), again);
  if (!reply) co_return reply.error();
  if (auto error = error_of(reply->body.error_code, reply->body.error_message)) {
    core_->log()
        .named("org.apache.kafka.clients.admin.KafkaAdminClient",
               fmt::format("[AdminClient clientId={}] ", core_->settings().client_id))
        .error("Unregister broker request for broker ID {} failed: {}", id, error->message());
    co_return *std::move(error);
  }
  co_return Result<void>();
}

}  // namespace klamm::client
