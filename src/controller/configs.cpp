#include "controller/configs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <vector>

#include "metadata/topic_name.h"

namespace klamm::controller {
namespace {

using metadata::ConfigEntries;
using metadata::ConfigResource;
using metadata::ConfigResourceType;

constexpr std::string_view min_isr_key = "min.insync.replicas";
constexpr std::string_view cordoned_key = "cordoned.log.dirs";
constexpr std::size_t value_bytes_max = std::numeric_limits<std::int16_t>::max();

bool is_known_type(std::int8_t type) {
  switch (static_cast<ConfigResourceType>(type)) {
    case ConfigResourceType::topic:
    case ConfigResourceType::broker:
    case ConfigResourceType::broker_logger:
    case ConfigResourceType::client_metrics:
    case ConfigResourceType::group:
      return true;
    case ConfigResourceType::unknown:
      break;
  }
  return false;
}

// "CLIENT_METRICS"
std::string_view type_name(ConfigResourceType type) {
  switch (type) {
    case ConfigResourceType::topic:
      return "TOPIC";
    case ConfigResourceType::broker:
      return "BROKER";
    case ConfigResourceType::broker_logger:
      return "BROKER_LOGGER";
    case ConfigResourceType::client_metrics:
      return "CLIENT_METRICS";
    case ConfigResourceType::group:
      return "GROUP";
    case ConfigResourceType::unknown:
      break;
  }
  return "UNKNOWN";
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ","));
}

std::optional<std::int32_t> parse_id(std::string_view text) {
  std::int32_t id = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

Result<void> check_broker_name(std::string_view name) {
  if (name.empty()) return {};
  const auto id = parse_id(name);
  if (!id) return fail(ErrorCode::invalid_request, "Unable to parse broker name as a base 10 number.");
  if (*id < 0) return fail(ErrorCode::invalid_request, "Invalid negative broker ID.");
  return {};
}

// The name, then the values as they would be.
Result<void> check_values(const State& state, const ConfigResource& resource, ConfigEntries after,
                          ConfigEntries before) {
  const auto known = [&](const auto& entry) { return state.rules.is_known(resource.type, entry.first); };
  switch (resource.type) {
    case ConfigResourceType::topic: {
      if (resource.name.empty()) return fail(ErrorCode::invalid_request, "Default topic resources are not allowed.");
      if (auto named = metadata::check_topic_name(resource.name); !named) return named;
      // Keys of an older version that stand in the directory do not make every later change fail.
      std::erase_if(before, [&](const auto& entry) {
        if (known(entry)) return false;
        const auto same = after.find(entry.first);
        if (same != after.end() && same->second == entry.second) after.erase(same);
        return true;
      });
      return state.rules.check_topic(after, before);
    }
    case ConfigResourceType::broker:
      return check_broker_name(resource.name);
    case ConfigResourceType::client_metrics:
      return state.rules.check_client_metrics(resource.name, after);
    case ConfigResourceType::group:
      if (resource.name.empty()) return fail(ErrorCode::invalid_request, "Default group resources are not allowed.");
      return state.rules.check_group(after);
    case ConfigResourceType::broker_logger:
    case ConfigResourceType::unknown:
      break;
  }
  return fail(ErrorCode::invalid_request, fmt::format("Unknown resource type {}", type_name(resource.type)));
}

Result<void> check_existence(const State& state, const ConfigResource& resource) {
  if (resource.type == ConfigResourceType::topic && !state.image->topic(resource.name)) {
    return fail(ErrorCode::unknown_topic_or_partition, fmt::format("The topic '{}' does not exist.", resource.name));
  }
  if (resource.type == ConfigResourceType::broker && !resource.name.empty()) {
    const auto id = parse_id(resource.name);
    if (!id) return fail(ErrorCode::invalid_request, fmt::format("Invalid broker name {}", resource.name));
    if (!state.image->broker(BrokerId(*id)) && !state.image->controllers().contains(*id) &&
        *id != state.settings.node_id.value) {
      return fail(ErrorCode::broker_id_not_registered, fmt::format("No node with id {} found.", *id));
    }
  }
  return {};
}

// What is never allowed, whatever the value means.
Result<void> check_record(const State& state, const protocol::ConfigRecord& record) {
  const bool is_broker = record.resource_type == static_cast<std::int8_t>(ConfigResourceType::broker);
  if (is_broker && record.name == min_isr_key && state.image->elr_enabled()) {
    if (!record.resource_name.empty()) {
      return fail(ErrorCode::invalid_config,
                  "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
    }
    if (!record.value) {
      return fail(ErrorCode::invalid_config,
                  "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    }
  }
  if (is_broker && record.name == cordoned_key && !state.version().supports_cordoned_directories()) {
    return fail(ErrorCode::invalid_config,
                fmt::format("The cordoned.log.dirs configuration value cannot be set because it requires "
                            "metadata.version >= {}",
                            metadata::known_metadata_version(30).name()));
  }
  if (record.value && record.value->size() > value_bytes_max) {
    return fail(
        ErrorCode::invalid_config,
        fmt::format("The configuration value cannot be added because it exceeds the maximum value size of {} bytes.",
                    value_bytes_max));
  }
  return {};
}

metadata::Record config_record(const ConfigResource& resource, std::string name, std::optional<std::string> value) {
  protocol::ConfigRecord record;
  record.resource_type = static_cast<std::int8_t>(resource.type);
  record.resource_name = resource.name;
  record.name = std::move(name);
  record.value = std::move(value);
  return {std::move(record), 0};
}

Result<void> check_change(const State& state, const ConfigResource& resource, const metadata::Records& records,
                          bool is_new) {
  const ConfigEntries& before = state.image->config(resource);
  ConfigEntries after = before;
  for (const metadata::Record& record : records) {
    const auto& config = std::get<protocol::ConfigRecord>(record.message);
    if (auto allowed = check_record(state, config); !allowed) return allowed;
    if (config.value) {
      after[config.name] = *config.value;
    } else {
      after.erase(config.name);
    }
  }
  if (auto valid = check_values(state, resource, std::move(after), before); !valid) return valid;
  if (!is_new) return check_existence(state, resource);
  return {};
}

// APPEND and SUBTRACT work on what is set, or else on the default.
Result<std::string> edit_list(const State& state, const ConfigResource& resource, const std::string& key,
                              const ConfigChange& change, const std::optional<std::string>& current) {
  const bool append = change.operation == ConfigOperation::append;
  if (!state.rules.is_list(resource.type, key)) {
    return fail(ErrorCode::invalid_config,
                fmt::format("Can't {} to key {} because its type is not LIST.", append ? "APPEND" : "SUBTRACT", key));
  }
  const auto base = current ? current : state.rules.default_of(resource.type, key);
  std::vector<std::string> parts = split(base.value_or(""));
  std::erase(parts, "");
  for (std::string& part : split(change.value.value_or(""))) {
    const auto found = std::ranges::find(parts, part);
    if (append && found == parts.end()) parts.push_back(std::move(part));
    if (!append && found != parts.end()) parts.erase(found);
  }
  return join(parts);
}

}  // namespace

Result<metadata::Records> alter_config(const State& state, const ConfigResource& resource, const ConfigChanges& changes,
                                       bool is_new) {
  const ConfigEntries& current = state.image->config(resource);
  metadata::Records records;
  for (const auto& [key, change] : changes) {
    const auto found = current.find(key);
    const auto before = found == current.end() ? std::nullopt : std::optional(found->second);
    std::optional<std::string> after;
    switch (change.operation) {
      case ConfigOperation::set:
        after = change.value;
        break;
      case ConfigOperation::remove:
        break;
      case ConfigOperation::append:
      case ConfigOperation::subtract: {
        auto edited = edit_list(state, resource, key, change, before);
        if (!edited) return std::unexpected(edited.error());
        after = std::move(*edited);
        break;
      }
    }
    // Brokers reload files (key stores) when a value is set again (KAFKA-14136).
    if (before != after || resource.type == ConfigResourceType::broker) {
      records.push_back(config_record(resource, key, std::move(after)));
    }
  }
  if (auto allowed = check_change(state, resource, records, is_new); !allowed) return std::unexpected(allowed.error());
  return records;
}

metadata::Records clear_elr_records(const State& state, const metadata::Records& records) {
  metadata::Records clears;
  if (!state.image->elr_enabled()) return clears;
  for (const metadata::Record& record : records) {
    const auto* config = std::get_if<protocol::ConfigRecord>(&record.message);
    if (!config || config->name != min_isr_key) continue;
    protocol::ClearElrRecord clear;
    if (config->resource_type == static_cast<std::int8_t>(ConfigResourceType::topic))
      clear.topic_name = config->resource_name;
    clears.push_back({std::move(clear), 0});
  }
  return clears;
}

namespace {

template <typename Response>
void add_result(Response& response, std::int8_t type, const std::string& name, const Error& error) {
  auto& result = response.responses.emplace_back();
  result.resource_type = type;
  result.resource_name = name;
  result.error_code = wire_of(error.code);
  result.error_message = message_of(error);
}

// Resources that occur twice are answered here, once; `change` makes the records of the others.
template <typename Response, typename Request, typename Change>
Result<Outcome<Response>> alter_each(const State& state, const Request& request, Change change) {
  Outcome<Response> outcome;
  std::map<std::pair<std::int8_t, std::string>, int> counts;
  for (const auto& resource : request.resources) ++counts[{resource.resource_type, resource.resource_name}];

  std::set<std::pair<std::int8_t, std::string>> answered;
  for (const auto& resource : request.resources) {
    const std::int8_t type = resource.resource_type;
    if (!answered.insert({type, resource.resource_name}).second) continue;
    if (!is_known_type(type)) {
      add_result(outcome.response, type, resource.resource_name,
                 {ErrorCode::unsupported_version, fmt::format("Unknown resource type {}.", type)});
      continue;
    }
    if (counts[{type, resource.resource_name}] > 1) {
      add_result(outcome.response, type, resource.resource_name, {ErrorCode::invalid_request, "Duplicate resource."});
      continue;
    }
    Result<metadata::Records> records =
        change(ConfigResource{static_cast<ConfigResourceType>(type), resource.resource_name}, resource);
    if (!records && records.error().code == ErrorCode::unknown_server_error) return std::unexpected(records.error());
    add_result(outcome.response, type, resource.resource_name, records ? Error{ErrorCode::none} : records.error());
    if (!records) continue;
    std::ranges::move(*records, std::back_inserter(outcome.records));
  }
  std::ranges::move(clear_elr_records(state, outcome.records), std::back_inserter(outcome.records));
  if (request.validate_only) outcome.records.clear();
  return outcome;
}

}  // namespace

Result<Outcome<protocol::IncrementalAlterConfigsResponse>> incremental_alter_configs(
    const State& state, const protocol::IncrementalAlterConfigsRequest& request) {
  using Response = protocol::IncrementalAlterConfigsResponse;
  return alter_each<Response>(
      state, request, [&](const ConfigResource& resource, const auto& asked) -> Result<metadata::Records> {
        ConfigChanges changes;
        for (const auto& config : asked.configs) {
          // As Kafka, which does not expect it.
          if (config.config_operation < 0 || config.config_operation > 3) return fail(ErrorCode::unknown_server_error);
          changes[config.name] = {static_cast<ConfigOperation>(config.config_operation), config.value};
        }
        return alter_config(state, resource, changes, false);
      });
}

Result<Outcome<protocol::AlterConfigsResponse>> alter_configs(const State& state,
                                                              const protocol::AlterConfigsRequest& request) {
  return alter_each<protocol::AlterConfigsResponse>(
      state, request, [&](const ConfigResource& resource, const auto& asked) -> Result<metadata::Records> {
        ConfigChanges changes;
        for (const auto& config : asked.configs) changes[config.name] = {ConfigOperation::set, config.value};
        // What is not named goes.
        for (const auto& [key, value] : state.image->config(resource)) {
          if (!changes.contains(key)) changes[key] = {ConfigOperation::remove, std::nullopt};
        }
        return alter_config(state, resource, changes, false);
      });
}

}  // namespace klamm::controller
