// What is known of whoever sent a request. Every handler sees it; authorizer, quotas and log lines use it.
#pragma once

#include <string>
#include <string_view>

#include "security/principal.h"

namespace klamm::security {

// All members belong to the connection or to the request's frame, and live as long as the request does.
struct RequestIdentity {
  std::string_view listener;  // "PLAINTEXT"
  const Principal& principal;
  std::string_view host;           // numeric address of the peer: "127.0.0.1"
  std::string_view client_id;      // "" when the client gave none
  std::string_view software_name;  // KIP-511: "apache-kafka-java"; "unknown" until the client said
  std::string_view software_version;
};

}  // namespace klamm::security
