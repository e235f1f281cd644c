#include "cli/log_dirs_tool.h"

#include <set>

#include "cli/json_reader.h"
#include "cli/tool_client.h"

namespace klamm::cli {

using client::LogDirectoryDescription;
using runtime::Task;

namespace {

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "The server(s) to use for bootstrapping",
       "REQUIRED: a broker to begin with, as host:port."},
      {"command-config", Takes::value, "Admin client property file", "A file with properties of the admin client."},
      {"describe", Takes::nothing, {}, "REQUIRED: prints the directories."},
      {"topic-list", Takes::value, "Topic list", "Only these topics: topic1,topic2.", ""},
      {"broker-list", Takes::value, "Broker list", "Only these brokers: 0,1,2.", ""},
  };
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at <= text.size()) {
    const auto comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

std::string replicas_json(const LogDirectoryDescription& directory, const std::set<std::string>& topics) {
  using Replica = client::ReplicaInDirectory;
  const auto key = [](const Replica& replica) {
    return TopicPartition{replica.topic, PartitionIndex(replica.partition)};
  };
  // Twice through a hash map, as the answer and as what is left of it.
  std::vector<Replica> replicas = directory.replicas;
  order_as_java_map(replicas, key);
  std::erase_if(replicas, [&](const Replica& replica) { return !topics.empty() && !topics.contains(replica.topic); });
  order_as_java_map(replicas, key);
  std::string json;
  for (const Replica& replica : replicas) {
    json += fmt::format(R"({}{{"partition":{},"size":{},"offsetLag":{},"isFuture":{}}})", json.empty() ? "" : ",",
                        json_string(key(replica).to_string()), replica.size_bytes, replica.offset_lag, replica.future);
  }
  return json;
}

std::string as_json(const std::map<std::int32_t, std::vector<LogDirectoryDescription>>& brokers,
                    const std::set<std::string>& topics) {
  std::string list;
  for (const auto& [broker, described] : brokers) {
    std::vector<LogDirectoryDescription> directories = described;
    order_as_java_map(
        directories, [](const auto& directory) { return std::string_view(directory.path); }, directories.size());
    std::string dirs;
    for (const LogDirectoryDescription& directory : directories) {
      const std::string error = directory.error ? json_string(directory.error->exception_class()) : "null";
      dirs += fmt::format(R"({}{{"partitions":[{}],"error":{},"logDir":{}}})", dirs.empty() ? "" : ",",
                          replicas_json(directory, topics), error, json_string(directory.path));
    }
    list += fmt::format(R"({}{{"broker":{},"logDirs":[{}]}})", list.empty() ? "" : ",", broker, dirs);
  }
  return fmt::format(R"({{"brokers":[{}],"version":1}})", list);
}

Task<void> run(ToolSystem& system, const CommandLine& options, client::Properties properties) {
  const auto client = co_await open_admin(system, std::move(properties));
  client::Admin admin(*client);
  std::set<std::string> topics;
  for (std::string& topic : split(options.value("topic-list"))) topics.insert(std::move(topic));
  const auto cluster = value_or_throw(co_await admin.describe_cluster());
  std::set<std::int32_t> existing;
  for (const auto& each : cluster.brokers) existing.insert(each.broker.id);
  std::set<std::int32_t> wanted;
  std::set<std::int32_t> missing;
  for (const std::string& text : split(options.value("broker-list"))) {
    const std::int32_t id = java_int(text);
    (existing.contains(id) ? wanted : missing).insert(id);
  }
  if (!missing.empty()) {
    throw TerseException(
        fmt::format("ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
                    fmt::join(missing, ","), fmt::join(existing, ",")));
  }
  if (wanted.empty()) wanted = existing;
  Streams& streams = options.streams();
  streams.line("Querying brokers for log directories information");
  std::vector<std::int32_t> ids(wanted.begin(), wanted.end());
  const auto described = value_or_throw(co_await admin.describe_log_dirs(std::move(ids)));
  streams.line("Received log directory information from brokers {}", fmt::join(wanted, ","));
  streams.line("{}", as_json(described, topics));
}

}  // namespace

int log_dirs_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, "This tool helps to query log directory usage on the specified brokers.", specs());
  try {
    options.parse(arguments);
    options.help_or_version();
    options.require({"bootstrap-server", "describe"});
    client::Properties properties;
    if (const auto file = options.find("command-config")) properties = load_properties(*file);
    properties.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
    properties.emplace("client.id", "log-dirs-tool");
    ToolSystem system;
    system.run(run(system, options, std::move(properties)));
    return 0;
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const TerseException& exception) {
    streams.error_line("{}", exception.message());
    return 1;
  } catch (const JavaException& exception) {
    print_exception(streams, exception);
    return 1;
  }
}

}  // namespace klamm::cli
