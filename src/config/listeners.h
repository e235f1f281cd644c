// Listeners, their security protocols, and the addresses of controllers, as configuration spells them.
// Source: org.apache.kafka.network.SocketServerConfigs, AbstractKafkaConfig, org.apache.kafka.raft.QuorumConfig.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_error.h"
#include "config/value.h"

namespace klamm::config {

// The numbers are those of the protocol (org.apache.kafka.common.security.auth.SecurityProtocol).
enum class SecurityProtocol : std::int16_t { plaintext = 0, ssl = 1, sasl_plaintext = 2, sasl_ssl = 3 };
std::string_view security_protocol_name(SecurityProtocol protocol);  // "SASL_SSL"
// Any case; nothing when there is no such protocol.
std::optional<SecurityProtocol> security_protocol(std::string_view name);

struct Listener {
  std::string name;  // upper case
  SecurityProtocol security_protocol = SecurityProtocol::plaintext;
  std::string host;  // empty: all addresses; an IPv6 address without its brackets
  std::int32_t port = 0;

  // "PLAINTEXT://localhost:9092"
  std::string to_string() const;
  bool operator==(const Listener&) const = default;
};

// A listener's name as it is compared: upper case. ConfigException for a blank one.
Checked<std::string> listener_name(std::string_view text);
// Listener name (upper case) to protocol.
using SecurityProtocolMap = std::map<std::string, SecurityProtocol, std::less<>>;

// "CLIENT:SASL_SSL,PLAINTEXT:PLAINTEXT"
Checked<SecurityProtocolMap> parse_security_protocol_map(std::string_view text);
// "a:1,b:2", split at each entry's last colon; error text of `key`. Source: AbstractKafkaConfig.getMap.
Checked<std::map<std::string, std::string, std::less<>>> parse_csv_map(std::string_view key, std::string_view text);

// "PLAINTEXT://localhost:9092", "CLIENT://[::1]:9093", "CLIENT://:9094". Names must differ; so must ports, unless one
// host is an IPv4 and the other an IPv6 address, when `distinct_ports`.
Checked<std::vector<Listener>> parse_listeners(const List& texts, const SecurityProtocolMap& protocols,
                                               bool distinct_ports);

struct Voter {
  std::int32_t id = 0;
  std::string host;
  std::int32_t port = 0;

  bool operator==(const Voter&) const = default;
};
struct ServerAddress {
  std::string host;
  std::int32_t port = 0;

  bool operator==(const ServerAddress&) const = default;
};
// controller.quorum.voters: "1@localhost:9093". `routable`: 0.0.0.0 is refused.
Checked<std::vector<Voter>> parse_voters(const List& texts, bool routable);
// controller.quorum.bootstrap.servers: "localhost:9093".
Checked<std::vector<ServerAddress>> parse_bootstrap_servers(const List& texts);
// "host:port", "[::1]:9092", "PLAINTEXT://host:9092"; nothing for anything else. Source: Utils.getHost, getPort.
std::optional<ServerAddress> parse_host_port(std::string_view text);
// Whether the text is made of what host names and addresses are made of. Source: Utils.validHostPattern.
bool is_valid_host(std::string_view text);

}  // namespace klamm::config
