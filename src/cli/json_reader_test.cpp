#include "cli/json_reader.h"

#include <gtest/gtest.h>

namespace klamm::cli {
namespace {

TEST(Json, ReadsWhatToolsAreGiven) {
  const auto json = Json::parse(R"( {"partitions":[{"topic":"t\u00e9\n","partition":0,"offset":-1}],"version":1} )");
  ASSERT_TRUE(json);
  const Json* partitions = json->find("partitions");
  ASSERT_NE(partitions, nullptr);
  ASSERT_EQ(partitions->array()->size(), 1U);
  const Json& first = partitions->array()->front();
  EXPECT_EQ(*first.find("topic")->string(), "t\xc3\xa9\n");
  EXPECT_EQ(*first.find("offset")->integer(), -1);
  EXPECT_EQ(first.find("missing"), nullptr);
  EXPECT_EQ(first.find("topic")->integer(), nullptr) << "a text is no number";
}

TEST(Json, RefusesEverythingElse) {
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "{\"a\":}", "nul", "\"a", "\"\\x\"", "1 2", "--1", "{1:2}"}) {
    EXPECT_FALSE(Json::parse(text)) << text;
  }
}

TEST(Json, DepthIsBounded) {
  EXPECT_FALSE(Json::parse(std::string(100000, '[')));
  EXPECT_FALSE(Json::parse(std::string(100000, '[') + std::string(100000, ']')));
}

TEST(Json, TextsAreEscapedAsJacksonDoes) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01/é"), "\"a\\\"b\\\\c\\n\\u0001/é\"");
}

}  // namespace
}  // namespace klamm::cli
