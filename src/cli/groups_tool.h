// klamm groups: lists groups of every type (kafka-groups). Source of behaviour: org.apache.kafka.tools.GroupsCommand.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int groups_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
