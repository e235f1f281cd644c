#include "server/api/010_find_coordinator.h"

#include "server/metadata_view.h"

namespace klamm::server {
namespace {

enum CoordinatorType : std::int8_t { group = 0, transaction = 1, share = 2 };

constexpr std::int16_t keys_from = 4;
constexpr std::int16_t share_from = 6;

// Kafka's Errors.NONE.message().
std::string text_of(ErrorCode code) {
  return code == ErrorCode::none ? "NONE" : std::string(error_message(code));
}

}  // namespace

runtime::Task<FindCoordinatorHandler::Response> FindCoordinatorHandler::handle(const RequestContext& context,
                                                                               const Request& request) {
  Response response;
  if (context.version < keys_from) {
    const Found found = find(context, request.key_type, request.key);
    response.error_code = wire_of(found.error);
    response.error_message = text_of(found.error);
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
  } else {
    response.coordinators.reserve(request.coordinator_keys.size());
    for (const std::string& key : request.coordinator_keys) {
      Found found = find(context, request.key_type, key);
      auto& coordinator = response.coordinators.emplace_back();
      coordinator.key = key;
      coordinator.error_code = wire_of(found.error);
      coordinator.node_id = found.node_id;
      coordinator.host = std::move(found.host);
      coordinator.port = found.port;
    }
  }

  if (context.version < keys_from || !request.coordinator_keys.empty()) {
    auto creating = create_missing(context, request.key_type);
    co_await std::move(creating);
  }
  co_return response;
}

runtime::Task<void> FindCoordinatorHandler::create_missing(const RequestContext& context, std::int8_t type) {
  const metadata::ImageRef image = metadata_.image(context.reactor);
  if (type == CoordinatorType::group && !image->topic(offsets_topic)) {
    auto creating = groups_.create_topic(context.reactor, controller_, caller_of(context));
    co_await std::move(creating);
  }
  if (type == CoordinatorType::transaction && !image->topic(transactions_topic)) {
    auto creating = transactions_.create_topic(context.reactor, controller_, caller_of(context));
    co_await std::move(creating);
  }
}

FindCoordinatorHandler::Found FindCoordinatorHandler::find(const RequestContext& context, std::int8_t type,
                                                           const std::string& key) const {
  switch (type) {
    case CoordinatorType::group:
      if (!authorizer_.allows(context.identity, security::Operation::describe, {security::ResourceType::group, key})) {
        return {.error = ErrorCode::group_authorization_failed};
      }
      return find_in(context, offsets_topic, groups_.partition_of(key));
    case CoordinatorType::transaction:
      if (!authorizer_.allows(context.identity, security::Operation::describe,
                              {security::ResourceType::transactional_id, key})) {
        return {.error = ErrorCode::transactional_id_authorization_failed};
      }
      return find_in(context, transactions_topic, transactions_.partition_of(key));
    case CoordinatorType::share:
      return {.error = context.version < share_from ? ErrorCode::invalid_request : ErrorCode::unsupported_version};
    default:
      throw RequestFailed(ErrorCode::invalid_request);
  }
}

FindCoordinatorHandler::Found FindCoordinatorHandler::find_in(const RequestContext& context, std::string_view topic,
                                                              PartitionIndex index) const {
  const metadata::ImageRef& image = metadata_.image(context.reactor);
  const auto* partition = image->partition(topic, index.value);
  const metadata::Endpoint* endpoint =
      partition ? alive_endpoint(*image, BrokerId(partition->leader), context.identity.listener) : nullptr;
  if (!endpoint) return {.error = ErrorCode::coordinator_not_available};
  return {.error = ErrorCode::none, .node_id = partition->leader, .host = endpoint->host, .port = endpoint->port};
}

FindCoordinatorHandler::Response FindCoordinatorHandler::failed(const RequestContext& context, const Request& request,
                                                                const Error& error) const {
  Response response;
  if (context.version < keys_from) {
    response.error_code = wire_of(error.code);
    response.error_message = text_of(error.code);
    response.node_id = -1;
    response.port = -1;
    return response;
  }
  for (const std::string& key : request.coordinator_keys) {
    auto& coordinator = response.coordinators.emplace_back();
    coordinator.key = key;
    coordinator.error_code = wire_of(error.code);
    coordinator.error_message = text_of(error.code);
    coordinator.node_id = -1;
    coordinator.port = -1;
  }
  return response;
}

}  // namespace klamm::server
