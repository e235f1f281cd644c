// What the generator speaks to: a topic, who leads its partitions, and which versions those speak.
#pragma once

#include <string>
#include <vector>

#include "base/uuid.h"
#include "bench/plan.h"
#include "client/admin.h"
#include "client/client.h"
#include "client/result.h"
#include "protocol/api_key.h"
#include "runtime/environment.h"
#include "runtime/task.h"

namespace klamm::bench {

struct Target {
  struct Broker {
    std::int32_t id = -1;
    client::HostPort address;
    std::vector<std::int32_t> partitions;  // that it leads
  };
  std::string topic;
  Uuid topic_id;
  std::vector<Broker> brokers;  // those that lead a partition
  std::vector<client::ServedApi> apis;

  // The newest version that both sides know. ConfigException when there is none.
  std::int16_t version_of(protocol::ApiKey key, std::int16_t newest) const;
  // Channels take the brokers in turn.
  const Broker& broker_of(std::size_t channel) const { return brokers[channel % brokers.size()]; }
};

// Looks at the topic, makes it when it is not there.
runtime::Task<client::Result<Target>> prepare(client::Client& client, const Plan& plan);

// Records in the partitions together: sum of their end offsets.
runtime::Task<client::Result<std::int64_t>> end_offsets(client::Client& client, const Target& target);

// A connection to the channel's broker. Throws std::system_error.
runtime::Task<runtime::SocketRef> connect(runtime::Environment& environment, runtime::Reactor& reactor,
                                          client::HostPort address);

}  // namespace klamm::bench
