// klamm configs: shows and changes the configuration of topics, brokers, broker loggers, client metrics and groups
// (kafka-configs). Quotas and credentials of users, clients and addresses are not there yet.
// Source of behaviour: org.apache.kafka.tools.ConfigCommand; texts: 4.3.1.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int configs_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
