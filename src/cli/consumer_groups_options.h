// The options of `klamm consumer-groups`, and which of them go together.
// Source: org.apache.kafka.tools.consumer.group.ConsumerGroupCommandOptions.
#pragma once

#include <vector>

#include "cli/command_line.h"

namespace klamm::cli {

std::vector<OptionSpec> consumer_groups_specs();
// Throws UnavailableOptionException for options that need another one, as joptsimple does while it reads them.
void check_available(const CommandLine& options);
// Ends the tool when options contradict each other or one is missing.
void check_consumer_groups(const CommandLine& options);

}  // namespace klamm::cli
