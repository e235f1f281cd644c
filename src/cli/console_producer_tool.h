// klamm console-producer: publishes the lines of standard input (kafka-console-producer).
// Source of behaviour: org.apache.kafka.tools.ConsoleProducer; of --broker-list: kafka.tools.ConsoleProducer of 3.9.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int console_producer_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
