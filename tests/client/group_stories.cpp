// A consumer in a group, of either protocol, whose coordinator and connections misbehave.
#include "stories.h"

namespace klamm::client {
namespace {

class GroupStory : public Story, public testing::WithParamInterface<const char*> {
 protected:
  GroupStory() {
    broker().add_topic("orders", 3);
    client_ = client({{"metadata.max.age.ms", "1000"}});
    produced(100);
  }
  ~GroupStory() override { client_.reset(); }

  void produced(int count) {
    auto producer = client();
    run(produce_all(*producer, "orders", numbered(count), {{"batch.size", "100"}, {"linger.ms", "0"}}));
  }

 public:
  bool classic() const { return std::string_view(GetParam()) == "classic"; }
  ApiKey heartbeat() const { return classic() ? ApiKey::heartbeat : ApiKey::consumer_group_heartbeat; }
  Properties in_group(Properties more = {}) {
    more.emplace("group.id", "billing");
    more.emplace("group.protocol", GetParam());
    more.emplace("auto.offset.reset", "earliest");
    return more;
  }
  Client& its() { return *client_; }

 protected:
  // Subscribes, reads so much, closes; what was read.
  Result<std::vector<std::string>> read_and_close(std::size_t count, Properties more = {},
                                                  runtime::Duration patience = 2s) {
    return run([](GroupStory& story, Properties properties, std::size_t wanted,
                  runtime::Duration patient) -> Task<Result<std::vector<std::string>>> {
      Consumer consumer(story.its(), properties);
      EXPECT_TRUE(consumer.subscribe({"orders"}));
      const runtime::MonoTime until = story.now() + patient;
      std::vector<std::string> values;
      while (values.size() < wanted && story.now() < until) {
        auto reading = read_values(consumer, wanted - values.size());
        const auto some = co_await std::move(reading);
        if (!some) co_return some.error();
        values.insert(values.end(), some->begin(), some->end());
      }
      auto closing = consumer.close();
      const auto closed = co_await std::move(closing);
      EXPECT_TRUE(closed);
      co_return values;
    }(*this, in_group(std::move(more)), count, patience));
  }

  std::unique_ptr<Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Protocols, GroupStory, testing::Values("classic", "consumer"),
                         [](const auto& given) { return std::string(given.param); });

TEST_P(GroupStory, ReadsCommitsLeavesAndTheNextOneGoesOnThere) {
  auto values = read_and_close(100);
  ASSERT_TRUE(values) << values.error().to_string();
  EXPECT_EQ(*values, numbered(100));
  EXPECT_EQ(broker().committed("orders", 0), 100);
  EXPECT_EQ(broker().committed("orders", 1), 0);
  EXPECT_TRUE(broker().member_left());
  produced(7);
  values = read_and_close(7);
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, numbered(7));
  EXPECT_EQ(broker().committed("orders", 0), 107);
}

TEST_P(GroupStory, WithoutAutoCommitOnlyWhatIsAskedForIsCommitted) {
  run([](GroupStory& story) -> Task<void> {
    Consumer consumer(story.its(), story.in_group({{"enable.auto.commit", "false"}}));
    EXPECT_TRUE(consumer.subscribe({"orders"}));
    auto reading = read_values(consumer, 100);
    const auto values = co_await std::move(reading);
    EXPECT_TRUE(values);
    Offsets offsets;
    offsets[{"orders", 0}] = {42, "note", -1};
    auto committing = consumer.commit(offsets);
    const auto done = co_await std::move(committing);
    EXPECT_TRUE(done) << (done ? "" : done.error().to_string());
    auto asking = consumer.committed({{"orders", 0}, {"orders", 2}});
    const auto committed = co_await std::move(asking);
    EXPECT_TRUE(committed && committed->size() == 1 && committed->at({"orders", 0}).offset == 42);
    auto closing = consumer.close();
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
  }(*this));
  EXPECT_EQ(broker().committed("orders", 0), 42);
  EXPECT_EQ(broker().committed("orders", 1), -1);
}

TEST_P(GroupStory, AutoCommitGoesOnWhileItPolls) {
  run([](GroupStory& story) -> Task<void> {
    Consumer consumer(story.its(), story.in_group({{"auto.commit.interval.ms", "1000"}}));
    EXPECT_TRUE(consumer.subscribe({"orders"}));
    auto reading = read_values(consumer, 100);
    const auto values = co_await std::move(reading);
    EXPECT_TRUE(values);
    auto polling = consumer.poll(5s);
    const auto nothing = co_await std::move(polling);
    EXPECT_TRUE(nothing && nothing->empty());
    EXPECT_EQ(story.broker().committed("orders", 0), 100);
  }(*this));
}

TEST_P(GroupStory, ConnectionsThatBreakAreMadeAgain) {
  for (const ApiKey key : {ApiKey::find_coordinator, ApiKey::join_group, ApiKey::sync_group, heartbeat(),
                           ApiKey::offset_fetch, ApiKey::offset_commit}) {
    for (const Mishap mishap : {Mishap::hang_up_before, Mishap::hang_up_after, Mishap::garbage})
      broker().next(key, mishap);
  }
  const auto values = read_and_close(100, {}, 60s);  // with all the pauses between
  ASSERT_TRUE(values) << values.error().to_string();
  EXPECT_EQ(*values, numbered(100));
  EXPECT_EQ(broker().committed("orders", 0), 100);
}

TEST_P(GroupStory, ErrorsThatPassAreWaitedFor) {
  for (const ErrorCode code :
       {ErrorCode::not_coordinator, ErrorCode::coordinator_not_available, ErrorCode::coordinator_load_in_progress}) {
    for (const ApiKey key : {ApiKey::join_group, heartbeat(), ApiKey::offset_fetch, ApiKey::offset_commit})
      broker().next_error(key, code);
  }
  broker().next_error(ApiKey::find_coordinator, ErrorCode::coordinator_not_available);
  const auto values = read_and_close(100);
  ASSERT_TRUE(values) << values.error().to_string();
  EXPECT_EQ(*values, numbered(100));
  EXPECT_EQ(broker().committed("orders", 0), 100);
}

TEST_P(GroupStory, TheApplicationHearsWhatComesAndGoes) {
  const auto heard = run([](GroupStory& story) -> Task<std::vector<std::string>> {
    std::vector<std::string> calls;
    const auto note = [&calls](const char* what) {
      return [&calls, what](std::vector<PartitionName> partitions) -> Task<void> {
        calls.push_back(fmt::format("{} {}", what, partitions.size()));
        co_return;
      };
    };
    Consumer consumer(story.its(), story.in_group());
    EXPECT_TRUE(consumer.subscribe({"orders"}, {note("assigned"), note("revoked"), note("lost")}));
    auto reading = read_values(consumer, 100);
    const auto values = co_await std::move(reading);
    EXPECT_TRUE(values);
    story.broker().next_error(story.heartbeat(), ErrorCode::unknown_member_id);
    auto polling = consumer.poll(8s);
    const auto batch = co_await std::move(polling);
    EXPECT_TRUE(batch);
    auto closing = consumer.close();
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
    co_return calls;
  }(*this));
  EXPECT_EQ(heard, (std::vector<std::string>{"assigned 3", "lost 3", "assigned 3", "revoked 3"}));
}

TEST_P(GroupStory, WithoutAnOffsetAndWithoutAPolicyItIsAnError) {
  const auto failure = run([](GroupStory& story) -> Task<std::string> {
    Consumer consumer(story.its(), story.in_group({{"auto.offset.reset", "none"}}));
    EXPECT_TRUE(consumer.subscribe({"orders"}));
    auto polling = consumer.poll(10s);
    const auto batch = co_await std::move(polling);
    co_return batch ? std::string("none") : batch.error().exception_class();
  }(*this));
  EXPECT_EQ(failure, kinds::no_offset);
}

TEST_P(GroupStory, PartitionsByHandBeginAtTheGroupsOffset) {
  broker().set_committed("orders", 0, 60);
  run([](GroupStory& story) -> Task<void> {
    Consumer consumer(story.its(), story.in_group());
    consumer.assign({{"orders", 0}});
    auto where = consumer.position({"orders", 0});
    const auto position = co_await std::move(where);
    EXPECT_TRUE(position && *position == 60);
    auto reading = read_values(consumer, 40);
    const auto values = co_await std::move(reading);
    EXPECT_TRUE(values && values->size() == 40 && values->front() == "60");
    auto closing = consumer.close();
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
  }(*this));
  EXPECT_EQ(broker().committed("orders", 0), 100);
  EXPECT_EQ(broker().count(ApiKey::join_group), 0U);
  EXPECT_EQ(broker().count(ApiKey::consumer_group_heartbeat), 0U);
}

TEST_P(GroupStory, TopicsThatMatchAreFoundLaterToo) {
  const auto held = run([](GroupStory& story) -> Task<std::vector<PartitionName>> {
    Consumer consumer(story.its(), story.in_group());
    EXPECT_TRUE(consumer.subscribe_matching([](std::string_view name) { return name.starts_with("ord"); }));
    auto reading = read_values(consumer, 100);
    const auto first = co_await std::move(reading);
    EXPECT_TRUE(first && first->size() == 100);
    story.broker().add_topic("ordinary", 1);
    story.broker().add_topic("other", 1);
    auto polling = consumer.poll(8s);
    const auto nothing = co_await std::move(polling);
    EXPECT_TRUE(nothing && nothing->empty());
    co_return consumer.assignment();
  }(*this));
  EXPECT_EQ(held, (std::vector<PartitionName>{{"orders", 0}, {"orders", 1}, {"orders", 2}, {"ordinary", 0}}));
}

TEST_P(GroupStory, WhatTheCoordinatorTakesAwayIsCommittedFirst) {
  if (classic()) return;  // there the members themselves assign
  run([](GroupStory& story) -> Task<void> {
    Consumer consumer(story.its(), story.in_group());
    EXPECT_TRUE(consumer.subscribe({"orders"}));
    auto reading = read_values(consumer, 100);
    const auto values = co_await std::move(reading);
    EXPECT_TRUE(values);
    story.broker().assign_partitions(0);
    auto polling = consumer.poll(3s);
    const auto nothing = co_await std::move(polling);
    EXPECT_TRUE(nothing && nothing->empty());
    EXPECT_TRUE(consumer.assignment().empty());
    EXPECT_EQ(story.broker().committed("orders", 0), 100);
  }(*this));
}

TEST_P(GroupStory, WhatIsNotAllowedIsSaid) {
  broker().always_error(ApiKey::find_coordinator, ErrorCode::group_authorization_failed);
  const auto failure = read_and_close(1);
  ASSERT_FALSE(failure);
  EXPECT_EQ(failure.error().message(), "Not authorized to access group: billing");
}

class ConfigurationStory : public Story {};

TEST_F(ConfigurationStory, WithoutAGroupThereIsNothingToSubscribeWith) {
  const auto made = client();
  Consumer consumer(*made, {});
  const auto refused = consumer.subscribe({"orders"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid_group_id);
  Consumer eager(*made, {{"group.id", "g"}});
  EXPECT_FALSE(eager.subscribe_regex("o.*")) << "the classic protocol has none";
  Consumer wrong(*made, {{"group.id", "g"}, {"group.protocol", "consumer"}, {"session.timeout.ms", "6000"}});
  ASSERT_TRUE(wrong.configuration_error());
  EXPECT_EQ(wrong.configuration_error()->message(), "session.timeout.ms cannot be set when group.protocol=CONSUMER");
}

}  // namespace
}  // namespace klamm::client
