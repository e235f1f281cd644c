#include "cli/subcommand_line.h"

#include <gtest/gtest.h>

#include "cli/run_tool_test.h"

namespace klamm::cli {
namespace {

std::vector<Subcommand> commands() {
  return {{"info", "Tells.", {{.name = "--config", .letter = "-c", .is_required = true}}},
          {"format",
           "Formats.",
           {{.name = "--config", .letter = "-c", .is_required = true},
            {.name = "--cluster-id", .letter = "-t", .is_required = true},
            {.name = "--feature", .letter = "-f"},
            {.name = "--standalone", .letter = "-s", .takes = Takes::nothing, .exclusive_group = 1},
            {.name = "--no-initial-controllers", .letter = "-N", .takes = Takes::nothing, .exclusive_group = 1},
            {.name = "--ignore-formatted", .letter = "-g", .takes = Takes::nothing}}},
          {"cluster-id",
           "Prints it.",
           {{.name = "--bootstrap-server", .letter = "-b", .exclusive_group = 1},
            {.name = "--bootstrap-controller", .letter = "-C", .exclusive_group = 1}},
           {1}}};
}

ToolRun run(const std::vector<std::string>& arguments, ParsedSubcommand* parsed = nullptr) {
  return run_in_test([&](Streams& streams) {
    auto result = SubcommandLine(streams, "kafka-storage", "The storage tool.", commands()).parse(arguments);
    if (parsed != nullptr) *parsed = std::move(result);
    return -1;
  });
}

// The lines below the usage.
std::string error_of(const std::vector<std::string>& arguments) {
  const ToolRun outcome = run(arguments);
  EXPECT_EQ(outcome.code, 1);
  const auto begin = outcome.error.find("kafka-storage:");
  return begin == std::string::npos ? outcome.error : outcome.error.substr(begin);
}

TEST(SubcommandLine, ReadsEveryWayOfGivingAnOption) {
  for (const auto& arguments : std::initializer_list<std::vector<std::string>>{
           {"format", "--config", "a", "--cluster-id", "b", "-s", "-f", "x=1", "--feature", "y=2"},
           {"format", "--config=a", "--cluster=b", "--standalone", "--feature=x=1", "-fy=2"},
           {"format", "-ca", "-t", "b", "--stand", "-f", "x=1", "-f", "y=2"}}) {
    ParsedSubcommand parsed;
    EXPECT_EQ(run(arguments, &parsed).code, -1);
    EXPECT_EQ(parsed.command(), "format");
    EXPECT_EQ(parsed.value("--config"), "a");
    EXPECT_EQ(parsed.value("--cluster-id"), "b");
    EXPECT_TRUE(parsed.has("--standalone"));
    EXPECT_FALSE(parsed.has("--ignore-formatted"));
    EXPECT_EQ(parsed.values("--feature"), (std::vector<std::string>{"x=1", "y=2"}));
  }
  ParsedSubcommand joined;
  EXPECT_EQ(run({"form", "-sgc", "a", "-tb"}, &joined).code, -1);
  EXPECT_TRUE(joined.has("--standalone") && joined.has("--ignore-formatted"));
  EXPECT_EQ(joined.value("--config"), "a");
}

TEST(SubcommandLine, ComplainsAsArgparse4jDoes) {
  EXPECT_EQ(error_of({}), "kafka-storage: error: too few arguments\n");
  EXPECT_EQ(error_of({"--no-such-option-x"}), "kafka-storage: error: unrecognized arguments: '--no-such-option-x'\n");
  EXPECT_EQ(error_of({"format", "-c", "a"}), "kafka-storage: error: argument --cluster-id/-t is required\n");
  EXPECT_EQ(error_of({"info", "-c"}), "kafka-storage: error: argument --config/-c: expected one argument\n");
  EXPECT_EQ(error_of({"info", "-c", "a", "b", "c"}), "kafka-storage: error: unrecognized arguments: 'b c'\n");
  EXPECT_EQ(error_of({"format", "--c", "a"}),
            "kafka-storage: error: ambiguous option:  --c  could  match --cluster-id, --\nconfig\n");
  EXPECT_EQ(error_of({"format", "--standalone=x"}),
            "kafka-storage: error: argument  --standalone/-s:  ignore  implicit argument\n'x'\n");
  EXPECT_EQ(
      error_of({"format", "-N", "--standalone"}),
      "kafka-storage: error: argument --standalone/-s:  not  allowed with argument\n--no-initial-controllers/-N\n");
  EXPECT_EQ(error_of({"bogus"}),
            "kafka-storage:  error:  invalid  choice:   'bogus'   (choose  from  'info',\n'format', 'cluster-id')\n");
}

TEST(SubcommandLine, FillsLinesAsArgparse4jDoes) {
  EXPECT_EQ(
      fill_lines(
          "kafka-cluster: error: one of the arguments --bootstrap-server/-b --bootstrap-controller/-C is required", 75),
      "kafka-cluster:  error:  one  of   the  arguments  --bootstrap-server/-b  --\nbootstrap-controller/-C is "
      "required");
  EXPECT_EQ(
      fill_lines("kafka-storage: error: invalid choice: 'bogus' (choose from 'info', 'format', 'version-mapping', "
                 "'feature-dependencies', 'random-uuid')",
                 75),
      "kafka-storage:  error:  invalid  choice:   'bogus'   (choose  from  'info',\n'format', 'version-mapping', "
      "'feature-dependencies', 'random-uuid')");
  EXPECT_EQ(
      fill_lines(
          "kafka-cluster: error: invalid choice: 'bogus' (choose from 'cluster-id', 'unregister', 'list-endpoints')",
          75),
      "kafka-cluster: error: invalid  choice:  'bogus'  (choose from 'cluster-id',\n'unregister', 'list-endpoints')");
}

TEST(SubcommandLine, HelpsOnStandardOutput) {
  for (const auto& arguments :
       std::initializer_list<std::vector<std::string>>{{"--help"}, {"-h"}, {"format", "--help"}, {"format", "-h"}}) {
    const ToolRun outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_TRUE(outcome.out.starts_with("usage: kafka-storage"));
    EXPECT_EQ(outcome.error, "");
  }
}

}  // namespace
}  // namespace klamm::cli
