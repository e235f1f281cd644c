// What a run shall do, and what came of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/histogram.h"
#include "records/compression.h"
#include "runtime/clock.h"

namespace klamm::bench {

enum class Workload : std::uint8_t {
  produce,
  fetch,
  end_to_end,
  connect,
  idle,
  groups,
  rebalance,
  commits,
  transactions
};

struct Plan {
  Workload workload = Workload::produce;
  std::string topic = "klamm-bench";
  std::int32_t partitions = 1;  // of the topic, when it is made; all of them are used
  std::int16_t replication_factor = -1;
  std::size_t record_bytes = 100;   // of a value
  std::size_t batch_bytes = 16384;  // of a batch as it lies in a request, before compression; one batch a request
  records::Compression compression = {};
  std::int16_t acks = 1;
  std::size_t connections = 16;
  std::size_t in_flight = 1;           // requests on their way per connection
  double rate = 0;                     // requests a second, of all connections together; 0: as fast as answers come
  std::int32_t fetch_bytes = 1 << 20;  // a fetch's max.bytes
  std::size_t groups = 0;              // of the classic protocol; of commits: 0 for one a connection
  std::size_t consumer_groups = 0;     // of KIP-848
  std::size_t members = 2;             // of each group
  runtime::Duration heartbeat = std::chrono::seconds(3);  // of each member
  runtime::Duration commit = std::chrono::seconds(1);     // of each member
  std::uint64_t requests = 0;                             // a closed loop ends after so many; 0: after the duration
  runtime::Duration duration = std::chrono::seconds(5);
  runtime::Duration warm_up = std::chrono::seconds(1);  // run, but not counted
};

struct Report {
  double seconds = 0;          // that were counted
  std::uint64_t requests = 0;  // answered without an error in them
  std::uint64_t records = 0;
  std::uint64_t record_batch_bytes = 0;  // as they were on the wire
  std::uint64_t failed = 0;
  std::uint64_t repeated = 0;                     // asked again because the broker was still at the transaction before
  std::map<std::string, std::uint64_t> failures;  // by what was wrong
  Histogram latency;                              // nanoseconds, from the intended time of sending
  // Over the whole run, warm-up included: what was acknowledged, and by how much the partitions grew meanwhile.
  std::uint64_t acknowledged = 0;
  std::int64_t grown = -1;  // -1: nobody looked
};

// Moments at which somebody may want to look at the broker's figures.
struct Moments {
  std::function<void()> counting_begins = [] {};
  std::function<void()> counting_ends = [] {};
};

}  // namespace klamm::bench
