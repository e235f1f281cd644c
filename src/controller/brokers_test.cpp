#include "controller/brokers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/activation.h"
#include "controller/testing.h"

namespace klamm::controller {
namespace {

using namespace std::chrono_literals;
using testing::ControllerStory;

TEST(BrokersTest, AnEmptyLogBeginsWithTheBootstrapRecordsInATransaction) {
  ControllerStory story;
  EXPECT_EQ(story.record_types(),
            (std::vector<std::string>{"BEGIN_TRANSACTION_RECORD v0", "FEATURE_LEVEL_RECORD v0",
                                      "FEATURE_LEVEL_RECORD v0", "CONFIG_RECORD v0", "END_TRANSACTION_RECORD v0"}));
  EXPECT_EQ(story.image().config({metadata::ConfigResourceType::broker, ""}).at("min.insync.replicas"), "1");
  ControllerStory old(12, false);
  EXPECT_EQ(old.record_types(), (std::vector<std::string>{"FEATURE_LEVEL_RECORD v0"}));
}

TEST(BrokersTest, ATransactionThatNobodyEndedIsAborted) {
  ControllerStory story;
  Activate call;
  call.open_transaction = Offset(4);
  story.ask(call);
  EXPECT_EQ(story.record_types(), (std::vector<std::string>{"ABORT_TRANSACTION_RECORD v0"}));
  ControllerStory old(12, false);
  EXPECT_THROW(old.ask(call), metadata::BadRecord);
}

TEST(BrokersTest, ABrokerIsUnfencedWhenItHasReadItsRegistration) {
  ControllerStory story;
  const auto registered = story.request(ControllerStory::registration(1, {{200, 1}}));
  EXPECT_EQ(registered.error_code, 0);
  EXPECT_EQ(registered.broker_epoch, story.next_offset - 1);
  EXPECT_EQ(story.record_types(), (std::vector<std::string>{"REGISTER_BROKER_RECORD v4"}));
  EXPECT_TRUE(story.image().broker(BrokerId(1))->fenced);

  protocol::BrokerHeartbeatRequest heartbeat;
  heartbeat.broker_id = 1;
  heartbeat.broker_epoch = registered.broker_epoch;
  heartbeat.current_metadata_offset = story.next_offset - 2;
  EXPECT_TRUE(story.request(heartbeat).is_fenced);
  heartbeat.current_metadata_offset = story.next_offset - 1;
  heartbeat.cordoned_log_dirs.emplace();
  const auto answer = story.request(heartbeat);
  EXPECT_FALSE(answer.is_fenced);
  EXPECT_TRUE(answer.is_caught_up);
  EXPECT_EQ(story.record_types(),
            (std::vector<std::string>{"BROKER_REGISTRATION_CHANGE_RECORD v0", "BROKER_REGISTRATION_CHANGE_RECORD v3"}));
  EXPECT_TRUE(story.image().broker(BrokerId(1))->is_active());
  heartbeat.broker_epoch = 3;
  EXPECT_EQ(story.request(heartbeat).error_code, wire_of(ErrorCode::stale_broker_epoch));
}

TEST(BrokersTest, ARegistrationThatDoesNotFitIsRefused) {
  ControllerStory story;
  const auto refused = [&](auto change) {
    auto request = ControllerStory::registration(1, {{200, 1}});
    change(request);
    return static_cast<ErrorCode>(story.request(request).error_code);
  };
  EXPECT_EQ(refused([](auto& r) { r.cluster_id = "other"; }), ErrorCode::inconsistent_cluster_id);
  EXPECT_EQ(refused([](auto& r) { r.log_dirs.clear(); }), ErrorCode::invalid_registration);
  EXPECT_EQ(refused([](auto& r) { r.log_dirs = {{0, 1}}; }), ErrorCode::invalid_registration);
  EXPECT_EQ(refused([](auto& r) { r.log_dirs = {{7, 7}, {7, 7}}; }), ErrorCode::invalid_registration);
  EXPECT_EQ(refused([](auto& r) { r.is_migrating_zk_broker = true; }), ErrorCode::broker_id_not_registered);
  EXPECT_EQ(refused([](auto& r) { r.features.clear(); }), ErrorCode::invalid_registration);
  EXPECT_EQ(refused([](auto& r) {
              for (auto& f : r.features) {
                if (f.name == "metadata.version") f.max_supported_version = 29;
              }
            }),
            ErrorCode::unsupported_version);
  EXPECT_EQ(refused([](auto& r) {
              std::erase_if(r.features, [](auto& f) { return f.name == "eligible.leader.replicas.version"; });
            }),
            ErrorCode::unsupported_version);
  story.start_broker(2, {{200, 2}});
  EXPECT_EQ(refused([](auto& r) { r.log_dirs = {{200, 2}}; }), ErrorCode::invalid_registration);
}

TEST(BrokersTest, AnotherBrokerWithALivingSessionKeepsItsIdUnlessItLivedInThisProcess) {
  ControllerStory story;
  story.start_broker(1);
  story.start_broker(2);
  auto again = ControllerStory::registration(2, {{200, 2}});
  again.incarnation_id = Uuid{100, 77};
  EXPECT_EQ(story.request(again).error_code, wire_of(ErrorCode::duplicate_broker_registration));
  story.now += 10s;
  EXPECT_EQ(story.request(again).error_code, 0);
  // After a restart of this process its own broker is back at once, although its session never ended.
  story.ask(Activate{});
  again = ControllerStory::registration(1, {{200, 1}});
  again.incarnation_id = Uuid{100, 78};
  EXPECT_EQ(story.request(again).error_code, 0);
}

TEST(BrokersTest, ACleanRestartOfTheOnlyBrokerGivesItsPartitionsBack) {
  ControllerStory story;
  story.start_broker(1);
  story.request(ControllerStory::topic("t", 1, 1));

  EXPECT_FALSE(story.heartbeat(1, true).should_shut_down);
  EXPECT_EQ(story.record_types(),
            (std::vector<std::string>{"BROKER_REGISTRATION_CHANGE_RECORD v1", "PARTITION_CHANGE_RECORD v2"}));
  EXPECT_EQ(story.image().partition("t", 0)->leader, metadata::no_leader);
  EXPECT_EQ(story.image().partition("t", 0)->elr, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(story.image().partition("t", 0)->last_known_elr, (std::vector<std::int32_t>{1}));
  EXPECT_TRUE(story.heartbeat(1, true).should_shut_down);
  EXPECT_TRUE(story.image().broker(BrokerId(1))->fenced);

  story.ask(Activate{});
  auto again = ControllerStory::registration(1, {{200, 1}});
  again.incarnation_id = Uuid{100, 2};
  again.previous_broker_epoch = story.image().broker(BrokerId(1))->epoch.value;
  EXPECT_EQ(story.request(again).error_code, 0);
  EXPECT_FALSE(story.heartbeat(1).is_fenced);
  const auto* partition = story.image().partition("t", 0);
  EXPECT_EQ(partition->leader, 1);
  EXPECT_EQ(partition->leader_epoch, 2);
  EXPECT_EQ(partition->isr, (std::vector<std::int32_t>{1}));
  EXPECT_TRUE(partition->elr.empty());
  EXPECT_TRUE(partition->last_known_elr.empty());
  EXPECT_EQ(partition->leader_recovery_state, metadata::LeaderRecoveryState::recovered);
}

TEST(BrokersTest, AfterACrashTheLastKnownLeaderLeadsAndIsMarkedAsRecovering) {
  ControllerStory story;
  story.start_broker(1);
  story.request(ControllerStory::topic("t", 1, 1));
  story.ask(Activate{});
  auto again = ControllerStory::registration(1, {{200, 1}});
  again.incarnation_id = Uuid{100, 2};
  again.previous_broker_epoch = -1;
  EXPECT_EQ(story.request(again).error_code, 0);
  EXPECT_EQ(story.record_types(),
            (std::vector<std::string>{"PARTITION_CHANGE_RECORD v2", "REGISTER_BROKER_RECORD v4"}));
  EXPECT_TRUE(story.image().partition("t", 0)->isr.empty());
  EXPECT_TRUE(story.image().partition("t", 0)->elr.empty());
  story.heartbeat(1);
  const auto* partition = story.image().partition("t", 0);
  EXPECT_EQ(partition->leader, 1);
  EXPECT_EQ(partition->isr, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(partition->leader_recovery_state, metadata::LeaderRecoveryState::recovering);
}

TEST(BrokersTest, WithoutEligibleLeadersTheLastReplicaStaysInSync) {
  ControllerStory story(21, false);
  story.start_broker(1);
  story.request(ControllerStory::topic("t", 1, 1));
  story.heartbeat(1, true);
  EXPECT_EQ(story.image().partition("t", 0)->leader, metadata::no_leader);
  EXPECT_EQ(story.image().partition("t", 0)->isr, (std::vector<std::int32_t>{1}));
  story.heartbeat(1, true);
  auto again = ControllerStory::registration(1, {{200, 1}});
  again.incarnation_id = Uuid{100, 2};
  story.request(again);
  story.heartbeat(1);
  EXPECT_EQ(story.image().partition("t", 0)->leader, 1);
  EXPECT_EQ(story.image().partition("t", 0)->leader_recovery_state, metadata::LeaderRecoveryState::recovered);
}

TEST(BrokersTest, ABrokerThatFallsSilentIsFencedAndAnotherLeads) {
  ControllerStory story;
  story.start_broker(1);
  story.start_broker(2);
  auto request = ControllerStory::topic("t", -1, -1);
  request.topics[0].assignments.emplace_back().broker_ids = {2, 1};
  story.request(request);
  EXPECT_EQ(story.image().partition("t", 0)->leader, 2);
  story.heartbeat(2);
  ASSERT_EQ(story.timers.size(), 1u);
  EXPECT_GT(story.timers[0].after.value_or(0s), 9s);
  story.now += 9s + 2ms;
  story.fire(story.timers[0].name);
  EXPECT_EQ(story.record_types(),
            (std::vector<std::string>{"PARTITION_CHANGE_RECORD v2", "BROKER_REGISTRATION_CHANGE_RECORD v0"}));
  EXPECT_TRUE(story.image().broker(BrokerId(2))->fenced);
  EXPECT_FALSE(story.image().broker(BrokerId(1))->fenced);  // its own broker has no session to lose
  EXPECT_EQ(story.image().partition("t", 0)->leader, 1);
  EXPECT_EQ(story.image().partition("t", 0)->isr, (std::vector<std::int32_t>{1}));
  EXPECT_TRUE(story.timers.empty());
}

TEST(BrokersTest, AloneTheBrokerNeedsNoTimer) {
  ControllerStory story;
  story.start_broker(1);
  EXPECT_TRUE(story.timers.empty());
}

TEST(BrokersTest, AnUnregisteredBrokerLeavesItsPartitions) {
  ControllerStory story;
  story.start_broker(1);
  story.start_broker(2);
  auto request = ControllerStory::topic("t", -1, -1);
  request.topics[0].assignments.emplace_back().broker_ids = {2, 1};
  story.request(request);
  protocol::UnregisterBrokerRequest unregister;
  unregister.broker_id = 2;
  EXPECT_EQ(story.request(unregister).error_code, 0);
  EXPECT_EQ(story.image().partition("t", 0)->leader, 1);
  EXPECT_EQ(story.image().broker(BrokerId(2)), nullptr);
  const auto again = story.request(unregister);
  EXPECT_EQ(again.error_code, 102);
  EXPECT_EQ(again.error_message, "Broker ID 2 is not currently registered");
}

TEST(BrokersTest, ReplicasAreAssignedToDirectories) {
  const Uuid first{201, 1};
  const Uuid second{201, 2};
  ControllerStory story;
  story.start_broker(1, {first, second});
  story.request(ControllerStory::topic("t", 2, 1));
  protocol::AssignReplicasToDirsRequest request;
  request.broker_id = 1;
  request.broker_epoch = story.image().broker(BrokerId(1))->epoch.value;
  auto& directory = request.directories.emplace_back();
  directory.id = second;
  auto& topic = directory.topics.emplace_back();
  topic.topic_id = story.image().topic("t")->id;
  topic.partitions.emplace_back().partition_index = 0;
  topic.partitions.emplace_back().partition_index = 9;
  directory.topics.emplace_back().topic_id = Uuid{4, 4};
  directory.topics.back().partitions.emplace_back();
  const auto response = story.request(request);
  EXPECT_EQ(response.directories[0].topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(response.directories[0].topics[0].partitions[1].error_code, 3);
  EXPECT_EQ(response.directories[0].topics[1].partitions[0].error_code, 100);
  EXPECT_EQ(story.image().partition("t", 0)->directories, (std::vector<Uuid>{second}));
  EXPECT_EQ(story.image().partition("t", 0)->leader_epoch, 0);

  // The directory fails: what lies in it is led by nobody, the rest goes on.
  protocol::BrokerHeartbeatRequest heartbeat;
  heartbeat.broker_id = 1;
  heartbeat.broker_epoch = request.broker_epoch;
  heartbeat.current_metadata_offset = story.next_offset;
  heartbeat.offline_log_dirs = {second};
  EXPECT_EQ(story.request(heartbeat).error_code, 0);
  EXPECT_EQ(story.image().partition("t", 0)->leader, metadata::no_leader);
  EXPECT_EQ(story.image().partition("t", 1)->leader, 1);
  EXPECT_EQ(story.image().broker(BrokerId(1))->directories, (std::vector<Uuid>{first}));

  ControllerStory old(16, false);
  EXPECT_EQ(old.request(request).error_code, wire_of(ErrorCode::unsupported_version));
}

TEST(BrokersTest, ProducerIdsAreGivenInBlocksThatNobodyElseGets) {
  ControllerStory story;
  story.start_broker(1);
  protocol::AllocateProducerIdsRequest request;
  request.broker_id = 1;
  request.broker_epoch = story.image().broker(BrokerId(1))->epoch.value;
  auto response = story.request(request);
  EXPECT_EQ(response.producer_id_start, 0);
  EXPECT_EQ(response.producer_id_len, 1000);
  response = story.request(request);
  EXPECT_EQ(response.producer_id_start, 1000);
  request.broker_epoch = 0;
  EXPECT_EQ(story.request(request).error_code, wire_of(ErrorCode::stale_broker_epoch));
  protocol::ProducerIdsRecord last;
  last.next_producer_id = std::numeric_limits<std::int64_t>::max() - 5;
  story.apply({{last, 0}});
  request.broker_epoch = story.image().broker(BrokerId(1))->epoch.value;
  EXPECT_EQ(story.request(request).error_code, -1);
}

TEST(BrokersTest, ContentsThatWouldBeIgnoredStopTheStart) {
  ControllerStory story;
  story.start_broker(1);
  EXPECT_FALSE(unsupported_contents(story.image()));
  protocol::ConfigRecord tiered;
  tiered.resource_type = 2;
  tiered.resource_name = "t";
  tiered.name = "remote.storage.enable";
  tiered.value = "true";
  story.apply({{tiered, 0}});
  EXPECT_THAT(unsupported_contents(story.image()).value_or(""),
              ::testing::HasSubstr("Topic 't' keeps records in remote"));
  protocol::AccessControlEntryRecord acl;
  acl.id = Uuid{1, 1};
  story.apply({{acl, 0}});
  EXPECT_THAT(unsupported_contents(story.image()).value_or(""), ::testing::HasSubstr("1 access control entries"));
}

}  // namespace
}  // namespace klamm::controller
