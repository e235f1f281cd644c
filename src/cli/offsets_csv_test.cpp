#include "cli/offsets_csv.h"

#include <gtest/gtest.h>

namespace klamm::cli {
namespace {

constexpr CsvColumns three = CsvColumns::without_group;
constexpr CsvColumns four = CsvColumns::with_group;

std::string read(std::string_view line, CsvColumns columns) {
  try {
    const PlannedOffset row = parse_offset_row(line, columns);
    return fmt::format("{}|{}|{}|{}", row.group, row.partition.topic, row.partition.partition, row.offset);
  } catch (const JavaException& exception) {
    return exception.to_string();
  }
}

TEST(OffsetsCsv, ALineIsARow) {
  EXPECT_EQ(read("cg,1,42", three), "|cg|1|42");
  EXPECT_EQ(read("g,cg,1,42\r", four), "g|cg|1|42");
  EXPECT_EQ(read("\"a \"\"quoted\"\", one\" ,1,42", three), "|a \"quoted\", one|1|42");
}

TEST(OffsetsCsv, WhatALineDoesNotHaveIsEmptyOrZero) {
  EXPECT_EQ(read("cg", three), "|cg|0|0");
  EXPECT_EQ(read("cg,,", three), "|cg|0|0");
  EXPECT_EQ(read("cg, +7 ,null", three), "|cg|7|0");
  EXPECT_EQ(read("\r", three), "||0|0");
}

TEST(OffsetsCsv, ARowIsRefusedInJacksonsWords) {
  const std::string chain =
      " (through reference chain: org.apache.kafka.tools.consumer.group.CsvUtils$CsvRecordNoGroup[\"partition\"])";
  EXPECT_EQ(read("ge,cg,0,0", three),
            "com.fasterxml.jackson.databind.exc.InvalidFormatException: Cannot deserialize value of type `int` from "
            "String \"cg\": not a valid `int` value\n at [Source: (StringReader); line: 1, column: 4]" +
                chain);
  EXPECT_EQ(read("cg,99999999999,0", three),
            "com.fasterxml.jackson.databind.JsonMappingException: Numeric value (99999999999) out of range of int\n at "
            "[Source: (StringReader); line: 1, column: 16]" +
                chain);
  EXPECT_EQ(read("cg,0,0,7", three),
            "com.fasterxml.jackson.dataformat.csv.CsvReadException: Too many entries: expected at most 3 (value #3 (1 "
            "chars) \"7\")\n at [Source: (StringReader); line: 1, column: 8]");
  EXPECT_EQ(read("\"cg,0,0", three),
            "com.fasterxml.jackson.core.JsonParseException: Missing closing quote for value\n at [Source: "
            "(StringReader); line: 1, column: 8]");
  EXPECT_EQ(read("\"cg\"x,0,0", three),
            "com.fasterxml.jackson.core.JsonParseException: Unexpected character ('x' (code 120)): Expected column "
            "separator character (',' (code 44)) or end-of-line\n at [Source: (StringReader); line: 1, column: 6]");
  EXPECT_EQ(read("", three),
            "com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to end-of-input\n at "
            "[Source: (StringReader); line: UNKNOWN, column: UNKNOWN]");
}

TEST(OffsetsCsv, ARowIsWrittenSoThatItIsReadAgain) {
  EXPECT_EQ(offset_row({"g", {"cg", 1}, 42}, three), "cg,1,42\n");
  EXPECT_EQ(offset_row({"g", {"cg", 1}, 42}, four), "g,cg,1,42\n");
  EXPECT_EQ(offset_row({"g a", {"a-topic-of-24-characters", 0}, 0}, four), "\"g a\",a-topic-of-24-characters,0,0\n");
  EXPECT_EQ(offset_row({"", {"a-topic-with-a-long-name-indeed", 0}, 0}, three),
            "\"a-topic-with-a-long-name-indeed\",0,0\n");
  for (const std::string group : {"plain", "with, comma", "with \"quotes\"", "a very long name, longer than that"}) {
    const std::string line = offset_row({group, {"cg", 1}, 42}, four);
    EXPECT_EQ(read(line.substr(0, line.size() - 1), four), group + "|cg|1|42");
  }
}

}  // namespace
}  // namespace klamm::cli
