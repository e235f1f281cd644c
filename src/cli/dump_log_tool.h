// klamm dump-log: prints what stands in the files of a log directory (kafka-dump-log).
// Source of behaviour: org.apache.kafka.tools.DumpLogSegments.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int dump_log_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
