#include "controller/call.h"

namespace klamm::controller {

std::optional<std::string> message_of(const Error& error) {
  if (error.code == ErrorCode::none || error.message.empty()) return std::nullopt;
  return error.message;
}

protocol::CreateTopicsResponse failed(const protocol::CreateTopicsRequest& request, const Error& error) {
  protocol::CreateTopicsResponse response;
  for (const auto& topic : request.topics) {
    auto& result = response.topics.emplace_back();
    result.name = topic.name;
    result.error_code = wire_of(error.code);
    result.error_message = message_of(error);
  }
  return response;
}

protocol::DeleteTopicsResponse failed(const protocol::DeleteTopicsRequest& request, const Error& error) {
  protocol::DeleteTopicsResponse response;
  const auto add = [&](const std::optional<std::string>& name, Uuid id) {
    auto& result = response.responses.emplace_back();
    result.name = name;
    result.topic_id = id;
    result.error_code = wire_of(error.code);
    result.error_message = message_of(error);
  };
  for (const std::string& name : request.topic_names) add(name, zero_uuid);
  for (const auto& topic : request.topics) add(topic.name, topic.topic_id);
  return response;
}

protocol::CreatePartitionsResponse failed(const protocol::CreatePartitionsRequest& request, const Error& error) {
  protocol::CreatePartitionsResponse response;
  for (const auto& topic : request.topics) {
    auto& result = response.results.emplace_back();
    result.name = topic.name;
    result.error_code = wire_of(error.code);
    result.error_message = message_of(error);
  }
  return response;
}

protocol::IncrementalAlterConfigsResponse failed(const protocol::IncrementalAlterConfigsRequest& request,
                                                 const Error& error) {
  protocol::IncrementalAlterConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& result = response.responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    result.error_code = wire_of(error.code);
    result.error_message = message_of(error);
  }
  return response;
}

protocol::AlterConfigsResponse failed(const protocol::AlterConfigsRequest& request, const Error& error) {
  protocol::AlterConfigsResponse response;
  for (const auto& resource : request.resources) {
    auto& result = response.responses.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    result.error_code = wire_of(error.code);
    result.error_message = message_of(error);
  }
  return response;
}

protocol::AllocateProducerIdsResponse failed(const protocol::AllocateProducerIdsRequest&, const Error& error) {
  protocol::AllocateProducerIdsResponse response;
  response.error_code = wire_of(error.code);
  return response;
}

protocol::BrokerRegistrationResponse failed(const protocol::BrokerRegistrationRequest&, const Error& error) {
  protocol::BrokerRegistrationResponse response;
  response.error_code = wire_of(error.code);
  return response;
}

protocol::BrokerHeartbeatResponse failed(const protocol::BrokerHeartbeatRequest&, const Error& error) {
  protocol::BrokerHeartbeatResponse response;
  response.error_code = wire_of(error.code);
  return response;
}

protocol::UnregisterBrokerResponse failed(const protocol::UnregisterBrokerRequest&, const Error& error) {
  protocol::UnregisterBrokerResponse response;
  response.error_code = wire_of(error.code);
  response.error_message = message_of(error);
  return response;
}

protocol::AssignReplicasToDirsResponse failed(const protocol::AssignReplicasToDirsRequest&, const Error& error) {
  protocol::AssignReplicasToDirsResponse response;
  response.error_code = wire_of(error.code);
  return response;
}

protocol::ControllerRegistrationResponse failed(const protocol::ControllerRegistrationRequest&, const Error& error) {
  protocol::ControllerRegistrationResponse response;
  response.error_code = wire_of(error.code);
  response.error_message = message_of(error);
  return response;
}

}  // namespace klamm::controller
