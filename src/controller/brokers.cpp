#include "controller/brokers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "controller/partition_updates.h"

namespace klamm::controller {
namespace {

using metadata::BrokerRegistration;
using metadata::VersionRange;

bool is_reserved(Uuid directory) {
  return directory.high == 0 && directory.low < 100;
}

metadata::Record fencing_record(BrokerId broker, BrokerEpoch epoch, bool fenced) {
  protocol::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.value;
  record.broker_epoch = epoch.value;
  record.fenced = fenced ? 1 : -1;
  return {std::move(record), 0};
}

bool has_session(const State& state, const coordination::Moment& moment, BrokerId broker, BrokerEpoch epoch) {
  const auto found = state.heartbeats.find(broker);
  return found != state.heartbeats.end() && found->second.ever && found->second.epoch == epoch &&
         moment.now <= found->second.last_contact + state.settings.broker_session_timeout;
}

// ---- registration ---------------------------------------------------------------------------------------------------

Result<void> check_directories(const State& state, const protocol::BrokerRegistrationRequest& request) {
  const auto invalid = [](std::string text) { return fail(ErrorCode::invalid_registration, std::move(text)); };
  if (request.log_dirs.empty()) return invalid("No directories specified in request");
  if (std::ranges::any_of(request.log_dirs, is_reserved)) return invalid("Reserved directory ID in request");
  const std::set<Uuid> unique(request.log_dirs.begin(), request.log_dirs.end());
  if (unique.size() != request.log_dirs.size()) return invalid("Duplicate directory ID in request");
  for (const auto& [id, broker] : state.image->brokers()) {
    if (id.value == request.broker_id) continue;
    for (const Uuid directory : request.log_dirs) {
      if (std::ranges::find(broker->directories, directory) != broker->directories.end()) {
        return invalid(fmt::format("Broker {} is already registered with directory {}", id, directory.to_string()));
      }
    }
  }
  return {};
}

// metadata.version and kraft.version included.
std::map<std::string, std::int16_t> finalized_levels(const State& state) {
  std::map<std::string, std::int16_t> levels(state.image->finalized_features().begin(),
                                             state.image->finalized_features().end());
  levels[std::string(metadata::metadata_version_feature)] = state.version().level();
  levels[std::string(metadata::kraft_version_feature)] = state.settings.kraft_version;
  return levels;
}

Result<void> check_feature(std::string_view name, std::int16_t finalized, VersionRange range) {
  if (range.contains(finalized)) return {};
  return fail(
      ErrorCode::unsupported_version,
      fmt::format("Unable to register because the broker does not support finalized version {} of {}. The broker "
                  "wants a version between {} and {}, inclusive.",
                  finalized, name, range.min, range.max));
}

// Whatever is finalized, the broker must support.
Result<void> check_features(const State& state, const protocol::BrokerRegistrationRequest& request) {
  auto unverified = finalized_levels(state);
  bool names_metadata_version = false;
  for (const auto& feature : request.features) {
    const auto found = unverified.find(feature.name);
    const std::int16_t finalized = found == unverified.end() ? std::int16_t{0} : found->second;
    const VersionRange range{feature.min_supported_version, feature.max_supported_version};
    if (auto supported = check_feature(feature.name, finalized, range); !supported) return supported;
    if (found != unverified.end()) unverified.erase(found);
    names_metadata_version |= feature.name == metadata::metadata_version_feature;
  }
  if (!names_metadata_version) {
    return fail(ErrorCode::invalid_registration,
                fmt::format("Request features do not contain '{}'", metadata::metadata_version_feature));
  }
  for (const auto& [name, finalized] : unverified) {
    if (finalized == 0) continue;
    if (auto supported = check_feature(name, finalized, {0, 0}); !supported) return supported;
  }
  return {};
}

Result<void> check_registration(const State& state, const coordination::Moment& moment,
                                const protocol::BrokerRegistrationRequest& request,
                                const BrokerRegistration* existing) {
  if (request.cluster_id != state.settings.cluster_id) {
    return fail(ErrorCode::inconsistent_cluster_id, fmt::format("Expected cluster ID {}, but got cluster ID {}",
                                                                state.settings.cluster_id, request.cluster_id));
  }
  if (existing && existing->incarnation_id != request.incarnation_id &&
      has_session(state, moment, existing->id, existing->epoch)) {
    return fail(ErrorCode::duplicate_broker_registration,
                "Another broker is registered with that broker id. If the broker was recently restarted this should "
                "self-resolve once the heartbeat manager expires the broker's session.");
  }
  if (request.is_migrating_zk_broker) {
    return fail(ErrorCode::broker_id_not_registered, "Controller does not support registering ZK brokers.");
  }
  if (state.version().supports_directory_assignment()) {
    if (auto valid = check_directories(state, request); !valid) return valid;
  }
  return check_features(state, request);
}

protocol::RegisterBrokerRecord registration_record(const State& state,
                                                   const protocol::BrokerRegistrationRequest& request) {
  protocol::RegisterBrokerRecord record;
  record.broker_id = request.broker_id;
  record.incarnation_id = request.incarnation_id;
  record.rack = request.rack;
  for (const auto& listener : request.listeners) {
    auto& endpoint = record.end_points.emplace_back();
    endpoint.name = listener.name;
    endpoint.host = listener.host;
    endpoint.port = listener.port;
    endpoint.security_protocol = listener.security_protocol;
  }
  for (const auto& feature : request.features) {
    auto& to = record.features.emplace_back();
    to.name = feature.name;
    to.min_supported_version = feature.min_supported_version;
    to.max_supported_version = feature.max_supported_version;
  }
  if (state.version().supports_directory_assignment()) record.log_dirs = request.log_dirs;
  return record;
}

// The incarnation before this one is gone: nothing of it is in sync any more.
void end_incarnation(const State& state, std::int32_t broker, bool clean, metadata::Records& records) {
  if (state.image->elr_enabled() && !clean) {
    update_partitions(state, {.unclean_shutdown = broker}, in_isr(broker), records);
    update_partitions(state, {.unclean_shutdown = broker}, in_elr(broker), records);
  } else {
    update_partitions(state, {.leaves = broker}, in_isr(broker), records);
  }
}

// ---- heartbeats -----------------------------------------------------------------------------------------------------

enum class LifeState : std::uint8_t { fenced, unfenced, controlled_shutdown, shutdown_now };

LifeState life_state(const BrokerRegistration& broker, const Heartbeat& heartbeat) {
  if (heartbeat.controlled_shutdown_offset >= Offset(0)) return LifeState::controlled_shutdown;
  return broker.fenced ? LifeState::fenced : LifeState::unfenced;
}

bool leads_anything(const State& state, std::int32_t broker) {
  for (const metadata::TopicRef& topic : state.image->topics_by_id()) {
    for (const auto& [index, partition] : topic->partitions) {
      if (partition.leader == broker) return true;
    }
  }
  return false;
}

// How far the slowest broker that serves has read.
Offset lowest_active_offset(const State& state) {
  Offset lowest{std::numeric_limits<std::int64_t>::max()};
  for (const auto& [id, broker] : state.image->brokers()) {
    const auto heartbeat = state.heartbeats.find(id);
    if (broker->fenced || heartbeat == state.heartbeats.end()) continue;
    if (heartbeat->second.controlled_shutdown_offset >= Offset(0)) continue;
    lowest = std::min(lowest, heartbeat->second.metadata_offset);
  }
  return lowest;
}

LifeState next_life_state(const State& state, const protocol::BrokerHeartbeatRequest& request, LifeState now,
                          const Heartbeat& heartbeat) {
  switch (now) {
    case LifeState::fenced: {
      if (request.want_shut_down) return LifeState::shutdown_now;
      if (request.want_fence) return LifeState::fenced;
      // It must have read its own registration, or it would serve from a metadata of before.
      const auto registered = state.registered_at.find(BrokerId(request.broker_id));
      const bool caught_up =
          registered != state.registered_at.end() && request.current_metadata_offset >= registered->second.value;
      return caught_up ? LifeState::unfenced : LifeState::fenced;
    }
    case LifeState::unfenced:
      if (request.want_fence) return request.want_shut_down ? LifeState::shutdown_now : LifeState::fenced;
      if (!request.want_shut_down) return LifeState::unfenced;
      return leads_anything(state, request.broker_id) ? LifeState::controlled_shutdown : LifeState::shutdown_now;
    case LifeState::controlled_shutdown:
      if (leads_anything(state, request.broker_id)) return LifeState::controlled_shutdown;
      return heartbeat.controlled_shutdown_offset <= lowest_active_offset(state) ? LifeState::shutdown_now
                                                                                 : LifeState::controlled_shutdown;
    case LifeState::shutdown_now:
      break;
  }
  return LifeState::shutdown_now;
}

void fence(const State& state, const BrokerRegistration& broker, metadata::Records& records) {
  update_partitions(state, {.leaves = broker.id.value}, in_isr(broker.id.value), records);
  records.push_back(fencing_record(broker.id, broker.epoch, true));
}

void unfence(const State& state, const BrokerRegistration& broker, metadata::Records& records) {
  records.push_back(fencing_record(broker.id, broker.epoch, false));
  update_partitions(state, {.comes = broker.id.value}, led_by(metadata::no_leader), records);
}

void begin_controlled_shutdown(const State& state, const BrokerRegistration& broker, metadata::Records& records) {
  if (!broker.in_controlled_shutdown) {
    protocol::BrokerRegistrationChangeRecord record;
    record.broker_id = broker.id.value;
    record.broker_epoch = broker.epoch.value;
    record.in_controlled_shutdown = 1;
    records.push_back({std::move(record), 1});
  }
  update_partitions(state, {.leaves = broker.id.value}, in_isr(broker.id.value), records);
}

void note_offline_directories(const State& state, const BrokerRegistration& broker, const std::vector<Uuid>& offline,
                              metadata::Records& records) {
  std::vector<Uuid> lost;
  std::vector<Uuid> left;
  for (const Uuid directory : broker.directories) {
    (std::ranges::find(offline, directory) != offline.end() ? lost : left).push_back(directory);
  }
  if (lost.empty()) return;
  const std::int32_t id = broker.id.value;
  update_partitions(
      state, {.leaves = id},
      [&](const metadata::PartitionRegistration& partition) {
        return partition.has_replica(id) && std::ranges::find(lost, partition.directory_of(id)) != lost.end();
      },
      records);
  protocol::BrokerRegistrationChangeRecord record;
  record.broker_id = id;
  record.broker_epoch = broker.epoch.value;
  record.log_dirs = std::move(left);
  records.push_back({std::move(record), 2});
  state.log.warn("Directories of broker {} marked offline: {} of {}", id, lost.size(), broker.directories.size());
}

void note_cordoned_directories(const BrokerRegistration& broker, const std::optional<std::vector<Uuid>>& cordoned,
                               metadata::Records& records) {
  // A broker that has not yet read the metadata does not know.
  if (!cordoned) return;
  if (broker.cordoned_directories) {
    const std::set<Uuid> before(broker.cordoned_directories->begin(), broker.cordoned_directories->end());
    if (before == std::set<Uuid>(cordoned->begin(), cordoned->end())) return;
  }
  protocol::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id.value;
  record.broker_epoch = broker.epoch.value;
  record.cordoned_log_dirs = cordoned;
  records.push_back({std::move(record), 3});
}

}  // namespace

Result<Outcome<protocol::BrokerRegistrationResponse>> register_broker(
    State& state, const coordination::Moment& moment, const Asked<protocol::BrokerRegistrationRequest>& asked) {
  const auto& request = asked.request;
  const BrokerId id(request.broker_id);
  const BrokerRegistration* existing = state.image->broker(id);
  if (auto valid = check_registration(state, moment, request, existing); !valid) return std::unexpected(valid.error());

  Outcome<protocol::BrokerRegistrationResponse> outcome;
  protocol::RegisterBrokerRecord record = registration_record(state, request);
  if (existing && existing->incarnation_id == request.incarnation_id) {
    record.fenced = existing->fenced;
    record.in_controlled_shutdown = existing->in_controlled_shutdown;
    record.broker_epoch = existing->epoch.value;
  } else {
    constexpr std::int64_t never_registered = -2;
    const std::int64_t stored_epoch = existing ? existing->epoch.value : never_registered;
    const bool clean = asked.api_version >= 3 && stored_epoch == request.previous_broker_epoch;
    end_incarnation(state, request.broker_id, clean, outcome.records);
    state.log.info(
        "{} broker {}, incarnation {}. Generated {} record(s) to clean up previous incarnations. New broker "
        "epoch is {}.",
        existing ? "Registering a new incarnation of" : "Registering", id, request.incarnation_id.to_string(),
        outcome.records.size(), moment.next_offset);
    record.broker_epoch = moment.next_offset.value;
    state.heartbeats.erase(id);
  }
  outcome.response.broker_epoch = record.broker_epoch;
  outcome.records.push_back({std::move(record), state.version().register_broker_record_version()});
  // Repeated after a failure, the clean-up does no harm; the registration comes last.
  outcome.atomic = false;
  return outcome;
}

Result<Outcome<protocol::BrokerHeartbeatResponse>> broker_heartbeat(State& state, const coordination::Moment& moment,
                                                                    const protocol::BrokerHeartbeatRequest& request) {
  if (auto current = state.check_broker_epoch(request.broker_id, request.broker_epoch); !current) {
    return std::unexpected(current.error());
  }
  const BrokerRegistration& broker = *state.image->broker(BrokerId(request.broker_id));
  Heartbeat& heartbeat = state.heartbeats[broker.id];
  heartbeat.epoch = broker.epoch;
  heartbeat.last_contact = moment.now;
  heartbeat.ever = true;

  const LifeState now = life_state(broker, heartbeat);
  const LifeState next = next_life_state(state, request, now, heartbeat);
  Outcome<protocol::BrokerHeartbeatResponse> outcome;
  outcome.atomic = false;
  if (next != now) {
    switch (next) {
      case LifeState::fenced:
      case LifeState::shutdown_now:
        fence(state, broker, outcome.records);
        break;
      case LifeState::unfenced:
        unfence(state, broker, outcome.records);
        break;
      case LifeState::controlled_shutdown:
        begin_controlled_shutdown(state, broker, outcome.records);
        break;
    }
  }
  const bool fenced = next == LifeState::fenced || next == LifeState::shutdown_now;
  heartbeat.metadata_offset = Offset(request.current_metadata_offset);
  if (fenced) heartbeat.controlled_shutdown_offset = no_offset;
  if (state.version().supports_directory_assignment()) {
    note_offline_directories(state, broker, request.offline_log_dirs, outcome.records);
  }
  if (state.version().supports_cordoned_directories()) {
    note_cordoned_directories(broker, request.cordoned_log_dirs, outcome.records);
  }
  if (next == LifeState::controlled_shutdown && heartbeat.controlled_shutdown_offset < Offset(0)) {
    heartbeat.controlled_shutdown_offset = moment.next_offset + (static_cast<std::int64_t>(outcome.records.size()) - 1);
  }
  const auto registered = state.registered_at.find(broker.id);
  outcome.response.is_caught_up =
      registered != state.registered_at.end() && request.current_metadata_offset >= registered->second.value;
  outcome.response.is_fenced = fenced;
  outcome.response.should_shut_down = next == LifeState::shutdown_now;
  return outcome;
}

Result<Outcome<protocol::UnregisterBrokerResponse>> unregister_broker(
    const State& state, const protocol::UnregisterBrokerRequest& request) {
  const BrokerRegistration* broker = state.image->broker(BrokerId(request.broker_id));
  if (!broker) {
    return fail(ErrorCode::broker_id_not_registered,
                fmt::format("Broker ID {} is not currently registered", request.broker_id));
  }
  Outcome<protocol::UnregisterBrokerResponse> outcome;
  outcome.atomic = false;
  update_partitions(state, {.leaves = request.broker_id}, in_isr(request.broker_id), outcome.records);
  update_partitions(state, {.leaves = request.broker_id}, in_elr(request.broker_id), outcome.records);
  protocol::UnregisterBrokerRecord record;
  record.broker_id = request.broker_id;
  record.broker_epoch = broker->epoch.value;
  outcome.records.push_back({std::move(record), 0});
  outcome.response.error_message.reset();
  return outcome;
}

Result<Outcome<protocol::ControllerRegistrationResponse>> register_controller(
    const State& state, const protocol::ControllerRegistrationRequest& request) {
  if (!state.version().supports_controller_registration()) {
    return fail(ErrorCode::unsupported_version,
                "The current MetadataVersion is too old to support controller registrations.");
  }
  protocol::RegisterControllerRecord record;
  record.controller_id = request.controller_id;
  record.incarnation_id = request.incarnation_id;
  for (const auto& listener : request.listeners) {
    auto& endpoint = record.end_points.emplace_back();
    endpoint.name = listener.name;
    endpoint.host = listener.host;
    endpoint.port = listener.port;
    endpoint.security_protocol = listener.security_protocol;
  }
  for (const auto& feature : request.features) {
    auto& to = record.features.emplace_back();
    to.name = feature.name;
    to.min_supported_version = feature.min_supported_version;
    to.max_supported_version = feature.max_supported_version;
  }
  Outcome<protocol::ControllerRegistrationResponse> outcome;
  outcome.records.push_back({std::move(record), 0});
  outcome.response.error_message.reset();
  return outcome;
}

namespace {

// Answers one partition of AssignReplicasToDirs; `orphans` gets those that are now in an offline directory.
ErrorCode assign_replica(const State& state, const BrokerRegistration& broker, Uuid directory,
                         const metadata::Topic& topic, std::int32_t index,
                         std::set<std::pair<Uuid, std::int32_t>>& orphans, metadata::Records& records) {
  const auto* partition = topic.partition(index);
  if (!partition) return ErrorCode::unknown_topic_or_partition;
  if (!partition->has_replica(broker.id.value)) return ErrorCode::not_leader_or_follower;
  PartitionChange change = partition_change(state, topic, index, *partition);
  change.directories[broker.id.value] = directory;
  if (auto record = change_partition(change)) records.push_back(std::move(*record));
  if (!broker.has_online_directory(directory)) orphans.emplace(topic.id, index);
  return ErrorCode::none;
}

}  // namespace

Result<Outcome<protocol::AssignReplicasToDirsResponse>> assign_replicas_to_dirs(
    const State& state, const protocol::AssignReplicasToDirsRequest& request) {
  if (!state.version().supports_directory_assignment()) {
    return fail(ErrorCode::unsupported_version, "Directory assignment is not supported yet.");
  }
  if (auto current = state.check_broker_epoch(request.broker_id, request.broker_epoch); !current) {
    return std::unexpected(current.error());
  }
  const BrokerRegistration& broker = *state.image->broker(BrokerId(request.broker_id));
  Outcome<protocol::AssignReplicasToDirsResponse> outcome;
  outcome.atomic = false;
  std::set<std::pair<Uuid, std::int32_t>> orphans;
  for (const auto& directory : request.directories) {
    auto& directory_answer = outcome.response.directories.emplace_back();
    directory_answer.id = directory.id;
    for (const auto& asked : directory.topics) {
      auto& topic_answer = directory_answer.topics.emplace_back();
      topic_answer.topic_id = asked.topic_id;
      const metadata::Topic* topic = state.image->topic(asked.topic_id);
      for (const auto& partition : asked.partitions) {
        auto& answer = topic_answer.partitions.emplace_back();
        answer.partition_index = partition.partition_index;
        answer.error_code = wire_of(topic ? assign_replica(state, broker, directory.id, *topic,
                                                           partition.partition_index, orphans, outcome.records)
                                          : ErrorCode::unknown_topic_id);
      }
    }
  }
  for (const auto& [topic_id, index] : orphans) {
    const metadata::Topic& topic = *state.image->topic(topic_id);
    update_partition(state, {.leaves = request.broker_id}, topic, index, *topic.partition(index), outcome.records);
  }
  return outcome;
}

std::optional<std::chrono::nanoseconds> next_session_end(const State& state) {
  std::optional<std::chrono::nanoseconds> next;
  for (const auto& [id, heartbeat] : state.heartbeats) {
    const auto* broker = state.image->broker(id);
    if (!heartbeat.ever || !broker || broker->fenced || id == state.settings.node_id) continue;
    const auto end = heartbeat.last_contact + state.settings.broker_session_timeout;
    if (!next || end < *next) next = end;
  }
  return next;
}

metadata::Records fence_expired_broker(State& state, const coordination::Moment& moment) {
  metadata::Records records;
  for (auto& [id, heartbeat] : state.heartbeats) {
    const auto* broker = state.image->broker(id);
    if (!heartbeat.ever || !broker || broker->fenced || id == state.settings.node_id) continue;
    if (heartbeat.epoch != broker->epoch || has_session(state, moment, id, broker->epoch)) continue;
    state.log.info("Fencing broker {} at epoch {} because its session has timed out.", id, broker->epoch);
    heartbeat.ever = false;
    heartbeat.controlled_shutdown_offset = no_offset;
    fence(state, *broker, records);
    break;  // one at a time: the next decision sees what this one did
  }
  return records;
}

void begin_sessions(State& state, const coordination::Moment& moment) {
  state.heartbeats.clear();
  for (const auto& [id, broker] : state.image->brokers()) {
    Heartbeat& heartbeat = state.heartbeats[id];
    heartbeat.epoch = broker->epoch;
    if (broker->fenced || id == state.settings.node_id) continue;
    heartbeat.last_contact = moment.now;
    heartbeat.ever = true;
  }
}

}  // namespace klamm::controller
