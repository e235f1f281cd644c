#include "controller/topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "controller/configs.h"
#include "controller/placement.h"
#include "metadata/topic_name.h"

namespace klamm::controller {
namespace {

using metadata::ConfigResourceType;
using metadata::PartitionRegistration;
using Ids = std::vector<std::int32_t>;

// Source of the bound: ReplicationControlManager.MAX_PARTITIONS_PER_BATCH.
constexpr std::int64_t partitions_per_call_max = 10'000;

constexpr std::string_view too_many_records = "Unable to perform excessively large batch operation.";

std::vector<UsableBroker> usable_brokers(const State& state) {
  std::vector<UsableBroker> brokers;
  for (const auto& [id, broker] : state.image->brokers()) {
    if (broker->in_controlled_shutdown && !broker->fenced) continue;
    if (!broker->has_uncordoned_directories()) continue;
    brokers.push_back({id.value, broker->rack, broker->fenced});
  }
  return brokers;
}

Ids active_of(const State& state, const Ids& replicas) {
  Ids active;
  std::ranges::copy_if(replicas, std::back_inserter(active), [&](std::int32_t id) { return state.is_active(id); });
  return active;
}

// A new partition, led by the first replica that is there.
PartitionRegistration new_partition(const State& state, Ids replicas, Ids isr) {
  PartitionRegistration partition;
  std::vector<Uuid> directories;
  for (const std::int32_t id : replicas) directories.push_back(state.default_directory(id));
  partition.directories = directories;
  partition.replicas = std::move(replicas);
  partition.leader = isr.front();
  partition.isr = std::move(isr);
  return partition;
}

Result<void> check_assignment(const State& state, const Ids& replicas, std::optional<std::size_t> replication_factor) {
  const auto invalid = [](std::string text) { return fail(ErrorCode::invalid_replica_assignment, std::move(text)); };
  if (replicas.empty()) return invalid("The manual partition assignment includes an empty replica list.");
  Ids sorted = replicas;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto* broker = state.image->broker(BrokerId(sorted[i]));
    if (!broker) {
      return invalid(fmt::format(
          "The manual partition assignment includes broker {}, but no such broker is registered.", sorted[i]));
    }
    if (!broker->has_uncordoned_directories()) {
      return invalid(fmt::format(
          "The manual partition assignment includes broker {}, but all its log directories are cordoned.", sorted[i]));
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      return invalid(fmt::format("The manual partition assignment includes the broker {} more than once.", sorted[i]));
    }
  }
  if (replication_factor && *replication_factor != sorted.size()) {
    return invalid(
        fmt::format("The manual partition assignment includes a partition with {} replica(s), but this is not "
                    "consistent with previous partitions, which have {} replica(s).",
                    sorted.size(), *replication_factor));
  }
  return {};
}

Error all_fenced_in_assignment(std::int32_t partition) {
  return {ErrorCode::invalid_replica_assignment,
          fmt::format("All brokers specified in the manual partition assignment for partition {} are fenced or in "
                      "controlled shutdown.",
                      partition)};
}

Error cannot_replicate(std::int32_t replication_factor, std::string_view why) {
  return {ErrorCode::invalid_replication_factor,
          fmt::format("Unable to replicate the partition {} time(s): {}", replication_factor, why)};
}

constexpr std::string_view all_brokers_fenced = "All brokers are currently fenced or in controlled shutdown.";

using NewPartitions = std::map<std::int32_t, PartitionRegistration>;

Result<NewPartitions> assigned_partitions(const State& state,
                                          const protocol::CreateTopicsRequest::CreatableTopic& topic) {
  if (topic.replication_factor != -1) {
    return fail(ErrorCode::invalid_request,
                "A manual partition assignment was specified, but replication factor was not set to -1.");
  }
  if (topic.num_partitions != -1) {
    return fail(ErrorCode::invalid_request,
                "A manual partition assignment was specified, but numPartitions was not set to -1.");
  }
  NewPartitions partitions;
  std::optional<std::size_t> replication_factor;
  for (const auto& assignment : topic.assignments) {
    if (partitions.contains(assignment.partition_index)) {
      return fail(
          ErrorCode::invalid_replica_assignment,
          fmt::format("Found multiple manual partition assignments for partition {}", assignment.partition_index));
    }
    if (auto valid = check_assignment(state, assignment.broker_ids, replication_factor); !valid) {
      return std::unexpected(valid.error());
    }
    replication_factor = assignment.broker_ids.size();
    Ids isr = active_of(state, assignment.broker_ids);
    if (isr.empty()) return std::unexpected(all_fenced_in_assignment(assignment.partition_index));
    partitions.emplace(assignment.partition_index, new_partition(state, assignment.broker_ids, std::move(isr)));
  }
  std::int32_t expected = 0;
  for (const auto& [index, partition] : partitions) {
    if (index != expected++) {
      return fail(ErrorCode::invalid_replica_assignment, "partitions should be a consecutive 0-based integer sequence");
    }
  }
  return partitions;
}

Result<NewPartitions> placed_partitions(const State& state, const protocol::CreateTopicsRequest::CreatableTopic& topic,
                                        coordination::FreshIds& ids) {
  if (topic.replication_factor < -1 || topic.replication_factor == 0) {
    return fail(ErrorCode::invalid_replication_factor,
                "Replication factor must be larger than 0, or -1 to use the default value.");
  }
  if (topic.num_partitions < -1 || topic.num_partitions == 0) {
    return fail(ErrorCode::invalid_partitions, "Number of partitions was set to an invalid non-positive value.");
  }
  const std::int32_t count = topic.num_partitions == -1 ? state.settings.num_partitions : topic.num_partitions;
  const std::int16_t factor =
      topic.replication_factor == -1 ? state.settings.default_replication_factor : topic.replication_factor;
  auto placed = place_replicas(usable_brokers(state), {count, factor}, ids);
  if (!placed) return std::unexpected(cannot_replicate(factor, placed.error().message));

  NewPartitions partitions;
  for (std::int32_t index = 0; index < count; ++index) {
    Ids& replicas = (*placed)[static_cast<std::size_t>(index)];
    Ids isr = active_of(state, replicas);
    if (isr.empty()) return std::unexpected(cannot_replicate(factor, all_brokers_fenced));
    partitions.emplace_hint(partitions.end(), index, new_partition(state, std::move(replicas), std::move(isr)));
  }
  return partitions;
}

Result<void> check_new_name(const State& state, const std::string& name) {
  if (auto valid = metadata::check_topic_name(name); !valid) return valid;
  if (metadata::has_collision_characters(name)) {
    const auto colliding = state.collisions.find(metadata::unified_topic_name(name));
    // An existing topic collides with itself: that it exists is the better answer.
    if (colliding != state.collisions.end() && !state.image->topic(name)) {
      return fail(ErrorCode::invalid_topic_exception,
                  fmt::format("Topic '{}' collides with existing topic: {}", name, *colliding->second.begin()));
    }
  }
  if (state.image->topic(name)) {
    return fail(ErrorCode::topic_already_exists, fmt::format("Topic '{}' already exists.", name));
  }
  return {};
}

Result<metadata::Records> new_topic_configs(const State& state,
                                            const protocol::CreateTopicsRequest::CreatableTopic& topic) {
  std::string nulls;
  ConfigChanges changes;
  for (const auto& config : topic.configs) {
    if (config.value) {
      changes[config.name] = {ConfigOperation::set, config.value};
    } else {
      nulls += (nulls.empty() ? "" : ",") + config.name;
    }
  }
  if (!nulls.empty()) {
    return fail(ErrorCode::invalid_config, "Null value not supported for topic configs: " + nulls);
  }
  if (changes.empty()) return metadata::Records{};
  auto records = alter_config(state, {ConfigResourceType::topic, topic.name}, changes, true);
  if (records) std::ranges::move(clear_elr_records(state, *records), std::back_inserter(*records));
  return records;
}

// The configuration that the new topic will have, as the client is told.
void describe_configs(const State& state, const metadata::Records& config_records,
                      protocol::CreateTopicsResponse::CreatableTopicResult& result) {
  metadata::ConfigEntries own;
  for (const metadata::Record& record : config_records) {
    const auto* config = std::get_if<protocol::ConfigRecord>(&record.message);
    if (config && config->value) own[config->name] = *config->value;
  }
  auto& configs = result.configs.emplace();
  for (EffectiveConfig& entry : state.rules.effective_topic_config(state.layers(own))) {
    auto& config = configs.emplace_back();
    config.name = std::move(entry.name);
    config.value = std::move(entry.value);
    config.read_only = entry.read_only;
    config.config_source = entry.source;
    config.is_sensitive = entry.sensitive;
  }
}

Result<protocol::CreateTopicsResponse::CreatableTopicResult> create_topic(
    const State& state, const protocol::CreateTopicsRequest::CreatableTopic& topic, coordination::FreshIds& ids,
    metadata::Records& records) {
  if (auto named = check_new_name(state, topic.name); !named) return std::unexpected(named.error());
  auto configs = new_topic_configs(state, topic);
  if (!configs) return std::unexpected(configs.error());
  auto partitions =
      topic.assignments.empty() ? placed_partitions(state, topic, ids) : assigned_partitions(state, topic);
  if (!partitions) return std::unexpected(partitions.error());

  protocol::TopicRecord record;
  record.name = topic.name;
  record.topic_id = ids.uuid();

  protocol::CreateTopicsResponse::CreatableTopicResult result;
  result.name = topic.name;
  result.topic_id = record.topic_id;
  result.error_message.reset();
  result.num_partitions = static_cast<std::int32_t>(partitions->size());
  result.replication_factor = static_cast<std::int16_t>(partitions->begin()->second.replicas.size());
  describe_configs(state, *configs, result);

  const Uuid id = record.topic_id;
  records.push_back({std::move(record), 0});
  std::ranges::move(*configs, std::back_inserter(records));
  for (const auto& [index, partition] : *partitions) {
    records.push_back(partition.to_record(id, index, state.version(), state.image->elr_enabled()));
  }
  return result;
}

std::int64_t partitions_asked_for(const State& state, const protocol::CreateTopicsRequest& request) {
  std::int64_t total = 0;
  for (const auto& topic : request.topics) {
    if (!topic.assignments.empty()) {
      total += static_cast<std::int64_t>(topic.assignments.size());
    } else if (topic.num_partitions == -1) {
      total += state.settings.num_partitions;
    } else if (topic.num_partitions > 0) {
      total += topic.num_partitions;
    }
  }
  return total;
}

protocol::CreateTopicsResponse::CreatableTopicResult failed_topic(const std::string& name, const Error& error) {
  protocol::CreateTopicsResponse::CreatableTopicResult result;
  result.name = name;
  result.error_code = wire_of(error.code);
  result.error_message = message_of(error);
  return result;
}

}  // namespace

Result<Outcome<protocol::CreateTopicsResponse>> create_topics(const State& state, const coordination::Moment& moment,
                                                              const protocol::CreateTopicsRequest& request) {
  std::map<std::string_view, int> counts;
  for (const auto& topic : request.topics) ++counts[topic.name];
  protocol::CreateTopicsRequest wanted = request;
  std::erase_if(wanted.topics, [&](const auto& topic) {
    return counts[topic.name] > 1 || topic.name == metadata::cluster_metadata_topic;
  });
  if (partitions_asked_for(state, wanted) > partitions_per_call_max) {
    return fail(ErrorCode::policy_violation, "Excessively large number of partitions per request.");
  }

  Outcome<protocol::CreateTopicsResponse> outcome;
  coordination::FreshIds ids(moment.seed);
  for (const auto& topic : wanted.topics) {
    auto created = create_topic(state, topic, ids, outcome.records);
    if (outcome.records.size() > records_per_call_max) {
      return fail(ErrorCode::policy_violation, std::string(too_many_records));
    }
    outcome.response.topics.push_back(created ? std::move(*created) : failed_topic(topic.name, created.error()));
  }
  std::set<std::string_view> told;
  for (const auto& topic : request.topics) {
    if (counts[topic.name] > 1 && told.insert(topic.name).second) {
      outcome.response.topics.push_back(
          failed_topic(topic.name, {ErrorCode::invalid_request, "Duplicate topic name."}));
    } else if (counts[topic.name] == 1 && topic.name == metadata::cluster_metadata_topic) {
      outcome.response.topics.push_back(failed_topic(
          topic.name, {ErrorCode::invalid_request,
                       fmt::format("Creation of internal topic {} is prohibited.", metadata::cluster_metadata_topic)}));
    }
  }
  if (request.validate_only) outcome.records.clear();
  return outcome;
}

namespace {

// What a DeleteTopics request speaks of, sorted out: answers for what cannot be, names and ids for the rest.
class Deletions {
 public:
  Deletions(const State& state, const Asked<protocol::DeleteTopicsRequest>& asked) : state_(state) {
    for (const std::string& name : asked.request.topic_names) add_name(name);
    for (const auto& topic : asked.request.topics) {
      if (!topic.name) {
        if (topic.topic_id.is_zero()) {
          answer(std::nullopt, zero_uuid, {ErrorCode::invalid_request, "Neither topic name nor id were specified."});
        } else {
          add_id(topic.topic_id);
        }
      } else if (topic.topic_id.is_zero()) {
        add_name(*topic.name);
      } else {
        answer(topic.name, topic.topic_id,
               {ErrorCode::invalid_request, "You may not specify both topic name and topic id."});
      }
    }
  }

  Outcome<protocol::DeleteTopicsResponse> decide() {
    for (const std::string& name : names_) {
      if (name_count_[name] > 1) answer(name, zero_uuid, {ErrorCode::invalid_request, "Duplicate topic name."});
    }
    for (const Uuid id : ids_) {
      if (id_count_[id] > 1) answer(std::nullopt, id, {ErrorCode::invalid_request, "Duplicate topic id."});
    }
    for (const Uuid id : ids_) {
      if (id_count_[id] > 1) continue;
      if (const auto* topic = state_.image->topic(id)) {
        doomed_.emplace_back(id, topic->name);
      } else {
        answer(std::nullopt, id, plain(ErrorCode::unknown_topic_id));
      }
    }
    for (const std::string& name : names_) {
      if (name_count_[name] == 1) resolve(name);
    }
    for (const auto& [id, name] : doomed_) {
      protocol::RemoveTopicRecord record;
      record.topic_id = id;
      outcome_.records.push_back({std::move(record), 0});
      answer(name, id, {ErrorCode::none});
    }
    return std::move(outcome_);
  }

 private:
  // With Kafka's own text for the code.
  static Error plain(ErrorCode code) { return {code, std::string(error_message(code))}; }

  void add_name(const std::string& name) {
    if (++name_count_[name] == 1) names_.push_back(name);
  }
  void add_id(Uuid id) {
    if (++id_count_[id] == 1) ids_.push_back(id);
  }

  void resolve(const std::string& name) {
    const auto* topic = state_.image->topic(name);
    if (!topic) return answer(name, zero_uuid, plain(ErrorCode::unknown_topic_or_partition));
    const auto same = std::ranges::find(doomed_, topic->id, [](const auto& doomed) { return doomed.first; });
    if (id_count_.contains(topic->id)) {
      if (same != doomed_.end()) doomed_.erase(same);
      return answer(name, topic->id,
                    {ErrorCode::invalid_request, "The provided topic name maps to an ID that was already supplied."});
    }
    doomed_.emplace_back(topic->id, name);
  }

  void answer(const std::optional<std::string>& name, Uuid id, const Error& error) {
    auto& result = outcome_.response.responses.emplace_back();
    result.name = name;
    result.topic_id = id;
    result.error_code = wire_of(error.code);
    result.error_message = message_of(error);
  }

  const State& state_;
  std::vector<std::string> names_;  // each once, in the order of the request
  std::map<std::string, int> name_count_;
  std::vector<Uuid> ids_;
  std::map<Uuid, int> id_count_;
  std::vector<std::pair<Uuid, std::string>> doomed_;
  Outcome<protocol::DeleteTopicsResponse> outcome_;
};

}  // namespace

Result<Outcome<protocol::DeleteTopicsResponse>> delete_topics(const State& state,
                                                              const Asked<protocol::DeleteTopicsRequest>& asked) {
  if (!state.settings.delete_topic_enable) {
    if (asked.api_version < 3) return fail(ErrorCode::invalid_request, "This version does not support topic deletion.");
    return fail(ErrorCode::topic_deletion_disabled);
  }
  Outcome<protocol::DeleteTopicsResponse> outcome = Deletions(state, asked).decide();
  if (outcome.records.size() > records_per_call_max) {
    return fail(ErrorCode::policy_violation, std::string(too_many_records));
  }
  return outcome;
}

namespace {

Result<metadata::Records> grow_topic(const State& state,
                                     const protocol::CreatePartitionsRequest::CreatePartitionsTopic& wanted,
                                     coordination::FreshIds& ids) {
  const auto* topic = state.image->topic(wanted.name);
  if (!topic) return fail(ErrorCode::unknown_topic_or_partition);
  const auto present = static_cast<std::int32_t>(topic->partition_count());
  if (wanted.count == present) {
    return fail(ErrorCode::invalid_partitions, fmt::format("Topic already has {} partition(s).", present));
  }
  if (wanted.count < present) {
    return fail(ErrorCode::invalid_partitions,
                fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.", wanted.name,
                            present, wanted.count));
  }
  const std::int32_t additional = wanted.count - present;
  if (wanted.assignments && wanted.assignments->size() != static_cast<std::size_t>(additional)) {
    return fail(ErrorCode::invalid_replica_assignment,
                fmt::format("Attempted to add {} additional partition(s), but only {} assignment(s) were specified.",
                            additional, wanted.assignments->size()));
  }
  if (present == 0) {
    return fail(ErrorCode::unknown_server_error,
                fmt::format("Invalid state: topic {} appears to have no partitions.", wanted.name));
  }
  // Checked before memory is taken: this many records would be refused anyway.
  if (static_cast<std::size_t>(additional) > records_per_call_max) {
    return fail(ErrorCode::policy_violation, std::string(too_many_records));
  }
  const std::size_t replication_factor = topic->partitions.begin()->second.replicas.size();
  std::vector<Ids> assignments;
  if (wanted.assignments) {
    for (std::size_t i = 0; i < wanted.assignments->size(); ++i) {
      const Ids& replicas = (*wanted.assignments)[i].broker_ids;
      if (auto valid = check_assignment(state, replicas, replication_factor); !valid)
        return std::unexpected(valid.error());
      if (active_of(state, replicas).empty()) {
        return std::unexpected(all_fenced_in_assignment(present + static_cast<std::int32_t>(i)));
      }
      assignments.push_back(replicas);
    }
  } else {
    auto placed =
        place_replicas(usable_brokers(state), {additional, static_cast<std::int32_t>(replication_factor)}, ids);
    if (!placed) return std::unexpected(placed.error());
    assignments = std::move(*placed);
  }

  metadata::Records records;
  std::int32_t index = present;
  for (Ids& replicas : assignments) {
    Ids isr = active_of(state, replicas);
    if (isr.empty()) {
      return std::unexpected(cannot_replicate(static_cast<std::int32_t>(replication_factor), all_brokers_fenced));
    }
    const auto partition = new_partition(state, std::move(replicas), std::move(isr));
    records.push_back(partition.to_record(topic->id, index++, state.version(), state.image->elr_enabled()));
  }
  return records;
}

}  // namespace

Result<Outcome<protocol::CreatePartitionsResponse>> create_partitions(
    const State& state, const coordination::Moment& moment, const protocol::CreatePartitionsRequest& request) {
  std::map<std::string_view, int> counts;
  for (const auto& topic : request.topics) ++counts[topic.name];

  Outcome<protocol::CreatePartitionsResponse> outcome;
  coordination::FreshIds ids(moment.seed);
  const auto answer = [&](const std::string& name, const Error& error) {
    auto& result = outcome.response.results.emplace_back();
    result.name = name;
    result.error_code = wire_of(error.code);
    result.error_message = message_of(error);
  };
  std::set<std::string_view> told;
  for (const auto& topic : request.topics) {
    if (counts[topic.name] > 1) {
      if (told.insert(topic.name).second) answer(topic.name, {ErrorCode::invalid_request, "Duplicate topic name."});
      continue;
    }
    auto records = grow_topic(state, topic, ids);
    answer(topic.name, records ? Error{ErrorCode::none} : records.error());
    if (!records) continue;
    std::ranges::move(*records, std::back_inserter(outcome.records));
    if (outcome.records.size() > records_per_call_max) {
      return fail(ErrorCode::policy_violation, std::string(too_many_records));
    }
  }
  if (request.validate_only) outcome.records.clear();
  return outcome;
}

}  // namespace klamm::controller
