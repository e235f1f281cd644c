// What the broker's configuration says about transactions, read when a decision is made.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace klamm::transactions {

struct Settings {
  std::chrono::milliseconds timeout_max = std::chrono::minutes(15);  // transaction.max.timeout.ms
  // transaction.abort.timed.out.transaction.cleanup.interval.ms
  std::chrono::milliseconds abort_interval = std::chrono::seconds(10);
  std::chrono::milliseconds id_expiration = std::chrono::days(7);  // transactional.id.expiration.ms
  // transaction.remove.expired.transaction.cleanup.interval.ms
  std::chrono::milliseconds expiration_interval = std::chrono::hours(1);
  bool two_phase_commit_enabled = false;  // transaction.two.phase.commit.enable

  // Bounds of our own: what one client may make this node hold, or do in one go. How much all of them may is said by
  // coordination::Memory.
  std::size_t partitions_max = 100'000;      // of one transaction
  std::size_t record_bytes_max = 900'000;    // key and value; less than a batch of the log holds
  std::size_t work_partitions_max = 10'000;  // markers that are handed out at a time, but always one transaction's
  std::size_t aborts_max = 100;              // transactions that time out in one decision
  std::size_t expiration_scan_max = 10'000;  // ids that are looked at in one decision
  std::size_t pattern_bytes_max = 1'000;     // of a filter of ListTransactions
  std::chrono::milliseconds marker_retry_delay{100};
};

}  // namespace klamm::transactions
