// What `klamm consumer-groups --describe` prints: offsets, members or states of groups.
// Source: org.apache.kafka.tools.consumer.group.ConsumerGroupCommand.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/offset_reset.h"
#include "client/groups_admin.h"

namespace klamm::cli {

using GroupDescriptions = std::map<std::string, client::ConsumerGroupDescription>;

// Throws the first failure in the order of a hash map, as a Java future does.
runtime::Task<GroupDescriptions> describe_groups_or_throw(client::GroupsAdmin& admin, std::vector<std::string> groups);
// Throws RuntimeException around a Java future's exception.
runtime::Task<std::vector<client::CommittedOffset>> committed_offsets_or_throw(client::GroupsAdmin& admin,
                                                                               std::string group);

// One line of the table of offsets; what a group or a broker does not say is "-".
struct OffsetRow {
  std::string group;
  client::PartitionName partition;
  std::optional<std::int32_t> leader_epoch;
  std::optional<std::int64_t> offset;
  std::optional<std::int64_t> log_end;
  std::string consumer = "-";
  std::string host = "-";
  std::string client = "-";
};

// Members with partitions first, those with most of them before the others; then committed partitions of nobody.
runtime::Task<std::vector<OffsetRow>> offset_rows(const client::ConsumerGroupDescription& group,
                                                  std::vector<client::CommittedOffset> committed, OffsetReset& offsets);

void print_offsets(Streams& streams, const client::ConsumerGroupDescription& group, const std::vector<OffsetRow>& rows,
                   bool verbose);
void print_members(Streams& streams, const client::ConsumerGroupDescription& group, bool verbose);
void print_state(Streams& streams, const client::ConsumerGroupDescription& group, bool verbose);

}  // namespace klamm::cli
