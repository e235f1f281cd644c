// One run of the generator, from a plan to a report.
#pragma once

#include "bench/plan.h"
#include "client/client.h"
#include "client/result.h"

namespace klamm::bench {

// On the client's reactor. An error when there is nothing to report: the cluster is not there, the topic cannot be
// made.
runtime::Task<client::Result<Report>> run(runtime::Environment& environment, client::Client& client, const Plan& plan,
                                          Moments moments);

}  // namespace klamm::bench
