#include "server/api/003_metadata.h"

#include <algorithm>

#include "metadata/topic_name.h"
#include "server/metadata_view.h"

namespace klamm::server {

namespace {
constexpr std::int16_t listener_not_found_from = 6;
constexpr std::int16_t topic_ids_asked_from = 12;

MetadataHandler::Response::MetadataResponseTopic unavailable(ErrorCode code, std::optional<std::string> name, Uuid id) {
  MetadataHandler::Response::MetadataResponseTopic topic;
  topic.error_code = wire_of(code);
  topic.is_internal = name && metadata::is_internal_topic(*name);
  topic.name = std::move(name);
  topic.topic_id = id;
  return topic;
}

}  // namespace

runtime::Task<MetadataHandler::Response> MetadataHandler::handle(const RequestContext& context,
                                                                 const Request& request) {
  const bool all = !request.topics || (context.version == 0 && request.topics->empty());
  if (!all) {
    for (const auto& topic : *request.topics) {
      if (context.version < topic_ids_asked_from && (!topic.name || !topic.topic_id.is_zero()))
        throw RequestFailed(ErrorCode::invalid_request);
      if (!topic.name && topic.topic_id.is_zero()) throw RequestFailed(ErrorCode::unknown_server_error);
    }
  }

  const metadata::ImageRef image = metadata_.image(context.reactor);
  Response response;
  std::vector<std::string> missing;
  if (all)
    describe_all(context, *image, response);
  else if (std::ranges::any_of(*request.topics, [](const auto& topic) { return !topic.topic_id.is_zero(); }))
    describe_by_id(context, *image, request, response);
  else
    missing = describe_by_name(context, *image, request, response);

  const security::Resource cluster{security::ResourceType::cluster, security::cluster_resource};
  if (request.include_topic_authorized_operations) {
    for (auto& topic : response.topics) {
      if (topic.error_code == wire_of(ErrorCode::topic_authorization_failed) || !topic.name) continue;
      topic.topic_authorized_operations =
          authorizer_.allowed_operations(context.identity, {security::ResourceType::topic, *topic.name});
    }
  }
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations =
        authorizer_.allows(context.identity, security::Operation::describe, cluster)
            ? authorizer_.allowed_operations(context.identity, cluster)
            : 0;
  }
  for (const auto& [id, broker] : image->brokers()) {
    const auto* endpoint = alive_endpoint(*image, id, context.identity.listener);
    if (!endpoint) continue;
    auto& node = response.brokers.emplace_back();
    node.node_id = id.value;
    node.host = endpoint->host;
    node.port = endpoint->port;
    node.rack = broker->rack;
    // Any broker will do: each hands what the controller decides on to it.
    if (response.controller_id < 0 || id == settings_.node_id) response.controller_id = id.value;
  }
  response.cluster_id = settings_.cluster_id;

  // As in Kafka, who causes a topic to be made is told that there is none yet, and finds it when asking again.
  if (!missing.empty()) {
    auto creating = create(context, std::move(missing));
    co_await std::move(creating);
  }
  co_return response;
}

void MetadataHandler::describe_all(const RequestContext& context, const metadata::Image& image,
                                   Response& response) const {
  for (const auto& topic : image.topics()) {
    if (!authorizer_.allows(context.identity, security::Operation::describe,
                            {security::ResourceType::topic, topic->name}))
      continue;
    response.topics.push_back(describe(context, image, *topic));
  }
}

void MetadataHandler::describe_by_id(const RequestContext& context, const metadata::Image& image,
                                     const Request& request, Response& response) const {
  std::set<Uuid> seen;
  for (const auto& asked : *request.topics) {
    if (asked.topic_id.is_zero() || !seen.insert(asked.topic_id).second) continue;
    const auto* topic = image.topic(asked.topic_id);
    if (!topic)
      response.topics.push_back(unavailable(ErrorCode::unknown_topic_id, std::nullopt, asked.topic_id));
    else if (!authorizer_.allows(context.identity, security::Operation::describe,
                                 {security::ResourceType::topic, topic->name}))
      response.topics.push_back(unavailable(ErrorCode::topic_authorization_failed, std::nullopt, asked.topic_id));
    else
      response.topics.push_back(describe(context, image, *topic));
  }
}

// Returns the names of topics to be created.
std::vector<std::string> MetadataHandler::describe_by_name(const RequestContext& context, const metadata::Image& image,
                                                           const Request& request, Response& response) const {
  const bool create = settings_.auto_create_topics && request.allow_auto_topic_creation;
  const bool may_create_any = authorizer_.allows(context.identity, security::Operation::create,
                                                 {security::ResourceType::cluster, security::cluster_resource});
  std::vector<std::string> missing;
  std::set<std::string_view> seen;
  for (const auto& asked : *request.topics) {
    const std::string& name = *asked.name;
    if (!seen.insert(name).second) continue;
    const security::Resource resource{security::ResourceType::topic, name};
    if (!authorizer_.allows(context.identity, security::Operation::describe, resource)) {
      response.topics.push_back(unavailable(ErrorCode::topic_authorization_failed, name, zero_uuid));
      response.topics.back().is_internal = false;
    } else if (const auto* topic = image.topic(name)) {
      response.topics.push_back(describe(context, image, *topic));
    } else if (create && !may_create_any &&
               !authorizer_.allows(context.identity, security::Operation::create, resource)) {
      response.topics.push_back(unavailable(ErrorCode::topic_authorization_failed, name, zero_uuid));
    } else if (!metadata::check_topic_name(name)) {
      response.topics.push_back(unavailable(ErrorCode::invalid_topic_exception, name, zero_uuid));
    } else {
      response.topics.push_back(unavailable(ErrorCode::unknown_topic_or_partition, name, zero_uuid));
      // Internal topics are made by those who keep something in them, not by those who ask.
      if (create && !metadata::is_internal_topic(name) && name != metadata::cluster_metadata_topic)
        missing.push_back(name);
    }
  }
  return missing;
}

MetadataHandler::TopicAnswer MetadataHandler::describe(const RequestContext& context, const metadata::Image& image,
                                                       const metadata::Topic& topic) const {
  TopicAnswer answer;
  answer.name = topic.name;
  answer.topic_id = topic.id;
  answer.is_internal = metadata::is_internal_topic(topic.name);
  answer.partitions.reserve(topic.partition_count());
  for (const auto& [index, partition] : topic.partitions) {
    auto& described = answer.partitions.emplace_back();
    described.partition_index = index;
    described.leader_epoch = partition.leader_epoch;
    described.offline_replicas = offline_replicas(image, partition, context.identity.listener);
    // Version 0 lists only who can be reached, and says so.
    const bool reachable_only = context.version == 0;
    for (const std::int32_t replica : partition.replicas)
      if (!reachable_only || alive_endpoint(image, BrokerId(replica), context.identity.listener))
        described.replica_nodes.push_back(replica);
    for (const std::int32_t replica : partition.isr)
      if (!reachable_only || alive_endpoint(image, BrokerId(replica), context.identity.listener))
        described.isr_nodes.push_back(replica);

    const auto* leader = image.broker(BrokerId(partition.leader));
    const bool ready =
        BrokerId(partition.leader) != settings_.node_id || is_ready(partitions_, topic.id, PartitionIndex(index));
    described.leader_id = -1;
    if (!leader || !ready) {
      described.error_code = wire_of(ErrorCode::leader_not_available);
    } else if (!leader->endpoint(context.identity.listener)) {
      described.error_code = wire_of(context.version >= listener_not_found_from ? ErrorCode::listener_not_found
                                                                                : ErrorCode::leader_not_available);
    } else {
      described.leader_id = partition.leader;
      if (described.replica_nodes.size() < partition.replicas.size() ||
          described.isr_nodes.size() < partition.isr.size())
        described.error_code = wire_of(ErrorCode::replica_not_available);
    }
  }
  return answer;
}

runtime::Task<void> MetadataHandler::create(const RequestContext& context, std::vector<std::string> names) {
  protocol::CreateTopicsRequest request;
  request.timeout_ms = static_cast<std::int32_t>(settings_.creation_timeout.count());
  for (auto& name : names) {
    auto& topic = request.topics.emplace_back();
    topic.name = std::move(name);
    topic.num_partitions = -1;  // what the broker's configuration says
    topic.replication_factor = -1;
  }
  hosting::CallerContext caller = caller_of(context);
  caller.api_version = protocol::CreateTopicsRequest::max_version;
  auto creating = controller_.create_topics(context.reactor, std::move(caller), std::move(request));
  // Whatever became of it shows when the client asks again.
  co_await std::move(creating);
}

MetadataHandler::Response MetadataHandler::failed(const RequestContext&, const Request& request,
                                                  const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  if (request.topics) {
    for (const auto& topic : *request.topics) {
      auto& answer = response.topics.emplace_back();
      answer.error_code = wire_of(error.code);
      answer.name = topic.name.value_or("");
      answer.topic_id = topic.topic_id;
    }
  }
  return response;
}

}  // namespace klamm::server
