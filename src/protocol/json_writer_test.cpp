// Printing as Kafka's JsonConverter classes print. tests/conformance compares every message; here are the rules.
#include "protocol/json_writer.h"

#include <gtest/gtest.h>

#include <limits>

#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"
#include "protocol/records/topic_record.h"

namespace klamm::protocol {
namespace {

template <typename T>
std::string printed(const T& value) {
  JsonWriter json;
  json.begin_object();
  json.field("x", value);
  json.end_object();
  return json.take();
}

TEST(Json, ARecord) {
  const TopicRecord record{.name = "orders", .topic_id = {0, 1}};
  EXPECT_EQ(record.to_json(0), R"({"name":"orders","topicId":"AAAAAAAAAAAAAAAAAAAAAQ"})");
}

TEST(Json, RecordsAreNeverPrinted) {
  ProduceRequest request{.acks = -1, .timeout_ms = 5};
  const ByteVector batch(3);
  request.topic_data.push_back({.name = "t"});
  request.topic_data[0].partition_data.push_back({.index = 0, .records = Payload::view(batch)});
  request.topic_data[0].partition_data.push_back({.index = 1});
  EXPECT_EQ(request.to_json(3),
            R"({"transactionalId":null,"acks":-1,"timeoutMs":5,"topicData":[{"name":"t","partitionData":[)"
            R"({"index":0,"records":""},{"index":1,"records":null}]}]})");
  EXPECT_EQ(request.to_json(3, JsonRecords::size),
            R"({"transactionalId":null,"acks":-1,"timeoutMs":5,"topicData":[{"name":"t","partitionData":[)"
            R"({"index":0,"recordsSizeInBytes":3},{"index":1,"records":null}]}]})");
}

TEST(Json, TagsAreLeftOutWhileTheyHaveTheirDefault) {
  FetchRequest request;
  EXPECT_EQ(request.to_json(15).find("clusterId"), std::string::npos);
  request.cluster_id = "c";
  EXPECT_NE(request.to_json(15).find(R"("clusterId":"c")"), std::string::npos);
}

TEST(Json, Text) {
  EXPECT_EQ(printed(std::string("a\"\\/\b\n\x01\x1f\x7f")), "{\"x\":\"a\\\"\\\\/\\b\\n\\u0001\\u001F\x7f\"}");
  EXPECT_EQ(printed(std::string("\xc3\xa4\xf0\x9f\x98\x80")), "{\"x\":\"\xc3\xa4\xf0\x9f\x98\x80\"}");
  // What is no UTF-8 becomes U+FFFD, as Java reads it.
  EXPECT_EQ(printed(std::string("a\xff"
                                "b\xc3")),
            "{\"x\":\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\"}");
}

TEST(Json, Numbers) {
  EXPECT_EQ(printed(std::numeric_limits<std::int64_t>::min()), R"({"x":-9223372036854775808})");
  EXPECT_EQ(printed(std::uint32_t{4294967295}), R"({"x":4294967295})");
  EXPECT_EQ(printed(true), R"({"x":true})");
  struct Case {
    double value;
    const char* text;
  };
  for (const Case& one :
       {Case{0, "0.0"}, Case{-0.0, "-0.0"}, Case{1, "1.0"}, Case{123.25, "123.25"}, Case{1e7, "1.0E7"},
        Case{1234567.5, "1234567.5"}, Case{12345678.5, "1.23456785E7"}, Case{0.001, "0.001"}, Case{0.00025, "2.5E-4"},
        Case{-1e300, "-1.0E300"}, Case{100, "100.0"}}) {
    EXPECT_EQ(printed(one.value), fmt::format(R"({{"x":{}}})", one.text));
  }
  EXPECT_EQ(printed(std::numeric_limits<double>::infinity()), R"({"x":"Infinity"})");
}

TEST(Json, BytesAreBase64) {
  EXPECT_EQ(printed(ByteVector{}), R"({"x":""})");
  EXPECT_EQ(printed(ByteVector{std::byte{0xff}}), R"({"x":"/w=="})");
  EXPECT_EQ(printed(ByteVector{std::byte{0xff}, std::byte{0xfe}}), R"({"x":"//4="})");
  EXPECT_EQ(printed(ByteVector{std::byte{'a'}, std::byte{'b'}, std::byte{'c'}}), R"({"x":"YWJj"})");
}

}  // namespace
}  // namespace klamm::protocol
