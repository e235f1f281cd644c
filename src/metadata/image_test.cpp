#include "metadata/image.h"

#include <gtest/gtest.h>

#include "metadata/delta.h"
#include "metadata/transaction_filter.h"

namespace klamm::metadata {
namespace {

const Uuid topic_a{1, 10};
const Uuid topic_b{1, 11};
const Uuid dir_1{5, 1};
const Uuid dir_2{5, 2};

Record feature(std::string name, std::int16_t level) {
  protocol::FeatureLevelRecord record;
  record.name = std::move(name);
  record.feature_level = level;
  return {record, 0};
}
Record topic(std::string name, Uuid id) {
  protocol::TopicRecord record;
  record.name = std::move(name);
  record.topic_id = id;
  return {record, 0};
}
Record remove_topic(Uuid id) {
  protocol::RemoveTopicRecord record;
  record.topic_id = id;
  return {record, 0};
}
Record partition(Uuid id, std::int32_t index, std::vector<std::int32_t> replicas) {
  protocol::PartitionRecord record;
  record.topic_id = id;
  record.partition_id = index;
  record.leader = replicas.front();
  record.leader_epoch = 0;
  record.partition_epoch = 0;
  record.directories = std::vector<Uuid>(replicas.size(), dir_1);
  record.isr = replicas;
  record.replicas = std::move(replicas);
  return {record, 2};
}
Record config(ConfigResourceType type, std::string resource, std::string name, std::optional<std::string> value) {
  protocol::ConfigRecord record;
  record.resource_type = static_cast<std::int8_t>(type);
  record.resource_name = std::move(resource);
  record.name = std::move(name);
  record.value = std::move(value);
  return {record, 0};
}
Record broker(std::int32_t id, std::int64_t epoch) {
  protocol::RegisterBrokerRecord record;
  record.broker_id = id;
  record.broker_epoch = epoch;
  record.incarnation_id = Uuid{9, static_cast<std::uint64_t>(epoch)};
  record.end_points.emplace_back().name = "PLAINTEXT";
  record.end_points.back().host = "localhost";
  record.end_points.back().port = 9092;
  record.features.emplace_back().name = "metadata.version";
  record.features.back().min_supported_version = 7;
  record.features.back().max_supported_version = 33;
  record.rack.reset();
  record.log_dirs = {dir_1, dir_2};
  return {record, 4};
}

ImageRef image_of(const Records& records, ImageRef base = Image::empty()) {
  Delta delta(base);
  for (const Record& record : records) delta.replay(record);
  return delta.finish({Offset(static_cast<std::int64_t>(records.size())), LeaderEpoch(1), Timestamp(1000)});
}

// A record of every kind that leaves something behind.
Records everything() {
  Records records{feature("metadata.version", 33),
                  feature("transaction.version", 2),
                  feature("eligible.leader.replicas.version", 1),
                  broker(1, 12),
                  topic("a", topic_a),
                  partition(topic_a, 0, {1, 2}),
                  partition(topic_a, 1, {2, 1}),
                  topic("b", topic_b),
                  partition(topic_b, 0, {1}),
                  config(ConfigResourceType::topic, "a", "retention.ms", "5"),
                  config(ConfigResourceType::broker, "", "min.insync.replicas", "1"),
                  config(ConfigResourceType::group, "g", "consumer.session.timeout.ms", "50000")};
  protocol::PartitionChangeRecord change;
  change.topic_id = topic_a;
  change.partition_id = 1;
  change.isr = {{2}};
  change.eligible_leader_replicas = {{1}};
  records.push_back({change, 2});
  protocol::ClientQuotaRecord quota;
  quota.entity.emplace_back().entity_type = "user";
  quota.entity.back().entity_name = "alice";
  quota.entity.emplace_back().entity_type = "client-id";
  quota.entity.back().entity_name.reset();
  quota.key = "producer_byte_rate";
  quota.value = 1024.5;
  records.push_back({quota, 0});
  protocol::ProducerIdsRecord ids;
  ids.broker_id = 1;
  ids.broker_epoch = 12;
  ids.next_producer_id = 3000;
  records.push_back({ids, 0});
  protocol::AccessControlEntryRecord acl;
  acl.id = Uuid{7, 7};
  acl.resource_type = 2;
  acl.resource_name = "a";
  acl.pattern_type = 3;
  acl.principal = "User:bob";
  acl.host = "*";
  acl.operation = 3;
  acl.permission_type = 3;
  records.push_back({acl, 0});
  protocol::UserScramCredentialRecord scram;
  scram.name = "alice";
  scram.mechanism = 1;
  scram.salt = to_vector(as_bytes("salt"));
  scram.iterations = 4096;
  records.push_back({scram, 0});
  protocol::DelegationTokenRecord token;
  token.owner = "User:alice";
  token.requester = "User:alice";
  token.token_id = "t1";
  token.expiration_timestamp = 77;
  records.push_back({token, 0});
  protocol::RegisterControllerRecord controller;
  controller.controller_id = 1;
  controller.incarnation_id = Uuid{8, 8};
  records.push_back({controller, 0});
  return records;
}

TEST(ImageTest, AnswersWhatTheRecordsSay) {
  const ImageRef image = image_of(everything());
  EXPECT_EQ(image->metadata_version()->name(), "4.4-IV2");
  EXPECT_EQ(image->feature_level("transaction.version"), 2);
  EXPECT_EQ(image->feature_level("group.version"), 0);
  EXPECT_TRUE(image->elr_enabled());
  ASSERT_NE(image->topic("a"), nullptr);
  EXPECT_EQ(image->topic("a")->id, topic_a);
  EXPECT_EQ(image->topic(topic_b)->name, "b");
  EXPECT_EQ(image->topic("nope"), nullptr);
  EXPECT_EQ(image->partition_count(), 3u);
  const auto* changed = image->partition("a", 1);
  EXPECT_EQ(changed->isr, (std::vector<std::int32_t>{2}));
  EXPECT_EQ(changed->elr, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(changed->partition_epoch, 1);
  EXPECT_EQ(changed->leader_epoch, 0);  // no leader was named
  EXPECT_EQ(image->config({ConfigResourceType::topic, "a"}).at("retention.ms"), "5");
  EXPECT_TRUE(image->config({ConfigResourceType::topic, "b"}).empty());
  EXPECT_EQ(image->broker(BrokerId(1))->endpoint("PLAINTEXT")->port, 9092);
  EXPECT_TRUE(image->broker(BrokerId(1))->fenced);
  EXPECT_EQ(image->next_producer_id(), ProducerId(3000));
  EXPECT_EQ(image->acls().size(), 1u);
}

TEST(ImageTest, SurvivesASnapshotAtEveryLevelAsFarAsTheLevelCanSayIt) {
  for (std::int16_t level = metadata_level_min; level <= metadata_level_max; ++level) {
    Records records = everything();
    records.front() = feature("metadata.version", level);
    if (level < 23) records[2] = feature("group.version", 1);  // ELR needs its records
    const ImageRef image = image_of(records);
    ByteVector bytes;
    Records again;
    for (const Record& record : image->to_records()) {
      bytes.clear();
      encode(record, bytes);
      const auto decoded = decode(bytes);
      ASSERT_TRUE(decoded) << decoded.error().message;
      EXPECT_EQ(*decoded, record);
      again.push_back(*decoded);
    }
    const ImageRef restored = image_of(again);
    EXPECT_TRUE(restored->same_contents(*image)) << level;
    EXPECT_EQ(restored->metadata_version()->level(), level);
    EXPECT_EQ(restored->scram_credentials().size(), level >= 11 ? 1u : 0u);
    EXPECT_EQ(restored->delegation_tokens().size(), level >= 14 ? 1u : 0u);
    EXPECT_EQ(restored->controllers().size(), level >= 15 ? 1u : 0u);
    EXPECT_EQ(restored->partition("a", 0)->directories.front(), level >= 17 ? dir_1 : directory_migrating);
    EXPECT_EQ(restored->partition("a", 1)->elr.size(), level >= 23 ? 1u : 0u);
  }
}

TEST(ImageTest, ADeltaSharesAndSaysWhatChanged) {
  const ImageRef before = image_of(everything());
  Delta delta(before);
  protocol::PartitionChangeRecord change;
  change.topic_id = topic_a;
  change.partition_id = 0;
  change.leader = 2;
  delta.replay({change, 2});
  delta.replay(config(ConfigResourceType::topic, "a", "retention.ms", std::nullopt));
  const ImageRef after = delta.finish({Offset(100), LeaderEpoch(2), Timestamp(5)});

  EXPECT_EQ(after->topic("b"), before->topic("b"));  // the same object
  ASSERT_EQ(delta.topics().size(), 1u);
  EXPECT_EQ(delta.topics().at(topic_a).partitions, (std::set<std::int32_t>{0}));
  EXPECT_EQ(after->partition("a", 0)->leader, 2);
  EXPECT_EQ(after->partition("a", 0)->leader_epoch, 1);
  EXPECT_EQ(before->partition("a", 0)->leader, 1);
  EXPECT_EQ(delta.configs(), (std::set<ConfigResource>{{ConfigResourceType::topic, "a"}}));
  EXPECT_TRUE(after->config({ConfigResourceType::topic, "a"}).empty());
  EXPECT_FALSE(delta.features_changed());
  EXPECT_FALSE(delta.producer_ids_changed());
  EXPECT_EQ(after->provenance().offset, Offset(100));
}

TEST(ImageTest, TheSameLeaderNamedAgainRaisesItsEpoch) {
  const ImageRef before = image_of(everything());
  protocol::PartitionChangeRecord change;
  change.topic_id = topic_a;
  change.partition_id = 0;
  change.leader = 1;
  const ImageRef after = image_of({{change, 2}}, before);
  EXPECT_EQ(after->partition("a", 0)->leader_epoch, 1);
  EXPECT_EQ(after->partition("a", 0)->partition_epoch, 1);
}

TEST(ImageTest, ADeletedTopicTakesItsConfigsAndMayBeMadeAgainAtOnce) {
  const ImageRef before = image_of(everything());
  Delta delta(before);
  delta.replay(remove_topic(topic_a));
  delta.replay(topic("a", Uuid{1, 99}));
  delta.replay(partition(Uuid{1, 99}, 0, {1}));
  const ImageRef after = delta.finish({Offset(1), LeaderEpoch(1), Timestamp(1)});
  EXPECT_EQ(after->topic(topic_a), nullptr);
  EXPECT_EQ(after->topic("a")->id, (Uuid{1, 99}));
  EXPECT_TRUE(after->config({ConfigResourceType::topic, "a"}).empty());
  EXPECT_EQ(after->partition_count(), 2u);
  EXPECT_EQ(delta.topics().at(topic_a).after, nullptr);
  EXPECT_EQ(delta.topics().at(topic_a).partitions, (std::set<std::int32_t>{0, 1}));
  EXPECT_EQ(delta.topics().at(Uuid{1, 99}).before, nullptr);
}

TEST(ImageTest, ATopicThatCameAndWentInOneDeltaLeavesNoTrace) {
  const ImageRef before = image_of(everything());
  Delta delta(before);
  delta.replay(topic("c", Uuid{1, 99}));
  delta.replay(partition(Uuid{1, 99}, 0, {1}));
  delta.replay(remove_topic(Uuid{1, 99}));
  const ImageRef after = delta.finish(before->provenance());
  EXPECT_TRUE(delta.topics().empty());
  EXPECT_TRUE(after->same_contents(*before));
}

TEST(ImageTest, BrokersAreFencedUnfencedAndForgotten) {
  ImageRef image = image_of(everything());
  protocol::BrokerRegistrationChangeRecord change;
  change.broker_id = 1;
  change.broker_epoch = 12;
  change.fenced = -1;
  change.cordoned_log_dirs.emplace();
  image = image_of({{change, 3}}, image);
  EXPECT_TRUE(image->broker(BrokerId(1))->is_active());
  EXPECT_TRUE(image->broker(BrokerId(1))->cordoned_directories);
  change.fenced = 0;
  change.cordoned_log_dirs = {{dir_1, dir_2}};
  image = image_of({{change, 3}}, image);
  EXPECT_FALSE(image->broker(BrokerId(1))->has_uncordoned_directories());
  protocol::UnregisterBrokerRecord gone;
  gone.broker_id = 1;
  gone.broker_epoch = 12;
  image = image_of({{gone, 0}}, image);
  EXPECT_EQ(image->broker(BrokerId(1)), nullptr);
}

TEST(ImageTest, EligibleLeadersAreClearedByTopicAndEverywhere) {
  const ImageRef before = image_of(everything());
  protocol::ClearElrRecord clear;
  clear.topic_name = "b";
  EXPECT_EQ(image_of({{clear, 0}}, before)->partition("a", 1)->elr.size(), 1u);
  clear.topic_name = "";
  const ImageRef after = image_of({{clear, 0}}, before);
  EXPECT_TRUE(after->partition("a", 1)->elr.empty());
  EXPECT_EQ(after->partition("a", 1)->partition_epoch, 2);
  EXPECT_EQ(after->topic("b"), before->topic("b"));
}

TEST(ImageTest, RefusesRecordsThatCannotFollow) {
  const ImageRef image = image_of(everything());
  protocol::UnregisterBrokerRecord stale;
  stale.broker_id = 1;
  stale.broker_epoch = 11;
  protocol::BrokerRegistrationChangeRecord odd;
  odd.broker_id = 1;
  odd.broker_epoch = 12;
  odd.fenced = 7;
  protocol::PartitionChangeRecord nowhere;
  nowhere.topic_id = topic_a;
  nowhere.partition_id = 17;
  auto lopsided = partition(topic_a, 3, {1, 2});
  std::get<protocol::PartitionRecord>(lopsided.message).directories.pop_back();
  const Records bad{topic("a", Uuid{1, 99}),
                    topic("z", topic_a),
                    remove_topic(Uuid{3, 3}),
                    {stale, 0},
                    {odd, 0},
                    {nowhere, 2},
                    partition(Uuid{3, 3}, 0, {1}),
                    lopsided,
                    feature("metadata.version", 6),
                    feature("metadata.version", 34)};
  for (const Record& record : bad) {
    Delta delta(image);
    EXPECT_THROW(delta.replay(record), BadRecord) << to_json(record);
  }
}

TEST(ImageTest, FiftyThousandPartitionsCostADeltaOnlyWhatItChanges) {
  Records records{feature("metadata.version", 30)};
  for (std::uint64_t t = 0; t < 500; ++t) {
    records.push_back(topic(fmt::format("topic-{}", t), Uuid{2, t}));
    for (std::int32_t p = 0; p < 100; ++p) records.push_back(partition(Uuid{2, t}, p, {1}));
  }
  ImageRef image = image_of(records);
  EXPECT_EQ(image->partition_count(), 50'000u);
  protocol::PartitionChangeRecord change;
  for (std::uint64_t t = 0; t < 500; ++t) {
    change.topic_id = Uuid{2, t};
    change.partition_id = 7;
    change.leader = 1;
    image = image_of({{change, 2}}, image);
  }
  EXPECT_EQ(image->partition("topic-499", 7)->leader_epoch, 1);
  EXPECT_EQ(image->partition("topic-499", 8)->leader_epoch, 0);
}

TEST(RecordTest, DecodesNothingThatIsNotWhole) {
  for (const Record& record : everything()) {
    ByteVector bytes;
    encode(record, bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode(Bytes(bytes).first(size))) << to_json(record) << " cut to " << size;
    }
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode(bytes)) << "garbage behind " << to_json(record);
  }
  const auto text = [](std::initializer_list<int> values) {
    ByteVector bytes;
    for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
    return decode(bytes).error().message;
  };
  EXPECT_EQ(text({0, 2, 0}),
            "Could not deserialize metadata record with frame version 0. Note that upgrades from the preview "
            "release of KRaft in 2.8 to newer versions are not supported.");
  EXPECT_EQ(text({2, 2, 0}),
            "Could not deserialize metadata record due to unknown frame version 2(only frame version 1 is "
            "supported)");
  EXPECT_EQ(text({1, 99, 0}), "Unknown metadata id 99");
  EXPECT_EQ(text({}), "Error while reading frame version");
}

TEST(TransactionFilterTest, GivesAllOfATransactionAtItsEndAndNothingOfAnAbortedOne) {
  TransactionFilter filter;
  EXPECT_EQ(filter.pass(Offset(0), topic("a", topic_a)).size(), 1u);
  EXPECT_TRUE(filter.pass(Offset(1), {protocol::BeginTransactionRecord{}, 0}).empty());
  EXPECT_TRUE(filter.pass(Offset(2), topic("b", topic_b)).empty());
  EXPECT_EQ(filter.open_since(), Offset(1));
  EXPECT_EQ(filter.pass(Offset(3), {protocol::EndTransactionRecord{}, 0}).size(), 1u);
  EXPECT_FALSE(filter.open_since());
  filter.pass(Offset(4), {protocol::BeginTransactionRecord{}, 0});
  filter.pass(Offset(5), topic("c", Uuid{1, 12}));
  EXPECT_TRUE(filter.pass(Offset(6), {protocol::AbortTransactionRecord{}, 0}).empty());
  EXPECT_THROW(filter.pass(Offset(7), {protocol::EndTransactionRecord{}, 0}), BadRecord);
}

// A later version's fields are not kept: an image knows what it holds, and its records can always be written.
TEST(ImageTest, TaggedFieldsThatNobodyKnowsStayBehind) {
  protocol::AccessControlEntryRecord acl;
  acl.unknown_tagged_fields = {{.tag = 9, .data = {}}, {.tag = 3, .data = {}}};
  const auto image = image_of({feature("metadata.version", 33), {acl, 0}});
  ByteVector bytes;
  for (const Record& record : image->to_records()) encode(record, bytes);
  EXPECT_TRUE(image->same_contents(*image_of(image->to_records())));
}

}  // namespace
}  // namespace klamm::metadata
