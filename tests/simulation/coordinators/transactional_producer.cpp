#include "coordinators/transactional_producer.h"

#include <algorithm>

#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"
#include "protocol/messages/txn_offset_commit.h"
#include "records/record_batch_builder.h"

namespace klamm::simulation {

// Of records: a day before the stories begin. With the time of their beginning they would be refused
// (INVALID_TIMESTAMP) where the wall clock was set back by more than message.timestamp.after.max.ms, for as long as it
// takes to catch up.
constexpr Timestamp written_at{1'767'225'600'000 - 86'400'000};

using namespace std::chrono_literals;

namespace {

// An answer is waited for so often; a coordinator that loads and a broker that starts take their time.
constexpr int attempts_max = 60;

}  // namespace

TransactionalProducer::Step TransactionalProducer::step_of(ErrorCode code) const {
  switch (code) {
    case ErrorCode::none:
      return Step::done;
    case ErrorCode::invalid_producer_epoch:
    case ErrorCode::producer_fenced:
    case ErrorCode::invalid_producer_id_mapping:
      return Step::over;
    case ErrorCode::concurrent_transactions:
    case ErrorCode::unknown_topic_or_partition:
      return Step::again;
    default:
      return may_have_been_done(code) ? Step::again : Step::abort;
  }
}

bool TransactionalProducer::went(Step step) {
  if (step == Step::over) usable_ = false;
  if (step == Step::done) transactions_.did(producer_, begun_, "a request");
  return step == Step::done;
}

// Until it is done or cannot be done.
template <typename Response, typename Request, typename CodeOf>
Task<TransactionalProducer::Step> TransactionalProducer::insist(Request request, std::int16_t version_max, bool harmful,
                                                                CodeOf code_of, bool* uncertain,
                                                                std::shared_ptr<const void> owner) {
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    begun_ = transactions_.now();
    auto asking = caller_.ask_perhaps_late<Response>(request, version_max, owner);
    const Answered<Response> answer = co_await std::move(asking);
    if (harmful && !answer) harmful_ = true;
    const ErrorCode code = answer ? code_of(answer->body) : ErrorCode::network_exception;
    if (may_have_been_done(code) && uncertain != nullptr) *uncertain = true;
    const Step step = step_of(code);
    if (step != Step::again) co_return step;
    auto waiting = rest(caller_.home(), chance_.between(runtime::Duration(1ms), runtime::Duration(200ms)));
    co_await std::move(waiting);
  }
  co_return Step::over;
}

Task<bool> TransactionalProducer::come() {
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    protocol::InitProducerIdRequest request;
    request.transactional_id = setup_.id;
    request.transaction_timeout_ms = static_cast<std::int32_t>(setup_.timeout.count());
    auto asking =
        caller_.ask_perhaps_late<protocol::InitProducerIdResponse>(std::move(request), setup_.second_version ? 5 : 4);
    const auto answer = co_await std::move(asking);
    const ErrorCode code = answer ? error_code_of(answer->body.error_code) : ErrorCode::network_exception;
    if (code == ErrorCode::none) {
      producer_id_ = answer->body.producer_id;
      epoch_ = answer->body.producer_epoch;
      producer_ = transactions_.producer_came(setup_.id, producer_id_, epoch_);
      sequences_.clear();
      usable_ = true;
      co_return true;
    }
    auto waiting = rest(caller_.home(), chance_.between(runtime::Duration(1ms), runtime::Duration(300ms)));
    co_await std::move(waiting);
  }
  co_return false;
}

void TransactionalProducer::begin() {
  transaction_ = transactions_.begin(producer_);
  added_.clear();
  wrote_ = doubtful_ = harmful_ = false;
}

void TransactionalProducer::vanish() {
  if (transaction_) transactions_.ended(*transaction_, Ending::open);
  transaction_.reset();
  usable_ = false;
}

// --- what it writes --------------------------------------------------------------------------------------------------

Task<TransactionalProducer::Step> TransactionalProducer::add(const std::string& topic,
                                                             std::set<std::int32_t> partitions) {
  std::erase_if(partitions, [&](std::int32_t each) { return added_.contains({topic, each}); });
  if (setup_.second_version || partitions.empty()) co_return Step::done;
  protocol::AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = setup_.id;
  request.v3_and_below_producer_id = producer_id_;
  request.v3_and_below_producer_epoch = epoch_;
  request.v3_and_below_topics.push_back({topic, {partitions.begin(), partitions.end()}, {}});
  const auto code_of = [](const protocol::AddPartitionsToTxnResponse& response) {
    for (const auto& each : response.results_by_topic_v3_and_below) {
      for (const auto& partition : each.results_by_partition) {
        if (partition.partition_error_code != 0) return error_code_of(partition.partition_error_code);
      }
    }
    return ErrorCode::none;
  };
  auto insisting = insist<protocol::AddPartitionsToTxnResponse>(std::move(request), 3, false, code_of, nullptr);
  const Step step = co_await std::move(insisting);
  if (step == Step::done) {
    for (const std::int32_t each : partitions) added_.insert({topic, each});
  }
  co_return step;
}

Task<bool> TransactionalProducer::write(std::string topic, std::vector<ToWrite> records) {
  std::map<std::int32_t, std::vector<std::size_t>> writes;
  std::map<std::int32_t, std::vector<std::string>> values;
  std::set<std::int32_t> partitions;
  for (const ToWrite& record : records) {
    std::string value = fmt::format("{}-{}:{}.{}", topic, record.partition, setup_.id, transactions_.next_number());
    if (record.source)
      value += fmt::format("<{}-{}@{}", record.source->partition.topic, record.source->partition.partition,
                           record.source->offset);
    while (value.size() < record.bytes_min) value += ' ';
    writes[record.partition].push_back(
        transactions_.write(*transaction_, {topic, record.partition}, value, record.source));
    values[record.partition].push_back(std::move(value));
    partitions.insert(record.partition);
  }
  wrote_ = true;
  auto adding = add(topic, partitions);
  const Step added = co_await std::move(adding);
  if (!went(added)) co_return false;
  for (auto& [partition, numbers] : writes) {
    auto producing = produce(topic, partition, std::move(numbers), std::move(values[partition]));
    const Step step = co_await std::move(producing);
    if (!went(step)) co_return false;
  }
  co_return true;
}

Task<TransactionalProducer::Step> TransactionalProducer::produce(std::string topic, std::int32_t partition,
                                                                 std::vector<std::size_t> writes,
                                                                 std::vector<std::string> values) {
  std::int32_t& next = sequences_[{topic, partition}];
  records::RecordBatchBuilder builder({.producer_id = ProducerId(producer_id_),
                                       .producer_epoch = ProducerEpoch(epoch_),
                                       .base_sequence = next,
                                       .transactional = true});
  for (const std::string& value : values) {
    builder.append({.timestamp = written_at, .key = {}, .value = as_bytes(value), .headers = {}});
  }
  const auto batch = std::make_shared<const ByteVector>(builder.take());
  next += static_cast<std::int32_t>(values.size());

  protocol::ProduceRequest request;
  request.transactional_id = setup_.id;
  request.acks = -1;
  request.timeout_ms = 3000;
  auto& to = request.topic_data.emplace_back();
  to.name = topic;
  auto& data = to.partition_data.emplace_back();
  data.index = partition;
  data.records = protocol::Payload::view(*batch);
  std::int64_t base = -1;
  const auto code_of = [&base](const protocol::ProduceResponse& response) {
    if (response.responses.empty() || response.responses.front().partition_responses.empty()) {
      return ErrorCode::unknown_server_error;
    }
    const auto& answered = response.responses.front().partition_responses.front();
    base = answered.base_offset;
    return error_code_of(answered.error_code);
  };
  const std::int16_t version_max = setup_.second_version ? 12 : 11;
  auto insisting = insist<protocol::ProduceResponse>(std::move(request), version_max, false, code_of, nullptr, batch);
  const Step step = co_await std::move(insisting);
  doubtful_ = step != Step::done;
  if (doubtful_) co_return step;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    transactions_.acknowledged(writes[i], base < 0 ? -1 : base + static_cast<std::int64_t>(i));
  }
  co_return step;
}

// --- offsets ---------------------------------------------------------------------------------------------------------

Task<bool> TransactionalProducer::send_offsets(const Membership& member, std::map<std::int32_t, std::int64_t> offsets) {
  wrote_ = true;
  if (!setup_.second_version) {
    auto adding = add_offsets(member.plan().group);
    const Step added = co_await std::move(adding);
    if (!went(added)) co_return false;
  }
  auto committing = commit_in_transaction(member, std::move(offsets));
  const Step step = co_await std::move(committing);
  co_return went(step);
}

Task<TransactionalProducer::Step> TransactionalProducer::add_offsets(std::string group) {
  protocol::AddOffsetsToTxnRequest request;
  request.transactional_id = setup_.id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.group_id = std::move(group);
  const auto code_of = [](const protocol::AddOffsetsToTxnResponse& response) {
    return error_code_of(response.error_code);
  };
  auto insisting = insist<protocol::AddOffsetsToTxnResponse>(std::move(request), 3, false, code_of, nullptr);
  co_return co_await std::move(insisting);
}

Task<TransactionalProducer::Step> TransactionalProducer::commit_in_transaction(
    const Membership& member, std::map<std::int32_t, std::int64_t> offsets) {
  const MembershipPlan& plan = member.plan();
  protocol::TxnOffsetCommitRequest request;
  request.transactional_id = setup_.id;
  request.group_id = plan.group;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.generation_id_or_member_epoch = member.epoch();
  request.member_id = member.member_id();
  request.group_instance_id = plan.instance;
  auto& topic = request.topics.emplace_back();
  topic.name = plan.topic;
  std::vector<std::size_t> commits;
  const std::string who = member.who();
  const std::map<std::int32_t, std::int32_t> epochs = member.owned();
  for (const auto& [partition, offset] : offsets) {
    const std::size_t commit = groups_.commit_begun(plan.group, {plan.topic, partition}, offset, transaction_);
    commits.push_back(commit);
    transactions_.commits_offsets(*transaction_, commit);
    auto& to = topic.partitions.emplace_back();
    to.partition_index = partition;
    to.committed_offset = offset;
    to.committed_metadata = GroupHistory::name_of(commit);
  }
  const auto code_of = [](const protocol::TxnOffsetCommitResponse& response) {
    for (const auto& each : response.topics) {
      for (const auto& partition : each.partitions) {
        if (partition.error_code != 0) return error_code_of(partition.error_code);
      }
    }
    return ErrorCode::none;
  };
  const std::int16_t version_max = setup_.second_version ? 5 : 4;
  auto insisting = insist<protocol::TxnOffsetCommitResponse>(std::move(request), version_max, true, code_of, nullptr);
  const Step step = co_await std::move(insisting);
  if (step != Step::done) co_return step;
  for (const std::size_t commit : commits) {
    groups_.acknowledged(commit);
    const Commit& done = groups_.commit(commit);
    const auto owned = epochs.find(done.partition.partition);
    if (owned == epochs.end()) continue;
    groups_.went_on(plan.group, who, plan.topic, done.partition.partition, owned->second, begun_,
                    "a commit in a transaction");
  }
  co_return step;
}

// --- the end ---------------------------------------------------------------------------------------------------------

Task<Ending> TransactionalProducer::end(bool commit) {
  const std::size_t transaction = *std::exchange(transaction_, std::nullopt);
  const auto ended = [&](Ending ending) {
    if (ending != Ending::committed && ending != Ending::aborted) usable_ = false;
    transactions_.ended(transaction, ending);
    return ending;
  };
  if (!usable_) co_return ended(Ending::open);
  if (!wrote_) co_return ended(Ending::aborted);  // nobody but itself knows of it
  protocol::EndTxnRequest request;
  request.transactional_id = setup_.id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.committed = commit;
  protocol::EndTxnResponse answer;
  const auto code_of = [&answer](const protocol::EndTxnResponse& response) {
    answer = response;
    return error_code_of(response.error_code);
  };
  bool uncertain = false;
  auto insisting =
      insist<protocol::EndTxnResponse>(std::move(request), setup_.second_version ? 5 : 4, true, code_of, &uncertain);
  const Step step = co_await std::move(insisting);
  if (step != Step::done) {
    usable_ = false;
    co_return ended(commit && (uncertain || step == Step::again) ? Ending::unknown : Ending::open);
  }
  transactions_.did(producer_, begun_, "the end of a transaction");
  if (setup_.second_version) {
    if (answer.producer_id != producer_id_ || answer.producer_epoch != epoch_) sequences_.clear();
    producer_id_ = answer.producer_id;
    epoch_ = answer.producer_epoch;
  } else if (doubtful_ || (harmful_ && setup_.careful)) {
    usable_ = false;  // a sequence has a hole, or something may come late: another epoch must begin
  } else if (harmful_) {
    tainted_.insert(setup_.id);
    tainted_.insert(setup_.shares.begin(), setup_.shares.end());
  }
  co_return ended(commit ? Ending::committed : Ending::aborted);
}

}  // namespace klamm::simulation
