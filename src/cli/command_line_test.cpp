#include "cli/command_line.h"

#include <gtest/gtest.h>

#include "cli/run_tool_test.h"

namespace klamm::cli {
namespace {

std::vector<OptionSpec> specs() {
  return {{"topic", Takes::value, "topic", "A topic."},
          {"list", Takes::nothing},
          {"timeout", Takes::value, "ms", "How long.", "5000"},
          {"class", Takes::optional_value, "name", "A class.", "Default"}};
}

// Parses and hands the command line to `body`; the tool's exit code and output.
template <typename Body>
ToolRun parsed(std::vector<std::string> arguments, Body body) {
  return run_in_test([&](Streams& streams) {
    CommandLine line(streams, "A tool.", specs());
    line.parse(arguments);
    body(line);
    return 0;
  });
}

std::string exception_of(std::vector<std::string> arguments) {
  std::string text = "none";
  try {
    parsed(std::move(arguments), [](CommandLine&) {});
  } catch (const JavaException& exception) {
    text = exception.type() + ": " + exception.message();
  }
  return text;
}

TEST(CommandLine, ValuesStandBesideOrBehindAnEqualsSign) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--topic", "t", "--list"}, {"--topic=t", "--list"}}) {
    parsed(arguments, [](CommandLine& line) {
      EXPECT_EQ(line.value("topic"), "t");
      EXPECT_TRUE(line.has("list"));
      EXPECT_EQ(line.int_value("timeout"), 5000);
      EXPECT_EQ(line.value("class"), "Default");
    });
  }
}

TEST(CommandLine, WhatIsNoOptionIsKept) {
  parsed({"file", "--list", "more"},
         [](CommandLine& line) { EXPECT_EQ(line.rest(), (std::vector<std::string>{"file", "more"})); });
}

TEST(CommandLine, FailsInTheWordsOfItsModel) {
  EXPECT_EQ(exception_of({"--bogus"}), "joptsimple.UnrecognizedOptionException: bogus is not a recognized option");
  EXPECT_EQ(exception_of({"--topic"}),
            "joptsimple.OptionMissingRequiredArgumentException: Option topic requires an argument");
  EXPECT_EQ(exception_of({"--top", "t"}), "joptsimple.UnrecognizedOptionException: top is not a recognized option")
      << "no abbreviations";
}

TEST(CommandLine, HelpGoesToStandardOutput) {
  const ToolRun help = parsed({"--help"}, [](CommandLine& line) { line.help_or_version(); });
  EXPECT_EQ(help.code, 0);
  EXPECT_TRUE(help.out.starts_with("A tool.\n")) << help.out;
  EXPECT_NE(help.out.find("--topic"), std::string::npos);
  EXPECT_EQ(help.error, "");
}

TEST(CommandLine, NoArgumentsGetTheTableAsAnError) {
  const ToolRun nothing = parsed({}, [](CommandLine& line) { line.help_or_version(); });
  EXPECT_EQ(nothing.code, 1);
  EXPECT_EQ(nothing.out, "");
  EXPECT_TRUE(nothing.error.starts_with("A tool.\n")) << nothing.error;
}

TEST(CommandLine, OptionsMayDependOnEachOther) {
  const ToolRun missing = parsed({"--list"}, [](CommandLine& line) { line.require({"topic"}); });
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(missing.error.starts_with("Missing required argument \"[topic]\"\n")) << missing.error;
  const ToolRun together =
      parsed({"--list", "--topic", "t"}, [](CommandLine& line) { line.exclude("list", {"topic"}); });
  EXPECT_EQ(together.code, 1);
  EXPECT_TRUE(together.error.starts_with("Option \"[list]\" can't be used with option \"[topic]\"\n"))
      << together.error;
}

TEST(PropertiesArguments, AValueMayHoldEqualsSigns) {
  const auto properties = parse_properties_arguments({"a=b=c", "d", "e="});
  EXPECT_EQ(properties.at("a"), "b=c");
  EXPECT_EQ(properties.at("d"), "");
  EXPECT_EQ(properties.at("e"), "");
}

TEST(BootstrapServers, NeedAPort) {
  validate_bootstrap_server("a:1,b:2");
  for (const char* text : {"", " ", "a", "a:x", "a:1,b"}) {
    EXPECT_THROW(validate_bootstrap_server(std::string(text)), JavaException) << text;
  }
  EXPECT_THROW(validate_bootstrap_server(std::nullopt), JavaException);
}

}  // namespace
}  // namespace klamm::cli
