// Where the offsets of a group shall go: what --to-earliest, --shift-by, --from-file and the others make of the
// partitions that were named. Source: org.apache.kafka.tools.OffsetsUtils.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command_line.h"
#include "cli/tool_client.h"
#include "client/admin.h"
#include "client/groups_admin.h"

namespace klamm::cli {

using Partitions = std::vector<client::PartitionName>;
// Partitions and their new offsets, in the order of a hash map.
using OffsetPlan = std::vector<std::pair<client::PartitionName, std::int64_t>>;

// "orders-3"
std::string partition_text(const client::PartitionName& partition);
TopicPartition map_key(const client::PartitionName& partition);

// "orders:0,3". Throws IllegalArgumentException.
Partitions parse_topic_partitions(const std::string& argument);

// Topics by name; throws the first error, as a Java future does: an ExecutionException.
runtime::Task<std::map<std::string, client::TopicDescription>> describe_topics_or_throw(client::Admin& admin,
                                                                                        std::vector<std::string> names);

// The options of a reset, read when the tool has its client.
class OffsetReset {
 public:
  // Throws what the options' values are refused with.
  OffsetReset(const CommandLine& options, client::Admin& admin, ToolSystem& system);

  // Of --topic arguments, "orders" or "orders:0,3". Throws the cause of a future's exception.
  runtime::Task<Partitions> partitions_named(std::vector<std::string> arguments);
  // Throws when one does not exist or has no leader.
  runtime::Task<void> ensure_usable(Partitions partitions);
  // Of those with a leader.
  runtime::Task<std::map<client::PartitionName, std::int64_t>> log_end_offsets(Partitions partitions);
  runtime::Task<Partitions> without_leader(Partitions partitions);

  runtime::Task<OffsetPlan> to_offset(Partitions partitions);
  runtime::Task<OffsetPlan> to_earliest(Partitions partitions);
  runtime::Task<OffsetPlan> to_latest(Partitions partitions);
  runtime::Task<OffsetPlan> shifted(Partitions partitions, std::vector<client::CommittedOffset> committed);
  runtime::Task<OffsetPlan> to_date_time(Partitions partitions);
  runtime::Task<OffsetPlan> by_duration(Partitions partitions);
  runtime::Task<OffsetPlan> to_current(Partitions partitions, std::vector<client::CommittedOffset> committed);
  runtime::Task<OffsetPlan> from_file(std::string group);

 private:
  using Plans = std::map<std::string, OffsetPlan>;

  runtime::Task<std::map<client::PartitionName, std::int64_t>> log_offsets(Partitions partitions, std::int64_t time,
                                                                           std::string_view spec);
  runtime::Task<OffsetPlan> at_time(Partitions partitions, std::int64_t time);
  runtime::Task<OffsetPlan> within_range(OffsetPlan wanted);
  Plans read_plans() const;
  std::int64_t now_ms();

  const CommandLine& options_;
  client::Admin& admin_;
  ToolSystem& system_;
  Logger log_;
  std::vector<std::string> groups_;
  std::optional<std::int64_t> offset_;
  std::optional<std::int64_t> shift_;
  std::optional<std::string> duration_;
};

}  // namespace klamm::cli
