// What can be told of the groups' tools without a cluster; tests/transcripts and tests/interop tell the rest.
#include <gtest/gtest.h>

#include "cli/consumer_groups_describe.h"
#include "cli/consumer_groups_tool.h"
#include "cli/groups_tool.h"
#include "cli/offset_reset.h"
#include "cli/run_tool_test.h"

namespace klamm::cli {
namespace {

using client::ConsumerGroupDescription;
using client::GroupState;

ToolRun run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--bootstrap-server", "localhost:1"});
  return run_in_test([&](Streams& streams) { return consumer_groups_tool(arguments, streams); });
}

// The first line, which stands above the table of options.
std::string refusal(std::vector<std::string> arguments) {
  const ToolRun done = run(std::move(arguments));
  EXPECT_EQ(done.code, 1);
  return done.error.substr(0, done.error.find('\n'));
}

TEST(ConsumerGroups, OptionsThatDoNotGoTogetherAreRefused) {
  EXPECT_EQ(refusal({"--list", "--group", "a"}), "Option \"[group]\" can't be used with option \"[list]\"");
  EXPECT_EQ(refusal({"--describe"}), "Option [describe] takes one of these options: [all-groups], [group]");
  EXPECT_EQ(refusal({"--describe", "--group", "a", "--members", "--state"}),
            "Option [describe] takes at most one of these options: [members], [offsets], [state]");
  EXPECT_EQ(refusal({"--describe", "--group", "a", "--state", "Stable"}),
            "Option [describe] does not take a value for [state]");
  EXPECT_EQ(refusal({"--delete-offsets", "--group", "a"}),
            "Option [delete-offsets] takes the following options: [topic], [group]");
  EXPECT_EQ(refusal({"--delete", "--group", "a", "--topic", "t"}),
            "The consumer does not support topic-specific offset deletion from a consumer group.");
  EXPECT_EQ(refusal({"--reset-offsets", "--group", "a", "--dry-run", "--execute"}),
            "Option [reset-offsets] only accepts one of [execute] and [dry-run]");
  EXPECT_EQ(refusal({"--reset-offsets", "--group", "a", "--topic", "b", "--to-offset", "1", "--shift-by", "3",
                     "--to-current", "--to-earliest", "--dry-run"}),
            "Option \"[to-offset]\" can't be used with option \"[to-current]\"");
  EXPECT_EQ(refusal({}),
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, "
            "--validate-regex");
}

TEST(ConsumerGroups, OptionsOfAnotherActionAreUnavailable) {
  EXPECT_EQ(refusal({"--list", "--verbose", "--offsets"}),
            "Exception in thread \"main\" joptsimple.UnavailableOptionException: Option(s) [offsets, verbose] are "
            "unavailable given other options on the command line");
  EXPECT_EQ(refusal({"--delete", "--group", "a", "--state"}),
            "Exception in thread \"main\" joptsimple.UnavailableOptionException: Option(s) [state] are unavailable "
            "given other options on the command line");
}

TEST(ConsumerGroups, ARegularExpressionIsCheckedWithoutACluster) {
  const std::pair<const char*, const char*> cases[] = {
      {"a.*", "valid"},
      {"a(", "invalid: missing closing )"},
      {"*a", "invalid: missing argument to repetition operator"},
      {"a**", "invalid: invalid nested repetition operator"},
      {"[z-a]", "invalid: invalid character class range"},
      {"a)", "invalid: regexp/syntax: internal error"},
      {"(?=a)", "invalid: invalid or unsupported Perl syntax"},
  };
  for (const auto& [regex, verdict] : cases) {
    const std::vector<std::string> arguments{"--validate-regex", regex};
    const ToolRun done = run_in_test([&](Streams& streams) { return consumer_groups_tool(arguments, streams); });
    EXPECT_EQ(done.code, 0);
    EXPECT_EQ(done.out, fmt::format("The regular expression `{}` is {}.\n", regex, verdict));
  }
}

TEST(ConsumerGroups, PartitionsAreNamedBehindAColon) {
  EXPECT_EQ(parse_topic_partitions("cg:0,3,"), (Partitions{{"cg", 0}, {"cg", 3}}));
  for (const auto& [argument, message] :
       {std::pair("cg:", "Invalid topic arg 'cg:', expected topic name and partitions"),
        std::pair("cg:1:2", "Invalid topic arg 'cg:1:2', expected topic name and partitions"),
        std::pair("cg:x", "Invalid partition 'x' specified in topic arg 'cg:x''")}) {
    try {
      parse_topic_partitions(argument);
      ADD_FAILURE() << argument;
    } catch (const JavaException& exception) {
      EXPECT_EQ(exception.message(), message);
    }
  }
}

ConsumerGroupDescription group_of(GroupState state, std::vector<client::MemberDescription> members) {
  return {.id = "g", .state = state, .coordinator = {1, "localhost", 9092, {}}, .members = std::move(members)};
}

TEST(ConsumerGroups, AGroupThatChangesProtocolsTellsWhoHasChanged) {
  const client::MemberDescription old{
      .id = "one", .host = "/h", .assignment = {{"t", 1}, {"t", 0}}, .epoch = 3, .upgraded = false};
  const client::MemberDescription changed{
      .id = "two", .instance_id = "i", .host = "/h", .target_assignment = {{{"u", 2}}}, .epoch = 3, .upgraded = true};
  ConsumerGroupDescription group = group_of(GroupState::stable, {old, changed});
  group.target_assignment_epoch = 4;
  const ToolRun done = run_in_test([&](Streams& streams) {
    print_members(streams, group, true);
    return 0;
  });
  EXPECT_EQ(done.error, "");
  EXPECT_EQ(done.out,
            "\n"
            "GROUP           CONSUMER-ID     GROUP-INSTANCE-ID HOST            CLIENT-ID       #PARTITIONS     "
            "CURRENT-EPOCH   "
            "CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT    UPGRADED\n"
            "g               one                               /h                              2               3       "
            "        "
            "t:0,1                4               -                    false\n"
            "g               two             i                 /h                              0               3       "
            "        "
            "-                    4               u:2                  true\n");
}

TEST(ConsumerGroups, AStateIsToldOnStandardError) {
  const std::pair<GroupState, const char*> states[] = {
      {GroupState::stable, ""},
      {GroupState::empty, "\nConsumer group 'g' has no active members.\n"},
      {GroupState::reconciling, "\nWarning: Consumer group 'g' is rebalancing.\n"},
  };
  for (const auto& [state, expected] : states) {
    const ConsumerGroupDescription group = group_of(state, {});
    const ToolRun done = run_in_test([&](Streams& streams) {
      print_state(streams, group, false);
      return 0;
    });
    EXPECT_EQ(done.error, expected);
    EXPECT_EQ(done.out,
              fmt::format("\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                "
                          "#MEMBERS\ng               localhost:9092  (1)       -                    {:<20} 0\n",
                          client::group_state_name(state)));
  }
}

TEST(ConsumerGroups, ADeadGroupDoesNotExist) {
  const ToolRun done = run_in_test([&](Streams& streams) {
    print_state(streams, group_of(GroupState::dead, {}), false);
    return 0;
  });
  EXPECT_EQ(done.out, "\nError: Consumer group 'g' does not exist.\n");
}

ToolRun groups(const std::vector<std::string>& arguments) {
  return run_in_test([&](Streams& streams) { return groups_tool(arguments, streams); });
}

TEST(Groups, OptionsAreChecked) {
  EXPECT_TRUE(groups({"--list"}).error.starts_with("Missing required option(s) [bootstrap-server]\n"));
  EXPECT_TRUE(
      groups({"--bootstrap-server", "a:1"}).error.starts_with("Command must include exactly one action: --list.\n"));
  EXPECT_TRUE(groups({"--bootstrap-server", "a:1", "--list", "--consumer", "--share"})
                  .error.starts_with("Option \"[consumer]\" can't be used with option \"[share]\"\n"));
  const ToolRun done = groups({"--bootstrap-server", "a:1", "--list", "--group-type", "bogus"});
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(done.error,
            "--group-type must be a valid group type.\n"
            "java.lang.IllegalArgumentException: --group-type must be a valid group type.\n\n");
}

}  // namespace
}  // namespace klamm::cli
