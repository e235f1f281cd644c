// What a client may use before it is slowed down. A response tells the client how long it shall wait, and its
// connection is not read for as long. Source of behaviour: kafka.server.ClientQuotaManager.
#pragma once

#include <chrono>
#include <cstddef>

#include "protocol/api_key.h"
#include "server/exchange.h"

namespace klamm::server {

// Called from every reactor.
class Quotas {
 public:
  virtual ~Quotas() = default;
  // Counts the request and answers how long its sender shall wait; zero when it is within its bounds.
  virtual std::chrono::milliseconds charge(const RequestContext& context, protocol::ApiKey key,
                                           std::size_t request_bytes) = 0;
};

}  // namespace klamm::server
