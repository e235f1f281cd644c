#include "cli/friendly_tools.h"

#include "cli/console_consumer_tool.h"
#include "cli/console_producer_tool.h"

namespace klamm::cli {
namespace {

bool names(const std::string& argument, std::string_view option) {
  return argument == option || argument.starts_with(std::string(option) + "=");
}

// What was said, with the topic's option before it when it stands first, and the usual address when none is given.
std::vector<std::string> completed(Arguments arguments) {
  std::vector<std::string> whole(arguments.begin(), arguments.end());
  if (!whole.empty() && !whole.front().starts_with("-")) whole.insert(whole.begin(), "--topic");
  bool asks_help = whole.empty();
  bool has_address = false;
  for (const std::string& argument : whole) {
    asks_help |= argument == "--help" || argument == "--version";
    has_address |= names(argument, "--bootstrap-server") || names(argument, "--broker-list");
  }
  if (!has_address && !asks_help) whole.insert(whole.end(), {"--bootstrap-server", "localhost:9092"});
  return whole;
}

}  // namespace

int produce_tool(Arguments arguments, Streams& streams) {
  return console_producer_tool(completed(arguments), streams);
}

int consume_tool(Arguments arguments, Streams& streams) {
  return console_consumer(completed(arguments), streams, DefaultGroup::none);
}

}  // namespace klamm::cli
