#include "server/internal_topic.h"

namespace klamm::server {

runtime::Task<void> InternalTopicCreation::create(runtime::Reactor& reactor, hosting::ControllerChannel& controller,
                                                  hosting::CallerContext caller) {
  if (creating_.exchange(true)) co_return;
  protocol::CreateTopicsRequest request;
  request.timeout_ms = static_cast<std::int32_t>(topic_.creation_timeout.count());
  auto& topic = request.topics.emplace_back();
  topic.name = topic_.name;
  topic.num_partitions = topic_.partitions;
  topic.replication_factor = topic_.replication_factor;
  for (const auto& [name, value] : topic_.configs) {
    auto& entry = topic.configs.emplace_back();
    entry.name = name;
    entry.value = value;
  }
  caller.api_version = protocol::CreateTopicsRequest::max_version;
  auto creating = controller.create_topics(reactor, std::move(caller), std::move(request));
  const protocol::CreateTopicsResponse created = co_await std::move(creating);
  creating_ = false;
  for (const auto& each : created.topics) {
    if (each.error_code == 0) continue;
    log_.warn("Failed to create topic {}: {}", each.name, each.error_message.value_or(""));
  }
}

}  // namespace klamm::server
