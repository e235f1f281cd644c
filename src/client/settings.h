// A client's configuration, read once from properties under the names that Java's clients and librdkafka share.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "client/group_assignment.h"
#include "client/result.h"
#include "records/compression.h"
#include "runtime/clock.h"
#include "runtime/network.h"

namespace klamm::client {

// "linger.ms" -> "5". Unknown keys are accepted with a warning, invalid values refused with Kafka's message.
using Properties = std::map<std::string, std::string, std::less<>>;

struct HostPort {
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const HostPort&) const = default;
  // "localhost:9092"
  std::string to_string() const;
};

// bootstrap.servers: "host:port,host:port". ConfigException with Kafka's text for anything else.
Result<std::vector<HostPort>> parse_bootstrap_servers(std::string_view text);

// What connections need, whoever uses them.
struct ConnectionSettings {
  std::vector<HostPort> bootstrap;
  bool to_controllers = false;  // bootstrap.controllers: the other end are the controllers of a KRaft cluster
  std::string client_id;
  runtime::Duration request_timeout{};
  runtime::Duration default_api_timeout{};
  runtime::Duration retry_backoff{};
  runtime::Duration retry_backoff_max{};
  runtime::Duration reconnect_backoff{};
  runtime::Duration reconnect_backoff_max{};
  runtime::Duration setup_timeout{};
  runtime::Duration setup_timeout_max{};
  runtime::Duration idle_max{};
  runtime::Duration metadata_age_max{};
  runtime::Duration rebootstrap_after{};  // zero: never
  std::int32_t retries = 0;
  runtime::SocketOptions socket;
};

enum class Acks : std::int16_t { none = 0, leader = 1, all = -1 };

// Of a producer with a transactional.id.
struct TransactionSettings {
  std::string id;
  std::chrono::milliseconds timeout{};  // the coordinator aborts what is open for so long
};

struct ProducerSettings {
  Acks acks = Acks::all;
  bool idempotent = true;
  std::int32_t in_flight_max = 5;  // requests per connection
  std::size_t batch_bytes = 0;
  std::size_t memory_bytes = 0;
  std::size_t request_bytes_max = 0;
  std::int32_t retries = 0;
  records::Compression compression = {};
  runtime::Duration linger{};
  runtime::Duration delivery_timeout{};
  runtime::Duration request_timeout{};
  runtime::Duration max_block{};
  runtime::Duration retry_backoff{};
  runtime::Duration retry_backoff_max{};
  bool ignore_keys = false;
  bool adaptive_partitioning = true;
  std::optional<TransactionSettings> transactions = {};
};

enum class Isolation : std::int8_t { read_uncommitted = 0, read_committed = 1 };

struct OffsetReset {
  enum class Kind : std::uint8_t { earliest, latest, none, by_duration };
  Kind kind = Kind::latest;
  runtime::Duration back{};  // by_duration: so long before now
};

enum class GroupProtocol : std::uint8_t { classic, consumer };

// Of a consumer with a group.id.
struct GroupSettings {
  std::string id;
  std::optional<std::string> instance_id;
  GroupProtocol protocol = GroupProtocol::classic;
  std::vector<Assignor> assignors;             // classic
  std::optional<std::string> remote_assignor;  // consumer
  runtime::Duration session_timeout{};
  runtime::Duration heartbeat_interval{};
  runtime::Duration poll_interval_max{};
  bool auto_commit = false;
  runtime::Duration auto_commit_interval{};
};

struct ConsumerSettings {
  std::optional<GroupSettings> group;
  bool exclude_internal_topics = true;
  Isolation isolation = Isolation::read_uncommitted;
  OffsetReset reset = {};
  std::int32_t fetch_bytes_min = 0;
  std::int32_t fetch_bytes_max = 0;
  std::int32_t partition_bytes_max = 0;
  std::int32_t poll_records_max = 0;
  runtime::Duration fetch_wait_max{};
  runtime::Duration request_timeout{};
  runtime::Duration default_api_timeout{};
  runtime::Duration retry_backoff{};
  runtime::Duration retry_backoff_max{};
  bool check_crcs = true;
  bool allow_auto_create = true;
  std::string rack;
};

Result<ConnectionSettings> connection_settings(const Properties& properties);
// Warn of what is unknown through `log`.
Result<ProducerSettings> producer_settings(const Properties& properties, const Logger& log);
Result<ConsumerSettings> consumer_settings(const Properties& properties, const Logger& log);
// Of an Admin: only names and values are checked; what it needs is in ConnectionSettings.
Result<void> check_admin_properties(const Properties& properties, const Logger& log);

}  // namespace klamm::client
