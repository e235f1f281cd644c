#include "cli/offset_reset.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/java_time.h"
#include "cli/offsets_csv.h"
#include "client/offset_lookup.h"

namespace klamm::cli {

using client::CommittedOffset;
using client::PartitionName;
using runtime::Task;

namespace {

JavaException illegal_argument(std::string message) {
  return {"java.lang.IllegalArgumentException", std::move(message)};
}

// As String.split: parts that are empty at the end are none.
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0;;) {
    const auto end = text.find(separator, at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string::npos) break;
    at = end + 1;
  }
  if (parts.size() == 1) return parts;
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  return parts;
}

// A stream's toMap refuses a key that comes twice. `value`: how the key's values are told.
void ensure_distinct(const Partitions& partitions, std::string_view value) {
  std::set<PartitionName> known;
  for (const PartitionName& partition : partitions) {
    if (known.insert(partition).second) continue;
    throw JavaException(
        "java.lang.IllegalStateException",
        fmt::format("Duplicate key {0} (attempted merging values {1} and {1})", partition_text(partition), value));
  }
}

OffsetPlan in_map_order(OffsetPlan plan) {
  order_as_java_map(plan, [](const auto& entry) { return map_key(entry.first); });
  return plan;
}

OffsetPlan plan_of(const Partitions& partitions, const std::map<PartitionName, std::int64_t>& offsets) {
  OffsetPlan plan;
  for (const PartitionName& partition : partitions) plan.emplace_back(partition, offsets.at(partition));
  return in_map_order(std::move(plan));
}

std::vector<std::string> topics_of(const Partitions& partitions) {
  std::set<std::string> topics;
  for (const PartitionName& partition : partitions) topics.insert(partition.topic);
  return {topics.begin(), topics.end()};
}

std::string joined(const Partitions& partitions) {
  std::string text;
  for (const PartitionName& partition : partitions) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", partition_text(partition));
  }
  return text;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const JavaException cause(errno == ENOENT ? "java.nio.file.NoSuchFileException" : "java.io.IOException",
                              errno == ENOENT ? path : fmt::format("{}: {}", path, std::strerror(errno)));
    throw JavaException::unchecked({"java.io.IOException", "Unable to read file " + path, cause});
  }
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

// The value, or RuntimeException(ExecutionException(error)).
template <typename T>
T unchecked_or_throw(client::Result<T> result) {
  if (!result) throw JavaException::unchecked(JavaException::execution(result.error()));
  return *std::move(result);
}

}  // namespace

std::string partition_text(const PartitionName& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

TopicPartition map_key(const PartitionName& partition) {
  return {partition.topic, PartitionIndex(partition.partition)};
}

Partitions parse_topic_partitions(const std::string& argument) {
  const auto parts = split(argument, ':');
  if (parts.size() != 2) {
    throw illegal_argument(fmt::format("Invalid topic arg '{}', expected topic name and partitions", argument));
  }
  Partitions partitions;
  for (const std::string& number : split(parts[1], ',')) {
    try {
      partitions.push_back({parts[0], java_int(number)});
    } catch (const JavaException&) {
      throw illegal_argument(fmt::format("Invalid partition '{}' specified in topic arg '{}''", number, argument));
    }
  }
  return partitions;
}

Task<std::map<std::string, client::TopicDescription>> describe_topics_or_throw(client::Admin& admin,
                                                                               std::vector<std::string> names) {
  std::map<std::string, client::TopicDescription> topics;
  if (std::ranges::find(names, std::string()) != names.end()) {
    throw JavaException::execution(client::Error(ErrorCode::invalid_topic_exception,
                                                 "The given topic name '' cannot be represented in a request."));
  }
  if (names.empty()) co_return topics;  // a request of no topics would be one of all
  auto descriptions = value_or_throw(co_await admin.describe_topics(std::move(names)));
  for (client::TopicDescription& topic : descriptions) {
    if (topic.error) throw JavaException::execution(*topic.error);
    std::ranges::sort(topic.partitions, {}, &client::PartitionDescription::partition);
    std::string name = topic.name;
    topics.emplace(std::move(name), std::move(topic));
  }
  co_return topics;
}

OffsetReset::OffsetReset(const CommandLine& options, client::Admin& admin, ToolSystem& system)
    : options_(options),
      admin_(admin),
      system_(system),
      log_(system.log(), "org.apache.kafka.tools.OffsetsUtils"),
      groups_(options.values("group")) {
  if (options.has("to-offset")) offset_ = options.long_value("to-offset");
  duration_ = options.find("by-duration");
  if (options.has("shift-by")) shift_ = options.long_value("shift-by");
}

std::int64_t OffsetReset::now_ms() {
  return system_.environment().clock.wall().value;
}

// ---- partitions ----

Task<Partitions> OffsetReset::partitions_named(std::vector<std::string> arguments) {
  Partitions partitions;
  std::vector<std::string> topics;
  for (const std::string& argument : arguments) {
    if (!argument.contains(':')) {
      topics.push_back(argument);
      continue;
    }
    const Partitions named = parse_topic_partitions(argument);
    partitions.insert(partitions.end(), named.begin(), named.end());
  }
  try {
    const auto described = co_await describe_topics_or_throw(admin_, std::move(topics));
    for (const auto& [name, topic] : described) {
      for (const auto& partition : topic.partitions) partitions.push_back({name, partition.partition});
    }
  } catch (const JavaException& exception) {
    throw JavaException(*exception.cause());
  }
  co_return partitions;
}

Task<Partitions> OffsetReset::without_leader(Partitions partitions) {
  Partitions found;
  try {
    const auto topics = co_await describe_topics_or_throw(admin_, topics_of(partitions));
    for (const auto& [name, topic] : topics) {
      for (const auto& each : topic.partitions) {
        const PartitionName partition{name, each.partition};
        if (each.leader < 0 && std::ranges::find(partitions, partition) != partitions.end()) found.push_back(partition);
      }
    }
  } catch (const JavaException& exception) {
    throw JavaException::unchecked(exception);
  }
  co_return found;
}

Task<void> OffsetReset::ensure_usable(Partitions partitions) {
  Partitions missing;
  try {
    const auto topics = co_await describe_topics_or_throw(admin_, topics_of(partitions));
    for (const PartitionName& partition : partitions) {
      const auto& known = topics.at(partition.topic).partitions;
      if (std::ranges::find(known, partition.partition, &client::PartitionDescription::partition) == known.end()) {
        missing.push_back(partition);
      }
    }
  } catch (const JavaException& exception) {
    throw JavaException::unchecked(exception);
  }
  if (!missing.empty()) {
    throw JavaException(client::Error(ErrorCode::unknown_topic_or_partition,
                                      fmt::format("The partitions \"{}\" do not exist", joined(missing))));
  }
  const Partitions leaderless = co_await without_leader(std::move(partitions));
  if (!leaderless.empty()) {
    throw JavaException(client::Error(ErrorCode::leader_not_available,
                                      fmt::format("The partitions \"{}\" have no leader", joined(leaderless))));
  }
}

// ---- offsets of logs ----

Task<std::map<PartitionName, std::int64_t>> OffsetReset::log_offsets(Partitions partitions, std::int64_t time,
                                                                     std::string_view spec) {
  ensure_distinct(partitions, fmt::format("org.apache.kafka.clients.admin.OffsetSpec${}", spec));
  std::map<PartitionName, std::int64_t> asked;
  for (const PartitionName& partition : partitions) asked[partition] = time;
  std::map<PartitionName, std::int64_t> offsets;
  if (asked.empty()) co_return offsets;
  const auto found = unchecked_or_throw(co_await admin_.list_offsets(std::move(asked)));
  for (const auto& [partition, listed] : found) {
    if (listed.error) throw JavaException::unchecked(JavaException::execution(*listed.error));
    offsets[partition] = listed.offset;
  }
  co_return offsets;
}

Task<std::map<PartitionName, std::int64_t>> OffsetReset::log_end_offsets(Partitions partitions) {
  auto offsets = co_await log_offsets(std::move(partitions), client::special_timestamp::latest, "LatestSpec");
  co_return offsets;
}

// Nothing goes before the beginning of a log, nor behind its end.
Task<OffsetPlan> OffsetReset::within_range(OffsetPlan wanted) {
  Partitions partitions;
  for (const auto& [partition, offset] : wanted) partitions.push_back(partition);
  const auto starts = co_await log_offsets(partitions, client::special_timestamp::earliest, "EarliestSpec");
  const auto ends = co_await log_end_offsets(partitions);
  wanted = in_map_order(std::move(wanted));
  for (auto& [partition, offset] : wanted) {
    const std::int64_t start = starts.at(partition);
    const std::int64_t end = ends.at(partition);
    if (offset > end) {
      log_.warn("New offset ({}) is higher than latest offset for topic partition {}. Value will be set to {}", offset,
                partition_text(partition), end);
      offset = end;
    } else if (offset < start) {
      log_.warn("New offset ({}) is lower than earliest offset for topic partition {}. Value will be set to {}", offset,
                partition_text(partition), start);
      offset = start;
    }
  }
  co_return wanted;
}

// ---- plans ----

Task<OffsetPlan> OffsetReset::to_offset(Partitions partitions) {
  const std::int64_t offset = offset_.value_or(0);
  ensure_distinct(partitions, fmt::to_string(offset));
  OffsetPlan wanted;
  for (PartitionName& partition : partitions) wanted.emplace_back(std::move(partition), offset);
  OffsetPlan plan = co_await within_range(std::move(wanted));
  co_return plan;
}

Task<OffsetPlan> OffsetReset::to_earliest(Partitions partitions) {
  const auto starts = co_await log_offsets(partitions, client::special_timestamp::earliest, "EarliestSpec");
  co_return plan_of(partitions, starts);
}

Task<OffsetPlan> OffsetReset::to_latest(Partitions partitions) {
  const auto ends = co_await log_end_offsets(partitions);
  co_return plan_of(partitions, ends);
}

Task<OffsetPlan> OffsetReset::shifted(Partitions partitions, std::vector<CommittedOffset> committed) {
  OffsetPlan wanted;
  for (PartitionName& partition : partitions) {
    const auto at = std::ranges::find(committed, partition, &CommittedOffset::partition);
    if (at == committed.end() || at->offset < 0) {
      throw illegal_argument(
          fmt::format("Cannot shift offset for partition {} since there is no current committed offset",
                      partition_text(partition)));
    }
    std::int64_t offset = 0;
    static_cast<void>(__builtin_add_overflow(at->offset, shift_.value_or(0), &offset));  // Java's long goes around
    wanted.emplace_back(std::move(partition), offset);
  }
  OffsetPlan plan = co_await within_range(std::move(wanted));
  co_return plan;
}

// Partitions without a record at or after the time get their end.
Task<OffsetPlan> OffsetReset::at_time(Partitions partitions, std::int64_t time) {
  auto offsets = co_await log_offsets(partitions, time, "TimestampSpec");
  Partitions empty;
  for (const PartitionName& partition : partitions) {
    if (offsets.at(partition) < 0) empty.push_back(partition);
  }
  order_as_java_map(empty, map_key);
  for (const PartitionName& partition : empty) {
    options_.streams().line("\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.",
                            partition.partition, partition.topic);
  }
  const auto ends = co_await log_end_offsets(std::move(empty));
  for (const auto& [partition, end] : ends) offsets[partition] = end;
  co_return plan_of(partitions, offsets);
}

Task<OffsetPlan> OffsetReset::to_date_time(Partitions partitions) {
  std::int64_t time = 0;
  try {
    time = java_date_time(options_.values("to-datetime").front());
  } catch (const JavaException& exception) {
    throw JavaException::unchecked(exception);
  }
  OffsetPlan plan = co_await at_time(std::move(partitions), time);
  co_return plan;
}

Task<OffsetPlan> OffsetReset::by_duration(Partitions partitions) {
  OffsetPlan plan = co_await at_time(std::move(partitions), java_time_before(duration_.value_or(""), now_ms()));
  co_return plan;
}

Task<OffsetPlan> OffsetReset::to_current(Partitions partitions, std::vector<CommittedOffset> committed) {
  OffsetPlan plan;
  Partitions without;
  for (const PartitionName& partition : partitions) {
    const auto at = std::ranges::find(committed, partition, &CommittedOffset::partition);
    if (at == committed.end()) {
      without.push_back(partition);
    } else {
      plan.emplace_back(partition, at->offset);
    }
  }
  const auto ends = co_await log_end_offsets(without);
  for (const PartitionName& partition : without) plan.emplace_back(partition, ends.at(partition));
  co_return in_map_order(std::move(plan));
}

// ---- plans in files ----

OffsetReset::Plans OffsetReset::read_plans() const {
  const std::string content = read_file(options_.values("from-file").front());
  std::vector<std::string> lines = split(content, '\n');
  const bool one_group = groups_.size() == 1;
  bool without_group = false;
  if (!lines.empty()) {
    try {
      static_cast<void>(parse_offset_row(lines.front(), CsvColumns::without_group));
      without_group = true;
    } catch (const JavaException& exception) {
      options_.streams().print_error(exception.stack_trace());
    }
  }
  const CsvColumns columns = one_group && without_group ? CsvColumns::without_group : CsvColumns::with_group;
  Plans plans;
  for (const std::string& line : lines) {
    PlannedOffset row;
    try {
      row = parse_offset_row(line, columns);
    } catch (const JavaException& exception) {
      throw JavaException::unchecked(exception);
    }
    OffsetPlan& plan = plans[columns == CsvColumns::without_group ? groups_.front() : row.group];
    const auto at = std::ranges::find(plan, row.partition, &OffsetPlan::value_type::first);
    if (at == plan.end()) {
      plan.emplace_back(std::move(row.partition), row.offset);
    } else {
      at->second = row.offset;
    }
  }
  return plans;
}

Task<OffsetPlan> OffsetReset::from_file(std::string group) {
  // Kafka reads the file to see whether there is a plan, and again for it: a line that it cannot read is told twice.
  static_cast<void>(read_plans());
  const Plans plans = read_plans();
  const auto at = plans.find(group);
  if (at == plans.end()) {
    options_.streams().line("\nError: No reset plan for group {} found", group);
    co_return OffsetPlan();
  }
  OffsetPlan plan = co_await within_range(at->second);
  co_return plan;
}

}  // namespace klamm::cli
