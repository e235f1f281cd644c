// Groups, as administrators ask their coordinators about them.
#include <algorithm>

#include "client/groups_admin.h"
#include "protocol/messages/consumer_group_describe.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"
#include "stories.h"

namespace klamm::client {
namespace {

using namespace protocol;

// Brokers 1 and 2; a group belongs to the one that `coordinators` names.
class GroupsStory : public Story {
 protected:
  GroupsStory() : second_host_(world_.add_host("broker-2")) {
    second_ = std::make_unique<ModelBroker>(world_, second_host_, 2);
    broker().add_peer(2, "broker-2");
    second_->add_peer(1, "broker-1");
    find_by(6);
    client_ = client({{"default.api.timeout.ms", "60000"}});
  }
  ~GroupsStory() override {
    client_.reset();
    second_.reset();
  }

  template <typename Request, typename Answer>
  void both_serve(std::int16_t low, std::int16_t high, Answer answer) {
    const auto serve = [&](std::int32_t id, ModelBroker& one) {
      one.serve<Request>(low, high, [answer, id](const Request& request, std::int16_t version) {
        return answer(id, request, version);
      });
    };
    serve(1, *broker_);
    serve(2, *second_);
  }

  // FindCoordinator up to this version.
  void find_by(std::int16_t version_max) {
    both_serve<FindCoordinatorRequest>(
        0, version_max, [this](std::int32_t, const FindCoordinatorRequest& request, std::int16_t version) {
          FindCoordinatorResponse response;
          ++searches_;
          if (version < 4) {
            response.node_id = coordinators_[request.key];
            return response;
          }
          for (const std::string& group : request.coordinator_keys) {
            auto& found = response.coordinators.emplace_back();
            found.key = group;
            found.node_id = coordinators_[group];
            found.error_code =
                static_cast<std::int16_t>(not_found_.contains(group) ? not_found_[group] : ErrorCode::none);
          }
          return response;
        });
  }

  // A broker deletes a group that is its own; others it answers with what `answers_` says first.
  void delete_groups() {
    both_serve<DeleteGroupsRequest>(0, 2, [this](std::int32_t id, const DeleteGroupsRequest& request, std::int16_t) {
      DeleteGroupsResponse response;
      for (const std::string& group : request.groups_names) {
        asked_.push_back(fmt::format("{}@{}", group, id));
        auto& result = response.results.emplace_back();
        result.group_id = group;
        ErrorCode code = true_coordinators_.contains(group) && true_coordinators_[group] != id
                             ? ErrorCode::not_coordinator
                             : ErrorCode::none;
        if (auto& queue = answers_[group]; !queue.empty()) {
          code = queue.front();
          queue.erase(queue.begin());
        }
        if (code == ErrorCode::not_coordinator) coordinators_[group] = true_coordinators_[group];
        result.error_code = static_cast<std::int16_t>(code);
      }
      return response;
    });
  }

  std::map<std::string, std::string> deleted(std::vector<std::string> groups) {
    const auto results =
        run([](Client& its, std::vector<std::string> ids) -> Task<std::map<std::string, Result<void>>> {
          GroupsAdmin admin(its);
          auto deleting = admin.delete_groups(std::move(ids));
          auto done = co_await std::move(deleting);
          co_return done;
        }(*client_, std::move(groups)));
    std::map<std::string, std::string> texts;
    for (const auto& [group, result] : results) texts[group] = result ? "deleted" : result.error().to_string();
    return texts;
  }

  sim::Host& second_host_;
  std::unique_ptr<ModelBroker> second_;
  std::map<std::string, std::int32_t> coordinators_, true_coordinators_;
  std::map<std::string, ErrorCode> not_found_;
  std::map<std::string, std::vector<ErrorCode>> answers_;
  std::vector<std::string> asked_;
  int searches_ = 0;
  std::unique_ptr<Client> client_;
};

TEST_F(GroupsStory, EachCoordinatorIsAskedOnceAboutAllItsGroups) {
  delete_groups();
  coordinators_ = {{"a", 1}, {"b", 2}, {"c", 1}};
  EXPECT_EQ(deleted({"a", "b", "c"}),
            (std::map<std::string, std::string>{{"a", "deleted"}, {"b", "deleted"}, {"c", "deleted"}}));
  EXPECT_EQ(asked_, (std::vector<std::string>{"a@1", "c@1", "b@2"}));
  EXPECT_EQ(searches_, 1);
}

TEST_F(GroupsStory, ACoordinatorThatLoadsIsAskedAgainAndOneThatMovedIsFoundAnew) {
  delete_groups();
  coordinators_ = {{"loads", 1}, {"moved", 1}};
  true_coordinators_ = {{"moved", 2}};
  answers_["loads"] = {ErrorCode::coordinator_load_in_progress, ErrorCode::coordinator_load_in_progress};
  EXPECT_EQ(deleted({"loads", "moved"}),
            (std::map<std::string, std::string>{{"loads", "deleted"}, {"moved", "deleted"}}));
  EXPECT_EQ(std::ranges::count(asked_, "loads@1"), 3);
  EXPECT_EQ(std::ranges::count(asked_, "moved@1"), 1);
  EXPECT_EQ(std::ranges::count(asked_, "moved@2"), 1);
  EXPECT_EQ(searches_, 2);
}

TEST_F(GroupsStory, AConnectionThatBreaksIsNoAnswer) {
  delete_groups();
  coordinators_ = {{"a", 1}};
  broker().next(ApiKey::delete_groups, Mishap::hang_up_before);
  broker().next(ApiKey::delete_groups, Mishap::garbage);
  EXPECT_EQ(deleted({"a"}), (std::map<std::string, std::string>{{"a", "deleted"}}));
}

TEST_F(GroupsStory, WhatIsRefusedIsRefusedForThatGroupAlone) {
  delete_groups();
  coordinators_ = {{"full", 1}, {"fine", 1}, {"forbidden", 1}};
  answers_["full"] = {ErrorCode::non_empty_group};
  not_found_["forbidden"] = ErrorCode::group_authorization_failed;
  const auto results = deleted({"full", "fine", "forbidden"});
  EXPECT_EQ(results.at("full"), "org.apache.kafka.common.errors.GroupNotEmptyException: The group is not empty.");
  EXPECT_EQ(results.at("fine"), "deleted");
  EXPECT_EQ(results.at("forbidden"),
            "org.apache.kafka.common.errors.GroupAuthorizationException: FindCoordinator request for groupId "
            "`CoordinatorKey(idValue='forbidden', type=GROUP)` failed due to authorization failure");
}

TEST_F(GroupsStory, PatienceEndsWithTheTimeout) {
  delete_groups();
  coordinators_ = {{"a", 1}};
  not_found_["a"] = ErrorCode::coordinator_not_available;
  const auto start = now();
  const std::string text = deleted({"a"}).at("a");
  EXPECT_TRUE(
      text.starts_with("org.apache.kafka.common.errors.TimeoutException: Call(callName=deleteConsumerGroups(api="
                       "FIND_COORDINATOR), "))
      << text;
  EXPECT_GE(now() - start, 60s);
  EXPECT_LT(now() - start, 62s);
}

TEST_F(GroupsStory, BrokersOfOldFindOneCoordinatorAtATime) {
  find_by(3);
  delete_groups();
  coordinators_ = {{"a", 1}, {"b", 2}};
  EXPECT_EQ(deleted({"a", "b"}), (std::map<std::string, std::string>{{"a", "deleted"}, {"b", "deleted"}}));
  EXPECT_EQ(searches_, 2);
}

// ---- describe ----

class DescribeStory : public GroupsStory {
 protected:
  // Knows "new" of the consumer protocol, "old" and "connect" of the classic one.
  void serve_descriptions(bool consumer_protocol) {
    if (consumer_protocol) {
      both_serve<ConsumerGroupDescribeRequest>(
          0, 1, [this](std::int32_t, const ConsumerGroupDescribeRequest& request, std::int16_t) {
            ++consumer_calls_;
            ConsumerGroupDescribeResponse response;
            for (const std::string& id : request.group_ids) response.groups.push_back(of_consumer_protocol(id));
            return response;
          });
    }
    both_serve<DescribeGroupsRequest>(0, 6, [this](std::int32_t, const DescribeGroupsRequest& request, std::int16_t) {
      DescribeGroupsResponse response;
      for (const std::string& id : request.groups) {
        classic_calls_.push_back(id);
        response.groups.push_back(classic(id));
      }
      return response;
    });
    coordinators_ = {{"new", 1}, {"old", 2}, {"connect", 1}, {"none", 1}, {"torn", 1}};
  }

  static ConsumerGroupDescribeResponse::DescribedGroup of_consumer_protocol(const std::string& id) {
    ConsumerGroupDescribeResponse::DescribedGroup group;
    group.group_id = id;
    if (id != "new") {
      group.error_code = static_cast<std::int16_t>(ErrorCode::group_id_not_found);
      group.error_message = fmt::format("Group {} not found.", id);
      return group;
    }
    group.group_state = "Stable";
    group.group_epoch = 5;
    group.assignment_epoch = 4;
    group.assignor_name = "uniform";
    auto& member = group.members.emplace_back();
    member.member_id = "m";
    member.client_id = "c";
    member.client_host = "/127.0.0.1";
    member.member_epoch = 4;
    member.member_type = 1;
    member.assignment.topic_partitions = {{.topic_name = "orders", .partitions = {0, 2}}};
    member.target_assignment.topic_partitions = {{.topic_name = "orders", .partitions = {1}}};
    return group;
  }

  static DescribeGroupsResponse::DescribedGroup classic(const std::string& id) {
    DescribeGroupsResponse::DescribedGroup group;
    group.group_id = id;
    if (id == "none" || id == "new") {
      group.error_code = static_cast<std::int16_t>(ErrorCode::group_id_not_found);
      group.error_message = "Group none is not a classic group.";
      return group;
    }
    group.group_state = "Stable";
    group.protocol_type = id == "connect" ? "connect" : "consumer";
    group.protocol_data = "range";
    auto& member = group.members.emplace_back();
    member.member_id = "m";
    member.group_instance_id = "i";
    // Version 0, one topic: "t", partitions 1 and 3, no user data; or a part of it.
    constexpr std::string_view assignment("\0\0\0\0\0\1\0\1t\0\0\0\2\0\0\0\1\0\0\0\3\xff\xff\xff\xff", 25);
    const Bytes bytes = as_bytes(assignment.substr(0, id == "torn" ? 12 : assignment.size()));
    member.member_assignment.assign(bytes.begin(), bytes.end());
    return group;
  }

  std::map<std::string, Result<ConsumerGroupDescription>> described(std::vector<std::string> groups) {
    return run(
        [](Client& its, std::vector<std::string> ids) -> Task<std::map<std::string, Result<ConsumerGroupDescription>>> {
          GroupsAdmin admin(its);
          auto describing = admin.describe_consumer_groups(std::move(ids));
          auto done = co_await std::move(describing);
          co_return done;
        }(*client_, std::move(groups)));
  }

  int consumer_calls_ = 0;
  std::vector<std::string> classic_calls_;
};

TEST_F(DescribeStory, AGroupOfTheConsumerProtocolTellsItsEpochsAndBothAssignments) {
  serve_descriptions(true);
  const auto groups = described({"new"});
  const auto& group = groups.at("new");
  ASSERT_TRUE(group) << group.error().to_string();
  EXPECT_EQ(group->type, GroupType::consumer);
  EXPECT_EQ(group->state, GroupState::stable);
  EXPECT_EQ(group->assignor, "uniform");
  EXPECT_EQ(group->epoch, 5);
  EXPECT_EQ(group->target_assignment_epoch, 4);
  EXPECT_EQ(group->coordinator.host, "broker-1");
  ASSERT_EQ(group->members.size(), 1U);
  const MemberDescription& member = group->members.front();
  EXPECT_EQ(member.assignment, (std::vector<PartitionName>{{"orders", 0}, {"orders", 2}}));
  EXPECT_EQ(member.target_assignment, (std::vector<PartitionName>{{"orders", 1}}));
  EXPECT_EQ(member.epoch, 4);
  EXPECT_EQ(member.upgraded, true);
  EXPECT_TRUE(classic_calls_.empty());
}

TEST_F(DescribeStory, AClassicGroupIsDescribedInTheSecondAttempt) {
  serve_descriptions(true);
  const auto groups = described({"old", "new"});
  const auto& group = groups.at("old");
  ASSERT_TRUE(group) << group.error().to_string();
  EXPECT_EQ(group->type, GroupType::classic);
  EXPECT_EQ(group->assignor, "range");
  EXPECT_EQ(group->coordinator.id, 2);
  EXPECT_FALSE(group->epoch);
  EXPECT_EQ(group->members.front().assignment, (std::vector<PartitionName>{{"t", 1}, {"t", 3}}));
  EXPECT_EQ(group->members.front().instance_id, "i");
  EXPECT_TRUE(groups.at("new"));
  EXPECT_EQ(classic_calls_, (std::vector<std::string>{"old"}));
}

TEST_F(DescribeStory, ABrokerWithoutTheConsumerProtocolIsAskedForClassicGroups) {
  serve_descriptions(false);
  EXPECT_TRUE(described({"old"}).at("old"));
}

TEST_F(DescribeStory, AGroupThatIsNotThereIsSaidSoInTheWordsOfTheNewerApi) {
  serve_descriptions(true);
  EXPECT_EQ(described({"none"}).at("none").error().to_string(),
            "org.apache.kafka.common.errors.GroupIdNotFoundException: Group none not found.");
}

TEST_F(DescribeStory, OtherClassicGroupsAreNoConsumerGroups) {
  serve_descriptions(true);
  EXPECT_EQ(described({"connect"}).at("connect").error().to_string(),
            "java.lang.IllegalArgumentException: GroupId connect is not a consumer group (connect).");
  const auto groups = run([](Client& its) -> Task<std::map<std::string, Result<ClassicGroupDescription>>> {
    GroupsAdmin admin(its);
    auto describing = admin.describe_classic_groups({"connect", "none"});
    auto done = co_await std::move(describing);
    co_return done;
  }(*client_));
  ASSERT_TRUE(groups.at("connect"));
  EXPECT_EQ(groups.at("connect")->protocol_type, "connect");
  EXPECT_TRUE(groups.at("connect")->members.front().assignment.empty()) << "bytes that are not ours to read";
  EXPECT_FALSE(groups.at("none"));
}

TEST_F(DescribeStory, AnAssignmentThatIsCutShortIsAnError) {
  serve_descriptions(true);
  EXPECT_EQ(described({"torn"}).at("torn").error().exception_class(), kinds::schema);
}

// ---- list and offsets ----

TEST_F(GroupsStory, AllBrokersAreAskedForTheirGroups) {
  both_serve<ListGroupsRequest>(0, 5, [](std::int32_t id, const ListGroupsRequest& request, std::int16_t) {
    EXPECT_EQ(request.types_filter, (std::vector<std::string>{"Classic", "Consumer"}));
    ListGroupsResponse response;
    response.groups.push_back({fmt::format("of-{}", id), "consumer", "Empty", "Classic", {}});
    response.groups.push_back({fmt::format("connect-{}", id), "connect", "Stable", "Classic", {}});
    return response;
  });
  const auto listed = run([](Client& its) -> Task<Result<std::vector<GroupListing>>> {
    GroupsAdmin admin(its);
    auto listing = admin.list(GroupFilter::consumer_groups());
    auto done = co_await std::move(listing);
    co_return done;
  }(*client_));
  ASSERT_TRUE(listed) << listed.error().to_string();
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ(listed->front().id, "of-1");
  EXPECT_EQ(listed->front().type, GroupType::classic);
  EXPECT_EQ(listed->front().state, GroupState::empty);
  EXPECT_EQ(listed->back().id, "of-2");
}

TEST_F(GroupsStory, ABrokerWithoutTypesHasClassicGroupsAlone) {
  both_serve<ListGroupsRequest>(0, 4, [](std::int32_t id, const ListGroupsRequest& request, std::int16_t) {
    EXPECT_TRUE(request.types_filter.empty());
    ListGroupsResponse response;
    if (id == 1) response.groups.push_back({"a", "consumer", "Empty", "", {}});
    return response;
  });
  const auto list = [this](GroupFilter filter) {
    return run([](Client& its, GroupFilter wanted) -> Task<Result<std::vector<GroupListing>>> {
      GroupsAdmin admin(its);
      auto listing = admin.list(std::move(wanted));
      auto done = co_await std::move(listing);
      co_return done;
    }(*client_, std::move(filter)));
  };
  const auto listed = list(GroupFilter::consumer_groups());
  ASSERT_TRUE(listed) << listed.error().to_string();
  EXPECT_EQ(listed->front().type, std::nullopt);
  const auto refused = list({.types = {GroupType::share}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unsupported_version);
}

TEST_F(GroupsStory, WithoutABrokerTheListTellsWhatItWaitedFor) {
  auto lonely =
      client({{"bootstrap.servers", "broker-1:1"}, {"default.api.timeout.ms", "2000"}, {"request.timeout.ms", "1000"}});
  const auto listed = run([](Client& its) -> Task<Result<std::vector<GroupListing>>> {
    GroupsAdmin admin(its);
    auto listing = admin.list();
    auto done = co_await std::move(listing);
    co_return done;
  }(*lonely));
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().to_string(),
            "org.apache.kafka.common.KafkaException: Failed to find brokers to send ListGroups");
  ASSERT_NE(listed.error().cause(), nullptr);
  EXPECT_EQ(listed.error().cause()->to_string(),
            "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. Call: "
            "findAllBrokers");
}

class OffsetsStory : public GroupsStory, public testing::WithParamInterface<std::int16_t> {};

TEST_P(OffsetsStory, CommittedOffsetsAreToldByEveryVersion) {
  coordinators_ = {{"g", 2}};
  both_serve<OffsetFetchRequest>(
      1, GetParam(), [](std::int32_t, const OffsetFetchRequest& request, std::int16_t version) {
        OffsetFetchResponse response;
        if (version < 8) {
          EXPECT_EQ(request.group_id, "g");
          EXPECT_FALSE(request.topics);
          response.topics.push_back({.name = "t",
                                     .partitions = {{.partition_index = 0, .committed_offset = 7},
                                                    {.partition_index = 1, .committed_offset = -1}}});
        } else {
          EXPECT_FALSE(request.groups.at(0).topics);
          response.groups.push_back(
              {.group_id = "g",
               .topics = {{.name = "t",
                           .partitions = {{.partition_index = 0, .committed_offset = 7, .committed_leader_epoch = 3},
                                          {.partition_index = 1, .committed_offset = -1}}}}});
        }
        return response;
      });
  const auto offsets = run([](Client& its) -> Task<Result<std::vector<CommittedOffset>>> {
    GroupsAdmin admin(its);
    auto fetching = admin.list_offsets("g");
    auto done = co_await std::move(fetching);
    co_return done;
  }(*client_));
  ASSERT_TRUE(offsets) << offsets.error().to_string();
  ASSERT_EQ(offsets->size(), 2U);
  EXPECT_EQ(offsets->front().partition, (PartitionName{"t", 0}));
  EXPECT_EQ(offsets->front().offset, 7);
  EXPECT_EQ(offsets->front().leader_epoch, GetParam() < 8 ? std::nullopt : std::optional(3));
  EXPECT_EQ(offsets->back().offset, -1);
}

TEST_F(GroupsStory, OffsetsAreGivenAgainWhileTheGroupRebalances) {
  coordinators_ = {{"g", 1}};
  int calls = 0;
  both_serve<OffsetCommitRequest>(2, 9, [&calls](std::int32_t, const OffsetCommitRequest& request, std::int16_t) {
    EXPECT_EQ(request.generation_id_or_member_epoch, -1) << "of no member";
    EXPECT_EQ(request.topics.at(0).partitions.size(), 2U);
    const bool busy = ++calls < 3;
    OffsetCommitResponse response;
    response.topics.push_back({.name = "t", .partitions = {{.partition_index = 0}, {.partition_index = 1}}});
    if (busy) {
      response.topics[0].partitions[1].error_code = static_cast<std::int16_t>(ErrorCode::rebalance_in_progress);
    } else {
      response.topics[0].partitions[0].error_code = static_cast<std::int16_t>(ErrorCode::unknown_topic_or_partition);
    }
    return response;
  });
  const auto outcomes = run([](Client& its) -> Task<Result<std::vector<PartitionOutcome>>> {
    GroupsAdmin admin(its);
    auto altering =
        admin.alter_offsets("g", {{.partition = {"t", 0}, .offset = 1}, {.partition = {"t", 1}, .offset = 2}});
    auto done = co_await std::move(altering);
    co_return done;
  }(*client_));
  EXPECT_EQ(calls, 3);
  ASSERT_TRUE(outcomes) << outcomes.error().to_string();
  ASSERT_EQ(outcomes->size(), 2U);
  EXPECT_EQ(outcomes->at(0).error->code(), ErrorCode::unknown_topic_or_partition);
  EXPECT_FALSE(outcomes->at(1).error);
}

TEST_F(DescribeStory, AllMembersAreRemovedByTheirInstancesWhereTheyHaveThem) {
  serve_descriptions(true);
  both_serve<LeaveGroupRequest>(0, 5, [](std::int32_t id, const LeaveGroupRequest& request, std::int16_t) {
    EXPECT_EQ(id, 2);
    LeaveGroupResponse response;
    for (const auto& member : request.members) {
      EXPECT_EQ(member.member_id, "");
      EXPECT_EQ(member.group_instance_id, "i");
      EXPECT_EQ(member.reason, "member was removed by an admin");
      response.members.push_back({.member_id = "m", .group_instance_id = "i"});
    }
    return response;
  });
  const auto removed = run([](Client& its) -> Task<Result<std::vector<MemberOutcome>>> {
    GroupsAdmin admin(its);
    auto removing = admin.remove_members("old", std::nullopt);
    auto done = co_await std::move(removing);
    co_return done;
  }(*client_));
  ASSERT_TRUE(removed) << removed.error().to_string();
  ASSERT_EQ(removed->size(), 1U);
  EXPECT_EQ(removed->front().member.instance_id, "i");
  EXPECT_FALSE(removed->front().error);
}

TEST_F(DescribeStory, MembersOfAGroupThatIsNotThereCannotBeRemoved) {
  serve_descriptions(true);
  const auto removed = run([](Client& its) -> Task<Result<std::vector<MemberOutcome>>> {
    GroupsAdmin admin(its);
    auto removing = admin.remove_members("none", std::nullopt);
    auto done = co_await std::move(removing);
    co_return done;
  }(*client_));
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().message(), "Encounter exception when trying to get members from group: none");
  EXPECT_EQ(removed.error().cause()->code(), ErrorCode::group_id_not_found);
}

INSTANTIATE_TEST_SUITE_P(, OffsetsStory, testing::Values(7, 8, 9, 10));

}  // namespace
}  // namespace klamm::client
