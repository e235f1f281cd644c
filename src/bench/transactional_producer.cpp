#include "bench/transactional_producer.h"

#include <fmt/format.h>

#include "base/error_code.h"
#include "bench/ask.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"

namespace klamm::bench {
namespace {

constexpr std::int32_t transaction_timeout_ms = 60'000;
constexpr std::int32_t produce_timeout_ms = 30'000;
constexpr std::int16_t newest_add_of_clients = 3;         // from 4 on: between brokers
constexpr std::int16_t newest_produce_of_version_1 = 11;  // from 12 on producing adds partitions
constexpr std::int16_t newest_end_of_version_1 = 4;       // from 5 on the end gives an epoch
constexpr std::int16_t newest_produce = 13;
constexpr std::int16_t newest_end = 5;
constexpr std::int16_t second_version_level = 2;
constexpr auto unreadable = static_cast<std::int16_t>(ErrorCode::unknown_server_error);

constexpr std::string_view name_of(TransactionalProducer::Step step) {
  constexpr std::string_view names[] = {"init", "add partitions", "produce", "end"};
  return names[static_cast<std::size_t>(step)];
}

bool comes_soon(ErrorCode code) {
  return code == ErrorCode::concurrent_transactions || code == ErrorCode::coordinator_load_in_progress ||
         code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator;
}

}  // namespace

void choose_versions(TransactionSettings& settings, const Target& target, std::int16_t level) {
  using protocol::ApiKey;
  settings.second_version = level >= second_version_level;
  settings.init = target.version_of(ApiKey::init_producer_id, 4);
  settings.add = target.version_of(ApiKey::add_partitions_to_txn, newest_add_of_clients);
  settings.produce =
      target.version_of(ApiKey::produce, settings.second_version ? newest_produce : newest_produce_of_version_1);
  settings.end = target.version_of(ApiKey::end_txn, settings.second_version ? newest_end : newest_end_of_version_1);
}

TransactionalProducer::TransactionalProducer(TransactionSettings settings)
    : settings_(std::move(settings)),
      value_(settings_.record_bytes, std::byte{'t'}),
      batches_(settings_.partitions.size()) {}

const Frame& TransactionalProducer::request(Timestamp now) {
  switch (step_) {
    case Step::init:
      frame_ = init_frame();
      break;
    case Step::add:
      frame_ = add_frame();
      break;
    case Step::produce:
      frame_ = produce_frame(now);
      break;
    case Step::end:
      frame_ = end_frame();
      break;
  }
  return frame_;
}

Frame TransactionalProducer::init_frame() const {
  protocol::InitProducerIdRequest request;
  request.transactional_id = settings_.id;
  request.transaction_timeout_ms = transaction_timeout_ms;
  return frame_of(request, settings_.init);
}

Frame TransactionalProducer::add_frame() const {
  protocol::AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = settings_.id;
  request.v3_and_below_producer_id = producer_id_;
  request.v3_and_below_producer_epoch = epoch_;
  auto& topic = request.v3_and_below_topics.emplace_back();
  topic.name = settings_.topic;
  topic.partitions = settings_.partitions;
  return frame_of(request, settings_.add);
}

Frame TransactionalProducer::produce_frame(Timestamp now) {
  protocol::ProduceRequest request;
  request.transactional_id = settings_.id;
  request.acks = -1;
  request.timeout_ms = produce_timeout_ms;
  auto& topic = request.topic_data.emplace_back();
  topic.name = settings_.topic;
  topic.topic_id = settings_.topic_id;
  for (std::size_t i = 0; i < settings_.partitions.size(); ++i) {
    builder_.reset({.producer_id = ProducerId(producer_id_),
                    .producer_epoch = ProducerEpoch(epoch_),
                    .base_sequence = sequence_,
                    .transactional = true});
    builder_.append({.timestamp = now, .key = {}, .value = Bytes(value_)});
    batches_[i] = builder_.take();
    auto& data = topic.partition_data.emplace_back();
    data.index = settings_.partitions[i];
    data.records = protocol::Payload::view(batches_[i]);
  }
  if (settings_.produce >= 13)
    topic.name.clear();
  else
    topic.topic_id = {};
  return frame_of(request, settings_.produce);
}

Frame TransactionalProducer::end_frame() const {
  protocol::EndTxnRequest request;
  request.transactional_id = settings_.id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.committed = true;
  return frame_of(request, settings_.end);
}

TransactionalProducer::Outcome TransactionalProducer::answered(Bytes answer) {
  const auto code_of = [&]() -> std::int16_t {
    switch (step_) {
      case Step::init:
        return initialized(answer);
      case Step::add:
        return added(answer);
      case Step::produce:
        return produced(answer);
      case Step::end:
        return ended(answer);
    }
    return unreadable;
  };
  const auto code = static_cast<ErrorCode>(code_of());
  if (comes_soon(code)) return {.failure = {}, .again = true, .committed = false};
  if (code != ErrorCode::none)
    return {.failure = fmt::format("{}: {}", name_of(step_), error_name(code)), .again = false, .committed = false};
  const bool committed = step_ == Step::end;
  advance();
  return {.failure = {}, .again = false, .committed = committed};
}

void TransactionalProducer::advance() {
  switch (step_) {
    case Step::init:
    case Step::end:
      step_ = first_step();
      break;
    case Step::add:
      step_ = Step::produce;
      break;
    case Step::produce:
      ++sequence_;
      step_ = Step::end;
      break;
  }
}

std::int16_t TransactionalProducer::initialized(Bytes answer) {
  const auto response = response_of<protocol::InitProducerIdResponse>(answer, settings_.init);
  if (!response) return unreadable;
  if (response->error_code != 0) return response->error_code;
  producer_id_ = response->producer_id;
  epoch_ = response->producer_epoch;
  sequence_ = 0;
  return 0;
}

std::int16_t TransactionalProducer::added(Bytes answer) const {
  const auto response = response_of<protocol::AddPartitionsToTxnResponse>(answer, settings_.add);
  if (!response) return unreadable;
  std::size_t seen = 0;
  for (const auto& topic : response->results_by_topic_v3_and_below) {
    for (const auto& partition : topic.results_by_partition) {
      if (partition.partition_error_code != 0) return partition.partition_error_code;
      ++seen;
    }
  }
  return seen == settings_.partitions.size() ? std::int16_t{0} : unreadable;
}

std::int16_t TransactionalProducer::produced(Bytes answer) const {
  const auto response = response_of<protocol::ProduceResponse>(answer, settings_.produce);
  if (!response) return unreadable;
  std::size_t seen = 0;
  for (const auto& topic : response->responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.error_code != 0) return partition.error_code;
      ++seen;
    }
  }
  return seen == settings_.partitions.size() ? std::int16_t{0} : unreadable;
}

std::int16_t TransactionalProducer::ended(Bytes answer) {
  const auto response = response_of<protocol::EndTxnResponse>(answer, settings_.end);
  if (!response) return unreadable;
  if (response->error_code != 0) return response->error_code;
  if (!settings_.second_version) return 0;
  if (response->producer_id != producer_id_ || response->producer_epoch != epoch_) sequence_ = 0;
  producer_id_ = response->producer_id;
  epoch_ = response->producer_epoch;
  return 0;
}

}  // namespace klamm::bench
