#include "cli/get_offsets_tool.h"

#include <limits>

#include "cli/tool_client.h"
#include "config/value.h"

namespace klamm::cli {

using client::Admin;
using runtime::Task;

namespace {

constexpr std::string_view description = "An interactive shell for getting topic-partition offsets.";

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "HOST1:PORT1,...,HOST3:PORT3", "REQUIRED: brokers to begin with."},
      {"topic-partitions", Takes::value, "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
       "Which partitions of which topics (a regular expression each): a number, a range without its upper end, or "
       "all."},
      {"topic", Takes::value, "topic", "A regular expression for the topics; all without it."},
      {"partitions", Takes::value, "partition ids", "Partitions of the topics, separated by commas; all without it."},
      {"time", Takes::value,
       "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered "
       "/ -6 or "
       "earliest-pending-upload",
       "Which offset: of the first record at or after a time, or one of these.", "latest"},
      {"command-config", Takes::value, "config file", "A file with properties of the admin client."},
      {"exclude-internal-topics", Takes::nothing, {}, "Leaves out the topics that only brokers write."},
  };
}

constexpr std::pair<std::string_view, std::int64_t> named_times[] = {
    {"earliest", -2},       {"latest", -1},        {"max-timestamp", -3},
    {"earliest-local", -4}, {"latest-tiered", -5}, {"earliest-pending-upload", -6}};

std::int64_t parse_time(const std::string& text) {
  for (const auto& [name, timestamp] : named_times) {
    if (text == name) return timestamp;
  }
  const auto number = config::parse_java_integer(text, std::numeric_limits<std::int64_t>::min(),
                                                 std::numeric_limits<std::int64_t>::max());
  if (!number) {
    throw TerseException(fmt::format(
        "Malformed time argument {}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or "
        "earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp",
        text));
  }
  return *number;
}

// Topics by a regular expression, of them the partitions of a range or of a list.
struct Rule {
  IncludeList topics;
  std::int32_t from = 0;
  std::int32_t to = std::numeric_limits<std::int32_t>::max();  // exclusive
  std::vector<std::int32_t> listed = {};                       // instead of the range

  bool allows(std::string_view topic, std::int32_t partition) const {
    if (!topics.matches(topic)) return false;
    if (!listed.empty()) return std::ranges::find(listed, partition) != listed.end();
    return partition >= from && partition < to;
  }
};

bool is_number(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// "topic", "topic:1", "topic:1-3", "topic:1-", "topic:-3", ":1"
Rule parse_rule(const std::string& text) {
  const auto invalid = [&] {
    return JavaException("java.lang.RuntimeException",
                         "org.apache.kafka.server.common.TerseException: Invalid rule specification: " + text);
  };
  const auto colon = text.find(':');
  const std::string topic = text.substr(0, colon);
  Rule rule{IncludeList(topic.empty() ? ".*" : topic)};
  if (colon == std::string::npos) return rule;
  const std::string range = text.substr(colon + 1);
  const auto dash = range.find('-');
  const std::string low = range.substr(0, dash);
  if (!is_number(low)) throw invalid();
  if (dash == std::string::npos) {
    if (!low.empty()) {
      rule.from = java_int(low);
      rule.to = rule.from + 1;
    }
    return rule;
  }
  const std::string high = range.substr(dash + 1);
  if (!is_number(high)) throw invalid();
  if (!low.empty()) rule.from = java_int(low);
  if (!high.empty()) rule.to = java_int(high);
  return rule;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (true) {
    const auto comma = text.find(',', at);
    parts.push_back(text.substr(at, comma - at));
    if (comma == std::string::npos) break;
    at = comma + 1;
  }
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  return parts;
}

std::vector<Rule> parse_rules(const CommandLine& options) {
  if (options.has("topic-partitions") && (options.has("topic") || options.has("partitions"))) {
    throw TerseException("--topic-partitions cannot be used with --topic or --partitions");
  }
  std::vector<Rule> rules;
  if (const auto list = options.find("topic-partitions")) {
    for (const std::string& text : split(*list)) rules.push_back(parse_rule(text));
    return rules;
  }
  Rule rule{IncludeList(options.find("topic").value_or(".*"))};
  const std::string partitions = options.find("partitions").value_or("");
  for (const std::string& number : split(partitions)) {
    const auto id = config::parse_java_integer(number, std::numeric_limits<std::int32_t>::min(),
                                               std::numeric_limits<std::int32_t>::max());
    if (!id) {
      throw TerseException("--partitions expects a comma separated list of numeric partition ids, but received: " +
                           partitions);
    }
    rule.listed.push_back(static_cast<std::int32_t>(*id));
  }
  rules.push_back(std::move(rule));
  return rules;
}

Task<std::vector<client::PartitionName>> matching_partitions(Admin& admin, const std::vector<Rule>& rules,
                                                             bool without_internal) {
  const auto listings = value_or_throw(co_await admin.list_topics());
  std::vector<std::string> topics;
  for (const auto& topic : listings) {
    if (without_internal && topic.internal) continue;
    if (std::ranges::any_of(rules, [&](const Rule& rule) { return rule.topics.matches(topic.name); }))
      topics.push_back(topic.name);
  }
  std::vector<client::PartitionName> partitions;
  if (topics.empty()) co_return std::move(partitions);
  const auto descriptions = value_or_throw(co_await admin.describe_topics(std::move(topics)));
  for (const auto& topic : descriptions) {
    if (topic.error) throw JavaException::execution(*topic.error);
    for (const auto& partition : topic.partitions) {
      if (std::ranges::any_of(rules, [&](const Rule& rule) { return rule.allows(topic.name, partition.partition); })) {
        partitions.push_back({topic.name, partition.partition});
      }
    }
  }
  co_return std::move(partitions);
}

Task<void> run(ToolSystem& system, const CommandLine& options, client::Properties properties) {
  const std::int64_t time = parse_time(options.value("time"));
  const std::vector<Rule> rules = parse_rules(options);
  const auto client = co_await open_admin(system, std::move(properties));
  Admin admin(*client);
  const auto partitions = co_await matching_partitions(admin, rules, options.has("exclude-internal-topics"));
  if (partitions.empty()) throw TerseException("Could not match any topic-partitions with the specified filters");
  std::map<client::PartitionName, std::int64_t> asked;
  for (const client::PartitionName& name : partitions) asked[name] = time;
  const auto found = value_or_throw(co_await admin.list_offsets(std::move(asked)));
  std::map<std::string, std::string> lines;  // by "topic-partition"
  for (const auto& [name, offset] : found) {
    const std::string shown = fmt::format("{}-{}", name.topic, name.partition);
    if (offset.error) {
      options.streams().error_line("Skip getting offsets for topic-partition {} due to error: {}", shown,
                                   offset.error->to_string());
    } else if (offset.offset != -1) {
      lines[shown] = fmt::format("{}:{}:{}", name.topic, name.partition, offset.offset);
    }
  }
  for (const auto& [name, line] : lines) options.streams().line("{}", line);
}

}  // namespace

int get_offsets_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, description, specs());
  try {
    if (arguments.empty()) options.usage(description);
    try {
      options.parse(arguments);
    } catch (const JavaException& exception) {
      throw TerseException(exception.message());
    }
    options.help_or_version();
    options.require({"bootstrap-server"});
    try {
      validate_bootstrap_server(options.find("bootstrap-server"));
    } catch (const JavaException& exception) {
      options.usage(exception.message());
    }
    client::Properties properties;
    if (const auto file = options.find("command-config")) properties = load_properties(*file);
    properties.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
    properties.insert_or_assign("client.id", "GetOffsetShell");
    ToolSystem system;
    system.run(run(system, options, std::move(properties)));
    return 0;
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const TerseException& exception) {
    streams.error_line("Error occurred: {}", exception.message());
    return 1;
  } catch (const JavaException& exception) {
    streams.print_error("Error occurred: ");
    print_exception(streams, exception);
    return 1;
  }
}

}  // namespace klamm::cli
