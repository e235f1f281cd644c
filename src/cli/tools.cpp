#include "cli/tools.h"

#include "base/version.h"
#include "cli/bench_tool.h"
#include "cli/broker_api_versions_tool.h"
#include "cli/cluster_tool.h"
#include "cli/config_reference_tool.h"
#include "cli/configs_tool.h"
#include "cli/console_consumer_tool.h"
#include "cli/console_producer_tool.h"
#include "cli/consumer_groups_tool.h"
#include "cli/delete_records_tool.h"
#include "cli/dump_log_tool.h"
#include "cli/friendly_tools.h"
#include "cli/get_offsets_tool.h"
#include "cli/groups_tool.h"
#include "cli/log_dirs_tool.h"
#include "cli/server_start_tool.h"
#include "cli/server_stop_tool.h"
#include "cli/storage_tool.h"
#include "cli/takeover_tool.h"
#include "cli/topics_tool.h"
#include "cli/transactions_tool.h"

namespace klamm::cli {
namespace {

constexpr Tool all[] = {
    {"config-reference", "prints the page of all configuration keys", config_reference_tool},
    {"server-start", "starts a broker from a properties file", server_start_tool},
    {"start", "starts a broker on this machine without a file", start_tool},
    {"server-stop", "ends the brokers of this machine", server_stop_tool},
    {"produce", "console-producer with fewer words", produce_tool},
    {"consume", "console-consumer with fewer words", consume_tool},
    {"bench", "loads a cluster and tells what it did", bench_tool},
    {"broker-api-versions", "prints which API versions each broker serves", broker_api_versions_tool},
    {"cluster", "the cluster's id and endpoints", cluster_tool},
    {"configs", "shows and changes the configuration of topics and brokers", configs_tool},
    {"console-consumer", "prints the records of topics", console_consumer_tool},
    {"console-producer", "publishes the lines of standard input", console_producer_tool},
    {"consumer-groups", "lists and describes consumer groups, resets and deletes their offsets", consumer_groups_tool},
    {"delete-records", "deletes records before an offset", delete_records_tool},
    {"dump-log", "prints what stands in the files of a log directory", dump_log_tool},
    {"get-offsets", "prints offsets of partitions by time", get_offsets_tool},
    {"groups", "lists groups of every type", groups_tool},
    {"log-dirs", "prints what lies in the log directories of brokers", log_dirs_tool},
    {"storage", "formats a node's directories and tells what is in them", storage_tool},
    {"takeover", "tells whether directories of Apache Kafka can be opened", takeover_tool},
    {"topics", "creates, lists, describes, alters and deletes topics", topics_tool},
    {"transactions", "lists transactions, finds those that hang, ends them", transactions_tool},
};

int print_help(Streams& streams) {
  streams.line("klamm {}: a distributed streaming platform that speaks Apache Kafka {}", klamm_version, kafka_version);
  streams.line("");
  streams.line("klamm TOOL [options]; klamm TOOL --help tells the options of a tool.");
  streams.line("");
  for (const Tool& tool : all) streams.line("  {:<20} {}", tool.name, tool.summary);
  return 0;
}

int run_tool(const Tool& tool, Arguments arguments, Streams& streams) {
  try {
    return tool.run(arguments, streams);
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    print_exception(streams, exception);
    return 1;
  } catch (const std::exception& failure) {
    streams.error_line("{}", failure.what());
    return 1;
  }
}

}  // namespace

std::span<const Tool> tools() {
  return all;
}

const Tool* find_tool(std::string_view name) {
  for (const Tool& tool : all) {
    if (tool.name == name) return &tool;
  }
  return nullptr;
}

std::string_view tool_of_program(std::string_view program) {
  if (const auto slash = program.rfind('/'); slash != std::string_view::npos) program.remove_prefix(slash + 1);
  if (program.ends_with(".sh")) program.remove_suffix(3);
  if (!program.starts_with("kafka-")) return {};
  program.remove_prefix(6);
  return program;
}

int run_klamm(Arguments arguments, Streams& streams) {
  std::string_view name = arguments.empty() ? std::string_view() : tool_of_program(arguments.front());
  Arguments rest = arguments.empty() ? arguments : arguments.subspan(1);
  if (name.empty()) {
    if (rest.empty() || rest.front() == "--help" || rest.front() == "help") return print_help(streams);
    if (rest.front() == "--version") {
      streams.line("klamm {} (Apache Kafka {})", klamm_version, kafka_version);
      return 0;
    }
    name = rest.front();
    rest = rest.subspan(1);
    if (name.starts_with("kafka-")) name = tool_of_program(name);
  }
  const Tool* tool = find_tool(name);
  if (tool == nullptr) {
    streams.error_line("There is no tool '{}'; klamm --help lists them.", name);
    return 1;
  }
  return run_tool(*tool, rest, streams);
}

}  // namespace klamm::cli
