#include "server/transaction_verification.h"

#include <algorithm>
#include <map>
#include <utility>

namespace klamm::server {
namespace {

constexpr std::int16_t produce_abortable_from = 11;
constexpr std::int16_t produce_adds_from = 12;
constexpr std::int16_t offset_commit_abortable_from = 4;
constexpr std::int16_t offset_commit_adds_from = 5;

// As producers know it.
ErrorCode told(ErrorCode code, TransactionSupport support) {
  if (code == ErrorCode::producer_fenced) return ErrorCode::invalid_producer_epoch;
  if (code == ErrorCode::transaction_abortable && support == TransactionSupport::verified) {
    return ErrorCode::invalid_txn_state;
  }
  return code;
}

transactions::AddPartitions call_of(const TransactionClaim& claim, const std::vector<TopicPartition>& partitions) {
  std::map<std::string, std::vector<std::int32_t>, std::less<>> by_topic;
  for (const TopicPartition& each : partitions) by_topic[each.topic].push_back(each.partition.value);
  transactions::AddPartitions call;
  call.transaction.transactional_id = claim.transactional_id;
  call.transaction.producer_id = claim.producer_id.value;
  call.transaction.producer_epoch = claim.producer_epoch.value;
  call.transaction.verify_only = claim.support != TransactionSupport::adds;
  for (auto& [topic, numbers] : by_topic) {
    auto& to = call.transaction.topics.emplace_back();
    to.name = topic;
    to.partitions = std::move(numbers);
  }
  return call;
}

}  // namespace

TransactionSupport produce_support(std::int16_t version) {
  if (version >= produce_adds_from) return TransactionSupport::adds;
  return version >= produce_abortable_from ? TransactionSupport::verified_abortable : TransactionSupport::verified;
}

TransactionSupport offset_commit_support(std::int16_t version) {
  if (version >= offset_commit_adds_from) return TransactionSupport::adds;
  return version >= offset_commit_abortable_from ? TransactionSupport::verified_abortable
                                                 : TransactionSupport::verified;
}

bool TransactionVerification::is_off(TransactionSupport support) const {
  return support != TransactionSupport::adds &&
         !config_()->current().values().get_bool("transaction.partition.verification.enable");
}

bool TransactionVerification::has_coordinator(runtime::Reactor& reactor, PartitionIndex index) const {
  const metadata::ImageRef& image = metadata_.image(reactor);
  const auto* partition = image->partition(transactions_topic, index.value);
  const auto* broker = partition ? image->broker(BrokerId(partition->leader)) : nullptr;
  return broker != nullptr && !broker->fenced;
}

runtime::Task<std::vector<ErrorCode>> TransactionVerification::ask(runtime::Reactor& reactor, TransactionClaim claim,
                                                                   std::vector<TopicPartition> partitions) {
  const PartitionIndex shard = transactions_.partition_of(claim.transactional_id);
  std::vector<ErrorCode> codes(partitions.size(), ErrorCode::coordinator_not_available);
  if (!has_coordinator(reactor, shard)) co_return codes;
  auto asking = transactions_.ask(reactor, shard, transactions::Call(call_of(claim, partitions)));
  const transactions::Answer answer = co_await std::move(asking);
  std::map<std::pair<std::string_view, std::int32_t>, ErrorCode> answered;
  for (const auto& topic : std::get<transactions::AddedPartitions>(answer).topic_results) {
    for (const auto& partition : topic.results_by_partition) {
      answered[{topic.name, partition.partition_index}] = error_code_of(partition.partition_error_code);
    }
  }
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    codes[i] = told(answered.at({partitions[i].topic, partitions[i].partition.value}), claim.support);
  }
  co_return codes;
}

runtime::Task<std::vector<ErrorCode>> TransactionVerification::ask_patiently(runtime::Reactor& reactor,
                                                                             TransactionClaim claim,
                                                                             std::vector<TopicPartition> partitions) {
  const runtime::MonoTime give_up = reactor.now() + settings_.retry_max;
  while (true) {
    auto asking = ask(reactor, claim, partitions);
    std::vector<ErrorCode> codes = co_await std::move(asking);
    const bool again = claim.support == TransactionSupport::adds &&
                       std::ranges::find(codes, ErrorCode::concurrent_transactions) != codes.end();
    if (!again || reactor.now() >= give_up) co_return codes;
    runtime::Notice pause(reactor);
    auto pausing = pause.wait(reactor.now() + settings_.retry_backoff);
    co_await std::move(pausing);
  }
}

}  // namespace klamm::server
