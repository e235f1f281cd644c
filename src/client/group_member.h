// What the members of both group protocols have in common: how they look for the coordinator, and what they want of the
// consumer they belong to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error_code.h"
#include "client/group_assignment.h"
#include "client/result.h"
#include "runtime/clock.h"

namespace klamm::client {

// What changes in a consumer's hands, in this order. Who owns the consumer does it and says so with applied().
struct AssignmentChange {
  PartitionSet lost;     // somebody else may have these already: nothing is committed
  PartitionSet revoked;  // given up: what was read is committed before
  PartitionSet added;
  bool completes = false;  // a new assignment is there, even if it adds nothing
  std::uint64_t number = 0;

  bool empty() const { return lost.empty() && revoked.empty() && added.empty() && !completes; }
};

// Under which name a member commits.
struct MemberIdentity {
  std::int32_t generation = -1;  // or the epoch of a member of the consumer protocol
  std::string member_id;
  std::optional<std::string> instance_id;

  bool operator==(const MemberIdentity&) const = default;
};

// Pauses that double from the first to the last, without chance: for machines that are told the time.
class Pauses {
 public:
  Pauses(runtime::Duration first, runtime::Duration last) : first_(first), last_(std::max(first, last)), next_(first) {}
  runtime::Duration next() {
    const runtime::Duration now = next_;
    next_ = std::min(next_ * 2, last_);
    return now;
  }
  void reset() { next_ = first_; }

 private:
  runtime::Duration first_;
  runtime::Duration last_;
  runtime::Duration next_;
};

// Who coordinates the group, as FindCoordinator said last.
class CoordinatorSearch {
 public:
  CoordinatorSearch(std::string group_id, runtime::Duration backoff, runtime::Duration backoff_max)
      : group_id_(std::move(group_id)), pauses_(backoff, backoff_max) {}

  const std::optional<std::int32_t>& node() const { return node_; }
  // True when the question is to be asked now; then it counts as asked.
  bool ask(runtime::MonoTime now) {
    if (node_ || asked_ || now < retry_at_) return false;
    return asked_ = true;
  }
  runtime::MonoTime look_again() const { return node_ || asked_ ? runtime::never : retry_at_; }

  // The error that no second attempt repairs.
  std::optional<Error> answered(ErrorCode code, std::int32_t node, runtime::MonoTime now) {
    asked_ = false;
    if (code == ErrorCode::none) {
      node_ = node;
      pauses_.reset();
      return std::nullopt;
    }
    retry_at_ = now + pauses_.next();
    if (code == ErrorCode::group_authorization_failed) return not_authorized(group_id_);
    return is_retriable(code) ? std::nullopt : std::optional(Error(code));
  }
  void unknown(runtime::MonoTime now) {
    if (!node_) return;
    node_.reset();
    retry_at_ = now + pauses_.next();
  }

  static Error not_authorized(const std::string& group_id) {
    return Error(ErrorCode::group_authorization_failed, "Not authorized to access group: " + group_id);
  }

 private:
  std::string group_id_;
  Pauses pauses_;
  std::optional<std::int32_t> node_;
  bool asked_ = false;
  runtime::MonoTime retry_at_{};
};

}  // namespace klamm::client
