#include "cli/delete_records_tool.h"

#include <fstream>
#include <sstream>

#include "cli/json_reader.h"
#include "cli/tool_client.h"

namespace klamm::cli {

using client::PartitionName;
using runtime::Task;

namespace {

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "server(s) to use for bootstrapping",
       "REQUIRED: a broker to begin with, as host:port."},
      {"offset-json-file", Takes::value, "Offset json file path",
       "REQUIRED: a file that says up to where: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": "
       "1}], \"version\": 1}"},
      {"command-config", Takes::value, "command config property file path",
       "A file with properties of the admin client."},
  };
}

JavaException refused(std::string text) {
  return {"org.apache.kafka.tools.AdminOperationException", std::move(text)};
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (file) content << file.rdbuf();
  if (!file || content.fail()) {
    const JavaException cause("java.nio.file.NoSuchFileException", path);
    throw JavaException("java.io.IOException", "Unable to read file " + path, cause);
  }
  return content.str();
}

std::map<PartitionName, std::int64_t> parse_offsets(const std::string& text) {
  const std::optional<Json> json = Json::parse(text);
  if (!json || json->object() == nullptr) throw refused("The input string is not a valid JSON");
  if (const Json* version = json->find("version"); version != nullptr) {
    const std::int64_t* number = version->integer();
    if (number == nullptr) throw refused("The version field is not a number");
    if (*number != 1) throw refused(fmt::format("Not supported version field value {}", *number));
  }
  const Json* list = json->find("partitions");
  if (list == nullptr || list->array() == nullptr) throw refused("Missing partitions field");
  std::map<PartitionName, std::int64_t> offsets;
  std::vector<TopicPartition> duplicates;
  for (const Json& each : *list->array()) {
    const Json* topic = each.find("topic");
    const Json* partition = each.find("partition");
    const Json* offset = each.find("offset");
    if (topic == nullptr || topic->string() == nullptr) throw refused("No such field exists: `topic`");
    if (partition == nullptr || partition->integer() == nullptr) throw refused("No such field exists: `partition`");
    if (offset == nullptr || offset->integer() == nullptr) throw refused("No such field exists: `offset`");
    const PartitionName name{*topic->string(), static_cast<std::int32_t>(*partition->integer())};
    if (!offsets.emplace(name, *offset->integer()).second)
      duplicates.push_back({name.topic, PartitionIndex(name.partition)});
  }
  if (!duplicates.empty()) {
    order_as_java_map(duplicates, [](const TopicPartition& name) { return name; });
    std::string names;
    for (const TopicPartition& name : duplicates)
      names += fmt::format("{}{}", names.empty() ? "" : ",", name.to_string());
    throw JavaException("org.apache.kafka.tools.AdminCommandFailedException",
                        "Offset json file contains duplicate topic partitions: " + names);
  }
  return offsets;
}

Task<void> run(ToolSystem& system, const CommandLine& options, client::Properties properties) {
  const auto client = co_await open_admin(system, std::move(properties));
  client::Admin admin(*client);
  auto offsets = parse_offsets(read_file(options.value("offset-json-file")));
  std::vector<TopicPartition> order;
  for (const auto& [name, offset] : offsets) order.push_back({name.topic, PartitionIndex(name.partition)});
  order_as_java_map(order, [](const TopicPartition& name) { return name; });

  Streams& streams = options.streams();
  streams.line("Executing records delete operation");
  streams.line("Records delete operation completed:");
  streams.flush();
  const auto deleted = value_or_throw(co_await admin.delete_records(std::move(offsets)));
  for (const TopicPartition& name : order) {
    const client::LowWatermark& result = deleted.at({name.topic, name.partition.value});
    if (result.error) {
      streams.line("partition: {}\terror: {}", name.to_string(), result.error->to_string());
    } else {
      streams.line("partition: {}\tlow_watermark: {}", name.to_string(), result.low_watermark);
    }
  }
}

}  // namespace

int delete_records_tool(Arguments arguments, Streams& streams) {
  CommandLine options(
      streams, "This tool helps to delete records of the given partitions down to the specified offset.", specs());
  try {
    options.parse(arguments);
    options.help_or_version();
    options.require({"bootstrap-server", "offset-json-file"});
    client::Properties properties;
    if (const auto file = options.find("command-config")) properties = load_properties(*file);
    properties.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
    properties.emplace("client.id", "adminclient-1");
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
