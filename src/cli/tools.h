// The tools of the one binary, in one list.
#pragma once

#include <span>
#include <string_view>

#include "cli/command_line.h"

namespace klamm::cli {

struct Tool {
  std::string_view name;     // "topics": klamm topics, kafka-topics, kafka-topics.sh
  std::string_view summary;  // a line of `klamm --help`
  int (*run)(Arguments, Streams&);
};

std::span<const Tool> tools();
const Tool* find_tool(std::string_view name);
// "kafka-topics.sh", "/opt/klamm/bin/kafka-topics": "topics"; empty for the binary's own name.
std::string_view tool_of_program(std::string_view program);

// What main does: `arguments` are those of the process, the program's name first.
int run_klamm(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
