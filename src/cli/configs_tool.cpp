#include "cli/configs_tool.h"

#include <map>
#include <set>

#include "cli/tool_client.h"
#include "config/value.h"

namespace klamm::cli {

using client::Admin;
using client::ConfigResource;
using client::ConfigSource;
using client::ResourceType;
using runtime::Task;

namespace {

constexpr std::string_view allowed_types[] = {"topics", "clients",        "users",  "brokers",
                                              "ips",    "client-metrics", "groups", "broker-loggers"};

// Options that name an entity, in the order in which Kafka looks at them.
constexpr std::pair<std::string_view, std::string_view> entity_flags[] = {{"topic", "topics"},
                                                                          {"client", "clients"},
                                                                          {"user", "users"},
                                                                          {"broker", "brokers"},
                                                                          {"broker-logger", "broker-loggers"},
                                                                          {"ip", "ips"},
                                                                          {"client-metrics", "client-metrics"},
                                                                          {"group", "groups"}};
constexpr std::pair<std::string_view, std::string_view> default_flags[] = {
    {"client-defaults", "clients"}, {"user-defaults", "users"}, {"broker-defaults", "brokers"}, {"ip-defaults", "ips"}};

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "server to connect to", "A broker to begin with, as host:port."},
      {"bootstrap-controller", Takes::value, "controller to connect to", "A controller to begin with, as host:port."},
      {"command-config", Takes::value, "command config property file", "A file with properties of the admin client."},
      {"alter", Takes::nothing, {}, "Changes the configuration."},
      {"describe", Takes::nothing, {}, "Prints the configuration."},
      {"all", Takes::nothing, {}, "With --describe: also what was not set dynamically."},
      {"entity-type",
       Takes::value,
       {},
       "topics, brokers, broker-loggers, client-metrics, groups, users, clients or ips."},
      {"entity-name", Takes::value, {}, "The name of the topic, the id of the broker, ..."},
      {"entity-default", Takes::nothing, {}, "Instead of a name: what holds for all brokers, users, clients or ips."},
      {"add-config", Takes::value, {}, "What to set: k1=v1,k2=[v1,v2],k3=v3."},
      {"add-config-file", Takes::value, {}, "A file of properties to set."},
      {"delete-config", Takes::value, {}, "Keys to unset: k1,k2."},
      {"topic", Takes::value, {}, "The topic."},
      {"client", Takes::value, {}, "The client's id."},
      {"client-defaults", Takes::nothing, {}, "All clients."},
      {"user", Takes::value, {}, "The user's principal."},
      {"user-defaults", Takes::nothing, {}, "All users."},
      {"broker", Takes::value, {}, "The broker's id."},
      {"broker-defaults", Takes::nothing, {}, "All brokers."},
      {"broker-logger", Takes::value, {}, "The id of the broker whose loggers are meant."},
      {"ip-defaults", Takes::nothing, {}, "All addresses."},
      {"ip", Takes::value, {}, "The address."},
      {"group", Takes::value, {}, "The group's id."},
      {"client-metrics", Takes::value, {}, "The name of the client metrics subscription."},
  };
}

JavaException illegal(std::string text) {
  return {"java.lang.IllegalArgumentException", std::move(text)};
}

std::string join(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ","));
}

// What the command is about.
struct Entities {
  std::vector<std::string> types;
  std::vector<std::string> names;  // "" stands for the default

  bool has_type(std::string_view type) const { return std::ranges::find(types, type) != types.end(); }
  bool has_name() const {
    return std::ranges::any_of(names, [](const std::string& name) { return !name.empty(); });
  }
  bool has_default() const {
    return std::ranges::any_of(names, [](const std::string& name) { return name.empty(); });
  }
  bool quotas() const { return has_type("users") || has_type("clients") || has_type("ips"); }
};

Entities entities_of(const CommandLine& options) {
  Entities entities;
  entities.types = options.values("entity-type");
  entities.names = options.values("entity-name");
  if (options.has("entity-default")) entities.names.emplace_back();
  for (const auto& [flag, type] : entity_flags) {
    if (!options.has(flag)) continue;
    entities.types.emplace_back(type);
    entities.names.push_back(options.value(flag));
  }
  for (const auto& [flag, type] : default_flags) {
    if (!options.has(flag)) continue;
    entities.types.emplace_back(type);
    entities.names.emplace_back();
  }
  return entities;
}

void check_entities(const CommandLine& options, const Entities& entities) {
  std::vector<std::string> duplicates;
  for (std::size_t i = 0; i < entities.types.size(); ++i) {
    const auto before = entities.types.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(entities.types.begin(), before, entities.types[i]) != before) duplicates.push_back(entities.types[i]);
  }
  if (!duplicates.empty()) throw illegal("Duplicate entity type(s) specified: " + join(duplicates));
  if (!options.has("bootstrap-server") && !options.has("bootstrap-controller")) {
    throw illegal("Either --bootstrap-server or --bootstrap-controller must be specified.");
  }
  for (const std::string& type : entities.types) {
    if (std::ranges::find(allowed_types, type) == std::ranges::end(allowed_types)) {
      throw illegal(
          fmt::format("Invalid entity type {}, the entity type must be one of {} with a --bootstrap-server or "
                      "--bootstrap-controller argument",
                      type, fmt::join(allowed_types, ", ")));
    }
  }
  if (entities.types.empty()) throw illegal("At least one entity type must be specified");
  const bool users_and_clients =
      entities.types.size() == 2 && entities.has_type("users") && entities.has_type("clients");
  if (entities.types.size() > 1 && !users_and_clients)
    throw illegal("Only 'users' and 'clients' entity types may be specified together");
  const auto flagged = [&](const auto& flag) { return options.has(flag.first); };
  if ((options.has("entity-name") || options.has("entity-type") || options.has("entity-default")) &&
      (std::ranges::any_of(entity_flags, flagged) || std::ranges::any_of(default_flags, flagged))) {
    throw illegal("--entity-{type,name,default} should not be used in conjunction with specific entity flags");
  }
  if (options.has("bootstrap-server") && options.has("bootstrap-controller")) {
    throw illegal("Only one of --bootstrap-server or --bootstrap-controller can be specified");
  }
  if (entities.has_name() && (entities.has_type("brokers") || entities.has_type("broker-loggers"))) {
    for (const std::string& id : entities.names) {
      if (!id.empty() && !config::parse_java_integer(id, -2147483648LL, 2147483647)) {
        throw illegal(fmt::format("The entity name for {} must be a valid integer broker id, but it is: {}",
                                  entities.types.front(), id));
      }
    }
  }
}

void check(const CommandLine& options, const Entities& entities) {
  if (options.has("alter") == options.has("describe")) {
    options.usage("Command must include exactly one action: --describe, --alter");
  }
  options.exclude("describe", {"alter", "add-config", "delete-config"});
  check_entities(options, entities);
  const std::string types = join(entities.types);
  if (options.has("describe") && entities.has_type("broker-loggers") && !entities.has_name()) {
    throw illegal("An entity name must be specified with --describe of " + types);
  }
  if (!options.has("alter")) return;
  if (entities.quotas() || entities.has_type("brokers")) {
    if (!entities.has_name() && !entities.has_default()) {
      throw illegal(
          "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips");
    }
  } else if (!entities.has_name()) {
    throw illegal("An entity name must be specified with --alter of " + types);
  }
  if (options.has("add-config") && options.has("add-config-file")) {
    throw illegal("Only one of --add-config or --add-config-file must be specified");
  }
  if (!options.has("add-config") && !options.has("add-config-file") && !options.has("delete-config")) {
    throw illegal("At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter");
  }
  if (entities.types.size() != entities.names.size())
    throw illegal("An entity name must be specified for every entity type");
}

// Splits at a character that does not stand inside of [ ].
std::vector<std::string> split_outside_brackets(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  bool inside = false;
  for (const char c : text) {
    if (c == '[') inside = true;
    if (c == ']') inside = false;
    if (c == separator && !inside) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::map<std::string, std::string> configs_to_add(const CommandLine& options) {
  std::map<std::string, std::string> configs;
  if (const auto file = options.find("add-config-file")) {
    for (const auto& [key, value] : load_properties(*file)) configs.insert_or_assign(key, value);
  }
  if (const auto text = options.find("add-config")) {
    for (const std::string& pair : split_outside_brackets(*text, ',')) {
      const auto parts = split_outside_brackets(pair, '=');
      if (parts.size() != 2) {
        throw illegal(
            "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" or  "
            "\"key=[val1,val2]\" to group values which contain commas.");
      }
      std::string value;
      for (const char c : parts[1]) {
        if (c != '[' && c != ']') value += c;
      }
      configs.insert_or_assign(std::string(config::java_trim(parts[0])), std::string(config::java_trim(value)));
    }
  }
  for (const auto& [key, value] : configs) {
    const bool valid = std::ranges::all_of(key, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '$' || c == '.' ||
             c == '_' || c == '-';
    });
    if (!valid) throw illegal("Invalid character found for config key: " + key);
  }
  return configs;
}

std::vector<std::string> configs_to_delete(const CommandLine& options) {
  std::vector<std::string> keys;
  for (const std::string& list : options.values("delete-config")) {
    for (const std::string& key : config::split_list(list)) keys.push_back(key);
  }
  return keys;
}

ResourceType resource_type_of(std::string_view type) {
  if (type == "topics") return ResourceType::topic;
  if (type == "brokers") return ResourceType::broker;
  if (type == "broker-loggers") return ResourceType::broker_logger;
  if (type == "client-metrics") return ResourceType::client_metrics;
  if (type == "groups") return ResourceType::group;
  throw illegal(fmt::format("Configuration of {} is not supported yet", type));
}

ConfigSource dynamic_source(std::string_view type, std::string_view name) {
  if (type == "topics") return ConfigSource::dynamic_topic_config;
  if (type == "brokers")
    return name.empty() ? ConfigSource::dynamic_default_broker_config : ConfigSource::dynamic_broker_config;
  if (type == "broker-loggers") return ConfigSource::dynamic_broker_logger_config;
  if (type == "client-metrics") return ConfigSource::dynamic_client_metrics_config;
  return ConfigSource::dynamic_group_config;
}

std::string singular(const std::string& type) {
  return type.substr(0, type.size() - 1);
}

Task<void> check_loggers(Admin& admin, const std::string& broker, const std::vector<client::ConfigChange>& changes) {
  std::vector<ConfigResource> resources{{ResourceType::broker_logger, broker}};
  const auto descriptions = value_or_throw(co_await admin.describe_configs(std::move(resources), false));
  std::vector<std::string> unknown;
  for (const client::ConfigChange& change : changes) {
    const bool known =
        std::ranges::any_of(descriptions.front().entries, [&](const auto& entry) { return entry.name == change.name; });
    if (!known) unknown.push_back(change.name);
  }
  if (!unknown.empty()) {
    throw JavaException("org.apache.kafka.common.errors.InvalidConfigurationException",
                        "Invalid broker logger(s): " + join(unknown));
  }
}

Task<void> alter(Admin& admin, const CommandLine& options, const Entities& entities) {
  const std::string& type = entities.types.front();
  const std::string& name = entities.names.front();
  std::vector<client::ConfigChange> changes;
  const auto added = configs_to_add(options);
  for (const std::string& key : configs_to_delete(options))
    changes.push_back({key, client::ConfigOperation::remove, ""});
  for (const auto& [key, value] : added) changes.push_back({key, client::ConfigOperation::set, value});
  const ConfigResource resource{resource_type_of(type), name};
  if (resource.type == ResourceType::broker_logger) co_await check_loggers(admin, name, changes);
  ConfigResource altered = resource;
  const auto result = co_await admin.alter_configs(std::move(altered), std::move(changes));
  if (!result && result.error().code() == ErrorCode::unsupported_version) {
    throw JavaException("org.apache.kafka.common.errors.UnsupportedVersionException",
                        "The INCREMENTAL_ALTER_CONFIGS API is not supported by the cluster. The API is supported "
                        "starting from version 2.3.0. "
                        "You may want to use an older version of this tool to interact with your cluster, or upgrade "
                        "your brokers to version "
                        "2.3.0 or newer to avoid this error.");
  }
  value_or_throw(result);
  if (name.empty()) {
    options.streams().line("Completed updating default config for {} in the cluster.", type);
  } else {
    options.streams().line("Completed updating config for {} {}.", singular(type), name);
  }
}

// The names of all entities of a type.
Task<std::vector<std::string>> all_entities(Admin& admin, const std::string& type) {
  std::vector<std::string> names;
  if (type == "topics") {
    const auto topics = value_or_throw(co_await admin.list_topics());
    for (const auto& topic : topics) names.push_back(topic.name);
    order_as_java_map(names, [](const std::string& name) { return std::string_view(name); });
  } else if (type == "brokers" || type == "broker-loggers") {
    const auto cluster = value_or_throw(co_await admin.describe_cluster());
    for (const auto& each : cluster.brokers) names.push_back(fmt::to_string(each.broker.id));
    names.emplace_back();
  } else {
    std::vector<ResourceType> types{resource_type_of(type)};
    const auto resources = value_or_throw(co_await admin.list_config_resources(std::move(types)));
    for (const auto& resource : resources) names.push_back(resource.name);
  }
  co_return std::move(names);
}

void print_configs(Streams& streams, const std::string& type, const std::string& name,
                   std::vector<client::ConfigEntry> entries, bool all) {
  if (name.empty()) {
    streams.line("Default configs for {} in the cluster are:", type);
  } else {
    streams.line("{} configs for {} {} are:", all ? "All" : "Dynamic", singular(type), name);
  }
  std::ranges::sort(entries, {}, &client::ConfigEntry::name);
  const ConfigSource source = dynamic_source(type, name);
  for (const client::ConfigEntry& entry : entries) {
    if (!all && entry.source != source) continue;
    std::string synonyms;
    for (const client::ConfigSynonym& synonym : entry.synonyms) {
      synonyms += fmt::format("{}{}:{}={}", synonyms.empty() ? "" : ", ", config_source_name(synonym.source),
                              synonym.name, synonym.value.value_or("null"));
    }
    streams.line("  {}={} sensitive={} synonyms={{{}}}", entry.name, entry.value.value_or("null"), entry.sensitive,
                 synonyms);
  }
}

Task<void> describe(Admin& admin, const CommandLine& options, const Entities& entities) {
  const std::string& type = entities.types.front();
  const bool all = options.has("all");
  std::vector<std::string> names;
  if (entities.names.empty()) {
    names = co_await all_entities(admin, type);
  } else {
    names.push_back(entities.names.front());
    if (!all && !names.front().empty()) {
      const auto known = co_await all_entities(admin, type);
      if (std::ranges::find(known, names.front()) == known.end()) {
        options.streams().line("The {} '{}' doesn't exist and doesn't have dynamic config.", singular(type),
                               names.front());
        co_return;
      }
    }
  }
  if (names.empty()) co_return;
  std::vector<ConfigResource> resources;
  for (const std::string& name : names) resources.push_back({resource_type_of(type), name});
  auto descriptions = value_or_throw(co_await admin.describe_configs(std::move(resources), true));
  for (const std::string& name : names) {
    const auto found = std::ranges::find_if(
        descriptions, [&](const client::ConfigDescription& each) { return each.resource.name == name; });
    if (found == descriptions.end()) continue;
    if (found->error) throw JavaException::execution(*found->error);
    print_configs(options.streams(), type, name, std::move(found->entries), all);
  }
}

Task<void> run(ToolSystem& system, const CommandLine& options, const Entities& entities,
               client::Properties properties) {
  if (entities.quotas()) {
    throw illegal(
        fmt::format("Configuration of {} is not supported yet: quotas and SCRAM credentials", join(entities.types)));
  }
  const auto client = co_await open_admin(system, std::move(properties));
  Admin admin(*client);
  if (options.has("alter")) {
    co_await alter(admin, options, entities);
  } else {
    co_await describe(admin, options, entities);
  }
}

bool is_plain(const JavaException& exception) {
  return exception.type() == "java.lang.IllegalArgumentException" || exception.type().starts_with("joptsimple.") ||
         exception.type() == "org.apache.kafka.common.errors.InvalidConfigurationException" ||
         exception.type() == "org.apache.kafka.common.errors.UnsupportedVersionException";
}

}  // namespace

int configs_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams,
                      "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, "
                      "client-metrics or group",
                      specs());
  try {
    options.parse(arguments);
    options.help_or_version();
    const Entities entities = entities_of(options);
    check(options, entities);
    client::Properties properties;
    if (const auto file = options.find("command-config")) properties = load_properties(*file);
    if (const auto servers = options.find("bootstrap-server")) {
      properties.insert_or_assign("bootstrap.servers", *servers);
      properties.erase("bootstrap.controllers");
    } else {
      properties.insert_or_assign("bootstrap.controllers", options.value("bootstrap-controller"));
      properties.erase("bootstrap.servers");
    }
    ToolSystem system;
    system.run(run(system, options, entities, std::move(properties)));
    return 0;
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    if (is_plain(exception)) {
      streams.error_line("{}", exception.message());
    } else {
      streams.error_line("Error while executing config command with args '{}'", fmt::join(arguments, " "));
      streams.print_error(exception.stack_trace());
    }
    return 1;
  }
}

}  // namespace klamm::cli
