#include "client/group_coordinators.h"

#include <algorithm>
#include <set>
#include <utility>

#include "client/admin_call.h"
#include "protocol/messages/find_coordinator.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr std::int8_t group_key = 0;

using Coordinators = std::map<std::string, std::int32_t>;
using Failures = std::map<std::string, Error>;

// A group's coordinator, or what is wrong; neither: later.
void took_coordinator(const std::string& group, ErrorCode code, std::int32_t broker, Coordinators& found,
                      Failures& failed) {
  const std::string key = fmt::format("`CoordinatorKey(idValue='{}', type=GROUP)`", group);
  if (code == ErrorCode::none) {
    found[group] = broker;
  } else if (code == ErrorCode::coordinator_not_available || code == ErrorCode::coordinator_load_in_progress) {
    return;
  } else if (code == ErrorCode::group_authorization_failed) {
    failed.emplace(group, Error(code, fmt::format("FindCoordinator request for groupId {} failed due to authorization "
                                                  "failure",
                                                  key)));
  } else {
    failed.emplace(
        group, Error(code, fmt::format("FindCoordinator request for key {} failed due to an unexpected error", key)));
  }
}

// Brokers before 3.0 find one coordinator at a time.
Task<Result<void>> find_one_by_one(Core& core, std::vector<std::string> groups, std::string name, MonoTime deadline,
                                   Coordinators& found, Failures& failed) {
  using protocol::FindCoordinatorResponse;
  for (const std::string& group : groups) {
    protocol::FindCoordinatorRequest request;
    request.key_type = group_key;
    request.key = group;
    const auto reply = co_await admin_call<FindCoordinatorResponse>(core, Target::any(), request, name, deadline,
                                                                    &never<FindCoordinatorResponse>);
    if (!reply) co_return reply.error();
    took_coordinator(group, error_code_of(reply->body.error_code), reply->body.node_id, found, failed);
  }
  co_return Result<void>();
}

Task<Result<void>> find_coordinators(Core& core, std::vector<std::string> groups, std::string name, MonoTime deadline,
                                     Coordinators& found, Failures& failed) {
  using protocol::FindCoordinatorResponse;
  protocol::FindCoordinatorRequest request;
  request.key_type = group_key;
  request.coordinator_keys = groups;
  const auto reply = co_await admin_call<FindCoordinatorResponse>(core, Target::any(), request, name, deadline,
                                                                  &never<FindCoordinatorResponse>);
  if (!reply && reply.error().code() == ErrorCode::unsupported_version) {
    const Result<void> done =
        co_await find_one_by_one(core, std::move(groups), std::move(name), deadline, found, failed);
    co_return done;
  }
  if (!reply) co_return reply.error();
  for (const auto& each : reply->body.coordinators) {
    took_coordinator(each.key, error_code_of(each.error_code), each.node_id, found, failed);
  }
  co_return Result<void>();
}

// One run of ask_coordinators: what is open, and where it is asked.
class Questions {
 public:
  Questions(Core& core, std::vector<std::string> groups, CoordinatorCall call, MonoTime deadline)
      : core_(core), open_(groups.begin(), groups.end()), call_(std::move(call)), deadline_(deadline) {}

  Task<Failures> run() {
    Backoff pause = core_.backoff();
    for (int attempt = 1;; ++attempt) {
      co_await find();
      co_await ask();
      if (open_.empty()) break;
      co_await core_.links_changed().wait(std::min(deadline_, core_.now() + pause.next()));
      if (core_.now() >= deadline_ || attempt > core_.settings().retries) {
        fail_all(attempt);
        break;
      }
    }
    co_return std::move(failed_);
  }

 private:
  Task<void> find() {
    std::vector<std::string> homeless;
    std::ranges::copy_if(open_, std::back_inserter(homeless),
                         [&](const std::string& group) { return !coordinators_.contains(group); });
    if (homeless.empty()) co_return;
    const Result<void> found = co_await find_coordinators(
        core_, homeless, fmt::format("{}(api=FIND_COORDINATOR)", call_.call), deadline_, coordinators_, failed_);
    if (!found) {
      for (const std::string& group : homeless) failed_.emplace(group, found.error());
    }
    std::erase_if(open_, [&](const std::string& group) { return failed_.contains(group); });
  }

  Task<void> ask() {
    std::map<std::int32_t, std::vector<std::string>> by_broker;
    for (const std::string& group : open_) {
      if (const auto at = coordinators_.find(group); at != coordinators_.end()) by_broker[at->second].push_back(group);
    }
    for (auto& [broker, groups] : by_broker) {
      const auto verdicts = co_await call_.ask(broker, groups);
      if (!verdicts) {
        lost(groups, verdicts.error());
        continue;
      }
      for (const auto& [group, verdict] : *verdicts) {
        if (verdict == Verdict::settled) open_.erase(group);
        if (verdict == Verdict::moved) coordinators_.erase(group);
      }
    }
  }

  // A request that failed as a whole: by a connection, perhaps because the broker is gone.
  void lost(const std::vector<std::string>& groups, const Error& error) {
    for (const std::string& group : groups) {
      coordinators_.erase(group);
      if (error.retriable() && core_.now() < deadline_) continue;
      open_.erase(group);
      failed_.emplace(group, !error.retriable() ? error
                                                : Error::of_kind(kinds::timeout,
                                                                 fmt::format("Timed out waiting for a node assignment. "
                                                                             "Call: {}(api={})",
                                                                             call_.call, call_.api)));
    }
  }

  void fail_all(int attempts) {
    for (const std::string& group : open_) {
      const std::string_view api = coordinators_.contains(group) ? call_.api : "FIND_COORDINATOR";
      failed_.emplace(group, timed_out(core_, fmt::format("{}(api={})", call_.call, api), attempts));
    }
    open_.clear();
  }

  Core& core_;
  std::set<std::string> open_;
  CoordinatorCall call_;
  MonoTime deadline_;
  Coordinators coordinators_;
  Failures failed_;
};

}  // namespace

Verdict coordinator_verdict(ErrorCode code) {
  if (code == ErrorCode::coordinator_load_in_progress) return Verdict::again;
  if (code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator) return Verdict::moved;
  return Verdict::settled;
}

Task<Failures> ask_coordinators(Core& core, std::vector<std::string> groups, CoordinatorCall call, MonoTime deadline) {
  Questions questions(core, std::move(groups), std::move(call), deadline);
  Failures failed = co_await questions.run();
  co_return std::move(failed);
}

}  // namespace klamm::client
