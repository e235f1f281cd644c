#include "cli/broker_api_versions_tool.h"

#include "cli/api_versions_text.h"
#include "cli/tool_client.h"

namespace klamm::cli {

using runtime::Task;

namespace {

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "server(s) to use for bootstrapping",
       "REQUIRED: a broker to begin with, as host:port."},
      {"command-config", Takes::value, "command config property file", "A file with properties of the admin client."},
  };
}

Task<void> run(ToolSystem& system, const CommandLine& options, client::Properties properties) {
  const auto servers = client::parse_bootstrap_servers(options.value("bootstrap-server"));
  const auto client = co_await open_admin(system, std::move(properties));
  client::Admin admin(*client);
  const auto cluster = co_await admin.describe_cluster();
  if (!cluster) {
    // This tool looks for brokers by itself, and says which ones it tried.
    std::string tried;
    std::int32_t id = 0;
    for (const client::HostPort& server : *servers) {
      const client::Broker broker{--id, server.host, server.port, std::nullopt};
      tried += fmt::format("{}{}", tried.empty() ? "" : ", ", broker.to_string());
    }
    throw JavaException("java.lang.RuntimeException", fmt::format("Request METADATA failed on brokers [{}]", tried));
  }
  for (const auto& [broker, fenced] : cluster->brokers) {
    const auto versions = co_await admin.api_versions(broker.id);
    options.streams().line("{} -> {}", broker.to_string(fenced),
                           versions ? api_versions_text(*versions) : "ERROR: " + versions.error().to_string());
  }
}

}  // namespace

int broker_api_versions_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, "This tool helps to retrieve broker version information.", specs());
  try {
    options.parse(arguments);
    options.help_or_version();
    options.require({"bootstrap-server"});
    client::Properties properties;
    if (const auto file = options.find("command-config")) properties = load_properties(*file);
    properties.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
    properties.emplace("client.id", "admin-1");
    ToolSystem system;
    system.run(run(system, options, std::move(properties)));
    return 0;
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    print_exception(streams, exception);
    return 1;
  }
}

}  // namespace klamm::cli
