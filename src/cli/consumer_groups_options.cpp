#include "cli/consumer_groups_options.h"

#include <algorithm>
#include <array>
#include <string>

namespace klamm::cli {

namespace {

using Names = std::vector<std::string_view>;

constexpr std::array actions{"list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"};
// In the order in which they are checked against each other.
constexpr std::array scenarios{"to-offset", "to-datetime", "by-duration", "to-earliest",
                               "to-latest", "to-current",  "shift-by",    "from-file"};

// Options as a hash set of joptsimple's gives them back.
Names in_set_order(Names names) {
  // An option's hash is that of the list of its one name.
  order_as_java_map(names, [](std::string_view name) {
    return static_cast<std::int32_t>(31U + static_cast<std::uint32_t>(java_hash(name)));
  });
  return names;
}

template <typename All>
Names without(const All& all, std::initializer_list<std::string_view> removed) {
  Names names;
  for (const std::string_view name : all) {
    if (std::ranges::find(removed, name) == removed.end()) names.push_back(name);
  }
  return in_set_order(std::move(names));
}

// "[all-groups], [group]": which groups are meant.
void require_groups(const CommandLine& options, std::string_view action) {
  if (options.has("group") || options.has("all-groups")) return;
  options.usage(fmt::format("Option [{}] takes one of these options: [all-groups], [group]", action));
}

void check_describe(const CommandLine& options) {
  require_groups(options, "describe");
  const std::array views{"members", "offsets", "state"};
  if (std::ranges::count_if(views, [&](std::string_view view) { return options.has(view); }) > 1) {
    options.usage("Option [describe] takes at most one of these options: [members], [offsets], [state]");
  }
  if (options.find("state")) options.usage("Option [describe] does not take a value for [state]");
}

void check_reset(const CommandLine& options) {
  if (options.has("dry-run") && options.has("execute")) {
    options.usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
  }
  if (!options.has("dry-run") && !options.has("execute")) {
    options.streams().error_line(
        "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will "
        "require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you "
        "are scripting this command and want to keep the current default behavior without prompting.");
  }
  require_groups(options, "reset-offsets");
  for (const std::string_view scenario : scenarios) {
    const Names others = without(scenarios, {scenario});
    options.exclude(scenario, std::span(others));
  }
}

}  // namespace

std::vector<OptionSpec> consumer_groups_specs() {
  return {
      {"bootstrap-server", Takes::value, "server to connect to",
       "Brokers to begin with, as host:port. REQUIRED for all but --validate-regex."},
      {"group", Takes::value, "consumer group", "The group; may be repeated, except with --delete-offsets."},
      {"topic", Takes::value, "topic",
       "The topic whose offsets are reset or deleted, as topic or as topic:0,1,2 for some of its partitions. May be "
       "repeated."},
      {"all-topics", Takes::nothing, {}, "With --reset-offsets: all topics that the group has offsets of."},
      {"list", Takes::nothing, {}, "Prints the names of the consumer groups."},
      {"describe", Takes::nothing, {}, "Prints offsets and how far they are behind, members, or the state."},
      {"all-groups", Takes::nothing, {}, "All consumer groups."},
      {"delete", Takes::nothing, {}, "Deletes groups with all their offsets."},
      {"timeout", Takes::value, "timeout (ms)", "How long each request may take.", "30000"},
      {"command-config", Takes::value, "command config property file", "A file with properties of the admin client."},
      {"reset-offsets",
       Takes::nothing,
       {},
       "Gives groups without members new offsets, by one of --to-datetime, --by-duration, --to-earliest, --to-latest, "
       "--shift-by, --from-file, --to-current, --to-offset; for --all-topics, --topic, or what the file names. Shows "
       "what it would do unless --execute is given."},
      {"delete-offsets", Takes::nothing, {}, "Deletes the offsets that a group has of topics."},
      {"dry-run", Takes::nothing, {}, "With --reset-offsets: only shows what would be done."},
      {"execute", Takes::nothing, {}, "With --reset-offsets: does it."},
      {"export", Takes::nothing, {}, "With --reset-offsets: prints comma separated values, as --from-file reads them."},
      {"to-offset", Takes::value, "offset", "To an offset."},
      {"from-file", Takes::value, "path to CSV file", "To what a file says, in lines of topic,partition,offset."},
      {"to-datetime", Takes::value, "datetime",
       "To the first record at or after a time, as YYYY-MM-DDThh:mm:ss.sss of UTC."},
      {"by-duration", Takes::value, "duration", "To the first record since so long ago, as PnDTnHnMnS."},
      {"to-earliest", Takes::nothing, {}, "To the beginning."},
      {"to-latest", Takes::nothing, {}, "To the end."},
      {"to-current", Takes::nothing, {}, "To where they are; to the end where none is."},
      {"shift-by", Takes::value, "number-of-offsets", "By so many records forwards, or backwards when negative."},
      {"members", Takes::nothing, {}, "With --describe: the members."},
      {"verbose", Takes::nothing, {}, "With --describe: more columns."},
      {"offsets", Takes::nothing, {}, "With --describe: offsets of partitions, which is what it does anyway."},
      {"state",
       Takes::optional_value,
       {},
       "With --describe: the group's state. With --list: the states of groups, or those in some states, as in "
       "stable,empty."},
      {"type",
       Takes::optional_value,
       {},
       "With --list: the types of groups, or those of some types, as in classic,consumer."},
      {"validate-regex", Takes::value, "regex", "Tells whether a regular expression is one for subscriptions (RE2)."},
  };
}

void check_available(const CommandLine& options) {
  if (options.has("help") || options.has("version")) return;
  const bool describes = options.has("describe");
  const bool lists = options.has("list");
  Names unavailable;
  for (const std::string_view name : {"members", "verbose", "offsets"}) {
    if (options.has(name) && !describes) unavailable.push_back(name);
  }
  if (options.has("state") && !describes && !lists) unavailable.emplace_back("state");
  if (options.has("type") && !lists) unavailable.emplace_back("type");
  if (unavailable.empty()) return;
  throw JavaException("joptsimple.UnavailableOptionException",
                      fmt::format("Option(s) [{}] are unavailable given other options on the command line",
                                  fmt::join(in_set_order(std::move(unavailable)), ", ")));
}

void check_consumer_groups(const CommandLine& options) {
  if (!options.has("validate-regex")) options.require({"bootstrap-server"});
  if (options.has("describe")) check_describe(options);
  if (options.has("delete")) {
    require_groups(options, "delete");
    if (options.has("topic")) {
      options.usage("The consumer does not support topic-specific offset deletion from a consumer group.");
    }
  }
  if (options.has("delete-offsets") && !(options.has("group") && options.has("topic"))) {
    options.usage("Option [delete-offsets] takes the following options: [topic], [group]");
  }
  if (options.has("reset-offsets")) check_reset(options);
  options.exclude("group", {"all-groups"});
  options.exclude("group", {"list"});
  const Names not_with_topic = in_set_order({"list", "describe"});
  options.exclude("topic", std::span(not_with_topic));
  if (std::ranges::count_if(actions, [&](std::string_view action) { return options.has(action); }) != 1) {
    std::string names;
    for (const std::string_view action : actions) names += fmt::format("{}--{}", names.empty() ? "" : ", ", action);
    options.usage("Command must include exactly one action: " + names);
  }
}

}  // namespace klamm::cli
