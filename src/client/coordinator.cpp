#include "client/coordinator.h"

#include <algorithm>

#include "client/group_member.h"
#include "protocol/messages/find_coordinator.h"

namespace klamm::client {

using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr std::int16_t first_with_many = 4;  // of FindCoordinator: several keys in one question

}  // namespace

Task<Result<Coordinator::Answer>> Coordinator::ask(MonoTime deadline) {
  const Result<Link*> link = co_await core_.any_link(deadline);
  if (!link) co_return link.error();
  const auto version = (*link)->versions().latest_usable<FindCoordinatorRequest>();
  if (!version) co_return Error(version.error().code, version.error().message);
  FindCoordinatorRequest request;
  request.key_type = static_cast<std::int8_t>(of_);
  if (*version >= first_with_many) {
    request.coordinator_keys = {group_id_};
  } else {
    request.key = group_id_;
  }
  const auto reply = co_await core_.exchange<FindCoordinatorResponse>(**link, request, deadline, *version);
  if (!reply) co_return reply.error();
  const FindCoordinatorResponse& body = reply->body;
  Broker broker;
  Answer answer;
  if (!body.coordinators.empty()) {
    const auto& first = body.coordinators.front();
    answer = {error_code_of(first.error_code), first.node_id, first.error_message.value_or("")};
    broker = {first.node_id, first.host, first.port, {}};
  } else {
    answer = {error_code_of(body.error_code), body.node_id, body.error_message.value_or("")};
    broker = {body.node_id, body.host, body.port, {}};
  }
  if (answer.code == ErrorCode::none) {
    if (!core_.cluster().brokers().contains(broker.id)) core_.learned_broker(std::move(broker));
    node_ = answer.node;
  }
  co_return answer;
}

Task<Result<void>> Coordinator::reach(Core& core, Link& link, MonoTime deadline) {
  link.connect();
  while (!link.ready()) {
    if (!link.connecting()) co_return link.last_failure().value_or(Error(ErrorCode::network_exception));
    if (!co_await core.links_changed().wait(deadline)) co_return Error(ErrorCode::request_timed_out);
  }
  co_return Result<void>();
}

Task<Result<Link*>> Coordinator::link(MonoTime deadline) {
  Backoff pause = core_.backoff();
  for (;;) {
    if (node_) {
      if (Link* found = core_.coordinator_link(*node_)) {
        const Result<void> ready = co_await reach(core_, *found, deadline);
        if (ready) co_return found;
        if (!ready.error().retriable()) co_return ready.error();
      }
      node_.reset();
    }
    const Result<Answer> answer = co_await ask(deadline);
    const ErrorCode code = answer ? answer->code : answer.error().code();
    if (answer && code == ErrorCode::none) continue;
    if (answer && code == ErrorCode::group_authorization_failed) co_return CoordinatorSearch::not_authorized(group_id_);
    if (answer ? !is_retriable(code) : !answer.error().retriable()) co_return answer ? Error(code) : answer.error();
    if (core_.now() >= deadline) {
      co_return Error::of_kind(kinds::timeout,
                               "The coordinator of group " + group_id_ + " could not be found in time.");
    }
    co_await core_.links_changed().wait(std::min(deadline, core_.now() + pause.next()));
  }
}

}  // namespace klamm::client
