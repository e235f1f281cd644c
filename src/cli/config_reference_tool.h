// klamm config-reference: prints docs/configuration.md.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int config_reference_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
