#include "config/properties.h"

#include <gtest/gtest.h>

namespace klamm::config {
namespace {

Properties parsed(std::string_view text) {
  auto result = parse_properties(text);
  EXPECT_TRUE(result.has_value());
  return result.value_or(Properties{});
}

// What java.util.Properties.load makes of each text.
TEST(Properties, ReadsWhatJavaReads) {
  struct Case {
    std::string_view text;
    Properties expected;
  };
  const Case cases[] = {
      {"", {}},
      {"a=1", {{"a", "1"}}},
      {"a=1\r\nb=2\rc=3\n", {{"a", "1"}, {"b", "2"}, {"c", "3"}}},
      {"# a comment\n! another\n   # indented=x\na=1", {{"a", "1"}}},
      {"# a comment does not go on \\\na=1", {{"a", "1"}}},
      {"a : 1\nb\t2\nc   =   3  \nd", {{"a", "1"}, {"b", "2"}, {"c", "3  "}, {"d", ""}}},
      {"a = = 1\nb==2\nc=:3", {{"a", "= 1"}, {"b", "=2"}, {"c", ":3"}}},
      {"a\\=b=1\nc\\:d=2\ne\\ f=3", {{"a=b", "1"}, {"c:d", "2"}, {"e f", "3"}}},
      {"=1\n:2", {{"", "2"}}},
      {"a=one,\\\n   two,\\\n\tthree", {{"a", "one,two,three"}}},
      {"a=one\\\n\nb=2", {{"a", "one"}, {"b", "2"}}},
      {"a=one\\", {{"a", "one"}}},
      {"a=even\\\\\nb=2", {{"a", "even\\"}, {"b", "2"}}},
      {"a=\\t\\n\\r\\f\\x\\\"", {{"a", "\t\n\r\fx\""}}},
      {"a=\\u00e4\\u20AC\\uD83D\\uDE00", {{"a", "ä€😀"}}},
      {"a=\\uD83D.\\uDE00", {{"a", "?.?"}}},
      {"a=1\na=2\n a = 3", {{"a", "3"}}},
      {"log.dirs=C:\\\\kafka\\\\logs", {{"log.dirs", "C:\\kafka\\logs"}}},
  };
  for (const Case& each : cases) EXPECT_EQ(parsed(each.text), each.expected) << each.text;
}

TEST(Properties, TakesBytesAsLatin1LikeJava) {
  EXPECT_EQ(parsed("a=\xe4"), (Properties{{"a", "ä"}}));
}

TEST(Properties, RefusesMalformedEscapes) {
  for (const std::string_view text : {"a=\\u", "a=\\u12", "a=\\u12g4", "a\\u00=1"}) {
    const auto result = parse_properties(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().message, "Malformed \\uxxxx encoding.");
  }
}

TEST(Properties, RefusesWhatIsTooLong) {
  EXPECT_FALSE(parse_properties(std::string(properties_bytes_max + 1, 'a')).has_value());
}

TEST(Properties, SurvivesEveryByteAnywhere) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {
          static_cast<char>(first), static_cast<char>(second), '\\', static_cast<char>(first), '=', '\\'};
      (void)parse_properties(text);
    }
  }
}

TEST(Properties, WritesWhatJavaWrites) {
  const std::pair<std::string, std::string> entries[] = {
      {"node.id", "1"}, {"a key", " a value "}, {"pa:th", "C:\\x=#!"}, {"text", "ä😀\t\n"}};
  const std::string comments[] = {"", "Wed Nov 25 10:00:00 UTC 2026"};
  EXPECT_EQ(properties_text(entries, comments),
            "#\n#Wed Nov 25 10:00:00 UTC 2026\n"
            "node.id=1\n"
            "a\\ key=\\ a value \n"
            "pa\\:th=C\\:\\\\x\\=\\#\\!\n"
            "text=\\u00E4\\uD83D\\uDE00\\t\\n\n");
  EXPECT_EQ(parsed(properties_text(entries)), Properties(std::begin(entries), std::end(entries)));
}

TEST(Properties, SplitsAtTheFirstEqualsSign) {
  EXPECT_EQ(split_property("a=b=c"), (std::pair<std::string, std::string>("a", "b=c")));
  EXPECT_EQ(split_property("a"), (std::pair<std::string, std::string>("a", "")));
}

TEST(Properties, EscapesCommentsAndContinuedLines) {
  const auto read = parse_properties(
      "# c\n! c\n\n  a = b c \nk\\=1:v\nlong one\\\n   two\nempty\nu=\\u00e4\\t\nwin=1\r\nodd=x\\\\\nlast=\\");
  const Properties expected{{"a", "b c "},       {"k=1", "v"}, {"long", "onetwo"}, {"empty", ""},
                            {"u", "\xc3\xa4\t"}, {"win", "1"}, {"odd", "x\\"},     {"last", ""}};
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, expected);
}

}  // namespace
}  // namespace klamm::config
