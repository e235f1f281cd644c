#include "config/listeners.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <set>
#include <utility>

#include "base/ensure.h"

namespace klamm::config {
namespace {

constexpr std::array<std::pair<std::string_view, SecurityProtocol>, 4> protocol_names{{
    {"PLAINTEXT", SecurityProtocol::plaintext},
    {"SSL", SecurityProtocol::ssl},
    {"SASL_PLAINTEXT", SecurityProtocol::sasl_plaintext},
    {"SASL_SSL", SecurityProtocol::sasl_ssl},
}};

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

bool is_host_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-%._:").contains(c);
}

std::string in_brackets(const List& texts) {
  return value_in_message(texts);
}

struct HostAndPort {
  std::string_view host;
  std::string_view port;  // digits, perhaps a sign
};

// "[host]:port" without the brackets. The host may hold colons itself: the port is what follows the last one.
std::optional<HostAndPort> split_host_port(std::string_view text, bool signed_port) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) host.remove_prefix(1);
  if (host.ends_with(']')) host.remove_suffix(1);
  std::string_view digits = port;
  if (signed_port && digits.starts_with('-')) digits.remove_prefix(1);
  const bool all_digits = !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (!all_digits || !is_valid_host(host)) return std::nullopt;
  return HostAndPort{host, port};
}

Checked<Listener> parse_listener(const std::string& text, const SecurityProtocolMap& protocols) {
  const std::size_t scheme_end = text.rfind("://");
  const auto address = scheme_end == std::string::npos
                           ? std::nullopt
                           : split_host_port(std::string_view(text).substr(scheme_end + 3), true);
  if (!address) return refuse(ErrorKind::kafka, fmt::format("Unable to parse {} to a broker endpoint", text));
  auto name = listener_name(std::string_view(text).substr(0, scheme_end));
  if (!name) return std::unexpected(name.error());
  const auto port = parse_java_integer(address->port, std::numeric_limits<std::int32_t>::min(),
                                       std::numeric_limits<std::int32_t>::max());
  if (!port) return refuse(ErrorKind::number_format, fmt::format("For input string: \"{}\"", address->port));
  const auto protocol = protocols.find(*name);
  if (protocol == protocols.end()) {
    return refuse(ErrorKind::illegal_argument, fmt::format("No security protocol defined for listener {}", *name));
  }
  return Listener{std::move(*name), protocol->second, std::string(address->host), static_cast<std::int32_t>(*port)};
}

bool is_ipv4(std::string_view host) {
  int parts = 0;
  while (true) {
    const std::size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    const bool digits = std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (part.empty() || part.size() > 3 || !digits || (part.size() > 1 && part.front() == '0')) return false;
    if (!parse_java_integer(part, 0, 255)) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

bool is_ipv6(std::string_view host) {
  host = host.substr(0, host.find('%'));
  const std::size_t gap = host.find("::");
  if (gap != std::string_view::npos && host.find("::", gap + 1) != std::string_view::npos) return false;
  int groups = 0;
  const auto count = [&](std::string_view side) {
    if (side.empty()) return true;
    while (true) {
      const std::size_t colon = side.find(':');
      const std::string_view group = side.substr(0, colon);
      if (colon == std::string_view::npos && group.contains('.')) {
        groups += 2;
        return is_ipv4(group);
      }
      const bool hex = std::ranges::all_of(group, [](unsigned char c) { return std::isxdigit(c) != 0; });
      if (group.empty() || group.size() > 4 || !hex) return false;
      ++groups;
      if (colon == std::string_view::npos) return true;
      side.remove_prefix(colon + 1);
    }
  };
  if (gap == std::string_view::npos) return count(host) && groups == 8;
  return count(host.substr(0, gap)) && count(host.substr(gap + 2)) && groups < 8;
}

Checked<void> check_one_port(const std::vector<Listener>& sharing, std::int32_t port, const std::string& texts) {
  std::vector<std::string_view> addresses;
  std::size_t names = 0;
  for (const Listener& listener : sharing) {
    if (is_ipv4(listener.host) || is_ipv6(listener.host)) {
      addresses.push_back(listener.host);
    } else {
      ++names;
    }
  }
  if (names > 1) {
    return refuse(ErrorKind::illegal_argument,
                  fmt::format("Each listener must have a different port, listeners: {}", texts));
  }
  if (addresses.empty()) return {};
  if (addresses.size() == 2) {
    if (is_ipv4(addresses[0]) != is_ipv4(addresses[1]) && names == 0) return {};
    return refuse(
        ErrorKind::illegal_argument,
        fmt::format("If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, "
                    "listeners: {}, port: {}",
                    texts, port));
  }
  return refuse(
      ErrorKind::illegal_argument,
      fmt::format("Each listener must have a different port unless exactly one listener has an IPv4 address and the "
                  "other IPv6 address, listeners: {}, port: {}",
                  texts, port));
}

Checked<void> check_distinct(const std::vector<Listener>& listeners, const std::string& texts, bool distinct_ports) {
  std::set<std::string_view> names;
  std::map<std::int32_t, std::vector<Listener>> by_port;
  for (const Listener& listener : listeners) {
    if (!names.insert(listener.name).second) {
      return refuse(ErrorKind::illegal_argument,
                    fmt::format("Each listener must have a different name, listeners: {}", texts));
    }
    if (listener.port != 0) by_port[listener.port].push_back(listener);
  }
  if (!distinct_ports) return {};
  for (const auto& [port, sharing] : by_port) {
    if (sharing.size() < 2) continue;
    if (auto checked = check_one_port(sharing, port, texts); !checked) return checked;
  }
  return {};
}

}  // namespace

std::string_view security_protocol_name(SecurityProtocol protocol) {
  for (const auto& [name, value] : protocol_names) {
    if (value == protocol) return name;
  }
  ENSURE(false, "unknown SecurityProtocol");
}

std::optional<SecurityProtocol> security_protocol(std::string_view name) {
  const std::string wanted = upper(name);
  for (const auto& [known, value] : protocol_names) {
    if (known == wanted) return value;
  }
  return std::nullopt;
}

Checked<std::string> listener_name(std::string_view text) {
  if (std::ranges::all_of(text, [](unsigned char c) { return c <= ' '; })) {
    return refuse(ErrorKind::config, "The provided listener name is null or empty string");
  }
  return upper(text);
}

std::string Listener::to_string() const {
  return host.contains(':') ? fmt::format("{}://[{}]:{}", name, host, port)
                            : fmt::format("{}://{}:{}", name, host, port);
}

Checked<std::map<std::string, std::string, std::less<>>> parse_csv_map(std::string_view key, std::string_view text) {
  std::map<std::string, std::string, std::less<>> map;
  if (text.empty()) return map;
  List entries = split_list(text);
  // String.split drops what is empty at the end.
  while (!entries.empty() && entries.back().empty()) entries.pop_back();
  for (const std::string& entry : entries) {
    const std::size_t colon = entry.rfind(':');
    if (colon == std::string::npos) {
      return refuse(
          ErrorKind::illegal_argument,
          fmt::format("Error parsing configuration property '{}': begin 0, end -1, length {}", key, entry.size()));
    }
    map.insert_or_assign(std::string(java_trim(std::string_view(entry).substr(0, colon))),
                         std::string(java_trim(std::string_view(entry).substr(colon + 1))));
  }
  return map;
}

Checked<SecurityProtocolMap> parse_security_protocol_map(std::string_view text) {
  constexpr std::string_view key = "listener.security.protocol.map";
  auto entries = parse_csv_map(key, text);
  if (!entries) return std::unexpected(entries.error());
  SecurityProtocolMap protocols;
  for (const auto& [name, protocol_name] : *entries) {
    auto listener = listener_name(name);
    if (!listener) return std::unexpected(listener.error());
    const auto protocol = security_protocol(protocol_name);
    if (!protocol)
      return refuse(ErrorKind::config, fmt::format("Invalid security protocol `{}` defined in {}", protocol_name, key));
    if (!protocols.emplace(std::move(*listener), *protocol).second) {
      return refuse(ErrorKind::config, fmt::format("Listener {} is defined twice in {}", upper(name), key));
    }
  }
  return protocols;
}

Checked<std::vector<Listener>> parse_listeners(const List& texts, const SecurityProtocolMap& protocols,
                                               bool distinct_ports) {
  const auto failed = [&](const ConfigError& why) {
    return refuse(ErrorKind::illegal_argument,
                  fmt::format("Error creating broker listeners from '{}': {}", in_brackets(texts), why.message),
                  why.to_string());
  };
  std::vector<Listener> listeners;
  for (const std::string& text : texts) {
    auto listener = parse_listener(text, protocols);
    if (!listener) return failed(listener.error());
    listeners.push_back(std::move(*listener));
  }
  if (auto checked = check_distinct(listeners, in_brackets(texts), distinct_ports); !checked)
    return failed(checked.error());
  return listeners;
}

Checked<std::vector<Voter>> parse_voters(const List& texts, bool routable) {
  constexpr std::string_view key = "controller.quorum.voters";
  constexpr std::string_view form = "Each entry should be in the form `{id}@{host}:{port}`.";
  std::vector<Voter> voters;
  for (const std::string& text : texts) {
    const std::size_t at = text.find('@');
    if (at == std::string::npos || at + 1 == text.size() || text.find('@', at + 1) != std::string::npos) {
      return refuse(ErrorKind::config, fmt::format("Invalid configuration value for {}. {}", key, form));
    }
    const std::string_view id_text = std::string_view(text).substr(0, at);
    const auto id =
        parse_java_integer(id_text, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max());
    if (!id) {
      return refuse(ErrorKind::config, fmt::format("Failed to parse voter ID as an integer from {}", id_text));
    }
    const auto address = parse_host_port(std::string_view(text).substr(at + 1));
    if (!address) {
      return refuse(
          ErrorKind::config,
          fmt::format("Failed to parse host name from entry {} for the configuration {}. {}", text, key, form));
    }
    if (routable && address->host == "0.0.0.0") {
      return refuse(ErrorKind::config, fmt::format("Host string ({}) is not routeable", address->host));
    }
    voters.push_back({static_cast<std::int32_t>(*id), address->host, address->port});
  }
  return voters;
}

Checked<std::vector<ServerAddress>> parse_bootstrap_servers(const List& texts) {
  std::vector<ServerAddress> servers;
  for (const std::string& text : texts) {
    auto server = parse_host_port(text);
    if (!server) {
      return refuse(
          ErrorKind::config,
          fmt::format("Failed to parse host name from {} for the configuration controller.quorum.bootstrap.servers. "
                      "Each entry should be in the form \"{{host}}:{{port}}\"",
                      text));
    }
    servers.push_back(std::move(*server));
  }
  return servers;
}

std::optional<ServerAddress> parse_host_port(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  if (scheme_end != std::string_view::npos) {
    const bool scheme =
        std::ranges::all_of(text.substr(0, scheme_end), [](char c) { return c != ':' && (is_host_character(c)); });
    if (!scheme) return std::nullopt;
    text.remove_prefix(scheme_end + 3);
  }
  const auto parts = split_host_port(text, false);
  if (!parts) return std::nullopt;
  const auto port = parse_java_integer(parts->port, 0, std::numeric_limits<std::int32_t>::max());
  if (!port) return std::nullopt;
  return ServerAddress{std::string(parts->host), static_cast<std::int32_t>(*port)};
}

bool is_valid_host(std::string_view text) {
  return std::ranges::all_of(text, is_host_character);
}

}  // namespace klamm::config
