// The broker's configuration as it changes while it runs: follows what the metadata says of this broker and of all
// brokers, keeps the merged result for whoever asks, and tells those that obey it. Source:
// kafka.server.DynamicBrokerConfig.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "config/dynamic_config.h"
#include "hosting/metadata_publisher.h"
#include "runtime/lock.h"

namespace klamm::broker {

class DynamicSettings final : public hosting::MetadataSubscriber {
 public:
  // Called on the reactor of the subscription, after current() became the new one.
  using Listener = std::function<void(const config::BrokerConfig&)>;

  DynamicSettings(runtime::Scheduling& scheduling, config::BrokerConfigRef file, Logger log);

  // Any thread.
  config::DynamicConfigRef current() const;
  void on_change(Listener listener) { listeners_.push_back(std::move(listener)); }
  void metadata_changed(const metadata::Delta& delta) override;

 private:
  mutable runtime::ShortLock lock_;
  config::DynamicConfigRef current_;
  std::string node_;
  std::vector<Listener> listeners_;
  Logger log_;
};

}  // namespace klamm::broker
