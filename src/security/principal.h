// Who is at the other end: org.apache.kafka.common.security.auth.KafkaPrincipal.
#pragma once

#include <string>

namespace klamm::security {

struct Principal {
  std::string type = "User";
  std::string name = "ANONYMOUS";

  bool operator==(const Principal&) const = default;
  // "User:ANONYMOUS"
  std::string to_string() const { return type + ":" + name; }
};

}  // namespace klamm::security
