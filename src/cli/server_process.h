// A broker as a process: its log, its signals, its end. Used by server-start and start.
#pragma once

#include <string>

#include "cli/streams.h"
#include "config/properties.h"

namespace klamm::cli {

struct ServerProcess {
  config::Properties properties;
  std::string log_directory;  // "" : lines go to standard output only
  bool to_stdout = true;
};

// Serves until SIGTERM, SIGINT or SIGHUP; 0 after a clean stop, 1 when the start failed or the broker could not go on.
int run_server(const ServerProcess& process, Streams& streams);

}  // namespace klamm::cli
