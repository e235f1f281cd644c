// Every configuration key, by area. The tables are in keys_*.cpp; this is the list of the tables, and the sets made of
// them. All of it is constant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_def.h"

namespace klamm::config {

// Tables of the broker's keys, in the order in which Kafka checks them.
std::span<const Key> remote_storage_keys();  // remote.log.*, log.local.*
std::span<const Key> server_keys();          // broker.id, message.max.bytes, compression.*, fetch limits
std::span<const Key> kraft_keys();           // process.roles, node.id, metadata log
std::span<const Key> network_keys();         // listeners, sockets, connection limits
std::span<const Key> replication_keys();
std::span<const Key> group_keys();  // group coordinator, offsets, consumer, share and streams groups
std::span<const Key> log_keys();    // log.*, cleaner, topics' defaults
std::span<const Key> share_keys();  // share groups' limits, share coordinator
std::span<const Key> transaction_keys();
std::span<const Key> quorum_keys();    // controller.quorum.*
std::span<const Key> metrics_keys();   // metrics, telemetry, quota windows
std::span<const Key> security_keys();  // principals, TLS
std::span<const Key> sasl_keys();      // SASL, OAuth, delegation tokens, retries of AddPartitionsToTxn
std::span<const Key> own_keys();       // klamm.*
// Keys that only AlterConfigs sets: throttled rates.
std::span<const Key> dynamic_only_keys();

// Everything that server.properties may contain: the tables above but the last.
const ConfigDef& broker_keys();
// What AlterConfigs may set on a broker: those of broker_keys() that are not read-only, and dynamic_only_keys().
const ConfigDef& dynamic_broker_keys();
const ConfigDef& topic_keys();
const ConfigDef& group_override_keys();  // resource type GROUP
const ConfigDef& client_metrics_keys();  // resource type CLIENT_METRICS
const ConfigDef& producer_keys();
const ConfigDef& consumer_keys();
const ConfigDef& admin_keys();
// Quotas of users and clients (with SCRAM credentials, which look like keys in the tools), and of addresses.
const ConfigDef& client_quota_keys();
const ConfigDef& ip_quota_keys();

// A broker's key that stands for a topic's, and what its number has to be multiplied with to have the topic's unit.
struct TopicSynonym {
  std::string_view broker_key;
  std::int64_t factor = 1;  // hours and minutes to milliseconds
};
// Broker keys that give a topic's key its default, the strongest first; empty when there is none.
// Source: ServerTopicConfigSynonyms.
std::span<const TopicSynonym> topic_synonyms(std::string_view topic_key);
// The broker key that gives a group's key its default.
std::optional<std::string_view> group_synonym(std::string_view group_key);
// Broker keys of which one stands for the others, the strongest first, `key` itself among them; a key with a listener's
// prefix has itself and its base name when `with_listener_override`. Source: DynamicBrokerConfig.brokerConfigSynonyms.
std::vector<std::string> broker_synonyms(std::string_view key, bool with_listener_override);
// "max.connections" of "listener.name.internal.max.connections"; nothing without such a prefix.
std::optional<std::string_view> listener_base_key(std::string_view key);

// Keys that may be set dynamically only with a listener's prefix: key stores and trust stores.
bool needs_listener_prefix(std::string_view key);

}  // namespace klamm::config
