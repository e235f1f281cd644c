#include "client/transaction_machine.h"

#include <gtest/gtest.h>

#include "protocol/messages/api_versions.h"

namespace klamm::client {
namespace {

using namespace std::chrono_literals;
using State = TransactionMachine::State;

TopicPartition at(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}

rpc::PeerVersions versions_of(std::int16_t level, std::int64_t epoch = 1, std::int16_t init_max = 5) {
  protocol::ApiVersionsResponse response;
  response.finalized_features_epoch = epoch;
  response.finalized_features.push_back({"transaction.version", level, level, {}});
  auto versions = rpc::PeerVersions::from(response);
  versions.set(static_cast<std::int16_t>(protocol::ApiKey::init_producer_id), {0, init_max});
  return versions;
}

// A producer at coordinators that the story plays. The parameter is transaction.version.
class TransactionStory : public ::testing::Test {
 protected:
  explicit TransactionStory(std::int16_t level = 2) : level_(level) {}

  std::optional<TransactionMachine::Request> next(bool incomplete = false) { return machine.next(now, incomplete); }
  template <typename Body>
  Body expect(bool incomplete = false) {
    auto request = next(incomplete);
    EXPECT_TRUE(request.has_value());
    if (!request) return {};
    const auto* body = std::get_if<Body>(&request->body);
    EXPECT_NE(body, nullptr) << "another request, number " << request->body.index();
    version_max = request->version_max;
    return body == nullptr ? Body{} : *body;
  }
  void expect_nothing(bool incomplete = false) { EXPECT_FALSE(next(incomplete).has_value()); }

  void find_coordinator(CoordinatorOf of = CoordinatorOf::transactions) {
    EXPECT_EQ(expect<FindCoordinator>().of, of);
    machine.coordinator_answered(ErrorCode::none, 1, "", now);
    if (of == CoordinatorOf::transactions) machine.saw_versions(versions_of(level_), of);
  }
  void answer_init(ErrorCode code, std::int64_t id = 7, std::int16_t epoch = 0) {
    protocol::InitProducerIdResponse response;
    response.error_code = wire_of(code);
    response.producer_id = id;
    response.producer_epoch = epoch;
    machine.answered(response, now);
  }
  void answer_end(ErrorCode code, std::int64_t id = -1, std::int16_t epoch = -1) {
    protocol::EndTxnResponse response;
    response.error_code = wire_of(code);
    response.producer_id = id;
    response.producer_epoch = epoch;
    machine.answered(response, now);
  }
  void answer_add(const protocol::AddPartitionsToTxnRequest& request, ErrorCode code) {
    protocol::AddPartitionsToTxnResponse response;
    for (const auto& topic : request.v3_and_below_topics) {
      auto& result = response.results_by_topic_v3_and_below.emplace_back();
      result.name = topic.name;
      for (const std::int32_t each : topic.partitions) result.results_by_partition.push_back({each, wire_of(code), {}});
    }
    machine.answered(response, now);
  }
  void answer_add_offsets(ErrorCode code) {
    protocol::AddOffsetsToTxnResponse response;
    response.error_code = wire_of(code);
    machine.answered(response, now);
  }
  void answer_offsets(std::map<std::int32_t, ErrorCode> codes) {
    protocol::TxnOffsetCommitResponse response;
    auto& topic = response.topics.emplace_back();
    topic.name = "raw";
    for (const auto& [partition, code] : codes) topic.partitions.push_back({partition, wire_of(code), {}});
    machine.answered(response, now);
  }

  void initialize() {
    auto outcome = machine.initialize();
    ASSERT_TRUE(outcome);
    find_coordinator();
    expect<protocol::InitProducerIdRequest>();
    answer_init(ErrorCode::none);
    EXPECT_TRUE((*outcome)->done);
    (*outcome)->heard = true;
    EXPECT_EQ(machine.state(), State::ready);
  }
  void begin() {
    const Result<void> begun = machine.begin();
    ASSERT_TRUE(begun) << begun.error().to_string();
  }
  // Takes a record for a partition and, in version 1, adds it.
  void produce(const TopicPartition& partition = at("clean", 0)) {
    ASSERT_FALSE(machine.refusal(partition));
    machine.add_partition(partition);
    if (level_ < 2) answer_add(expect<protocol::AddPartitionsToTxnRequest>(), ErrorCode::none);
    EXPECT_TRUE(sequences.may_send(partition));
  }
  TransactionOutcomeRef commit() {
    auto outcome = machine.begin_commit();
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().to_string());
    return outcome ? *outcome : std::make_shared<TransactionOutcome>();
  }
  TransactionOutcomeRef abort() {
    auto outcome = machine.begin_abort();
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().to_string());
    return outcome ? *outcome : std::make_shared<TransactionOutcome>();
  }
  void expect_ended(TransactionOutcomeRef outcome) {
    EXPECT_TRUE(outcome->done);
    EXPECT_FALSE(outcome->error) << outcome->error->to_string();
    outcome->heard = true;
    EXPECT_EQ(machine.state(), State::ready);
  }
  OffsetsForGroup offsets() {
    return {{{at("raw", 0), {10, 3, ""}}, {at("raw", 1), {20, -1, "m"}}}, "etl", {4, "member-1", "instance"}};
  }

  std::int16_t level_;
  runtime::MonoTime now{1h};
  Sequences sequences{true};
  TransactionMachine machine{{"etl-1", 60'000ms}, 100ms, sequences};
  std::int16_t version_max = -1;
};

class VersionOneStory : public TransactionStory {
 protected:
  VersionOneStory() : TransactionStory(1) {}
};

// --- the usual -------------------------------------------------------------------------------------------------------

TEST_F(TransactionStory, TheIdIsTakenAtItsCoordinator) {
  auto outcome = machine.initialize();
  ASSERT_TRUE(outcome);
  const auto find = expect<FindCoordinator>();
  EXPECT_EQ(find.key, "etl-1");
  expect_nothing();
  machine.coordinator_answered(ErrorCode::none, 5, "", now);
  machine.saw_versions(versions_of(2), CoordinatorOf::transactions);
  const auto request = next();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->node, 5);
  const auto init = std::get<protocol::InitProducerIdRequest>(request->body);
  EXPECT_EQ(init.transactional_id, "etl-1");
  EXPECT_EQ(init.transaction_timeout_ms, 60000);
  EXPECT_EQ(init.producer_id, -1);
  answer_init(ErrorCode::none, 7, 3);
  EXPECT_TRUE((*outcome)->done);
  EXPECT_EQ(sequences.producer(), (ProducerIdentity{7, 3}));
  EXPECT_TRUE(machine.second_version());
}

TEST_F(TransactionStory, InVersionTwoPartitionsBelongByThemselvesAndTheEndGivesTheNextEpoch) {
  initialize();
  begin();
  produce();
  expect_nothing();
  const auto outcome = commit();
  expect_nothing(true);  // a batch has no answer yet
  const auto end = expect<protocol::EndTxnRequest>();
  EXPECT_TRUE(end.committed);
  EXPECT_EQ(end.producer_epoch, 0);
  EXPECT_EQ(version_max, 5);
  answer_end(ErrorCode::none, 7, 1);
  expect_ended(outcome);
  EXPECT_EQ(sequences.producer(), (ProducerIdentity{7, 1}));
  EXPECT_FALSE(sequences.may_send(at("clean", 0)));
}

TEST_F(VersionOneStory, PartitionsAreAddedTogetherBeforeAnythingIsSent) {
  initialize();
  EXPECT_FALSE(machine.second_version());
  begin();
  machine.add_partition(at("clean", 0));
  machine.add_partition(at("clean", 1));
  machine.add_partition(at("dirty", 0));
  EXPECT_FALSE(sequences.may_send(at("clean", 0)));
  const auto add = expect<protocol::AddPartitionsToTxnRequest>();
  EXPECT_EQ(version_max, 3);
  ASSERT_EQ(add.v3_and_below_topics.size(), 2u);
  EXPECT_EQ(add.v3_and_below_topics[0].partitions, (std::vector<std::int32_t>{0, 1}));
  answer_add(add, ErrorCode::none);
  EXPECT_TRUE(sequences.may_send(at("dirty", 0)));
  machine.add_partition(at("clean", 0));
  expect_nothing();  // it is there already
  const auto outcome = commit();
  expect<protocol::EndTxnRequest>();
  EXPECT_EQ(version_max, 4);
  answer_end(ErrorCode::none);
  expect_ended(outcome);
  EXPECT_EQ(sequences.producer(), (ProducerIdentity{7, 0})) << "the epoch stays";
}

TEST_F(TransactionStory, OffsetsGoToTheGroupsCoordinatorUnderTheMembersName) {
  initialize();
  begin();
  auto outcome = machine.send_offsets(offsets());
  ASSERT_TRUE(outcome);
  find_coordinator(CoordinatorOf::group);
  const auto request = expect<protocol::TxnOffsetCommitRequest>();
  EXPECT_EQ(version_max, 5);
  EXPECT_EQ(request.group_id, "etl");
  EXPECT_EQ(request.member_id, "member-1");
  EXPECT_EQ(request.generation_id_or_member_epoch, 4);
  EXPECT_EQ(request.group_instance_id, "instance");
  ASSERT_EQ(request.topics.size(), 1u);
  ASSERT_EQ(request.topics[0].partitions.size(), 2u);
  EXPECT_EQ(request.topics[0].partitions[0].committed_leader_epoch, 3);
  answer_offsets({{0, ErrorCode::none}, {1, ErrorCode::none}});
  EXPECT_TRUE((*outcome)->done);
  const auto end = commit();
  expect<protocol::EndTxnRequest>();  // offsets alone make a transaction
  answer_end(ErrorCode::none, 7, 1);
  expect_ended(end);
}

TEST_F(VersionOneStory, TheGroupIsAddedFirst) {
  initialize();
  begin();
  auto outcome = machine.send_offsets(offsets());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(expect<protocol::AddOffsetsToTxnRequest>().group_id, "etl");
  answer_add_offsets(ErrorCode::none);
  EXPECT_FALSE((*outcome)->done);
  find_coordinator(CoordinatorOf::group);
  expect<protocol::TxnOffsetCommitRequest>();
  EXPECT_EQ(version_max, 4);
  answer_offsets({{0, ErrorCode::none}, {1, ErrorCode::none}});
  EXPECT_TRUE((*outcome)->done);
  EXPECT_FALSE((*outcome)->error);
}

TEST_F(TransactionStory, ATransactionOfNothingEndsWithoutARequest) {
  initialize();
  begin();
  const auto outcome = commit();
  expect_nothing();
  expect_ended(outcome);
}

TEST_F(TransactionStory, AnAbortDropsWhatWasNotSent) {
  initialize();
  begin();
  produce();
  EXPECT_FALSE(machine.drops_unsent());
  const auto outcome = abort();
  ASSERT_TRUE(machine.drops_unsent());
  EXPECT_EQ(machine.drops_unsent()->to_string(),
            "org.apache.kafka.common.errors.TransactionAbortedException: Failing batch since transaction was aborted");
  EXPECT_FALSE(expect<protocol::EndTxnRequest>().committed);
  answer_end(ErrorCode::none, 7, 1);
  expect_ended(outcome);
}

// --- what may not be ------------------------------------------------------------------------------------------------

TEST_F(TransactionStory, RecordsAreRefusedOutsideOfTransactions) {
  EXPECT_EQ(machine.refusal(at("clean", 0))->message(),
            "Cannot add partition clean-0 to transaction before completing a call to initTransactions");
  initialize();
  EXPECT_EQ(machine.refusal(at("clean", 0))->message(),
            "Cannot add partition clean-0 to transaction while in state  READY");
  EXPECT_EQ(machine.refusal(at("clean", 0))->exception_class(), "java.lang.IllegalStateException");
  EXPECT_EQ(machine.send_offsets(offsets()).error().message(),
            "Cannot send offsets if a transaction is not in progress (currentState= READY)");
}

TEST_F(TransactionStory, StatesFollowOneAnother) {
  EXPECT_EQ(machine.begin().error().message(),
            "TransactionalId etl-1: Invalid transition attempted from state UNINITIALIZED to state IN_TRANSACTION");
  initialize();
  EXPECT_EQ(machine.begin_commit().error().message(),
            "TransactionalId etl-1: Invalid transition attempted from state READY to state COMMITTING_TRANSACTION");
  begin();
  EXPECT_EQ(machine.begin().error().message(),
            "TransactionalId etl-1: Invalid transition attempted from state IN_TRANSACTION to state IN_TRANSACTION");
}

TEST_F(TransactionStory, WhatTimedOutIsAskedForAgainBeforeAnythingElse) {
  initialize();
  begin();
  produce();
  const auto first = commit();
  expect<protocol::EndTxnRequest>();
  EXPECT_EQ(
      machine.begin_abort().error().message(),
      "Cannot attempt operation `abortTransaction` because the previous call to `commitTransaction` timed out and "
      "must be retried");
  EXPECT_EQ(commit(), first);
  answer_end(ErrorCode::none, 7, 1);
  EXPECT_EQ(
      machine.begin().error().message(),
      "Cannot attempt operation `beginTransaction` because the previous call to `commitTransaction` timed out and "
      "must be retried");
  EXPECT_EQ(commit(), first);
  expect_ended(first);
  begin();
}

// --- errors of coordinators ------------------------------------------------------------------------------------------

TEST_F(TransactionStory, ACoordinatorThatMovedIsLookedForAndAskedAgain) {
  initialize();
  begin();
  produce();
  const auto outcome = commit();
  for (const ErrorCode code : {ErrorCode::not_coordinator, ErrorCode::coordinator_not_available}) {
    expect<protocol::EndTxnRequest>();
    answer_end(code);
    find_coordinator();
    expect_nothing();
    EXPECT_EQ(machine.look_again(now), now + 100ms);
    now += 100ms;
  }
  expect<protocol::EndTxnRequest>();
  machine.failed(Error(ErrorCode::network_exception), now);
  find_coordinator();
  now += 100ms;
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::concurrent_transactions);  // here it stays
  expect_nothing();
  now += 100ms;
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::none, 7, 1);
  expect_ended(outcome);
}

TEST_F(VersionOneStory, TheFirstPartitionWaitsOnlyShortlyForTheTransactionBefore) {
  initialize();
  begin();
  machine.add_partition(at("clean", 0));
  answer_add(expect<protocol::AddPartitionsToTxnRequest>(), ErrorCode::concurrent_transactions);
  EXPECT_EQ(machine.look_again(now), now + 20ms);
  now += 20ms;
  answer_add(expect<protocol::AddPartitionsToTxnRequest>(), ErrorCode::none);
  machine.add_partition(at("clean", 1));
  answer_add(expect<protocol::AddPartitionsToTxnRequest>(), ErrorCode::concurrent_transactions);
  EXPECT_EQ(machine.look_again(now), now + 100ms) << "not the first";
}

TEST_F(TransactionStory, AFencedProducerIsOfNoUse) {
  for (const ErrorCode code : {ErrorCode::producer_fenced, ErrorCode::invalid_producer_epoch}) {
    Sequences numbers(true);
    TransactionMachine other({"etl-1", 60'000ms}, 100ms, numbers);
    auto started = other.initialize();
    ASSERT_TRUE(started);
    ASSERT_TRUE(other.next(now, false));
    other.coordinator_answered(ErrorCode::none, 1, "", now);
    ASSERT_TRUE(other.next(now, false));
    protocol::InitProducerIdResponse response;
    response.error_code = wire_of(code);
    other.answered(response, now);
    EXPECT_EQ((*started)->error->code(), ErrorCode::producer_fenced);
    EXPECT_EQ(other.state(), State::fatal_error);
  }
}

TEST_F(TransactionStory, AProducerThatIsFencedAtItsCommitSaysSoFromThenOn) {
  initialize();
  begin();
  produce();
  const auto outcome = commit();
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::producer_fenced);
  ASSERT_TRUE(outcome->error);
  EXPECT_EQ(outcome->error->code(), ErrorCode::producer_fenced);
  outcome->heard = true;
  EXPECT_EQ(machine.state(), State::fatal_error);
  const auto refused = machine.begin_abort();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "Producer with transactionalId 'etl-1' and ProducerIdAndEpoch(producerId=7, epoch=0) has been fenced by "
            "another producer with the same transactionalId");
}

TEST_F(TransactionStory, AnErrorOfTheTransactionIsAbortedAndTheProducerGoesOn) {
  initialize();
  begin();
  produce();
  const auto committing = commit();
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::transaction_abortable);
  ASSERT_TRUE(committing->error);
  committing->heard = true;
  EXPECT_EQ(machine.state(), State::abortable_error);
  EXPECT_EQ(machine.refusal(at("clean", 0))->message(),
            "Cannot execute transactional method because we are in an error state");
  EXPECT_EQ(machine.refusal(at("clean", 0))->cause()->code(), ErrorCode::transaction_abortable);
  const auto aborting = abort();
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::none, 7, 1);
  expect_ended(aborting);
  begin();
}

TEST_F(TransactionStory, AnAbortThatAsksForAnAbortIsTheEnd) {
  initialize();
  begin();
  produce();
  const auto aborting = abort();
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::transaction_abortable);
  ASSERT_TRUE(aborting->error);
  EXPECT_EQ(aborting->error->message(), "Failed to abort transaction");
  EXPECT_EQ(machine.state(), State::fatal_error);
}

TEST_F(TransactionStory, CodesThatEndTheProducer) {
  for (const ErrorCode code : {ErrorCode::invalid_txn_state, ErrorCode::invalid_producer_id_mapping,
                               ErrorCode::transactional_id_authorization_failed, ErrorCode::invalid_request}) {
    Sequences numbers(true);
    TransactionMachine other({"etl-1", 60'000ms}, 100ms, numbers);
    other.saw_versions(versions_of(2), CoordinatorOf::transactions);
    auto started = other.initialize();
    ASSERT_TRUE(other.next(now, false));
    other.coordinator_answered(ErrorCode::none, 1, "", now);
    ASSERT_TRUE(other.next(now, false));
    protocol::InitProducerIdResponse init;
    init.producer_id = 7;
    other.answered(init, now);
    (*started)->heard = true;
    ASSERT_TRUE(other.begin());
    other.add_partition(at("clean", 0));
    auto ending = other.begin_commit();
    ASSERT_TRUE(ending);
    ASSERT_TRUE(other.next(now, false));
    protocol::EndTxnResponse end;
    end.error_code = wire_of(code);
    other.answered(end, now);
    EXPECT_EQ(other.state(), State::fatal_error) << error_name(code);
    EXPECT_TRUE((*ending)->error) << error_name(code);
  }
}

TEST_F(TransactionStory, WhoMayNotUseTheIdMayTryAgain) {
  auto first = machine.initialize();
  ASSERT_TRUE(first);
  find_coordinator();
  expect<protocol::InitProducerIdRequest>();
  answer_init(ErrorCode::transactional_id_authorization_failed);
  ASSERT_TRUE((*first)->error);
  EXPECT_EQ((*first)->error->code(), ErrorCode::transactional_id_authorization_failed);
  (*first)->heard = true;
  EXPECT_EQ(machine.state(), State::uninitialized);
  auto second = machine.initialize();
  ASSERT_TRUE(second);
  expect<protocol::InitProducerIdRequest>();
  answer_init(ErrorCode::none);
  EXPECT_EQ(machine.state(), State::ready);
}

TEST_F(VersionOneStory, ATopicThatMayNotBeWrittenMakesTheTransactionAbortable) {
  initialize();
  begin();
  machine.add_partition(at("clean", 0));
  answer_add(expect<protocol::AddPartitionsToTxnRequest>(), ErrorCode::topic_authorization_failed);
  EXPECT_EQ(machine.state(), State::abortable_error);
  EXPECT_EQ(machine.refusal(at("clean", 0))->cause()->message(), "Not authorized to access topics: [clean]");
  const auto outcome = abort();
  expect_nothing();  // the coordinator has no such transaction
  expect_ended(outcome);
}

// --- offsets ---------------------------------------------------------------------------------------------------------

TEST_F(TransactionStory, OffsetsThatCouldNotBeTakenAreSentAgainAlone) {
  initialize();
  begin();
  auto outcome = machine.send_offsets(offsets());
  find_coordinator(CoordinatorOf::group);
  expect<protocol::TxnOffsetCommitRequest>();
  answer_offsets({{0, ErrorCode::none}, {1, ErrorCode::coordinator_load_in_progress}});
  expect_nothing();
  now += 100ms;
  auto request = expect<protocol::TxnOffsetCommitRequest>();
  ASSERT_EQ(request.topics[0].partitions.size(), 1u);
  EXPECT_EQ(request.topics[0].partitions[0].partition_index, 1);
  answer_offsets({{1, ErrorCode::not_coordinator}});
  find_coordinator(CoordinatorOf::group);
  now += 100ms;
  expect<protocol::TxnOffsetCommitRequest>();
  answer_offsets({{1, ErrorCode::none}});
  EXPECT_TRUE((*outcome)->done);
  EXPECT_FALSE((*outcome)->error);
}

TEST_F(TransactionStory, AMemberThatLeftItsGenerationCannotCommit) {
  for (const ErrorCode code :
       {ErrorCode::illegal_generation, ErrorCode::unknown_member_id, ErrorCode::stale_member_epoch,
        ErrorCode::group_id_not_found, ErrorCode::fenced_instance_id}) {
    if (machine.state() == State::uninitialized) initialize();
    begin();
    auto outcome = machine.send_offsets(offsets());
    if (code == ErrorCode::illegal_generation) find_coordinator(CoordinatorOf::group);
    expect<protocol::TxnOffsetCommitRequest>();
    answer_offsets({{0, code}, {1, code}});
    ASSERT_TRUE((*outcome)->error) << error_name(code);
    EXPECT_EQ(machine.state(), State::abortable_error) << error_name(code);
    if (code != ErrorCode::fenced_instance_id) {
      EXPECT_EQ((*outcome)->error->exception_class(), "org.apache.kafka.clients.consumer.CommitFailedException");
    }
    const auto aborting = abort();
    expect<protocol::EndTxnRequest>();
    answer_end(ErrorCode::none, 7, static_cast<std::int16_t>(sequences.producer().epoch + 1));
    expect_ended(aborting);
  }
}

// --- batches ---------------------------------------------------------------------------------------------------------

TEST_F(TransactionStory, ABatchThatFailsFailsTheCommit) {
  initialize();
  begin();
  produce();
  const auto committing = commit();
  machine.batch_failed(Error::of_kind(kinds::timeout, "Expiring 1 record(s)"));
  EXPECT_EQ(machine.drops_unsent()->code(), ErrorCode::transaction_abortable);
  expect_nothing();
  ASSERT_TRUE(committing->done);
  EXPECT_EQ(committing->error->message(), "Transaction Request was aborted after exhausting retries.");
  EXPECT_EQ(committing->error->cause()->exception_class(), kinds::timeout);
  committing->heard = true;
  const auto aborting = abort();
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::none, 7, 1);
  expect_ended(aborting);
}

TEST_F(VersionOneStory, AfterALostBatchTheEpochIsBumpedBehindTheAbort) {
  initialize();
  begin();
  produce();
  machine.batch_failed(Error(ErrorCode::out_of_order_sequence_number));
  EXPECT_EQ(machine.state(), State::abortable_error);
  const auto outcome = abort();
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::none);
  EXPECT_FALSE(outcome->done) << "the epoch is still the old one";
  const auto init = expect<protocol::InitProducerIdRequest>();
  EXPECT_EQ(init.producer_id, 7);
  EXPECT_EQ(init.producer_epoch, 0);
  answer_init(ErrorCode::none, 7, 1);
  expect_ended(outcome);
  EXPECT_EQ(sequences.producer(), (ProducerIdentity{7, 1}));
}

TEST_F(VersionOneStory, WhereEpochsCannotBeBumpedALostBatchIsTheEnd) {
  initialize();
  machine.saw_versions(versions_of(0, 1, 2), CoordinatorOf::transactions);
  begin();
  produce();
  machine.lost_track();
  ASSERT_NE(machine.fatal(), nullptr);
  EXPECT_TRUE(machine.fatal()->message().ends_with("It isn't safe to continue."));
}

TEST_F(TransactionStory, ABatchOfAFencedProducerIsAbortableUntilTheCoordinatorSaysMore) {
  initialize();
  begin();
  produce();
  machine.batch_failed(Error(ErrorCode::invalid_producer_epoch));
  EXPECT_EQ(machine.state(), State::abortable_error);
  EXPECT_TRUE(machine.refusal(at("clean", 0))->message().ends_with("attempted to produce with an old epoch"));
  const auto outcome = abort();
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::producer_fenced);
  EXPECT_EQ(outcome->error->code(), ErrorCode::producer_fenced);
  EXPECT_EQ(machine.state(), State::fatal_error);
}

TEST_F(TransactionStory, WhatFailsWhileItIsAbortedChangesNothing) {
  initialize();
  begin();
  produce();
  const auto outcome = abort();
  machine.batch_failed(Error(ErrorCode::not_enough_replicas));
  EXPECT_EQ(machine.state(), State::aborting);
  expect<protocol::EndTxnRequest>();
  answer_end(ErrorCode::none, 7, 1);
  expect_ended(outcome);
}

// --- versions --------------------------------------------------------------------------------------------------------

TEST_F(VersionOneStory, AClusterThatGoesOverToVersionTwoIsFollowedBetweenTransactions) {
  initialize();
  begin();
  produce();
  machine.saw_versions(versions_of(2, 9), CoordinatorOf::transactions);
  EXPECT_FALSE(machine.second_version());
  const auto outcome = commit();
  expect<protocol::EndTxnRequest>();
  EXPECT_EQ(version_max, 4) << "this one ends as it began";
  answer_end(ErrorCode::none);
  expect<protocol::InitProducerIdRequest>();  // so that nothing late can be taken for a part of the next
  answer_init(ErrorCode::none, 7, 1);
  expect_ended(outcome);
  begin();
  machine.add_partition(at("clean", 0));
  EXPECT_TRUE(sequences.may_send(at("clean", 0)));
}

TEST_F(TransactionStory, WhatIsClosedTellsWhoWaits) {
  auto starting = machine.initialize();
  ASSERT_TRUE(starting);
  expect<FindCoordinator>();
  machine.close();
  ASSERT_TRUE((*starting)->error);
  EXPECT_EQ((*starting)->error->message(), "The producer closed forcefully");
}

}  // namespace
}  // namespace klamm::client
