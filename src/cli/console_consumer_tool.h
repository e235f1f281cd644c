// klamm console-consumer: prints the records of topics (kafka-console-consumer), as the member of a group.
// Source of behaviour: org.apache.kafka.tools.consumer.{ConsoleConsumer,ConsoleConsumerOptions}.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

// What is done without --group and group.id.
enum class DefaultGroup : std::uint8_t {
  made_up,  // console-consumer-NNNNN, as Kafka's tool has it; its offsets are not committed by themselves
  none      // all partitions are read, without waiting for a group
};

int console_consumer(Arguments arguments, Streams& streams, DefaultGroup otherwise);
int console_consumer_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
