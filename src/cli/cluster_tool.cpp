#include "cli/cluster_tool.h"

#include "cli/api_versions_text.h"
#include "cli/subcommand_line.h"
#include "cli/tool_client.h"
#include "config/value.h"

namespace klamm::cli {

using client::Admin;
using runtime::Task;

namespace {

Subcommand command(std::string_view name, std::string_view help, std::vector<SubcommandOption> own = {}) {
  constexpr int servers = 1;
  std::vector<SubcommandOption> options{
      {"--bootstrap-server", "-b", Takes::value, false, servers, "A broker to begin with, as host:port."},
      {"--bootstrap-controller", "-C", Takes::value, false, servers, "A controller to begin with, as host:port."},
      {"--config", {}, Takes::value, false, 0, "(DEPRECATED) Use --command-config."},
      {"--command-config", "-c", Takes::value, false, 0, "A file with properties of the admin client."},
  };
  options.insert(options.end(), own.begin(), own.end());
  return {name, help, std::move(options), {servers}};
}

std::vector<Subcommand> commands() {
  return {
      command("cluster-id", "Prints the cluster's id."),
      command("unregister", "Removes the registration of a broker.",
              {{"--id", "-i", Takes::value, true, 0, "The broker's id."}}),
      command("list-endpoints", "Lists where brokers or controllers listen.",
              {{"--include-fenced-brokers", {}, Takes::nothing, false, 0, "Also brokers that do not serve."}}),
      command("api-versions", "Prints which API versions brokers or controllers serve."),
  };
}

Task<void> print_cluster_id(Admin& admin, Streams& streams) {
  const auto cluster = value_or_throw(co_await admin.describe_cluster());
  streams.line("Cluster ID: {}", cluster.cluster_id);
}

Task<void> unregister(Admin& admin, Streams& streams, std::int32_t id) {
  const auto result = co_await admin.unregister_broker(id);
  if (!result && result.error().code() == ErrorCode::unsupported_version) {
    streams.line("The target cluster does not support the broker unregistration API.");
    co_return;
  }
  value_or_throw(result);
  streams.line("Broker {} is no longer registered.", id);
}

Task<void> list_endpoints(Admin& admin, Streams& streams, bool controllers, bool fenced) {
  const auto cluster = co_await admin.describe_cluster(fenced);
  if (!cluster && cluster.error().code() == ErrorCode::unsupported_version) {
    streams.line("{}", cluster.error().message());
    co_return;
  }
  const auto described = value_or_throw(cluster);
  std::size_t host_width = described.brokers.empty() ? 100 : 0;
  std::optional<std::size_t> rack_width;
  for (const auto& each : described.brokers) {
    host_width = std::max(host_width, each.broker.host.size());
    if (each.broker.rack) rack_width = std::max(rack_width.value_or(0), each.broker.rack->size());
  }
  const std::size_t racks = rack_width.value_or(10);
  const auto line = [&](std::string_view id, std::string_view host, std::string_view port, std::string_view rack,
                        std::string_view state, std::string_view type) {
    std::string text = fmt::format("{:<10} {:<{}} {:<10} {:<{}} ", id, host, host_width, port, rack, racks);
    if (!controllers) text += fmt::format("{:<10} ", state);
    streams.line("{}{:<15}", text, type);
  };
  line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
  for (const auto& each : described.brokers) {
    line(fmt::to_string(each.broker.id), each.broker.host, fmt::to_string(each.broker.port),
         each.broker.rack.value_or("null"), each.fenced ? "fenced" : "unfenced", controllers ? "controller" : "broker");
  }
}

Task<void> print_api_versions(Admin& admin, Streams& streams) {
  const auto cluster = value_or_throw(co_await admin.describe_cluster());
  for (const auto& [broker, fenced] : cluster.brokers) {
    const auto versions = co_await admin.api_versions(broker.id);
    streams.line("{} -> {}", broker.to_string(fenced),
                 versions ? api_versions_text(*versions) : "ERROR: " + versions.error().to_string());
  }
}

Task<void> run(ToolSystem& system, const ParsedSubcommand& line, std::optional<std::int32_t> id,
               client::Properties properties, Streams& streams) {
  const bool controllers = line.has("--bootstrap-controller");
  if (controllers && line.has("--include-fenced-brokers")) {
    throw JavaException("java.lang.IllegalArgumentException",
                        "The option --include-fenced-brokers is only supported with --bootstrap-server option");
  }
  const auto client = co_await open_admin(system, std::move(properties));
  Admin admin(*client);
  if (line.command() == "cluster-id") co_await print_cluster_id(admin, streams);
  if (line.command() == "unregister") co_await unregister(admin, streams, *id);
  if (line.command() == "list-endpoints") {
    co_await list_endpoints(admin, streams, controllers, line.has("--include-fenced-brokers"));
  }
  if (line.command() == "api-versions") co_await print_api_versions(admin, streams);
}

client::Properties client_properties(const ParsedSubcommand& line, Streams& streams) {
  if (line.has("--config") && line.has("--command-config")) {
    throw JavaException("net.sourceforge.argparse4j.inf.ArgumentParserException",
                        "--config and --command-config cannot be specified together.");
  }
  client::Properties properties;
  if (const auto file = line.find("--config")) {
    streams.line(
        "Option --config has been deprecated and will be removed in a future version. Use --command-config instead.");
    properties = load_properties(*file);
  }
  if (const auto file = line.find("--command-config")) properties = load_properties(*file);
  if (const auto servers = line.find("--bootstrap-server")) {
    properties.insert_or_assign("bootstrap.servers", *servers);
    properties.erase("bootstrap.controllers");
  } else {
    properties.insert_or_assign("bootstrap.controllers", line.value("--bootstrap-controller"));
    properties.erase("bootstrap.servers");
  }
  properties.emplace("client.id", "adminclient-1");
  return properties;
}

std::optional<std::int32_t> broker_id(const ParsedSubcommand& line, Streams& streams) {
  const auto text = line.find("--id");
  if (!text) return std::nullopt;
  const auto number = config::parse_java_integer(*text, -2147483648LL, 2147483647);
  if (!number) {
    streams.error_line("kafka-cluster: error: argument --id/-i: could not convert '{}' to Integer (32 bits)", *text);
    throw ToolExit{1};
  }
  return static_cast<std::int32_t>(*number);
}

}  // namespace

int cluster_tool(Arguments arguments, Streams& streams) {
  const SubcommandLine parser(streams, "kafka-cluster", "The Kafka cluster tool.", commands());
  try {
    const ParsedSubcommand line = parser.parse(arguments);
    const auto id = broker_id(line, streams);
    client::Properties properties = client_properties(line, streams);
    ToolSystem system;
    system.run(run(system, line, id, std::move(properties), streams));
    return 0;
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    print_exception(streams, exception);
    return 1;
  }
}

}  // namespace klamm::cli
