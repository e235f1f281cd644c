// klamm takeover --check: looks at the log directories of a node, whoever wrote them, and says whether a broker can
// open them and what is in them that is kept but not served yet. It changes nothing and takes no lock.
// docs/takeover.md.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

// 0: they can be opened; 1: they cannot, or the command was wrong.
int takeover_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
