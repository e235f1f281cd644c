// klamm consumer-groups: lists and describes consumer groups, resets and deletes their offsets, deletes them
// (kafka-consumer-groups). Source of behaviour: org.apache.kafka.tools.consumer.group.ConsumerGroupCommand.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int consumer_groups_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
