// Producer ids that nobody was given before: taken one by one out of blocks of 1000 that the controller hands to this
// broker. Source of behaviour: org.apache.kafka.coordinator.transaction.RPCProducerIdManager.
#pragma once

#include <deque>
#include <functional>

#include "base/error.h"
#include "base/types.h"
#include "hosting/controller_channel.h"
#include "runtime/environment.h"
#include "runtime/task.h"

namespace klamm::server {

class ProducerIds {
 public:
  ProducerIds(runtime::Environment& environment, hosting::ControllerChannel& controller, BrokerId node_id,
              std::function<BrokerEpoch()> broker_epoch);

  // From any reactor. When no block is left, waits for the controller to give one; errors are those of the controller.
  runtime::Task<Result<ProducerId>> next(runtime::Reactor& reactor);

 private:
  struct Block {
    std::int64_t next;
    std::int64_t end;
  };
  std::optional<ProducerId> take();

  hosting::ControllerChannel& controller_;
  BrokerId node_id_;
  std::function<BrokerEpoch()> broker_epoch_;
  runtime::ShortLock lock_;
  // More than one when several asked at the same time.
  std::deque<Block> blocks_;
};

}  // namespace klamm::server
