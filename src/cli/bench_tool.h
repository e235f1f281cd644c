#pragma once

#include "cli/command_line.h"
#include "cli/streams.h"

namespace klamm::cli {

// klamm bench WORKLOAD: loads a cluster, ours or anybody's, and tells what it did; docs/benchmarks.md.
int bench_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
