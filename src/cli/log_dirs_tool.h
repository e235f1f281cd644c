// klamm log-dirs: prints what lies in the log directories of brokers, as JSON (kafka-log-dirs).
// Source of behaviour: org.apache.kafka.tools.LogDirsCommand.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int log_dirs_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
