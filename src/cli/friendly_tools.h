// klamm produce and klamm consume: the console tools with this machine's broker as the default and the topic as an
// argument.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

// [TOPIC] and what console-producer takes.
int produce_tool(Arguments arguments, Streams& streams);
// [TOPIC] and what console-consumer takes. Without a group it reads every partition of the topic.
int consume_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
