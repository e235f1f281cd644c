// klamm console-consumer: prints the records of topics (kafka-console-consumer), without a consumer group.
// Source of behaviour: org.apache.kafka.tools.consumer.{ConsoleConsumer,ConsoleConsumerOptions}.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int console_consumer_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
