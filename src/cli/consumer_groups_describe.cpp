#include "cli/consumer_groups_describe.h"

#include <algorithm>
#include <set>

namespace klamm::cli {

using client::CommittedOffset;
using client::ConsumerGroupDescription;
using client::GroupState;
using client::MemberDescription;
using client::PartitionName;
using runtime::Task;

namespace {

constexpr std::size_t column_min = 15;

// A table of columns aligned to the left, one blank between them.
class Table {
 public:
  // The widths of all columns; 0: as wide as it comes, for the last one.
  explicit Table(std::vector<std::size_t> widths) : widths_(std::move(widths)) {}

  std::string row(const std::vector<std::string>& cells) const {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += fmt::format("{}{:<{}}", i == 0 ? "" : " ", cells[i], widths_[i]);
    }
    return text;
  }

 private:
  std::vector<std::size_t> widths_;
};

template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? fmt::to_string(*value) : "-";
}

// Says on standard error what the state of a group means. True when there are rows to show.
bool tell_state(Streams& streams, const ConsumerGroupDescription& group, std::size_t rows) {
  switch (group.state) {
    case GroupState::dead:
      streams.line("\nError: Consumer group '{}' does not exist.", group.id);
      return false;
    case GroupState::empty:
      streams.error_line("\nConsumer group '{}' has no active members.", group.id);
      break;
    case GroupState::preparing_rebalance:
    case GroupState::completing_rebalance:
    case GroupState::assigning:
    case GroupState::reconciling:
      streams.error_line("\nWarning: Consumer group '{}' is rebalancing.", group.id);
      break;
    case GroupState::stable:
      break;
    case GroupState::unknown:
    case GroupState::not_ready:
      throw JavaException(client::kinds::kafka, fmt::format("Expected a valid consumer group state, but found '{}'.",
                                                            client::group_state_name(group.state)));
  }
  return rows > 0;
}

// "orders:0,3;payments:1"
std::string assignment_text(const std::vector<PartitionName>& assignment) {
  std::map<std::string, std::set<std::int32_t>> topics;
  for (const PartitionName& partition : assignment) topics[partition.topic].insert(partition.partition);
  std::set<std::string> parts;
  for (const auto& [topic, partitions] : topics) parts.insert(fmt::format("{}:{}", topic, fmt::join(partitions, ",")));
  return parts.empty() ? "-" : fmt::format("{}", fmt::join(parts, ";"));
}

std::string target_text(const MemberDescription& member) {
  return assignment_text(member.target_assignment.value_or(std::vector<PartitionName>()));
}

}  // namespace

Task<GroupDescriptions> describe_groups_or_throw(client::GroupsAdmin& admin, std::vector<std::string> groups) {
  auto described = co_await admin.describe_consumer_groups(std::move(groups));
  std::vector<std::string> ids;
  for (const auto& [id, result] : described) ids.push_back(id);
  order_as_java_map(ids, [](const std::string& id) { return std::string_view(id); });
  GroupDescriptions result;
  for (const std::string& id : ids) {
    auto& description = described.at(id);
    if (!description) throw JavaException::execution(description.error());
    result.emplace(id, *std::move(description));
  }
  co_return result;
}

Task<std::vector<CommittedOffset>> committed_offsets_or_throw(client::GroupsAdmin& admin, std::string group) {
  auto offsets = co_await admin.list_offsets(std::move(group));
  if (!offsets) throw JavaException::unchecked(JavaException::execution(offsets.error()));
  co_return *std::move(offsets);
}

Task<std::vector<OffsetRow>> offset_rows(const ConsumerGroupDescription& group, std::vector<CommittedOffset> committed,
                                         OffsetReset& offsets) {
  std::vector<OffsetRow> rows;
  std::set<PartitionName> assigned;
  const auto add = [&](std::vector<PartitionName> partitions, const OffsetRow& like) {
    std::ranges::sort(partitions);
    for (PartitionName& partition : partitions) {
      OffsetRow& row = rows.emplace_back(like);
      row.partition = std::move(partition);
    }
  };
  std::vector<std::pair<std::size_t, std::size_t>> order;  // how many partitions are fewer than most, and the member
  for (const MemberDescription& member : group.members) {
    if (!member.assignment.empty()) order.emplace_back(~member.assignment.size(), &member - group.members.data());
  }
  std::ranges::sort(order);
  for (const auto& [fewer, index] : order) {
    const MemberDescription& member = group.members[index];
    assigned.insert(member.assignment.begin(), member.assignment.end());
    add(member.assignment, {.group = group.id, .consumer = member.id, .host = member.host, .client = member.client_id});
  }
  std::vector<PartitionName> unassigned;
  for (const CommittedOffset& offset : committed) {
    if (!assigned.contains(offset.partition)) unassigned.push_back(offset.partition);
  }
  add(std::move(unassigned), {.group = group.id});

  std::set<PartitionName> all;
  for (const OffsetRow& row : rows) all.insert(row.partition);
  const Partitions leaderless = co_await offsets.without_leader({all.begin(), all.end()});
  for (const PartitionName& partition : leaderless) all.erase(partition);
  const auto ends = co_await offsets.log_end_offsets({all.begin(), all.end()});
  for (OffsetRow& row : rows) {
    if (const auto end = ends.find(row.partition); end != ends.end()) row.log_end = end->second;
    const auto at = std::ranges::find(committed, row.partition, &CommittedOffset::partition);
    if (at == committed.end() || at->offset < 0) continue;
    row.offset = at->offset;
    row.leader_epoch = at->leader_epoch;
  }
  co_return rows;
}

void print_offsets(Streams& streams, const ConsumerGroupDescription& group, const std::vector<OffsetRow>& rows,
                   bool verbose) {
  if (!tell_state(streams, group, rows.size())) return;
  std::size_t group_width = column_min, topic_width = column_min, consumer_width = column_min, host_width = column_min;
  for (const OffsetRow& row : rows) {
    group_width = std::max(group_width, row.group.size());
    topic_width = std::max(topic_width, row.partition.topic.size());
    consumer_width = std::max(consumer_width, row.consumer.size());
    host_width = std::max(host_width, row.host.size());
  }
  std::vector<std::size_t> widths{group_width, topic_width, 10};
  widths.insert(widths.end(), verbose ? 4 : 3, column_min);
  widths.insert(widths.end(), {consumer_width, host_width, 0});
  const Table table(std::move(widths));
  std::vector<std::string> header{"GROUP", "TOPIC", "PARTITION"};
  if (verbose) header.emplace_back("LEADER-EPOCH");
  header.insert(header.end(), {"CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"});
  streams.print("\n" + table.row(header));
  for (const OffsetRow& row : rows) {
    std::vector<std::string> cells{row.group, row.partition.topic, fmt::to_string(row.partition.partition)};
    if (verbose) cells.push_back(shown(row.leader_epoch));
    const auto lag = row.offset && row.log_end ? std::optional(*row.log_end - *row.offset) : std::nullopt;
    cells.insert(cells.end(), {shown(row.offset), shown(row.log_end), shown(lag), row.consumer, row.host, row.client});
    streams.print("\n" + table.row(cells));
  }
  streams.print("\n");
}

void print_members(Streams& streams, const ConsumerGroupDescription& group, bool verbose) {
  const auto& members = group.members;
  const bool rows = tell_state(streams, group, members.size());
  std::size_t group_width = column_min, id_width = column_min, instance_width = 17, host_width = column_min;
  std::size_t client_width = column_min, current_width = 20, target_width = 20;
  bool instances = false, classic = false, upgraded = false;
  for (const MemberDescription& member : members) {
    if (!rows) break;
    const std::string instance = member.instance_id.value_or("");
    group_width = std::max(group_width, group.id.size());
    id_width = std::max(id_width, member.id.size());
    instance_width = std::max(instance_width, instance.size());
    host_width = std::max(host_width, member.host.size());
    client_width = std::max(client_width, member.client_id.size());
    current_width = std::max(current_width, assignment_text(member.assignment).size());
    target_width = std::max(target_width, target_text(member).size());
    instances = instances || !instance.empty();
    classic = classic || (member.upgraded && !*member.upgraded);
    upgraded = upgraded || (member.upgraded && *member.upgraded);
  }
  const bool migrating = classic && upgraded;
  std::vector<std::size_t> widths{group_width, id_width};
  if (instances) widths.push_back(instance_width);
  widths.insert(widths.end(), {host_width, client_width, column_min});
  const Table left(std::move(widths));
  const Table right({column_min, current_width, column_min, target_width, 0});
  const auto print = [&](std::vector<std::string> cells, const std::string& instance, std::vector<std::string> more) {
    if (instances) cells.insert(cells.begin() + 2, instance);
    if (!migrating) more.pop_back();
    streams.line("{} {}", left.row(cells), verbose ? right.row(more) : "");
  };
  streams.print("\n");
  print({"GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"}, "GROUP-INSTANCE-ID",
        {"CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT", "UPGRADED"});
  for (const MemberDescription& member : members) {
    print({group.id, member.id, member.host, member.client_id, fmt::to_string(member.assignment.size())},
          member.instance_id.value_or(""),
          {shown(member.epoch), assignment_text(member.assignment), shown(group.target_assignment_epoch),
           target_text(member), shown(member.upgraded)});
  }
}

void print_state(Streams& streams, const ConsumerGroupDescription& group, bool verbose) {
  if (!tell_state(streams, group, 1)) return;
  const std::string coordinator =
      fmt::format("{}:{}  ({})", group.coordinator.host, group.coordinator.port, group.coordinator.id);
  std::vector<std::size_t> widths{std::max(column_min, group.id.size()), std::max<std::size_t>(25, coordinator.size()),
                                  20, 20};
  std::vector<std::string> header{"GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE"};
  std::vector<std::string> cells{group.id, coordinator, group.assignor.empty() ? "-" : group.assignor,
                                 std::string(client::group_state_name(group.state))};
  if (verbose) {
    widths.insert(widths.end(), {column_min, 25});
    header.insert(header.end(), {"GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH"});
    cells.insert(cells.end(), {shown(group.epoch), shown(group.target_assignment_epoch)});
  }
  widths.push_back(0);
  header.emplace_back("#MEMBERS");
  cells.push_back(fmt::to_string(group.members.size()));
  const Table table(std::move(widths));
  streams.line("\n{}\n{}", table.row(header), table.row(cells));
}

}  // namespace klamm::cli
