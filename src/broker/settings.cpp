#include "broker/settings.h"

#include "config/topic_config.h"

namespace klamm::broker {
namespace {

std::optional<records::Compression> target_compression(const config::TopicConfig& topic) {
  using config::BrokerCompression;
  using records::Compression;
  using records::CompressionType;
  switch (topic.compression_type) {
    case BrokerCompression::producer:
      return std::nullopt;
    case BrokerCompression::uncompressed:
      return Compression{.type = CompressionType::none};
    case BrokerCompression::gzip:
      return Compression{.type = CompressionType::gzip, .level = topic.compression_gzip_level};
    case BrokerCompression::snappy:
      return Compression{.type = CompressionType::snappy};
    case BrokerCompression::lz4:
      return Compression{.type = CompressionType::lz4, .level = topic.compression_lz4_level};
    case BrokerCompression::zstd:
      return Compression{.type = CompressionType::zstd, .level = topic.compression_zstd_level};
  }
  return std::nullopt;
}

storage::LogSettingsRef log_settings(const config::TopicConfig& topic) {
  storage::LogSettings settings;
  settings.segment_bytes = static_cast<std::uint32_t>(topic.effective_segment_bytes());
  settings.segment_ms = topic.segment_ms;
  settings.segment_jitter_ms = topic.segment_jitter_ms;
  settings.segment_index_bytes = static_cast<std::uint32_t>(topic.segment_index_bytes);
  settings.index_interval_bytes = static_cast<std::uint32_t>(topic.index_interval_bytes);
  settings.max_message_bytes = topic.max_message_bytes;
  settings.retention_bytes = topic.retention_bytes;
  settings.retention_ms = topic.retention_ms;
  settings.flush_messages = topic.flush_messages;
  settings.flush_ms = topic.flush_ms;
  settings.file_delete_delay_ms = topic.file_delete_delay_ms;
  settings.max_compaction_lag_ms = topic.max_compaction_lag_ms;
  settings.delete_old = topic.delete_old;
  settings.compact = topic.compact;
  settings.preallocate = topic.preallocate;
  return std::make_shared<const storage::LogSettings>(settings);
}

// "" and the wildcards mean every address.
std::string bind_host(const std::string& host, runtime::Network& network) {
  if (host.empty()) return "";
  const auto addresses = network.resolve(host);
  // As Java does: an IPv4 address before an IPv6 one.
  for (const std::string& address : addresses) {
    if (address.find(':') == std::string::npos) return address;
  }
  return addresses.empty() ? host : addresses.front();
}

}  // namespace

replication::TopicSettingsRef topic_settings(const config::BrokerConfig& config,
                                             const metadata::ConfigEntries& overrides) {
  auto parsed = config::topic_config(config, overrides);
  if (!parsed) parsed = config::topic_config(config, {});
  const config::TopicConfig topic = parsed ? *parsed : config::TopicConfig{};
  auto settings = std::make_shared<replication::TopicSettings>();
  settings->log = log_settings(topic);
  settings->min_insync_replicas = topic.min_insync_replicas;
  settings->timestamp_type = topic.message_timestamp_type == config::MessageTimestampType::log_append_time
                                 ? records::TimestampType::log_append_time
                                 : records::TimestampType::create_time;
  settings->timestamp_before_max_ms = topic.message_timestamp_before_max_ms.count();
  settings->timestamp_after_max_ms = topic.message_timestamp_after_max_ms.count();
  settings->target_compression = target_compression(topic);
  settings->validate_strictly = config.validate_records_strictly();
  return settings;
}

storage::LogDirectoriesSettings log_directories_settings(const config::BrokerConfig& config) {
  storage::LogDirectoriesSettings settings;
  settings.paths = config.log_dirs();
  settings.recovery_threads_per_directory = static_cast<unsigned>(config.num_recovery_threads_per_data_dir());
  settings.initial_task_delay_ms = config.log_initial_task_delay();
  settings.retention_check_ms = config.log_retention_check_interval();
  settings.recovery_point_checkpoint_ms = config.log_flush_offset_checkpoint_interval();
  settings.log_start_checkpoint_ms = config.log_flush_start_offset_checkpoint_interval();
  settings.high_watermark_checkpoint_ms = config.replica_high_watermark_checkpoint_interval();
  settings.producer_id_expiration = config.producer_id_expiration();
  settings.producer_id_expiration_check = config.producer_id_expiration_check_interval();
  return settings;
}

hosting::EmbeddedMetadataSettings metadata_settings(const config::BrokerConfig& config, const std::string& cluster_id,
                                                    Uuid directory_id) {
  hosting::EmbeddedMetadataSettings settings;
  settings.log.node_id = config.node_id().value;
  settings.log.directory_id = directory_id;
  if (!config.advertised_controller_listeners().empty()) {
    const config::Listener& listener = config.advertised_controller_listeners().front();
    protocol::VotersRecord::Endpoint endpoint;
    endpoint.name = listener.name;
    endpoint.host = listener.host;
    endpoint.port = static_cast<std::uint16_t>(listener.port);
    settings.log.controller_endpoint = std::move(endpoint);
  }
  settings.log.snapshot_bytes = config.metadata_log_max_record_bytes_between_snapshots();
  settings.log.snapshot_interval = config.metadata_log_max_snapshot_interval();
  settings.log.segment_bytes = static_cast<std::uint32_t>(config.metadata_log_segment_bytes());
  settings.log.segment_ms = config.metadata_log_segment();
  settings.log.retention_bytes = config.metadata_max_retention_bytes();
  settings.log.retention_ms = config.metadata_max_retention();

  settings.controller.cluster_id = cluster_id;
  settings.controller.node_id = config.node_id();
  settings.controller.num_partitions = config.num_partitions();
  settings.controller.default_replication_factor = static_cast<std::int16_t>(config.default_replication_factor());
  settings.controller.min_insync_replicas = config.min_insync_replicas();
  settings.controller.delete_topic_enable = config.delete_topic_enable();
  // The only broker lives in this process: when it dies the controller dies with it, and nobody needs to watch it.
  settings.controller.broker_session_timeout = std::chrono::hours(24 * 365 * 50);
  return settings;
}

server::ServerLimits server_limits(const config::BrokerConfig& config, runtime::Network& network) {
  server::ServerLimits limits;
  limits.max_connections = config.max_connections();
  limits.max_connections_per_ip = config.max_connections_per_ip();
  for (const auto& [host, limit] : config.max_connections_per_ip_overrides()) {
    for (const std::string& address : network.resolve(host)) limits.max_connections_per_ip_overrides[address] = limit;
  }
  limits.max_connection_creation_rate = config.max_connection_creation_rate();
  for (const auto& [listener, limit] : config.listener_max_connections())
    limits.listener_max_connections[listener] = limit;
  for (const auto& [listener, rate] : config.listener_max_connection_creation_rate()) {
    limits.listener_max_connection_creation_rate[listener] = rate;
  }
  return limits;
}

server::ServerSettings server_settings(const config::BrokerConfig& config, runtime::Network& network) {
  server::ServerSettings settings;
  const auto add = [&](const config::Listener& listener, server::ListenerScope scope) {
    settings.listeners.push_back(
        {.name = listener.name,
         .address = {bind_host(listener.host, network), static_cast<std::uint16_t>(listener.port)},
         .scope = scope,
         .inter_broker = listener.name == config.inter_broker_listener()});
  };
  for (const auto& listener : config.broker_listeners()) add(listener, server::ListenerScope::broker);
  if (config.is_controller()) {
    for (const auto& listener : config.controller_listeners()) add(listener, server::ListenerScope::controller);
  }
  settings.socket.send_buffer_bytes = config.socket_send_buffer_bytes();
  settings.socket.receive_buffer_bytes = config.socket_receive_buffer_bytes();
  settings.socket.backlog = config.socket_listen_backlog_size();
  settings.request_bytes_max = config.socket_request_max_bytes();
  const std::int64_t queued = config.queued_max_request_bytes();
  settings.request_pool_bytes = static_cast<std::uint64_t>(queued > 0 ? queued : config.request_pool_bytes());
  settings.idle_max = config.connections_max_idle();
  settings.trace_requests = static_cast<std::uint32_t>(config.values().get_int("klamm.trace.requests"));
  settings.limits = server_limits(config, network);
  return settings;
}

}  // namespace klamm::broker
