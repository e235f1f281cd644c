#include "broker/dynamic_settings.h"

namespace klamm::broker {

using runtime::ShortLock;

DynamicSettings::DynamicSettings(runtime::Scheduling& scheduling, config::BrokerConfigRef file, Logger log)
    : lock_(scheduling),
      current_(config::DynamicConfig::of(file)),
      node_(std::to_string(file->node_id().value)),
      log_(std::move(log)) {}

config::DynamicConfigRef DynamicSettings::current() const {
  const ShortLock::Guard guard(lock_);
  return current_;
}

void DynamicSettings::metadata_changed(const metadata::Delta& delta) {
  using metadata::ConfigResourceType;
  const metadata::ConfigResource all_brokers{ConfigResourceType::broker, ""};
  const metadata::ConfigResource this_broker{ConfigResourceType::broker, node_};
  if (!delta.configs().contains(all_brokers) && !delta.configs().contains(this_broker)) return;

  const metadata::Image& image = *delta.image();
  std::vector<std::string> problems;
  auto next = current()->with(image.config(all_brokers), image.config(this_broker), &problems);
  for (const std::string& problem : problems) log_.error("{}", problem);
  for (const auto& [key, value] : image.config(all_brokers)) log_.debug("Cluster configuration: {} -> {}", key, value);
  {
    const ShortLock::Guard guard(lock_);
    current_ = next;
  }
  for (const Listener& listener : listeners_) listener(next->current());
}

}  // namespace klamm::broker
