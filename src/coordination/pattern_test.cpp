#include "coordination/pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace klamm::coordination {
namespace {

struct Case {
  std::string pattern;
  std::vector<std::string> matches;
  std::vector<std::string> others;
};

TEST(PatternTest, WholeIdsAreMatched) {
  const Case cases[] = {
      {"", {""}, {"a"}},
      {"abc", {"abc"}, {"", "ab", "abcd", "xabc"}},
      {"a.c",
       {"abc", "a-c",
        "a\xC3\xA4"
        "c"},
       {"ac", "a\nc", "abbc"}},
      {".*", {"", "anything"}, {"two\nlines"}},
      {"a|bc|", {"a", "bc", ""}, {"b", "abc"}},
      {"(a|b)c", {"ac", "bc"}, {"c", "abc"}},
      {"(?:ab)+", {"ab", "abab"}, {"", "aba"}},
      {"a*b?", {"", "aaa", "b", "aab"}, {"bb"}},
      {"a*?b+?", {"b", "aabb"}, {"aa"}},
      {"a{3}", {"aaa"}, {"aa", "aaaa"}},
      {"a{2,}", {"aa", "aaaaa"}, {"a"}},
      {"a{1,2}b{0}", {"a", "aa"}, {"", "aaa", "ab"}},
      {"(a{2}){2}", {"aaaa"}, {"aa", "aaa"}},
      {"[a-c_]x", {"ax", "cx", "_x"}, {"dx", "-x"}},
      {"[^a-c]", {"d", "\n"}, {"a", "", "dd"}},
      {"[]a]", {"]", "a"}, {"b"}},
      {"[a-]", {"a", "-"}, {"b"}},
      {"[\\d.]+", {"1.2"}, {"a", ""}},
      {"[\\]\\\\]", {"]", "\\"}, {"a"}},
      {"\\d\\D\\w\\W\\s\\S", {"1a_- x"}, {"aaaaaa"}},
      {"\\.\\*\\-", {".*-"}, {"aab"}},
      {"\\Qa.b\\E.", {"a.bc"}, {"axbc", "a.b"}},
      {"\\Qab\\E*", {"a", "abb"}, {"abab"}},
      {"\\Q*", {"*"}, {""}},
      {"^a$", {"a"}, {"^a$"}},
      {"a^b", {}, {"ab", "a^b"}},
      {"(a*)*", {"", "aaa"}, {"b"}},
      {"(a|b)*abb", {"abb", "ababb"}, {"ab", "abba"}},
      {"\\t\\n\\r\\f", {"\t\n\r\f"}, {"tnrf"}},
      {"]}", {"]}"}, {"]"}},
      {"\xC3\xA4+", {"\xC3\xA4\xC3\xA4"}, {"\xC3", "\xC3\xA4\xA4"}},
  };
  for (const Case& c : cases) {
    const auto pattern = Pattern::parse(c.pattern);
    ASSERT_TRUE(pattern) << c.pattern;
    for (const std::string& text : c.matches) EXPECT_TRUE(pattern->matches(text)) << c.pattern << " : " << text;
    for (const std::string& text : c.others) EXPECT_FALSE(pattern->matches(text)) << c.pattern << " : " << text;
  }
}

TEST(PatternTest, WhatIsNoneOrIsNotUnderstoodIsRefused) {
  for (const std::string pattern : {"(", ")",   "a)",  "(a",      "[",  "[a",  "[b-a]", "[]",      "*",   "+a",
                                    "?", "a**", "a*+", "a{1001}", "\\", "\\1", "(?=a)", "(?<!a)b", "(*)", "\xFF"}) {
    const auto parsed = Pattern::parse(pattern);
    ASSERT_FALSE(parsed) << pattern;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_regular_expression);
    EXPECT_FALSE(parsed.error().message.empty());
  }
}

TEST(PatternTest, APatternHasABound) {
  EXPECT_TRUE(Pattern::parse("(a{30}){30}"));
  EXPECT_FALSE(Pattern::parse("((a{0,1000}){1000}){1000}"));
  EXPECT_FALSE(Pattern::parse("(((((){1000}){1000}){1000}){1000}){1000}"));
}

TEST(PatternTest, NoTextTakesLongerThanItsLength) {
  const auto pattern = Pattern::parse("(a*)*(a*)*(a|a)*b");
  ASSERT_TRUE(pattern);
  const std::string text(32'767, 'a');
  EXPECT_FALSE(pattern->matches(text));
  EXPECT_TRUE(pattern->matches(text + "b"));
}

}  // namespace
}  // namespace klamm::coordination
