#include "cli/message_reader.h"

#include <gtest/gtest.h>

#include "cli/java.h"

namespace klamm::cli {
namespace {

std::vector<std::string> lines_of(std::initializer_list<std::string_view> pieces) {
  LineCutter cutter;
  std::vector<std::string> lines;
  const auto take = [&] {
    while (auto line = cutter.next()) lines.push_back(*line);
  };
  for (const std::string_view piece : pieces) {
    cutter.add(piece);
    take();
  }
  cutter.finish();
  take();
  return lines;
}

using Lines = std::vector<std::string>;

TEST(LineCutter, EveryEndOfLineIsOne) {
  EXPECT_EQ(lines_of({"a\nb\r\nc\rd"}), (Lines{"a", "b", "c", "d"}));
  EXPECT_EQ(lines_of({"\n\n"}), (Lines{"", ""}));
  EXPECT_EQ(lines_of({""}), Lines{});
  EXPECT_EQ(lines_of({"a\n"}), Lines{"a"}) << "nothing after the last end";
}

TEST(LineCutter, LinesMayComeInPieces) {
  EXPECT_EQ(lines_of({"a", "b", "c\nd"}), (Lines{"abc", "d"}));
  EXPECT_EQ(lines_of({"a\r", "\nb\n"}), (Lines{"a", "b"})) << "an end of line in two pieces";
  EXPECT_EQ(lines_of({"ab\nc", "d", "\n"}), (Lines{"ab", "cd"}));
}

std::string failure_of(const client::Properties& properties, std::string_view line) {
  try {
    LineMessageReader(properties).parse(line);
  } catch (const JavaException& exception) {
    return exception.message();
  }
  return "none";
}

TEST(LineMessageReader, ALineIsAValue) {
  const TextRecord record = LineMessageReader({}).parse("a\tb");
  EXPECT_EQ(record.key, std::nullopt);
  EXPECT_EQ(record.value, "a\tb");
  EXPECT_TRUE(record.headers.empty());
}

TEST(LineMessageReader, HeadersKeyAndValueStandInThisOrder) {
  const TextRecord record =
      LineMessageReader({{"parse.key", "true"}, {"parse.headers", "TRUE"}, {"key.separator", "="}})
          .parse("h1:a,h2:b:c\tk=v=w");
  EXPECT_EQ(record.key, "k");
  EXPECT_EQ(record.value, "v=w") << "the first separator counts";
  ASSERT_EQ(record.headers.size(), 2U);
  EXPECT_EQ(record.headers[1].first, "h2");
  EXPECT_EQ(record.headers[1].second, "b:c");
}

TEST(LineMessageReader, AMarkerStandsForNull) {
  const client::Properties properties{
      {"parse.key", "true"}, {"parse.headers", "true"}, {"null.marker", "NULL"}, {"key.separator", ":"}};
  const TextRecord record = LineMessageReader(properties).parse("NULL\tNULL:NULL");
  EXPECT_TRUE(record.headers.empty());
  EXPECT_EQ(record.key, std::nullopt);
  EXPECT_EQ(record.value, std::nullopt);
  EXPECT_EQ(failure_of(properties, "NULL:x\tk:v"),
            "Header keys should not be equal to the null marker 'NULL' as they can't be null");
}

TEST(LineMessageReader, SaysInWhichLineASeparatorIsMissing) {
  LineMessageReader reader({{"parse.key", "true"}});
  reader.parse("k\tv");
  try {
    reader.parse("kv");
    FAIL();
  } catch (const JavaException& exception) {
    EXPECT_EQ(exception.message(), "No key separator found on line number 2: 'kv'");
  }
  EXPECT_EQ(failure_of({{"parse.headers", "true"}}, "h\tv"),
            "No header key separator found in pair 'h' on line number 1");
}

TEST(LineMessageReader, MissingSeparatorsCanBeIgnored) {
  const TextRecord record = LineMessageReader({{"parse.key", "true"}, {"ignore.error", "true"}}).parse("value");
  EXPECT_EQ(record.key, std::nullopt);
  EXPECT_EQ(record.value, "value");
}

TEST(LineMessageReader, SeparatorsMustDiffer) {
  EXPECT_EQ(failure_of({{"headers.delimiter", ","}}, ""), "headers.delimiter and headers.separator may not be equal");
  EXPECT_EQ(failure_of({{"null.marker", "\t"}}, ""), "null.marker and key.separator may not be equal");
}

}  // namespace
}  // namespace klamm::cli
