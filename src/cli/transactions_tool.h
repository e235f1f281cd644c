// klamm transactions: lists and describes transactions, finds those that hang, and ends them (kafka-transactions).
// Source of behaviour: org.apache.kafka.tools.TransactionsCommand.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int transactions_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
