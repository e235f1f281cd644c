#include "config/value.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/config_def.h"
#include "config/key_table.h"

namespace klamm::config {
namespace {

TEST(Value, ParsesEachType) {
  EXPECT_EQ(parse_value("k", " TRUE ", Type::boolean), Value(true));
  EXPECT_EQ(parse_value("k", "+12", Type::int32), Value(std::int64_t{12}));
  EXPECT_EQ(parse_value("k", "-9223372036854775808", Type::int64), Value(INT64_MIN));
  EXPECT_EQ(parse_value("k", " 0.5d ", Type::float64), Value(0.5));
  EXPECT_EQ(parse_value("k", "\ttext\n", Type::string), Value(std::string("text")));
  EXPECT_EQ(parse_value("k", " a , b,,c ", Type::list), Value(List{"a", "b", "", "c"}));
  EXPECT_EQ(parse_value("k", "  ", Type::list), Value(List{}));
  EXPECT_EQ(parse_value("k", ",", Type::list), Value(List{"", ""}));
}

TEST(Value, SaysWhatIsWrongAsKafkaDoes) {
  struct Case {
    std::string_view text;
    Type type;
    std::string_view message;
  };
  const Case cases[] = {
      {"maybe", Type::boolean, "Invalid value maybe for configuration k: Expected value to be either true or false"},
      {" abc ", Type::int32, "Invalid value  abc  for configuration k: Not a number of type INT"},
      {"2147483648", Type::int32, "Invalid value 2147483648 for configuration k: Not a number of type INT"},
      {"32768", Type::int16, "Invalid value 32768 for configuration k: Not a number of type SHORT"},
      {"", Type::int64, "Invalid value  for configuration k: Not a number of type LONG"},
      {"1.5", Type::int64, "Invalid value 1.5 for configuration k: Not a number of type LONG"},
      {"+-1", Type::int64, "Invalid value +-1 for configuration k: Not a number of type LONG"},
      {"inf", Type::float64, "Invalid value inf for configuration k: Not a number of type DOUBLE"},
      {"1e", Type::float64, "Invalid value 1e for configuration k: Not a number of type DOUBLE"},
  };
  for (const Case& each : cases) {
    const auto value = parse_value("k", each.text, each.type);
    ASSERT_FALSE(value.has_value()) << each.text;
    EXPECT_EQ(value.error().message, each.message);
    EXPECT_EQ(value.error().java_class(), "org.apache.kafka.common.config.ConfigException");
  }
}

TEST(Value, PrintsDoublesAsJavaDoes) {
  const std::pair<double, std::string_view> cases[] = {{0.0, "0.0"},
                                                       {-0.0, "-0.0"},
                                                       {1, "1.0"},
                                                       {0.5, "0.5"},
                                                       {0.001, "0.001"},
                                                       {0.0001, "1.0E-4"},
                                                       {9999999, "9999999.0"},
                                                       {1e7, "1.0E7"},
                                                       {2147483647, "2.147483647E9"},
                                                       {1.7976931348623157E308, "1.7976931348623157E308"},
                                                       {-12.25, "-12.25"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(java_double_text(number), text);
  EXPECT_EQ(parse_java_double("1e400"), HUGE_VAL);
  EXPECT_EQ(parse_java_double("1e-400"), 0.0);
  EXPECT_EQ(parse_java_double("-Infinity"), -HUGE_VAL);
}

TEST(Value, ReadsDurationsAsJavaDoes) {
  const std::pair<std::string_view, std::optional<std::int64_t>> cases[] = {
      {"PT10M", 600'000},
      {"P2DT3H4M", 2 * 86'400'000 + 3 * 3'600'000 + 240'000},
      {"pt1.5s", 1500},
      {"PT0S", 0},
      {"-PT1H", -3'600'000},
      {"PT-6H+3M", -21'420'000},
      {"P1D", 86'400'000},
      {"P", {}},
      {"PT", {}},
      {"1H", {}},
      {"PT1D", {}},
      {"P1H", {}},
      {"PT1M1H", {}},
      {"PT1.5M", {}},
      {"P1Y", {}},
      {"PT99999999999999999999S", {}},
      {"", {}},
      {"PT1H ", {}}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_iso_duration_ms(text), expected) << text;
}

struct Checkee {
  std::string_view text;
  std::string_view message;  // empty: valid
};

void check_all(const Key& key, std::initializer_list<Checkee> cases) {
  const ConfigDef definition({&key});
  for (const Checkee& each : cases) {
    const auto value = definition.parse_value(key, each.text);
    EXPECT_EQ(value ? "" : value.error().message, each.message) << each.text;
  }
}

constexpr std::string_view policies[] = {"compact", "delete"};

TEST(Validator, ChecksRanges) {
  check_all({"k", Type::int32, "5", between(1, 9), high},
            {{"1", ""},
             {"9", ""},
             {"0", "Invalid value 0 for configuration k: Value must be at least 1"},
             {"10", "Invalid value 10 for configuration k: Value must be no more than 9"}});
  check_all({"k", Type::float64, "0.2", between(0, 0.5), high},
            {{"0.5", ""},
             {"-1", "Invalid value -1.0 for configuration k: Value must be at least 0"},
             {"0.75", "Invalid value 0.75 for configuration k: Value must be no more than 0.5"}});
  check_all({"k", Type::int32, "-1", gzip_level, high},
            {{"-1", ""},
             {"9", ""},
             {"0", "Invalid value 0 for configuration k: Value must be between 1 and 9 or equal to -1"}});
}

TEST(Validator, ChecksLists) {
  check_all({"k", Type::list, "delete", list_of(policies), high},
            {{"", ""},
             {"compact, delete", ""},
             {"delete,delete", ""},
             {"foo", "Invalid value foo for configuration k: String must be one of: compact, delete"},
             {"compact,", "Configuration 'k' values must not be empty."}});
  check_all({"k", Type::list, "a", some_list, high},
            {{"a", ""}, {"", "Configuration 'k' must not be empty. Valid values include: any non-empty value"}});
  check_all({"k", Type::list, "delete", list_of(policies, false), high},
            {{"", "Configuration 'k' must not be empty. Valid values include: [compact, delete]"}});
  check_all(
      {"k", Type::list, "", throttled_replicas, high},
      {{"*", ""},
       {"0:1,1:2", ""},
       {"", ""},
       {"0:x",
        "Invalid value [0:x] for configuration k: k must be the literal '*' or a list of replicas in the following "
        "format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."}});
}

TEST(Validator, ChecksStrings) {
  check_all({"k", Type::string, "delete", one_of(policies), high},
            {{"delete", ""},
             {"Delete", "Invalid value Delete for configuration k: String must be one of: compact, delete"},
             {"", "Invalid value  for configuration k: String must be one of: compact, delete"}});
  check_all({"k", Type::string, "delete", one_of_any_case(policies), high},
            {{"DELETE", ""},
             {"x", "Invalid value x for configuration k: String must be one of (case insensitive): compact, delete"}});
  check_all({"k", Type::string, null_default, non_empty, high},
            {{"x", ""}, {" ", "Invalid value  for configuration k: String must be non-empty"}});
  check_all({"k", Type::string, "latest", offset_reset, high},
            {{"none", ""},
             {"by_duration:PT1H", ""},
             {"x",
              "Invalid value x for configuration k: Invalid value `x` for configuration k. The value must be either "
              "'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."}});
  check_all({"k", Type::string, "latest", share_offset_reset, high},
            {{"earliest", ""},
             {"by_duration:-PT1H",
              "Invalid value by_duration:-PT1H for configuration k: Invalid value `by_duration:-PT1H` for "
              "configuration k. The "
              "value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."}});
}

TEST(ConfigDef, DropsDuplicatesOfAListWithAWarning) {
  const Key key{"cleanup.policy", Type::list, "delete", list_of(policies), medium};
  const ConfigDef definition({&key});
  std::vector<std::string> warnings;
  const auto values = definition.parse({{"cleanup.policy", "delete,compact,delete"}}, &warnings);
  ASSERT_TRUE(values.has_value());
  EXPECT_EQ(values->get_list("cleanup.policy"), (List{"delete", "compact"}));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0],
            "Configuration key \"cleanup.policy\" contains duplicate values. Duplicates will be removed. The original "
            "value is: [delete, compact, delete], the updated value is: [delete, compact]");
}

TEST(ConfigDef, AsksForWhatIsRequired) {
  const Key key{"node.id", Type::int32, required, at_least(0), high};
  const auto values = ConfigDef({&key}).parse({});
  ASSERT_FALSE(values.has_value());
  EXPECT_EQ(values.error().message, "Missing required configuration \"node.id\" which has no default value.");
}

}  // namespace
}  // namespace klamm::config
