#include "cli/consumer_groups_tool.h"

#include <algorithm>
#include <set>
#include <utility>

#include "cli/consumer_groups_describe.h"
#include "cli/consumer_groups_options.h"
#include "cli/offset_reset.h"
#include "cli/offsets_csv.h"
#include "cli/tool_client.h"
#include "config/value.h"
#include "groups/consumer_regex.h"

namespace klamm::cli {

using client::CommittedOffset;
using client::ConsumerGroupDescription;
using client::GroupListing;
using client::GroupState;
using client::GroupType;
using client::PartitionName;
using runtime::Task;

namespace {

constexpr std::string_view description =
    "This tool helps to list, describe, delete and manage the offsets of consumer groups.";

JavaException illegal_argument(std::string message) {
  return {"java.lang.IllegalArgumentException", std::move(message)};
}

std::string_view text_key(const std::string& text) {
  return text;
}

// "'a', 'b'"
std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += fmt::format("{}'{}'", text.empty() ? "" : ", ", name);
  return text;
}

// Words between commas, blanks around them dropped.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const auto comma = text.find(',');
    words.push_back(config::java_trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  while (words.size() > 1 && words.back().empty()) words.pop_back();
  return words;
}

std::vector<GroupState> states_of(const std::string& text) {
  std::vector<GroupState> states;
  for (const std::string_view word : words_of(text)) {
    const GroupState state = client::group_state_of(word);
    if (state == GroupState::unknown || state == GroupState::not_ready) {
      throw illegal_argument(fmt::format(
          "Invalid state list '{}'. Valid states are: Dead, PreparingRebalance, Empty, Stable, Assigning, Reconciling, "
          "CompletingRebalance",
          text));
    }
    if (std::ranges::find(states, state) == states.end()) states.push_back(state);
  }
  return states;
}

std::vector<GroupType> types_of(const std::string& text) {
  std::vector<GroupType> types;
  for (const std::string_view word : words_of(text)) {
    const GroupType type = client::group_type_of(word);
    if (type != GroupType::classic && type != GroupType::consumer) {
      throw illegal_argument(fmt::format("Invalid types list '{}'. Valid types are: Consumer, Classic", text));
    }
    if (std::ranges::find(types, type) == types.end()) types.push_back(type);
  }
  return types;
}

// One run of the tool, once it has its client.
class Run {
 public:
  Run(ToolSystem& system, client::Client& client, const CommandLine& options, runtime::Duration timeout)
      : options_(options),
        streams_(options.streams()),
        admin_(client),
        groups_(client, timeout),
        offsets_(options, admin_, system) {
    admin_.set_timeout(timeout);
  }

  Task<void> run() {
    if (options_.has("list")) co_await list();
    if (options_.has("describe")) co_await describe();
    if (options_.has("delete")) co_await delete_groups();
    if (options_.has("reset-offsets")) co_await reset_offsets();
    if (options_.has("delete-offsets")) co_await delete_offsets();
  }

 private:
  // ---- list ----

  Task<std::vector<GroupListing>> listed(client::GroupFilter filter) {
    auto found = value_or_throw(co_await groups_.list(std::move(filter)));
    order_as_java_map(found, [](const GroupListing& listing) { return std::string_view(listing.id); });
    co_return found;
  }

  Task<std::vector<std::string>> all_groups() {
    std::vector<std::string> ids;
    try {
      const auto found = co_await listed(client::GroupFilter::consumer_groups());
      for (const GroupListing& listing : found) ids.push_back(listing.id);
    } catch (const JavaException& exception) {
      throw JavaException::unchecked(exception);
    }
    co_return ids;
  }

  Task<std::vector<std::string>> wanted_groups() {
    if (!options_.has("all-groups")) co_return options_.values("group");
    auto all = co_await all_groups();
    co_return all;
  }

  Task<void> list() {
    const bool with_type = options_.has("type");
    const bool with_state = options_.has("state");
    if (!with_type && !with_state) {
      const auto ids = co_await all_groups();
      for (const std::string& id : ids) streams_.line("{}", id);
      co_return;
    }
    client::GroupFilter filter = client::GroupFilter::consumer_groups();
    filter.types.clear();
    if (const auto text = options_.find("type"); text && !text->empty()) filter.types = types_of(*text);
    if (const auto text = options_.find("state"); text && !text->empty()) filter.states = states_of(*text);
    const auto listings = co_await listed(std::move(filter));
    std::size_t width = 15;
    for (const GroupListing& listing : listings) width = std::max(width, listing.id.size());
    width += 10;
    const auto print = [&](std::string_view id, std::string_view type, std::string_view state) {
      std::string line = fmt::format("{:<{}}", id, width);
      if (with_type) line += fmt::format(" {:<20}", type);
      if (with_state) line += fmt::format(" {:<20}", state);
      streams_.line("{}", line);
    };
    print("GROUP", "TYPE", "STATE");
    for (const GroupListing& listing : listings) {
      print(listing.id, client::group_type_name(listing.type.value_or(GroupType::unknown)),
            client::group_state_name(listing.state.value_or(GroupState::unknown)));
    }
  }

  // ---- describe ----

  Task<void> describe() {
    auto wanted = co_await wanted_groups();
    const auto described = co_await describe_groups_or_throw(groups_, std::move(wanted));
    const bool verbose = options_.has("verbose");
    if (options_.has("members")) {
      for (const auto& [id, group] : described) print_members(streams_, group, verbose);
    } else if (options_.has("state")) {
      for (const auto& [id, group] : described) print_state(streams_, group, verbose);
    } else {
      std::map<std::string, std::vector<OffsetRow>> rows;
      for (const auto& [id, group] : described) {
        auto committed = co_await committed_offsets_or_throw(groups_, id);
        rows[id] = co_await offset_rows(group, std::move(committed), offsets_);
      }
      for (const auto& [id, group] : described) print_offsets(streams_, group, rows[id], verbose);
    }
  }

  // ---- delete ----

  Task<void> delete_groups() {
    auto wanted = co_await wanted_groups();
    const auto results = co_await groups_.delete_groups(std::move(wanted));
    std::vector<std::string> deleted, failed;
    for (const auto& [id, result] : results) (result ? deleted : failed).push_back(id);
    order_as_java_map(deleted, text_key);
    order_as_java_map(failed, text_key);
    if (failed.empty()) {
      streams_.line("Deletion of requested consumer groups ({}) was successful.", quoted(deleted));
      co_return;
    }
    streams_.line("\nError: Deletion of some consumer groups failed:");
    for (const std::string& id : failed) {
      streams_.line("* Group '{}' could not be deleted due to: {}", id, results.at(id).error().to_string());
    }
    if (!deleted.empty()) streams_.line("\nThese consumer groups were deleted successfully: {}", quoted(deleted));
  }

  // ---- reset offsets ----

  Task<void> reset_offsets() {
    auto wanted = co_await wanted_groups();
    const auto described = co_await groups_.describe_consumer_groups(std::move(wanted));
    std::vector<std::string> ids;
    for (const auto& [id, result] : described) ids.push_back(id);
    order_as_java_map(ids, text_key);
    std::vector<std::pair<std::string, OffsetPlan>> plans;
    for (const std::string& id : ids) {
      const auto& group = described.at(id);
      if (!group && group.error().code() != ErrorCode::group_id_not_found) {
        throw JavaException::unchecked(JavaException::execution(group.error()));
      }
      OffsetPlan plan;
      if (group && group->state != GroupState::empty && group->state != GroupState::dead) {
        streams_.line(
            "\nError: Assignments can only be reset if the group '{}' is inactive, but the current state is {}.", id,
            client::group_state_name(group->state));
      } else {
        plan = co_await reset_group(id);
      }
      plans.emplace_back(id, std::move(plan));
    }
    if (options_.has("export")) {
      print_csv(plans);
    } else {
      print_plans(plans);
    }
  }

  Task<OffsetPlan> reset_group(std::string group) {
    Partitions partitions = co_await partitions_to_reset(group);
    OffsetPlan plan = co_await plan_for(group, std::move(partitions));
    if (!options_.has("dry-run") && options_.has("execute")) co_await alter(std::move(group), plan);
    co_return plan;
  }

  Task<Partitions> partitions_to_reset(std::string group) {
    Partitions partitions;
    if (options_.has("all-topics")) {
      const auto committed = co_await committed_offsets_or_throw(groups_, std::move(group));
      for (const CommittedOffset& offset : committed) partitions.push_back(offset.partition);
      order_as_java_map(partitions, map_key);
    } else if (options_.has("topic")) {
      std::vector<std::string> arguments = options_.values("topic");
      partitions = co_await offsets_.partitions_named(std::move(arguments));
    } else if (!options_.has("from-file")) {
      options_.usage("One of the reset scopes should be defined: --all-topics, --topic.");
    }
    co_return partitions;
  }

  Task<OffsetPlan> plan_for(std::string group, Partitions partitions) {
    co_await offsets_.ensure_usable(partitions);
    OffsetPlan plan;
    if (options_.has("to-offset")) {
      plan = co_await offsets_.to_offset(std::move(partitions));
    } else if (options_.has("to-earliest")) {
      plan = co_await offsets_.to_earliest(std::move(partitions));
    } else if (options_.has("to-latest")) {
      plan = co_await offsets_.to_latest(std::move(partitions));
    } else if (options_.has("shift-by")) {
      auto committed = co_await committed_offsets_or_throw(groups_, std::move(group));
      plan = co_await offsets_.shifted(std::move(partitions), std::move(committed));
    } else if (options_.has("to-datetime")) {
      plan = co_await offsets_.to_date_time(std::move(partitions));
    } else if (options_.has("by-duration")) {
      plan = co_await offsets_.by_duration(std::move(partitions));
    } else if (options_.has("from-file")) {
      plan = co_await offsets_.from_file(std::move(group));
    } else if (options_.has("to-current")) {
      auto committed = co_await committed_offsets_or_throw(groups_, std::move(group));
      plan = co_await offsets_.to_current(std::move(partitions), std::move(committed));
    } else {
      options_.usage(
          "Option '[reset-offsets]' requires one of the following scenarios: [[to-datetime], [by-duration], "
          "[to-latest], [to-current], [to-earliest], [to-offset], [shift-by], [from-file]]");
    }
    co_return plan;
  }

  Task<void> alter(std::string group, OffsetPlan plan) {
    std::vector<CommittedOffset> offsets;
    for (auto& [partition, offset] : plan) offsets.push_back({.partition = std::move(partition), .offset = offset});
    auto outcomes = value_or_throw_cause(co_await groups_.alter_offsets(std::move(group), std::move(offsets)));
    std::erase_if(outcomes, [](const auto& outcome) { return !outcome.error; });
    if (outcomes.empty()) co_return;
    order_as_java_map(outcomes, [](const auto& outcome) { return map_key(outcome.partition); });
    std::string failed;
    for (const auto& outcome : outcomes) {
      failed += fmt::format("{}{}", failed.empty() ? "" : ", ", partition_text(outcome.partition));
    }
    throw JavaException(
        client::Error(outcomes.front().error->code(),
                      fmt::format("Failed altering group offsets for the following partitions: [{}]", failed)));
  }

  void print_csv(const std::vector<std::pair<std::string, OffsetPlan>>& plans) {
    const CsvColumns columns =
        options_.values("group").size() == 1 ? CsvColumns::without_group : CsvColumns::with_group;
    std::string text;
    for (const auto& [group, plan] : plans) {
      for (const auto& [partition, offset] : plan) text += offset_row({group, partition, offset}, columns);
    }
    streams_.line("{}", text);
  }

  void print_plans(const std::vector<std::pair<std::string, OffsetPlan>>& plans) {
    std::size_t group_width = 15, topic_width = 15;
    for (const auto& [group, plan] : plans) {
      group_width = std::max(group_width, group.size());
      for (const auto& [partition, offset] : plan) topic_width = std::max(topic_width, partition.topic.size());
    }
    const auto print = [&](std::string_view group, std::string_view topic, std::string_view partition,
                           std::string_view offset) {
      streams_.print(
          fmt::format("\n{:<{}} {:<{}} {:<10} {}", group, group_width, topic, topic_width, partition, offset));
    };
    if (!plans.empty()) print("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
    for (const auto& [group, plan] : plans) {
      for (const auto& [partition, offset] : plan) {
        print(group, partition.topic, fmt::to_string(partition.partition), fmt::to_string(offset));
      }
    }
    streams_.print("\n");
  }

  // ---- delete offsets ----

  // By "topic" and partition, -1 for a topic that cannot be described: what went wrong, if anything.
  using DeletedOffsets = std::map<PartitionName, std::optional<client::Error>>;

  Task<void> delete_offsets() {
    const std::string group = options_.value("group");
    DeletedOffsets outcomes;
    const Partitions partitions = co_await partitions_to_delete(outcomes);
    std::vector<PartitionName> asked(partitions.begin(), partitions.end());
    std::string name = group;
    const auto deleted = co_await groups_.delete_offsets(std::move(name), std::move(asked));
    std::optional<client::Error> first;
    for (const PartitionName& partition : partitions) {
      std::optional<client::Error> error;
      if (!deleted) {
        error = deleted.error();
      } else if (const auto at = std::ranges::find(*deleted, partition, &client::PartitionOutcome::partition);
                 at != deleted->end()) {
        error = at->error;
      } else {
        error = client::Error::of_kind(
            client::kinds::illegal_argument,
            fmt::format("Offset deletion result for partition \"{}\" was not included in the response",
                        partition_text(partition)));
      }
      if (error && !first) first = error;
      outcomes[partition] = std::move(error);
    }
    if (!deleted) first = deleted.error();
    print_deleted(group, first, outcomes);
  }

  // In the order of a hash set.
  Task<Partitions> partitions_to_delete(DeletedOffsets& outcomes) {
    std::set<PartitionName> partitions;
    std::vector<std::string> topics;
    const std::vector<std::string> arguments = options_.values("topic");
    for (const std::string& argument : arguments) {
      if (!argument.contains(':')) {
        topics.push_back(argument);
        continue;
      }
      const Partitions named = parse_topic_partitions(argument);
      partitions.insert(named.begin(), named.end());
    }
    for (const std::string& topic : topics) {
      if (topic.empty()) {
        outcomes[{topic, -1}] = client::Error(ErrorCode::invalid_topic_exception,
                                              "The given topic name '' cannot be represented in a request.");
        continue;
      }
      std::vector<std::string> one{topic};
      const auto described = co_await admin_.describe_topics(std::move(one));
      if (!described || described->empty() || described->front().error) {
        outcomes[{topic, -1}] = !described           ? described.error()
                                : described->empty() ? client::Error(ErrorCode::unknown_topic_or_partition)
                                                     : *described->front().error;
        continue;
      }
      for (const auto& each : described->front().partitions) partitions.insert({topic, each.partition});
    }
    Partitions ordered(partitions.begin(), partitions.end());
    order_as_java_map(ordered, map_key);
    co_return ordered;
  }

  void print_deleted(const std::string& group, const std::optional<client::Error>& first,
                     const DeletedOffsets& outcomes) {
    // An exception that is none of the protocol's counts as the unknown one.
    const ErrorCode code = first ? first->code() : ErrorCode::none;
    switch (code) {
      case ErrorCode::none:
        streams_.line("Request succeeded for deleting offsets from group {}.", group);
        break;
      case ErrorCode::invalid_group_id:
      case ErrorCode::group_id_not_found:
      case ErrorCode::group_authorization_failed:
      case ErrorCode::non_empty_group:
        streams_.line("\nError: {}", error_message(code));
        break;
      case ErrorCode::group_subscribed_to_topic:
      case ErrorCode::topic_authorization_failed:
      case ErrorCode::unknown_topic_or_partition:
        streams_.line("\nError: Encountered some partition-level error, see the follow-up details.");
        break;
      default:
        streams_.line("\nError: Encountered some unknown error: {}", error_name(code));
    }
    std::size_t width = 15;
    std::vector<std::pair<std::string, DeletedOffsets::const_iterator>> sorted;
    for (auto at = outcomes.begin(); at != outcomes.end(); ++at) {
      width = std::max(width, at->first.topic.size());
      sorted.emplace_back(fmt::format("{}{}", at->first.topic, at->first.partition), at);
    }
    std::ranges::sort(sorted, {}, [](const auto& entry) { return entry.first; });
    streams_.print(fmt::format("\n{:<{}} {:<10} {:<15}", "TOPIC", width, "PARTITION", "STATUS"));
    for (const auto& [key, at] : sorted) {
      const auto& [partition, error] = *at;
      streams_.print(fmt::format("\n{:<{}} {:<10} {:<15}", partition.topic, width,
                                 partition.partition >= 0 ? fmt::to_string(partition.partition) : "-",
                                 error ? "Error: " + error->to_string() : "Successful"));
    }
    streams_.print("\n");
  }

  const CommandLine& options_;
  Streams& streams_;
  client::Admin admin_;
  client::GroupsAdmin groups_;
  OffsetReset offsets_;
};

client::Properties client_properties(const CommandLine& options) {
  client::Properties properties;
  if (const auto file = options.find("command-config")) {
    try {
      properties = load_properties(*file);
    } catch (const JavaException& exception) {
      throw JavaException::unchecked(exception);
    }
  }
  properties.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
  properties.emplace("client.id", "adminclient-1");
  return properties;
}

Task<void> run(ToolSystem& system, const CommandLine& options) {
  const auto client = co_await open_admin(system, client_properties(options));
  const auto timeout_ms = static_cast<std::int32_t>(options.long_value("timeout"));  // as Long.intValue()
  Run tool(system, *client, options, std::chrono::milliseconds(std::max(timeout_ms, 0)));
  co_await tool.run();
}

void validate_regex(Streams& streams, const std::string& regex) {
  const auto fault = groups::regex_fault(regex);
  if (fault) {
    streams.line("The regular expression `{}` is invalid: {}.", regex, *fault);
  } else {
    streams.line("The regular expression `{}` is valid.", regex);
  }
}

// Whatever fails from here on is told, and the tool ends well.
int run_and_tell(const CommandLine& options) {
  try {
    if (const auto regex = options.find("validate-regex")) {
      validate_regex(options.streams(), *regex);
      return 0;
    }
    ToolSystem system;
    system.run(run(system, options));
  } catch (const JavaException& exception) {
    if (exception.type() == "java.lang.IllegalArgumentException") options.usage(exception.message());
    options.streams().line("\nError: Executing consumer group command failed due to {}", exception.message());
    options.streams().print_error(exception.stack_trace());
  }
  return 0;
}

}  // namespace

int consumer_groups_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, description, consumer_groups_specs());
  try {
    options.parse(arguments);
    check_available(options);
    options.help_or_version();
    check_consumer_groups(options);
    return run_and_tell(options);
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    streams.print_error("Exception in thread \"main\" " + exception.stack_trace());
    return 1;
  }
}

}  // namespace klamm::cli
