#include "replication/partition.h"

#include "storage/test_world.h"

namespace klamm::replication {
namespace {

using namespace std::chrono_literals;
using storage::test::LogWorld;

constexpr BrokerId self{1}, other{2}, stranger{9};
constexpr LeaderEpoch epoch{5};

struct World : LogWorld {
  explicit World(storage::LogSettings its = {}) : LogWorld(std::move(its)) {
    log = open_leading(epoch);
    settings_of_topic.log = std::make_shared<storage::LogSettings>(settings);
    partition = std::make_shared<Partition>(TopicPartition{"orders", PartitionIndex(0)}, Uuid{}, self,
                                            std::make_shared<TopicSettings>(settings_of_topic), environment);
  }
  ~World() { partition->close(); }

  static PartitionState state(BrokerId leader, std::vector<BrokerId> replicas, std::vector<BrokerId> isr) {
    return {.leader = leader,
            .leader_epoch = epoch,
            .partition_epoch = PartitionEpoch(1),
            .replicas = std::move(replicas),
            .isr = std::move(isr)};
  }
  void lead(std::vector<BrokerId> replicas = {self}, std::vector<BrokerId> isr = {self}) {
    partition->apply(state(self, std::move(replicas), std::move(isr)), log);
  }
  void need_in_sync(int count) {
    settings_of_topic.min_insync_replicas = count;
    partition->reconfigure(std::make_shared<TopicSettings>(settings_of_topic));
  }
  ErrorCode append(std::int16_t acks = -1) {
    auto bytes = batch({});
    const auto outcome =
        run(partition->append_as_leader(first, validator, {.records = MutableBytes(bytes), .required_acks = acks}));
    return outcome ? ErrorCode::none : outcome.error().code;
  }
  ErrorCode fetch(BrokerId replica = no_broker, LeaderEpoch known = no_leader_epoch) {
    const auto result =
        run(partition->read(first, {.read = {.from = Offset(0)}, .replica = replica, .current_leader_epoch = known}));
    return result ? ErrorCode::none : result.error().code;
  }
  ErrorCode look_up(LeaderEpoch known, bool leader_only = true) {
    const auto found = partition->log_for(known, leader_only);
    return found ? ErrorCode::none : found.error().code;
  }

  storage::LogRef log;
  TopicSettings settings_of_topic;
  records::ProduceValidator validator;
  PartitionRef partition;
};

// The order in which Kafka looks: is there a replica, does the epoch fit, is it the leader, is the log there.
TEST(Partition, OnlyItsLeaderServesAndOnlyWhoKnowsTheEpoch) {
  World world;
  EXPECT_EQ(world.look_up(no_leader_epoch), ErrorCode::not_leader_or_follower) << "nothing is known yet";

  world.lead();
  EXPECT_EQ(world.partition->role(), Role::leader);
  EXPECT_EQ(world.look_up(no_leader_epoch), ErrorCode::none);
  EXPECT_EQ(world.look_up(epoch), ErrorCode::none);
  EXPECT_EQ(world.look_up(LeaderEpoch(4)), ErrorCode::fenced_leader_epoch);
  EXPECT_EQ(world.look_up(LeaderEpoch(6)), ErrorCode::unknown_leader_epoch);

  world.partition->apply(World::state(other, {self, other}, {self, other}), world.log);
  EXPECT_EQ(world.partition->role(), Role::follower);
  EXPECT_EQ(world.look_up(epoch), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(world.look_up(epoch, false), ErrorCode::none) << "a follower holds the log, too";
  EXPECT_EQ(world.look_up(LeaderEpoch(4)), ErrorCode::fenced_leader_epoch) << "the epoch is looked at first";
  EXPECT_EQ(world.append(), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(world.fetch(), ErrorCode::not_leader_or_follower);

  world.partition->apply(World::state(other, {other}, {other}), nullptr);
  EXPECT_EQ(world.partition->role(), Role::none);
  EXPECT_EQ(world.look_up(epoch, false), ErrorCode::not_leader_or_follower);
}

TEST(Partition, WhileItsLogIsRecoveredNobodyIsServed) {
  World world;
  world.partition->apply(World::state(self, {self}, {self}), nullptr);
  EXPECT_EQ(world.append(), ErrorCode::not_leader_or_follower);
  EXPECT_EQ(world.fetch(), ErrorCode::not_leader_or_follower);
}

TEST(Partition, ALeaderThatIsAloneShowsWhatItAppended) {
  World world;
  world.lead();
  EXPECT_EQ(world.append(), ErrorCode::none);
  EXPECT_EQ(world.log->high_watermark(), Offset(1));
  EXPECT_TRUE(world.run(world.partition->wait_replicated(world.first, Offset(0), world.clock.mono)));
}

TEST(Partition, ALeaderWithFollowersWaitsForThem) {
  World world;
  world.lead({self, other}, {self, other});
  EXPECT_EQ(world.append(), ErrorCode::none);
  EXPECT_EQ(world.log->high_watermark(), Offset(0));

  std::optional<Result<void>> replicated;
  auto waiting = [&](runtime::MonoTime deadline) -> runtime::Task<void> {
    auto wait = world.partition->wait_replicated(world.first, Offset(0), deadline);
    replicated = co_await std::move(wait);
  };
  runtime::TaskGroup group(world.first);
  group.start(waiting(world.clock.mono + 1s));
  world.settle();
  EXPECT_FALSE(replicated);
  world.pass(1s);
  ASSERT_TRUE(replicated);
  EXPECT_EQ(replicated->error().code, ErrorCode::request_timed_out);

  replicated.reset();
  group.start(waiting(world.clock.mono + 1s));
  world.settle();
  EXPECT_FALSE(replicated);
  world.lead({self, other}, {self});  // the follower left the in-sync set
  world.settle();
  EXPECT_TRUE(replicated && *replicated);
  EXPECT_EQ(world.log->high_watermark(), Offset(1));
}

TEST(Partition, WithTooFewInSyncOnlyAcksAllIsRefused) {
  World world;
  world.lead({self, other, BrokerId(3)}, {self});
  world.need_in_sync(2);
  EXPECT_EQ(world.append(-1), ErrorCode::not_enough_replicas);
  EXPECT_EQ(world.append(1), ErrorCode::none);
  EXPECT_EQ(world.run(world.partition->wait_replicated(world.first, Offset(0), world.clock.mono)).error().code,
            ErrorCode::not_enough_replicas_after_append);
  world.lead();
  EXPECT_EQ(world.append(-1), ErrorCode::none) << "a topic of one replica cannot have two in sync";
}

TEST(Partition, OnlyReplicasFetchAsReplicas) {
  World world;
  world.lead({self, other}, {self, other});
  EXPECT_EQ(world.fetch(other), ErrorCode::none);
  EXPECT_EQ(world.fetch(stranger), ErrorCode::not_leader_or_follower);
}

TEST(Partition, AReaderOfAnotherHistoryIsToldWhereItLeftOurs) {
  World world;
  world.lead();
  EXPECT_EQ(world.append(), ErrorCode::none);
  const auto read = [&](Offset from, LeaderEpoch last) {
    return world.run(world.partition->read(world.first, {.read = {.from = from}, .last_fetched_epoch = last}));
  };
  EXPECT_FALSE(read(Offset(1), epoch)->diverging);
  const auto beyond = read(Offset(3), epoch);
  ASSERT_TRUE(beyond && beyond->diverging);
  EXPECT_EQ(beyond->diverging->end_offset, Offset(1));
  EXPECT_EQ(read(Offset(0), LeaderEpoch(7)).error().code, ErrorCode::offset_out_of_range);
}

TEST(Partition, AFailedDiskAnswersSoFromThenOn) {
  World world;
  world.lead();
  std::optional<Result<void>> replicated;
  auto waiting = [&]() -> runtime::Task<void> {
    auto wait = world.partition->wait_replicated(world.first, Offset(0), world.clock.mono + 1h);
    replicated = co_await std::move(wait);
  };
  runtime::TaskGroup group(world.first);
  group.start(waiting());
  world.settle();
  world.partition->storage_failed();
  world.settle();
  EXPECT_TRUE(replicated && !*replicated) << "who waits is told";
  EXPECT_EQ(world.append(), ErrorCode::kafka_storage_error);
  EXPECT_EQ(world.fetch(), ErrorCode::kafka_storage_error);
}

TEST(Partition, RecordsAreDeletedUpToTheHighWatermarkOnly) {
  World world;
  world.lead({self, other}, {self});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.append(), ErrorCode::none);
  world.lead({self, other}, {self, other});
  EXPECT_EQ(world.append(), ErrorCode::none);
  const auto deleted = [&](Offset to) { return world.run(world.partition->delete_records_before(world.first, to)); };
  EXPECT_EQ(deleted(Offset(2)).value(), Offset(2));
  EXPECT_EQ(deleted(Offset(4)).error().code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(deleted(Offset(-2)).error().code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(deleted(Offset(-1)).value(), Offset(3)) << "-1 means the high watermark";
}

TEST(Partition, ACompactedTopicKeepsItsRecords) {
  World world({.delete_old = false, .compact = true});
  world.lead();
  EXPECT_EQ(world.run(world.partition->delete_records_before(world.first, Offset(0))).error().code,
            ErrorCode::policy_violation);
}

struct Watch final : PartitionWatch {
  using PartitionWatch::PartitionWatch;
  void changed() override { ++signals; }
  int signals = 0;
};

TEST(Partition, ALongPollIsWokenOnItsOwnReactorOnceForManyChanges) {
  World world;
  world.lead();
  Watch watch(world.second);
  watch.join(world.partition);
  world.settle();
  watch.signals = 0;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.append(), ErrorCode::none);
  world.settle();
  EXPECT_GE(watch.signals, 1);
  EXPECT_LE(watch.signals, 3);
  watch.leave();
  const int before = watch.signals;
  EXPECT_EQ(world.append(), ErrorCode::none);
  world.settle();
  EXPECT_EQ(watch.signals, before) << "who left hears nothing";
}

}  // namespace
}  // namespace klamm::replication
