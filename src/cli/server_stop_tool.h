// klamm server-stop: ends the brokers of this machine that its user may end, and waits until they have ended. A broker
// is known by the lock it holds on its log directories.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int server_stop_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
