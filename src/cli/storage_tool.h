// kafka-storage: formats a node's directories, and tells what is in them.
// Source of behaviour: kafka.tools.StorageTool.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int storage_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
