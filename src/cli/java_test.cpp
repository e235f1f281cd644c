#include "cli/java.h"

#include <gtest/gtest.h>

namespace klamm::cli {
namespace {

TEST(JavaHash, StringsAndPartitionsHashAsInJava) {
  EXPECT_EQ(java_hash(""), 0);
  EXPECT_EQ(java_hash("abc"), 96354);
  EXPECT_EQ(java_hash("the quick brown fox"), 1302335171) << "it wraps around";
  EXPECT_EQ(java_hash(TopicPartition("t", PartitionIndex(0))), 31 * 31 + 116);
}

TEST(JavaHashMap, GivesItsEntriesByBucketNotByInsertion) {
  std::vector<std::string> names{"t2", "t1", "nope", "kv", "sh1"};
  order_as_java_map(names, [](const std::string& name) -> std::string_view { return name; });
  EXPECT_EQ(names, (std::vector<std::string>{"nope", "kv", "t1", "sh1", "t2"}));
}

TEST(JavaHashMap, KeepsTheOrderOfInsertionWithinABucket) {
  std::vector<std::int32_t> numbers{17, 1, 33, 0};
  order_as_java_map(numbers, [](std::int32_t number) { return number; });
  EXPECT_EQ(numbers, (std::vector<std::int32_t>{0, 17, 1, 33}));
}

TEST(JavaHashMap, GrowsAtThreeQuarters) {
  EXPECT_EQ(detail::java_buckets(12, {}), 16U);
  EXPECT_EQ(detail::java_buckets(13, {}), 32U);
  EXPECT_EQ(detail::java_buckets(3, 3), 4U);
  EXPECT_EQ(detail::java_buckets(4, 3), 8U);
}

TEST(JavaNumbers, AreReadAsJavaReadsThem) {
  EXPECT_EQ(java_int("-2147483648"), -2147483648);
  EXPECT_EQ(java_long("+9223372036854775807"), 9223372036854775807);
  for (const char* text : {"", "x", "1.5", "2147483648", " 1"}) {
    try {
      java_int(text);
      FAIL() << text;
    } catch (const JavaException& exception) {
      EXPECT_EQ(exception.type(), "java.lang.NumberFormatException");
    }
  }
}

TEST(JavaException, ItsTraceNamesEveryCause) {
  const JavaException root("java.net.ConnectException", "refused");
  const JavaException outer("java.lang.RuntimeException", "it failed", root);
  EXPECT_EQ(outer.stack_trace(),
            "java.lang.RuntimeException: it failed\nCaused by: java.net.ConnectException: refused\n");
}

TEST(IncludeList, CommasMeanOr) {
  const IncludeList list("'a.*, b'");
  EXPECT_TRUE(list.matches("abc"));
  EXPECT_TRUE(list.matches("b"));
  EXPECT_FALSE(list.matches("bc")) << "the whole name";
}

TEST(IncludeList, RefusesWhatIsNoExpression) {
  EXPECT_THROW(IncludeList("a["), JavaException);
}

}  // namespace
}  // namespace klamm::cli
