// This broker's place in the cluster: registers with the controller, becomes unfenced, tells it where replicas were put
// and which directories failed. Source of behaviour: org.apache.kafka.server.BrokerLifecycleManager,
// org.apache.kafka.server.AssignmentsManager.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/types.h"
#include "base/uuid.h"
#include "config/broker_config.h"
#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "runtime/environment.h"
#include "runtime/task_group.h"

namespace klamm::broker {

// Where clients reach a listener.
struct AdvertisedListener {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;
};

struct RegistrationRequest {
  BrokerId node;
  std::string cluster_id;
  std::vector<AdvertisedListener> listeners;
  std::optional<std::string> rack;
  std::vector<Uuid> directories;                      // that work
  std::optional<std::int64_t> previous_broker_epoch;  // of the last clean stop
};

// Belongs to one reactor.
class Registration {
 public:
  Registration(runtime::Environment& environment, runtime::Reactor& reactor, hosting::ControllerChannel& channel,
               hosting::MetadataPublisher& publisher, RegistrationRequest request, Logger log);

  // Throws std::runtime_error with the controller's text when it refuses.
  runtime::Task<void> announce();
  // Until the controller lets this broker lead. Throws as above.
  runtime::Task<void> unfence();
  BrokerEpoch epoch() const { return epoch_; }

  // Tells the controller in the background; what is asked meanwhile goes together.
  void replica_placed(Uuid topic_id, PartitionIndex partition, Uuid directory);
  void directory_failed(Uuid directory);
  runtime::Task<void> stop();

 private:
  struct Placement {
    Uuid topic_id;
    PartitionIndex partition;
    Uuid directory;
  };
  runtime::Task<void> tell();
  runtime::Task<void> assign(std::vector<Placement> placements);
  protocol::BrokerHeartbeatRequest heartbeat() const;

  runtime::Environment& environment_;
  runtime::Reactor& reactor_;
  hosting::ControllerChannel& channel_;
  hosting::MetadataPublisher& publisher_;
  RegistrationRequest request_;
  Logger log_;
  BrokerEpoch epoch_{-1};
  std::vector<Placement> placements_;
  std::vector<Uuid> failed_directories_;
  bool failure_untold_ = false;
  bool telling_ = false;
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::broker
