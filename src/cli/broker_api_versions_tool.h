// klamm broker-api-versions: prints which API versions each broker serves (kafka-broker-api-versions).
// Source of behaviour: org.apache.kafka.tools.BrokerApiVersionsCommand.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int broker_api_versions_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
