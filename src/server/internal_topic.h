// Makes the topic of a coordinator when somebody needs it for the first time.
// Source of behaviour: kafka.server.DefaultAutoTopicCreationManager.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/logger.h"
#include "hosting/controller_channel.h"
#include "runtime/reactor.h"
#include "runtime/task.h"

namespace klamm::server {

struct InternalTopic {
  std::string name;
  std::int32_t partitions = 1;
  std::int16_t replication_factor = 1;
  std::vector<std::pair<std::string, std::string>> configs;
  std::chrono::milliseconds creation_timeout{30000};
};

class InternalTopicCreation {
 public:
  InternalTopicCreation(InternalTopic topic, Logger log) : topic_(std::move(topic)), log_(std::move(log)) {}

  // Any reactor. Unless somebody is about to. What became of it shows in the metadata.
  runtime::Task<void> create(runtime::Reactor& reactor, hosting::ControllerChannel& controller,
                             hosting::CallerContext caller);

 private:
  InternalTopic topic_;
  Logger log_;
  std::atomic<bool> creating_{false};
};

}  // namespace klamm::server
