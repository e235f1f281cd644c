#include "cli/topics_tool.h"

#include <map>
#include <set>

#include "cli/tool_client.h"
#include "config/keys.h"
#include "config/value.h"

namespace klamm::cli {

using client::Admin;
using client::TopicDescription;
using runtime::Task;

namespace {

constexpr std::string_view configs_hint = " (To alter topic configurations, the kafka-configs tool can be used.)";
constexpr std::string_view actions[] = {"create", "list", "alter", "describe", "delete"};

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "server to connect to", "REQUIRED: a broker to begin with, as host:port."},
      {"command-config", Takes::value, "command config property file", "A file with properties of the admin client."},
      {"list", Takes::nothing, {}, "Prints the names of the topics."},
      {"create", Takes::nothing, {}, "Creates a topic."},
      {"delete", Takes::nothing, {}, "Deletes topics."},
      {"alter", Takes::nothing, {}, "Adds partitions to topics. Their configuration is changed with the configs tool."},
      {"describe", Takes::nothing, {}, "Prints partitions, leaders and replicas."},
      {"topic", Takes::value, "topic", "The topic; except for --create a regular expression."},
      {"topic-id", Takes::value, "topic-id", "The id of the topic to describe."},
      {"config", Takes::value, "name=value",
       "With --create: a configuration of the topic, in place of the brokers'. May be repeated."},
      {"delete-config", Takes::value, "name", "Has no effect since 4.0."},
      {"partitions", Takes::value, "# of partitions",
       "How many partitions the topic gets, or has after --alter. Keys go to other partitions when their number "
       "changes."},
      {"replication-factor", Takes::value, "replication factor",
       "How many replicas each partition gets; the brokers' default otherwise."},
      {"replica-assignment", Takes::value,
       "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , broker_id_for_part2_replica1 : "
       "broker_id_for_part2_replica2 , ...",
       "Which brokers have which partition."},
      {"under-replicated-partitions", Takes::nothing, {}, "With --describe: only partitions that miss replicas."},
      {"unavailable-partitions",
       Takes::nothing,
       {},
       "With --describe: only partitions without a leader that is alive."},
      {"under-min-isr-partitions",
       Takes::nothing,
       {},
       "With --describe: only partitions with fewer in-sync replicas than they must have."},
      {"at-min-isr-partitions",
       Takes::nothing,
       {},
       "With --describe: only partitions with just as many in-sync replicas as they must have."},
      {"topics-with-overrides", Takes::nothing, {}, "With --describe: only topics with a configuration of their own."},
      {"if-exists", Takes::nothing, {}, "With --alter, --delete, --describe: a missing topic is no error."},
      {"if-not-exists", Takes::nothing, {}, "With --create: a topic that is there already is no error."},
      {"exclude-internal", Takes::nothing, {}, "Leaves out the topics that only brokers write."},
      {"partition-size-limit-per-response", Takes::value, "maximum number of partitions per response",
       "With --describe: at most so many partitions are asked for at a time."},
  };
}

// All actions but those that go with the option.
std::vector<std::string_view> actions_without(std::initializer_list<std::string_view> allowed,
                                              std::initializer_list<std::string_view> more = {}) {
  std::vector<std::string_view> invalid;
  for (const std::string_view action : actions) {
    if (std::ranges::find(allowed, action) == allowed.end()) invalid.push_back(action);
  }
  invalid.insert(invalid.end(), more.begin(), more.end());
  return invalid;
}

void check(const CommandLine& options) {
  if (std::ranges::count_if(actions, [&](std::string_view action) { return options.has(action); }) != 1) {
    options.usage("Command must include exactly one action: --list, --describe, --create, --alter or --delete");
  }
  if (options.has("delete-config")) {
    options.streams().error_line(
        "delete-config option is no longer supported and deprecated since version 4.0. The config will be fully "
        "removed in future "
        "releases.");
  }
  if (!options.has("bootstrap-server")) {
    throw JavaException("java.lang.IllegalArgumentException", "--bootstrap-server must be specified");
  }
  if (options.has("describe") && options.has("if-exists")) {
    if (!options.has("topic") && !options.has("topic-id"))
      options.usage("--topic or --topic-id is required to describe a topic");
    if (options.has("topic") && options.has("topic-id")) {
      options.streams().line(
          "Only topic id will be used when both --topic and --topic-id are specified and topicId is not "
          "Uuid.ZERO_UUID");
    }
  }
  if (!options.has("list") && !options.has("describe")) options.require({"topic"});
  if (options.has("alter")) {
    if (options.has("config")) {
      options.usage(
          fmt::format("Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\"{}",
                      configs_hint));
    }
    options.require({"partitions"});
  }
  const auto exclude = [&](std::string_view used, const std::vector<std::string_view>& invalid) {
    options.exclude(used, std::span(invalid));
  };
  exclude("config", actions_without({"alter", "create"}));
  exclude("partitions", actions_without({"alter", "create"}));
  exclude("replication-factor", actions_without({"create"}));
  exclude("replica-assignment", actions_without({"alter", "create"}));
  if (options.has("create")) options.exclude("replica-assignment", {"partitions", "replication-factor"});
  for (const auto report :
       {"under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions"}) {
    exclude(report, actions_without({"describe"}, {"topics-with-overrides"}));
  }
  exclude("topics-with-overrides",
          actions_without({"describe"}, {"under-replicated-partitions", "under-min-isr-partitions",
                                         "at-min-isr-partitions", "unavailable-partitions"}));
  exclude("if-exists", actions_without({"alter", "delete", "describe"}));
  exclude("if-not-exists", actions_without({"create"}));
  exclude("exclude-internal", actions_without({"list", "describe"}));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
  }
  while (!parts.empty() && parts.back().empty()) parts.pop_back();  // as Java's split
  return parts;
}

std::map<std::int32_t, std::vector<std::int32_t>> parse_assignment(std::string_view text) {
  std::map<std::int32_t, std::vector<std::int32_t>> assignment;
  std::int32_t partition = 0;
  for (const std::string& brokers : split(text, ',')) {
    std::vector<std::int32_t> ids;
    std::string duplicates;
    for (const std::string& broker : split(brokers, ':')) {
      const std::int32_t id = java_int(config::java_trim(broker));
      if (std::ranges::find(ids, id) != ids.end()) duplicates += fmt::format("{}{}", duplicates.empty() ? "" : ",", id);
      ids.push_back(id);
    }
    if (!duplicates.empty()) {
      throw JavaException("org.apache.kafka.tools.AdminCommandFailedException",
                          "Partition replica lists may not contain duplicate entries: " + duplicates);
    }
    assignment[partition] = ids;
    if (ids.size() != assignment[0].size()) {
      throw JavaException(
          "org.apache.kafka.tools.AdminOperationException",
          fmt::format("Partition {} has different replication factor: [{}]", partition, fmt::join(ids, ", ")));
    }
    ++partition;
  }
  return assignment;
}

std::map<std::string, std::string> parse_configs(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> configs;
  config::Properties properties;
  for (const std::string& argument : arguments) {
    const auto parts = split(argument, '=');
    if (parts.size() != 2) {
      throw JavaException(
          "java.lang.IllegalArgumentException",
          "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".");
    }
    configs.insert_or_assign(std::string(config::java_trim(parts[0])), std::string(config::java_trim(parts[1])));
  }
  for (const auto& [key, value] : configs) {
    if (config::topic_keys().find(key) == nullptr) {
      throw JavaException("org.apache.kafka.common.errors.InvalidConfigurationException",
                          "Unknown topic config name: " + key);
    }
    properties.emplace(key, value);
  }
  if (const auto values = config::topic_keys().parse(properties); !values) {
    throw JavaException(std::string(values.error().java_class()), values.error().message);
  }
  return configs;
}

// What --create and --alter say of a topic.
struct WantedTopic {
  std::string name;
  std::optional<std::int32_t> partitions;
  std::optional<std::int32_t> replication_factor;
  std::map<std::int32_t, std::vector<std::int32_t>> assignment;
  std::map<std::string, std::string> configs;

  explicit WantedTopic(const CommandLine& options) : name(options.value("topic")) {
    if (options.has("partitions")) partitions = options.int_value("partitions");
    if (options.has("replication-factor")) replication_factor = options.int_value("replication-factor");
    if (const auto text = options.find("replica-assignment"); text && !text->empty())
      assignment = parse_assignment(*text);
    configs = parse_configs(options.values("config"));
  }
};

Task<std::vector<std::string>> matching_topics(Admin& admin, const CommandLine& options) {
  const auto listings = value_or_throw(co_await admin.list_topics());
  const bool without_internal = options.has("exclude-internal");
  const auto wanted = options.find("topic");
  const std::optional<IncludeList> filter = wanted ? std::optional<IncludeList>(*wanted) : std::nullopt;
  std::vector<std::string> names;
  for (const auto& topic : listings) {
    if (without_internal && (topic.internal || is_internal_topic(topic.name))) continue;
    if (!filter || filter->matches(topic.name)) names.push_back(topic.name);
  }
  std::ranges::sort(names);
  co_return std::move(names);
}

void ensure_exists(const std::vector<std::string>& found, const CommandLine& options) {
  const auto wanted = options.find("topic");
  if (found.empty() && wanted && !wanted->empty() && !options.has("if-exists")) {
    throw JavaException("java.lang.IllegalArgumentException",
                        fmt::format("Topic '{}' does not exist as expected", *wanted));
  }
}

Task<void> create_topic(Admin& admin, const CommandLine& options) {
  const WantedTopic wanted(options);
  if (wanted.name.find_first_of("._") != std::string::npos) {
    options.streams().line(
        "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To "
        "avoid issues it is "
        "best to use either, but not both.");
  }
  const auto illegal = [](const char* text) { return JavaException("java.lang.IllegalArgumentException", text); };
  if (wanted.replication_factor && (*wanted.replication_factor > 32767 || *wanted.replication_factor < 1)) {
    throw illegal("The replication factor must be between 1 and 32767 inclusive");
  }
  if (wanted.partitions && *wanted.partitions < 1) throw illegal("The partitions must be greater than 0");

  client::TopicSpec spec{
      .name = wanted.name, .partitions = wanted.partitions, .assignment = wanted.assignment, .configs = wanted.configs};
  if (wanted.replication_factor) spec.replication_factor = static_cast<std::int16_t>(*wanted.replication_factor);
  const auto created = co_await admin.create_topic(spec);
  if (!created) {
    if (created.error().code() == ErrorCode::topic_already_exists && options.has("if-not-exists")) co_return;
    throw JavaException(created.error());
  }
  options.streams().line("Created topic {}.", wanted.name);
}

Task<void> list_topics(Admin& admin, const CommandLine& options) {
  const auto names = co_await matching_topics(admin, options);
  options.streams().line("{}", fmt::join(names, "\n"));
}

Task<void> alter_topics(Admin& admin, const CommandLine& options) {
  const WantedTopic wanted(options);
  const auto names = co_await matching_topics(admin, options);
  ensure_exists(names, options);
  if (names.empty()) co_return;
  std::vector<std::string> asked = names;
  const auto descriptions = value_or_throw(co_await admin.describe_topics(std::move(asked)));
  for (const std::string& name : names) {
    std::optional<std::vector<std::vector<std::int32_t>>> assignment;
    if (!wanted.assignment.empty()) {
      const auto found = std::ranges::find(descriptions, name, &TopicDescription::name);
      const std::size_t present = found == descriptions.end() ? 0 : found->partitions.size();
      assignment.emplace();
      for (const auto& [partition, brokers] : wanted.assignment) {
        if (static_cast<std::size_t>(partition) >= present) assignment->push_back(brokers);
      }
    }
    std::string topic = name;
    value_or_throw(co_await admin.create_partitions(std::move(topic), *wanted.partitions, std::move(assignment)));
  }
}

Task<void> delete_topics(Admin& admin, const CommandLine& options) {
  auto names = co_await matching_topics(admin, options);
  ensure_exists(names, options);
  if (names.empty()) co_return;
  const auto outcomes = value_or_throw(co_await admin.delete_topics(std::move(names)));
  for (const auto& outcome : outcomes) {
    if (outcome.error) throw JavaException(*outcome.error);
  }
}

// What --describe prints, and of which partitions.
class Description {
 public:
  Description(const CommandLine& options, std::set<std::int32_t> live) : options_(options), live_(std::move(live)) {}

  void print(const TopicDescription& topic, const std::vector<client::ConfigEntry>& configs,
             const std::map<client::PartitionName, client::Reassignment>& reassignments) {
    const auto reassignment_of = [&](std::int32_t partition) -> const client::Reassignment* {
      const auto found = reassignments.find({topic.name, partition});
      return found == reassignments.end() ? nullptr : &found->second;
    };
    std::int32_t min_isr = 1;
    bool overridden = false;
    for (const client::ConfigEntry& entry : configs) {
      overridden = overridden || !entry.is_default();
      if (entry.name == "min.insync.replicas" && entry.value) min_isr = java_int(*entry.value);
    }
    if (!any_report() && !topic.partitions.empty() && (!options_.has("topics-with-overrides") || overridden)) {
      const auto& first = topic.partitions.front();
      print_topic(topic, configs, replication_factor(first, reassignment_of(first.partition)));
    }
    if (options_.has("topics-with-overrides")) return;
    for (const client::PartitionDescription& partition : topic.partitions) {
      const client::Reassignment* reassignment = reassignment_of(partition.partition);
      if (wanted(partition, reassignment, min_isr)) print_partition(topic.name, partition, reassignment);
    }
  }

 private:
  bool any_report() const {
    return options_.has("unavailable-partitions") || options_.has("under-replicated-partitions") ||
           options_.has("under-min-isr-partitions") || options_.has("at-min-isr-partitions");
  }

  // While replicas are being moved, those that come do not count yet.
  static std::size_t replication_factor(const client::PartitionDescription& partition,
                                        const client::Reassignment* reassignment) {
    if (reassignment == nullptr) return partition.replicas.size();
    const auto changing = [&](std::int32_t id) {
      return std::ranges::find(reassignment->adding, id) != reassignment->adding.end() ||
             std::ranges::find(reassignment->removing, id) != reassignment->removing.end();
    };
    const bool going_on = std::ranges::any_of(partition.replicas, changing);
    return going_on ? reassignment->replicas.size() - reassignment->adding.size() : partition.replicas.size();
  }

  bool wanted(const client::PartitionDescription& partition, const client::Reassignment* reassignment,
              std::int32_t min_isr) const {
    if (!any_report()) return true;
    const bool has_leader = partition.leader >= 0;
    const auto isr = static_cast<std::int32_t>(partition.isr.size());
    return (options_.has("under-replicated-partitions") &&
            replication_factor(partition, reassignment) > partition.isr.size()) ||
           (options_.has("unavailable-partitions") && (!has_leader || !live_.contains(partition.leader))) ||
           (options_.has("under-min-isr-partitions") && (!has_leader || isr < min_isr)) ||
           (options_.has("at-min-isr-partitions") && isr == min_isr);
  }

  void print_topic(const TopicDescription& topic, const std::vector<client::ConfigEntry>& configs,
                   std::size_t factor) const {
    std::string overridden;
    for (const client::ConfigEntry& entry : configs) {
      if (entry.is_default()) continue;
      overridden += fmt::format("{}{}={}", overridden.empty() ? "" : ",", entry.name, entry.value.value_or("null"));
    }
    options_.streams().line("Topic: {}{}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}", topic.name,
                            topic.id.is_zero() ? "" : "\tTopicId: " + topic.id.to_string(), topic.partitions.size(),
                            factor, overridden);
  }

  void print_partition(const std::string& topic, const client::PartitionDescription& partition,
                       const client::Reassignment* reassignment) const {
    std::string line =
        fmt::format("\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}", topic, partition.partition,
                    partition.leader >= 0 ? fmt::to_string(partition.leader) : "none",
                    fmt::join(partition.replicas, ","), fmt::join(partition.isr, ","));
    if (reassignment != nullptr) {
      line += fmt::format("\tAdding Replicas: {}\tRemoving Replicas: {}", fmt::join(reassignment->adding, ","),
                          fmt::join(reassignment->removing, ","));
    }
    const auto brokers = [](const std::optional<std::vector<std::int32_t>>& ids) {
      return ids ? fmt::format("{}", fmt::join(*ids, ",")) : std::string("N/A");
    };
    options_.streams().line("{}\tElr: {}\tLastKnownElr: {}", line, brokers(partition.elr),
                            brokers(partition.last_known_elr));
  }

  const CommandLine& options_;
  std::set<std::int32_t> live_;
};

Task<std::vector<TopicDescription>> described_topics(Admin& admin, const CommandLine& options) {
  std::optional<Uuid> id;
  if (const auto text = options.find("topic-id")) {
    id = Uuid::parse(*text);
    if (!id) throw JavaException("java.lang.IllegalArgumentException", "Last unit does not have enough valid bits");
    if (id->is_zero()) id.reset();
  }
  std::vector<TopicDescription> topics;
  if (id) {
    const auto listings = value_or_throw(co_await admin.list_topics());
    const bool found = std::ranges::any_of(listings, [&](const auto& topic) { return topic.id == *id; });
    if (!found && !options.has("if-exists")) {
      throw JavaException("java.lang.IllegalArgumentException",
                          fmt::format("TopicId '{}' does not exist as expected", id->to_string()));
    }
    if (!found) co_return std::move(topics);
    std::vector<Uuid> ids{*id};
    topics = value_or_throw(co_await admin.describe_topics(std::move(ids)));
  } else {
    auto names = co_await matching_topics(admin, options);
    ensure_exists(names, options);
    if (names.empty()) co_return std::move(topics);
    const std::int32_t limit = options.has("partition-size-limit-per-response")
                                   ? options.int_value("partition-size-limit-per-response")
                                   : 2000;
    topics = value_or_throw(co_await admin.describe_topics(std::move(names), limit));
  }
  for (const TopicDescription& topic : topics) {
    if (topic.error) throw JavaException(*topic.error);
  }
  order_as_java_map(topics, [](const TopicDescription& topic) { return std::string_view(topic.name); }, topics.size());
  co_return std::move(topics);
}

Task<void> describe_topics(Admin& admin, const CommandLine& options) {
  auto topics = co_await described_topics(admin, options);
  std::vector<client::ConfigResource> resources;
  std::vector<client::PartitionName> partitions;
  for (TopicDescription& topic : topics) {
    resources.push_back({client::ResourceType::topic, topic.name});
    std::ranges::sort(topic.partitions, {}, &client::PartitionDescription::partition);
    for (const auto& partition : topic.partitions) partitions.push_back({topic.name, partition.partition});
  }
  std::map<std::string, std::vector<client::ConfigEntry>> configs;
  if (!resources.empty()) {
    auto descriptions = value_or_throw(co_await admin.describe_configs(std::move(resources), false));
    for (auto& description : descriptions) {
      if (description.error) throw JavaException(*description.error);
      order_as_java_map(description.entries,
                        [](const client::ConfigEntry& entry) { return std::string_view(entry.name); });
      configs[description.resource.name] = std::move(description.entries);
    }
  }
  const auto cluster = value_or_throw(co_await admin.describe_cluster());
  std::set<std::int32_t> live;
  for (const auto& each : cluster.brokers) live.insert(each.broker.id);
  std::map<client::PartitionName, client::Reassignment> reassignments;
  if (!partitions.empty()) {
    const auto found = co_await admin.list_reassignments(std::move(partitions));
    if (found) {
      reassignments = *found;
    } else if (found.error().code() != ErrorCode::unsupported_version &&
               found.error().code() != ErrorCode::cluster_authorization_failed) {
      throw JavaException::execution(found.error());
    }
  }
  Description description(options, std::move(live));
  for (const TopicDescription& topic : topics) description.print(topic, configs[topic.name], reassignments);
}

Task<int> run(ToolSystem& system, const CommandLine& options, client::Properties properties) {
  const auto client = co_await open_admin(system, std::move(properties));
  Admin admin(*client);
  Streams& streams = options.streams();
  try {
    if (options.has("create")) co_await create_topic(admin, options);
    if (options.has("alter")) co_await alter_topics(admin, options);
    if (options.has("list")) co_await list_topics(admin, options);
    if (options.has("describe")) co_await describe_topics(admin, options);
    if (options.has("delete")) co_await delete_topics(admin, options);
  } catch (const JavaException& exception) {
    const JavaException& shown =
        exception.type() == "java.util.concurrent.ExecutionException" && exception.cause() != nullptr
            ? *exception.cause()
            : exception;
    streams.line("Error while executing topic command : {}", shown.message());
    streams.flush();
    Logger(system.log(), "org.apache.kafka.tools.TopicCommand").error("{}", shown.stack_trace());
    co_return 1;
  }
  co_return 0;
}

}  // namespace

int topics_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, "This tool helps to create, delete, describe, or change a topic.", specs());
  try {
    options.parse(arguments);
    options.help_or_version();
    check(options);
    client::Properties properties;
    if (const auto file = options.find("command-config")) properties = load_properties(*file);
    properties.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
    ToolSystem system;
    return system.run(run(system, options, std::move(properties)));
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    print_exception(streams, exception);
    return 1;
  }
}

}  // namespace klamm::cli
