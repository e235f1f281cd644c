// The configuration of one broker: parsed, checked key by key and as a whole, and asked by name of what it means.
// Source of behaviour: kafka.server.KafkaConfig, org.apache.kafka.server.config.AbstractKafkaConfig.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "config/config_def.h"
#include "config/listeners.h"
#include "config/properties.h"

namespace klamm::config {

// As the rest of the configuration measures time.
using Milliseconds = std::chrono::milliseconds;

// Where the cluster's metadata lives. Told by the keys that are there: process.roles, else zookeeper.connect, else
// neither.
enum class Mode : std::uint8_t { kraft, zookeeper, embedded };

enum class IoUring : std::uint8_t { automatic, on, off };  // klamm.io.uring

class BrokerConfig;
using BrokerConfigRef = std::shared_ptr<const BrokerConfig>;

// Immutable; may be read from any thread.
class BrokerConfig {
 public:
  // In embedded mode a node id is not needed (node.id, else broker.id, else 1), nor are the keys of the quorum, and the
  // internal topics' replication factors and min ISR default to 1.
  // What may not be started with today is not refused here: that is refusal() (refusals.h), so that tools can read any
  // file.
  static Checked<BrokerConfigRef> parse(const Properties& properties);

  // What the file said, with node.id and broker.id filled in from one another.
  const Properties& originals() const { return originals_; }
  // Every key's value. Defaults of the mode are in it.
  const ConfigValues& values() const { return values_; }
  // The text of a key's default in this mode; nothing for null.
  std::optional<std::string> default_text(const Key& key) const;
  // Texts for the log, in Kafka's words where Kafka has them: duplicates dropped, unknown keys (one warning for all).
  const std::vector<std::string>& warnings() const { return warnings_; }
  const std::vector<std::string>& unknown_keys() const { return unknown_keys_; }

  // --- who this is ---
  Mode mode() const { return mode_; }
  bool is_broker() const { return is_broker_; }          // always in embedded and ZooKeeper mode
  bool is_controller() const { return is_controller_; }  // process.roles contains controller
  bool is_combined() const { return is_broker_ && is_controller_; }
  BrokerId node_id() const { return BrokerId(values_.get_int("node.id")); }
  std::optional<std::string> rack() const { return values_.find_string("broker.rack"); }
  // controller.quorum.voters, and the servers of controller.quorum.bootstrap.servers.
  const std::vector<Voter>& voters() const { return voters_; }
  const std::vector<ServerAddress>& bootstrap_controllers() const { return bootstrap_controllers_; }

  // --- listeners ---
  // All of `listeners`; those clients connect to; those named in controller.listener.names.
  const std::vector<Listener>& listeners() const { return listeners_; }
  const std::vector<Listener>& broker_listeners() const { return broker_listeners_; }
  const std::vector<Listener>& controller_listeners() const { return controller_listeners_; }
  // What is told to clients, and to brokers and controllers. A host may be empty: then it is the machine's canonical
  // name.
  const std::vector<Listener>& advertised_listeners() const { return advertised_listeners_; }
  const std::vector<Listener>& advertised_controller_listeners() const { return advertised_controller_listeners_; }
  const std::string& inter_broker_listener() const { return inter_broker_listener_; }
  SecurityProtocol inter_broker_security_protocol() const { return inter_broker_security_protocol_; }
  const SecurityProtocolMap& security_protocols() const { return security_protocols_; }
  const List& controller_listener_names() const { return values_.get_list("controller.listener.names"); }

  // --- directories ---
  const List& log_dirs() const;
  std::string metadata_log_dir() const;  // metadata.log.dir, else the first of log_dirs()

  // --- sockets and limits ---
  std::int32_t socket_send_buffer_bytes() const {
    return values_.get_int("socket.send.buffer.bytes");
  }  // -1: the system's
  std::int32_t socket_receive_buffer_bytes() const {
    return values_.get_int("socket.receive.buffer.bytes");
  }  // -1: the system's
  std::int32_t socket_request_max_bytes() const { return values_.get_int("socket.request.max.bytes"); }
  std::int32_t socket_listen_backlog_size() const { return values_.get_int("socket.listen.backlog.size"); }
  Milliseconds connections_max_idle() const { return ms("connections.max.idle.ms"); }  // negative: never
  std::int32_t max_connections() const { return values_.get_int("max.connections"); }
  std::int32_t max_connections_per_ip() const { return values_.get_int("max.connections.per.ip"); }
  // Host name or address to limit.
  const std::map<std::string, std::int32_t, std::less<>>& max_connections_per_ip_overrides() const {
    return per_ip_overrides_;
  }
  std::int32_t max_connection_creation_rate() const { return values_.get_int("max.connection.creation.rate"); }
  // listener.name.<listener>.max.connections and .max.connection.creation.rate, where they are set.
  const std::map<std::string, std::int32_t, std::less<>>& listener_max_connections() const {
    return listener_max_connections_;
  }
  const std::map<std::string, std::int32_t, std::less<>>& listener_max_connection_creation_rate() const {
    return listener_rates_;
  }
  std::int64_t queued_max_request_bytes() const {
    return values_.get_long("queued.max.request.bytes");
  }  // -1: no limit of its own
  Milliseconds request_timeout() const { return Milliseconds(values_.get_int("request.timeout.ms")); }
  std::int32_t max_request_partition_size_limit() const { return values_.get_int("max.request.partition.size.limit"); }

  // --- topics and logs ---
  std::int32_t message_max_bytes() const { return values_.get_int("message.max.bytes"); }
  std::int32_t num_partitions() const { return values_.get_int("num.partitions"); }
  std::int32_t default_replication_factor() const { return values_.get_int("default.replication.factor"); }
  std::int32_t min_insync_replicas() const { return values_.get_int("min.insync.replicas"); }
  bool auto_create_topics_enable() const { return values_.get_bool("auto.create.topics.enable"); }
  bool delete_topic_enable() const { return values_.get_bool("delete.topic.enable"); }
  std::int32_t fetch_max_bytes() const { return values_.get_int("fetch.max.bytes"); }
  std::int32_t max_incremental_fetch_session_cache_slots() const {
    return values_.get_int("max.incremental.fetch.session.cache.slots");
  }
  Milliseconds log_roll() const;
  Milliseconds log_roll_jitter() const;
  Milliseconds log_retention() const;  // -1 ms: unlimited
  Milliseconds log_flush_interval() const;
  Milliseconds log_retention_check_interval() const { return ms("log.retention.check.interval.ms"); }
  Milliseconds log_flush_offset_checkpoint_interval() const {
    return int_ms("log.flush.offset.checkpoint.interval.ms");
  }
  Milliseconds log_flush_start_offset_checkpoint_interval() const {
    return int_ms("log.flush.start.offset.checkpoint.interval.ms");
  }
  Milliseconds replica_high_watermark_checkpoint_interval() const {
    return ms("replica.high.watermark.checkpoint.interval.ms");
  }
  Milliseconds log_initial_task_delay() const { return ms("log.initial.task.delay.ms"); }
  std::int32_t num_recovery_threads_per_data_dir() const {
    return values_.get_int("num.recovery.threads.per.data.dir");
  }
  Milliseconds producer_id_expiration() const { return int_ms("producer.id.expiration.ms"); }
  Milliseconds producer_id_expiration_check_interval() const {
    return int_ms("producer.id.expiration.check.interval.ms");
  }
  // What a topic's keys are worth when the topic does not set them. Source: KafkaConfig.extractLogConfigMap.
  ConfigValues topic_defaults() const;

  // --- metadata log ---
  std::int64_t metadata_log_max_record_bytes_between_snapshots() const {
    return values_.get_long("metadata.log.max.record.bytes.between.snapshots");
  }
  Milliseconds metadata_log_max_snapshot_interval() const {
    return ms("metadata.log.max.snapshot.interval.ms");
  }  // 0: never
  std::int32_t metadata_log_segment_bytes() const;  // internal.metadata.log.segment.bytes when it is set
  Milliseconds metadata_log_segment() const { return ms("metadata.log.segment.ms"); }
  std::int64_t metadata_max_retention_bytes() const { return values_.get_long("metadata.max.retention.bytes"); }
  Milliseconds metadata_max_retention() const { return ms("metadata.max.retention.ms"); }

  // --- Klamm's own ---
  bool validate_records_strictly() const { return values_.get_string("klamm.validate.records") == "strict"; }
  IoUring io_uring() const;
  std::int32_t reactors() const { return values_.get_int("klamm.reactors"); }  // 0: one a core
  std::int64_t request_pool_bytes() const { return values_.get_long("klamm.request.pool.bytes"); }
  std::int32_t io_threads() const { return values_.get_int("klamm.io.threads"); }  // 0: by the cores

 private:
  BrokerConfig() = default;
  Checked<void> derive_identity();
  Checked<void> derive_listeners();
  Checked<void> derive_inter_broker_listener();
  Checked<void> derive_advertised_listeners();
  Checked<void> derive_limits();

  Milliseconds ms(std::string_view key) const { return Milliseconds(values_.get_long(key)); }
  Milliseconds int_ms(std::string_view key) const { return Milliseconds(values_.get_int(key)); }

  Properties originals_;
  ConfigValues values_;
  std::vector<std::string> warnings_;
  std::vector<std::string> unknown_keys_;
  Mode mode_ = Mode::embedded;
  bool is_broker_ = true;
  bool is_controller_ = false;
  std::vector<Voter> voters_;
  std::vector<ServerAddress> bootstrap_controllers_;
  SecurityProtocolMap security_protocols_;
  std::vector<Listener> listeners_;
  std::vector<Listener> broker_listeners_;
  std::vector<Listener> controller_listeners_;
  std::vector<Listener> advertised_listeners_;
  std::vector<Listener> advertised_controller_listeners_;
  std::string inter_broker_listener_;
  SecurityProtocol inter_broker_security_protocol_ = SecurityProtocol::plaintext;
  std::map<std::string, std::int32_t, std::less<>> per_ip_overrides_;
  std::map<std::string, std::int32_t, std::less<>> listener_max_connections_;
  std::map<std::string, std::int32_t, std::less<>> listener_rates_;
};

}  // namespace klamm::config
