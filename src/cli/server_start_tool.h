// klamm server-start: a broker from a properties file, as kafka-server-start. klamm start: one without a file.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

// [-daemon] server.properties [--override key=value]*
int server_start_tool(Arguments arguments, Streams& streams);
// [--port N] [--data DIRECTORY] [--override key=value]*: binds and advertises localhost, keeps its data in
// ./klamm-data.
int start_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
