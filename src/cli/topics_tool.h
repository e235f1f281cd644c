// klamm topics: creates, lists, describes, alters and deletes topics (kafka-topics).
// Source of behaviour: org.apache.kafka.tools.TopicCommand.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int topics_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
