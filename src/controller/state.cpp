#include "controller/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace klamm::controller {

bool State::is_active(std::int32_t broker) const {
  const auto* registration = image->broker(BrokerId(broker));
  return registration && registration->is_active();
}

Uuid State::default_directory(std::int32_t broker) const {
  if (!version().supports_directory_assignment()) return directory_migrating;
  const auto* registration = image->broker(BrokerId(broker));
  // That it is not registered is found out, and said, elsewhere.
  if (!registration) return directory_unassigned;
  if (registration->directories.empty()) return directory_migrating;
  return registration->directories.size() == 1 ? registration->directories.front() : directory_unassigned;
}

ConfigLayers State::layers(const metadata::ConfigEntries& topic) const {
  using metadata::ConfigResourceType;
  return {image->config({ConfigResourceType::broker, ""}),
          image->config({ConfigResourceType::broker, fmt::format("{}", settings.node_id)}), topic};
}

std::int32_t State::effective_min_isr(const metadata::Topic& topic) const {
  const auto& own = image->config({metadata::ConfigResourceType::topic, topic.name});
  const std::string text = rules.effective_topic_value("min.insync.replicas", layers(own));
  std::int32_t configured = 1;
  std::from_chars(text.data(), text.data() + text.size(), configured);
  const auto* first = topic.partition(0);
  const auto replicas = first ? static_cast<std::int32_t>(first->replicas.size()) : 1;
  return std::min(configured, replicas);
}

bool State::unclean_election_enabled(const metadata::Topic& topic) const {
  const auto& own = image->config({metadata::ConfigResourceType::topic, topic.name});
  return rules.effective_topic_value("unclean.leader.election.enable", layers(own)) == "true";
}

Result<void> State::check_broker_epoch(std::int32_t broker, std::int64_t epoch) const {
  const auto* registration = image->broker(BrokerId(broker));
  if (!registration) {
    return fail(ErrorCode::stale_broker_epoch, fmt::format("No broker registration found for broker id {}", broker));
  }
  if (registration->epoch.value != epoch) {
    return fail(ErrorCode::stale_broker_epoch,
                fmt::format("Expected broker epoch {}, but got broker epoch {}", registration->epoch, epoch));
  }
  return {};
}

}  // namespace klamm::controller
