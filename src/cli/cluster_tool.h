// klamm cluster: the cluster's id, its endpoints, the API versions of its brokers, and unregistering (kafka-cluster).
// Source of behaviour: org.apache.kafka.tools.ClusterTool.
#pragma once

#include "cli/command_line.h"

namespace klamm::cli {

int cluster_tool(Arguments arguments, Streams& streams);

}  // namespace klamm::cli
