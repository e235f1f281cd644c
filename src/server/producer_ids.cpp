#include "server/producer_ids.h"

namespace klamm::server {

ProducerIds::ProducerIds(runtime::Environment& environment, hosting::ControllerChannel& controller, BrokerId node_id,
                         std::function<BrokerEpoch()> broker_epoch)
    : controller_(controller),
      node_id_(node_id),
      broker_epoch_(std::move(broker_epoch)),
      lock_(environment.scheduling) {}

std::optional<ProducerId> ProducerIds::take() {
  const runtime::ShortLock::Guard guard(lock_);
  if (blocks_.empty()) return std::nullopt;
  Block& block = blocks_.front();
  const ProducerId id(block.next++);
  if (block.next == block.end) blocks_.pop_front();
  return id;
}

runtime::Task<Result<ProducerId>> ProducerIds::next(runtime::Reactor& reactor) {
  if (const auto id = take()) co_return *id;
  protocol::AllocateProducerIdsRequest request;
  request.broker_id = node_id_.value;
  request.broker_epoch = broker_epoch_().value;
  hosting::CallerContext caller{.api_version = protocol::AllocateProducerIdsRequest::max_version};
  auto asking = controller_.allocate_producer_ids(reactor, std::move(caller), std::move(request));
  const auto answer = co_await std::move(asking);
  if (const ErrorCode code = error_code_of(answer.error_code); code != ErrorCode::none) co_return fail(code);
  {
    const runtime::ShortLock::Guard guard(lock_);
    blocks_.push_back({answer.producer_id_start, answer.producer_id_start + answer.producer_id_len});
  }
  if (const auto id = take()) co_return *id;
  co_return fail(ErrorCode::coordinator_load_in_progress);
}

}  // namespace klamm::server
