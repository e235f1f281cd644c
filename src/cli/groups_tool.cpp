#include "cli/groups_tool.h"

#include <algorithm>
#include <array>
#include <optional>

#include "cli/tool_client.h"
#include "client/groups_admin.h"
#include "config/value.h"

namespace klamm::cli {

using client::GroupListing;
using client::GroupType;
using runtime::Task;

namespace {

constexpr std::string_view description = "This tool helps to list groups of all types.";
constexpr std::chrono::milliseconds patience = std::chrono::seconds(30);

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "server to connect to", "REQUIRED: brokers to begin with, as host:port."},
      {"command-config", Takes::value, "command config property file", "A file with properties of the admin client."},
      {"list", Takes::nothing, {}, "Prints the groups with their types and protocols."},
      {"group-type", Takes::value, "type", "Only groups of this type: classic, consumer, share or streams."},
      {"protocol", Takes::value, "protocol", "Only groups with this protocol."},
      {"consumer",
       Takes::nothing,
       {},
       "Only groups of consumers: those of the consumer protocol, and classic ones that are of consumers or only keep "
       "offsets."},
      {"share", Takes::nothing, {}, "Only share groups."},
      {"streams", Takes::nothing, {}, "Only streams groups."},
  };
}

// Which groups are shown.
struct Shown {
  std::optional<GroupType> type;
  std::optional<std::string> protocol;
  bool consumer = false;
  bool share = false;
  bool streams = false;

  bool allows(const GroupListing& group) const {
    if (type) return group.type == type && (!protocol || group.protocol_type == *protocol);
    if (protocol) return group.protocol_type == *protocol;
    if (consumer) {
      return group.protocol_type == "consumer" || group.protocol_type.empty() || group.type == GroupType::consumer;
    }
    if (share) return group.type == GroupType::share;
    if (streams) return group.type == GroupType::streams;
    return true;
  }
};

Shown read_filter(const CommandLine& options) {
  Shown shown{.type = {},
              .protocol = options.find("protocol"),
              .consumer = options.has("consumer"),
              .share = options.has("share"),
              .streams = options.has("streams")};
  if (const auto text = options.find("group-type")) {
    shown.type = client::group_type_of(*text);
    if (shown.type == GroupType::unknown) {
      throw JavaException("java.lang.IllegalArgumentException", "--group-type must be a valid group type.");
    }
  }
  options.exclude("consumer", {"group-type", "protocol", "share", "streams"});
  options.exclude("share", {"consumer", "group-type", "protocol", "streams"});
  options.exclude("streams", {"consumer", "group-type", "protocol", "share"});
  return shown;
}

void print(Streams& streams, const std::vector<GroupListing>& groups) {
  std::vector<std::array<std::string, 3>> rows;
  std::size_t width = 20;
  for (const GroupListing& group : groups) {
    rows.push_back(
        {group.id, group.type ? std::string(client::group_type_name(*group.type)) : "", group.protocol_type});
    for (const std::string& cell : rows.back()) width = std::max(width, cell.size());
  }
  streams.line("{0:<{3}} {1:<{3}} {2:<{3}}", "GROUP", "TYPE", "PROTOCOL", width);
  for (const auto& [id, type, protocol] : rows) streams.line("{0:<{3}} {1:<{3}} {2:<{3}} ", id, type, protocol, width);
}

// The tool waits half a minute, however long the client would.
Task<std::vector<GroupListing>> listed(client::Client& client) {
  const auto given = client.properties().find("default.api.timeout.ms");
  const auto own = given == client.properties().end()
                       ? std::nullopt
                       : config::parse_java_integer(given->second, 0, std::numeric_limits<std::int32_t>::max());
  const bool shorter = own && std::chrono::milliseconds(*own) <= patience;
  client::GroupsAdmin admin(client, shorter ? std::nullopt : std::optional<runtime::Duration>(patience));
  auto found = co_await admin.list();
  if (!found && !shorter && found.error().cause() != nullptr) {
    throw JavaException("java.util.concurrent.TimeoutException", "null");
  }
  auto groups = value_or_throw_cause(std::move(found));
  order_as_java_map(groups, [](const GroupListing& group) { return std::string_view(group.id); });
  co_return groups;
}

Task<void> run(ToolSystem& system, const CommandLine& options, client::Properties properties, Shown shown) {
  const auto client = co_await open_admin(system, std::move(properties));
  auto groups = co_await listed(*client);
  std::erase_if(groups, [&](const GroupListing& group) { return !shown.allows(group); });
  print(options.streams(), groups);
}

int run_and_tell(const CommandLine& options, client::Properties properties, Shown shown) {
  ToolSystem system;
  try {
    system.run(run(system, options, std::move(properties), std::move(shown)));
    return 0;
  } catch (const JavaException& exception) {
    options.streams().line("Error while executing groups command : {}", exception.message());
    options.streams().flush();
    Logger(system.log(), "org.apache.kafka.tools.GroupsCommand").error("{}", exception.stack_trace());
    return 1;
  }
}

}  // namespace

int groups_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, description, specs());
  try {
    try {
      options.parse(arguments);
    } catch (const JavaException& exception) {
      options.usage(exception.message());
    }
    if (!options.has("help") && !options.has("version") && !options.has("bootstrap-server")) {
      options.usage("Missing required option(s) [bootstrap-server]");
    }
    options.help_or_version();
    if (!options.has("list")) options.usage("Command must include exactly one action: --list.");
    Shown shown = read_filter(options);
    client::Properties properties;
    if (const auto file = options.find("command-config")) properties = load_properties(*file);
    properties.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
    properties.emplace("client.id", "adminclient-1");
    return run_and_tell(options, std::move(properties), std::move(shown));
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    print_exception(streams, exception);
    return 1;
  }
}

}  // namespace klamm::cli
