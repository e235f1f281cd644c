#include "protocol/api_key.h"

#include <gtest/gtest.h>

namespace klamm::protocol {
namespace {

TEST(ApiTable, HasARowForEveryKey) {
  ASSERT_EQ(api_rows().size(), 95u);
  for (std::int16_t key = 0; key <= api_key_max; ++key) {
    ASSERT_NE(find_api(key), nullptr);
    EXPECT_EQ(wire_of(find_api(key)->key), key);
  }
  EXPECT_EQ(find_api(-1), nullptr);
  EXPECT_EQ(find_api(95), nullptr);
}

TEST(ApiTable, Names) {
  EXPECT_EQ(api_name(ApiKey::offset_for_leader_epoch), "OffsetForLeaderEpoch");
  EXPECT_EQ(api_row(ApiKey::add_partitions_to_txn).upper_name, "ADD_PARTITIONS_TO_TXN");
}

TEST(ApiTable, Versions) {
  const ApiRow& produce = api_row(ApiKey::produce);
  EXPECT_EQ(produce.versions, (VersionRange{0, 13}));
  EXPECT_EQ(produce.current, (VersionRange{3, 13}));
  EXPECT_EQ(produce.stable(), (VersionRange{3, 13}));
  EXPECT_EQ(produce.flexible_from, 9);
  const ApiRow& init = api_row(ApiKey::init_producer_id);
  EXPECT_TRUE(init.latest_unstable);
  EXPECT_EQ(init.stable(), (VersionRange{0, 5}));
  EXPECT_TRUE(api_row(ApiKey::leader_and_isr).current.empty()) << "gone in Kafka 4.0";
}

TEST(ApiTable, Listeners) {
  EXPECT_TRUE(api_row(ApiKey::vote).listeners.controller);
  EXPECT_FALSE(api_row(ApiKey::vote).listeners.broker);
  EXPECT_TRUE(api_row(ApiKey::leader_and_isr).listeners.zookeeper_broker);
}

TEST(ApiTable, HeaderVersions) {
  EXPECT_EQ(request_header_version(ApiKey::produce, 8), 1);
  EXPECT_EQ(request_header_version(ApiKey::produce, 9), 2);
  EXPECT_EQ(response_header_version(ApiKey::produce, 8), 0);
  EXPECT_EQ(response_header_version(ApiKey::produce, 9), 1);
  EXPECT_EQ(request_header_version(ApiKey::api_versions, 3), 2);
  EXPECT_EQ(response_header_version(ApiKey::api_versions, 3), 0);
  EXPECT_EQ(request_header_version(ApiKey::controlled_shutdown, 0), 0);
  EXPECT_EQ(request_header_version(ApiKey::controlled_shutdown, 1), 1);
  EXPECT_EQ(request_header_version(ApiKey::sasl_handshake, 1), 1);
}

}  // namespace
}  // namespace klamm::protocol
