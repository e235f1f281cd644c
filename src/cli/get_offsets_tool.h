// klamm get-offsets: prints offsets of partitions by time (kafka-get-offsets).
// Source of behaviour: org.apache.kafka.tools.GetOffsetShell.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int get_offsets_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
