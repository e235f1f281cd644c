// For tests: a controller with a clock that is told the time, a few configuration keys, and calls that read like a
// story.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

#include "base/logger.h"
#include "controller/controller.h"

namespace klamm::controller::testing {

// Knows retention.ms (a number), cleanup.policy (a list), min.insync.replicas and unclean.leader.election.enable.
class FewRules final : public ConfigRules {
 public:
  Result<void> check_topic(const metadata::ConfigEntries& after, const metadata::ConfigEntries&) const override {
    for (const auto& [key, value] : after) {
      if (!is_known(metadata::ConfigResourceType::topic, key)) {
        return fail(ErrorCode::invalid_config, "Unknown topic config name: " + key);
      }
      std::int64_t number = 0;
      const auto end = value.data() + value.size();
      if (key == "retention.ms" && std::from_chars(value.data(), end, number).ptr != end) {
        return fail(ErrorCode::invalid_config,
                    "Invalid value " + value + " for configuration retention.ms: Not a number of type LONG");
      }
    }
    return {};
  }
  Result<void> check_group(const metadata::ConfigEntries&) const override { return {}; }
  Result<void> check_client_metrics(std::string_view, const metadata::ConfigEntries&) const override { return {}; }
  bool is_known(metadata::ConfigResourceType, std::string_view key) const override { return defaults().contains(key); }
  bool is_list(metadata::ConfigResourceType, std::string_view key) const override { return key == "cleanup.policy"; }
  std::optional<std::string> default_of(metadata::ConfigResourceType, std::string_view key) const override {
    const auto found = defaults().find(key);
    return found == defaults().end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<EffectiveConfig> effective_topic_config(const ConfigLayers& layers) const override {
    std::vector<EffectiveConfig> out;
    for (const auto& [key, value] : defaults()) {
      out.push_back(
          {key, effective_topic_value(key, layers), static_cast<std::int8_t>(layers.topic.contains(key) ? 1 : 5)});
    }
    return out;
  }
  std::string effective_topic_value(std::string_view key, const ConfigLayers& layers) const override {
    for (const auto* layer : {&layers.topic, &layers.this_broker, &layers.all_brokers}) {
      if (const auto found = layer->find(key); found != layer->end()) return found->second;
    }
    return defaults().find(key)->second;
  }

 private:
  static const metadata::ConfigEntries& defaults() {
    static const metadata::ConfigEntries entries{{"cleanup.policy", "delete"},
                                                 {"min.insync.replicas", "1"},
                                                 {"retention.ms", "604800000"},
                                                 {"unclean.leader.election.enable", "false"}};
    return entries;
  }
};

class ControllerStory {
 public:
  explicit ControllerStory(std::int16_t level = 30, bool elr = true)
      : controller(settings, rules, Logger(sink, "test")) {
    settings.cluster_id = "cluster";
    settings.node_id = BrokerId(1);
    Activate call;
    call.source = "a test";
    call.bootstrap.push_back(feature("metadata.version", level));
    if (elr) call.bootstrap.push_back(feature("eligible.leader.replicas.version", 1));
    ask(call);
  }

  static metadata::Record feature(std::string name, std::int16_t level) {
    protocol::FeatureLevelRecord record;
    record.name = std::move(name);
    record.feature_level = level;
    return {record, 0};
  }

  // Asks, applies what was decided, returns the answer. `records` holds what was decided.
  Answer ask(const Call& call) {
    auto decision = controller.decide({++ticket}, moment(), call);
    EXPECT_EQ(decision.replies.size(), 1u);
    EXPECT_EQ(decision.replies.front().to.value, ticket);
    timers = decision.timers;
    apply(decision.records);
    return std::move(decision.replies.front().body);
  }
  template <typename Request>
  auto request(Request request, std::int16_t version = Request::max_version) {
    using Response = decltype(failed(std::declval<const Request&>(), std::declval<const Error&>()));
    return std::get<Response>(ask(Asked<Request>{std::move(request), version}));
  }
  void fire(const std::string& timer) {
    auto decision = controller.timer_fired(moment(), timer);
    timers = decision.timers;
    apply(decision.records);
  }

  void apply(metadata::Records decided) {
    records = std::move(decided);
    if (records.empty()) return;
    controller.apply(Offset(next_offset), LeaderEpoch(1), Timestamp(wall_ms), records);
    next_offset += static_cast<std::int64_t>(records.size());
  }
  coordination::Moment moment() { return {Timestamp(wall_ms), now, ++seed, Offset(next_offset)}; }
  const metadata::Image& image() const { return *controller.image(); }

  // "PARTITION_RECORD v2 {...}" lines of the last decision, for whole-decision comparisons.
  std::vector<std::string> record_types() const {
    std::vector<std::string> types;
    for (const auto& record : records) types.push_back(fmt::format("{} v{}", type_name(record), record.version));
    return types;
  }

  static protocol::BrokerRegistrationRequest registration(std::int32_t id, std::vector<Uuid> directories) {
    protocol::BrokerRegistrationRequest request;
    request.broker_id = id;
    request.cluster_id = "cluster";
    request.incarnation_id = Uuid{100, static_cast<std::uint64_t>(id)};
    request.listeners.emplace_back().name = "PLAINTEXT";
    request.listeners.back().host = "localhost";
    request.listeners.back().port = 9092;
    for (const auto& [name, range] : metadata::supported_features()) {
      request.features.emplace_back().name = name;
      request.features.back().min_supported_version = range.min;
      request.features.back().max_supported_version = range.max;
    }
    request.rack.reset();
    request.log_dirs = std::move(directories);
    return request;
  }
  protocol::BrokerHeartbeatResponse heartbeat(std::int32_t id, bool want_shut_down = false) {
    protocol::BrokerHeartbeatRequest request;
    request.broker_id = id;
    request.broker_epoch = image().broker(BrokerId(id))->epoch.value;
    request.current_metadata_offset = next_offset;
    request.want_shut_down = want_shut_down;
    request.cordoned_log_dirs.emplace();
    return this->request(request);
  }
  // Registers and unfences.
  void start_broker(std::int32_t id, std::vector<Uuid> directories = {}) {
    if (directories.empty()) directories = {Uuid{200, static_cast<std::uint64_t>(id)}};
    EXPECT_EQ(request(registration(id, directories)).error_code, 0);
    EXPECT_FALSE(heartbeat(id).is_fenced);
  }

  static protocol::CreateTopicsRequest topic(std::string name, std::int32_t partitions, std::int16_t replicas) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = std::move(name);
    topic.num_partitions = partitions;
    topic.replication_factor = replicas;
    return request;
  }

  NullLogSink sink;
  ControllerSettings settings;
  FewRules rules;
  Controller controller;
  metadata::Records records;
  std::vector<coordination::TimerChange> timers;
  std::uint64_t ticket = 0;
  std::uint64_t seed = 0;
  std::int64_t next_offset = 0;
  std::int64_t wall_ms = 1'700'000'000'000;
  std::chrono::nanoseconds now = std::chrono::hours(1);
};

}  // namespace klamm::controller::testing
