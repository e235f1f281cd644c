#include <fmt/format.h>

#include <algorithm>

#include "base/error_code.h"
#include "bench/ask.h"
#include "bench/group_member.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/sync_group.h"

namespace klamm::bench {
namespace {

constexpr std::int32_t session_timeout_ms = 45'000;
constexpr std::int32_t rebalance_timeout_ms = 60'000;
constexpr std::chrono::milliseconds pause_before_again{50};
constexpr std::int16_t leave_names_members = 3;  // the first version of LeaveGroup with a list of them
constexpr std::string_view protocol_type = "consumer";
constexpr std::string_view protocol_name = "range";

std::string named(std::string_view what, std::int16_t code) {
  return fmt::format("{}: {}", what, error_name(static_cast<ErrorCode>(code)));
}

bool is(std::int16_t code, ErrorCode error) {
  return code == static_cast<std::int16_t>(error);
}

bool comes_soon(std::int16_t code) {
  return is(code, ErrorCode::coordinator_load_in_progress) || is(code, ErrorCode::coordinator_not_available);
}

// Numbers and strings as the consumer protocol has them: neither is compact.
class Text {
 public:
  template <typename T>
  Text& number(T value) {
    bytes_.resize(bytes_.size() + sizeof value);
    store_big(bytes_.data() + bytes_.size() - sizeof value, value);
    return *this;
  }
  Text& raw(Bytes bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Text& string(std::string_view text) { return number(static_cast<std::int16_t>(text.size())).raw(as_bytes(text)); }
  ByteVector take() { return std::move(bytes_); }

 private:
  ByteVector bytes_;
};

}  // namespace

ByteVector assignment_of(const MemberSettings& settings, std::size_t rank, std::size_t members, std::string_view id) {
  std::vector<std::int32_t> mine;
  for (std::size_t i = rank; i < settings.partitions.size(); i += members) mine.push_back(settings.partitions[i]);
  Text text;
  text.number(std::int16_t{0}).number(std::int32_t{1}).string(settings.topic);
  text.number(static_cast<std::int32_t>(mine.size()));
  for (const std::int32_t partition : mine) text.number(partition);
  text.number(static_cast<std::int32_t>(id.size())).raw(as_bytes(id));
  return text.take();
}

std::optional<std::size_t> partitions_of_assignment(Bytes assignment, std::string_view id) {
  constexpr std::size_t name_length_at = 6;
  if (assignment.size() < name_length_at + 2 + 4 + id.size() + 4) return std::nullopt;
  const Bytes own = assignment.last(id.size());
  if (!std::ranges::equal(own, as_bytes(id))) return std::nullopt;
  const auto name = load_big<std::int16_t>(assignment.data() + name_length_at);
  const std::size_t count_at = name_length_at + 2 + static_cast<std::size_t>(std::max<std::int16_t>(name, 0));
  if (count_at + 4 > assignment.size()) return std::nullopt;
  const auto count = load_big<std::int32_t>(assignment.data() + count_at);
  const std::size_t whole = count_at + 4 + 4 * static_cast<std::size_t>(std::max(count, 0)) + 4 + id.size();
  if (count < 0 || whole != assignment.size()) return std::nullopt;
  return static_cast<std::size_t>(count);
}

Frame ClassicMember::join_frame() const {
  protocol::JoinGroupRequest request;
  request.group_id = settings().group;
  request.session_timeout_ms = session_timeout_ms;
  request.rebalance_timeout_ms = rebalance_timeout_ms;
  request.member_id = id_;
  request.protocol_type = protocol_type;
  auto& protocol = request.protocols.emplace_back();
  protocol.name = protocol_name;
  // ConsumerProtocolSubscription, version 0; the user data makes it another one than before.
  protocol.metadata = Text()
                          .number(std::int16_t{0})
                          .number(std::int32_t{1})
                          .string(settings().topic)
                          .number(static_cast<std::int32_t>(sizeof subscription_))
                          .number(subscription_)
                          .take();
  return frame_of(request, settings().versions.join);
}

Frame ClassicMember::sync_frame() const {
  protocol::SyncGroupRequest request;
  request.group_id = settings().group;
  request.generation_id = generation_;
  request.member_id = id_;
  request.protocol_type = protocol_type;
  request.protocol_name = protocol_name;
  for (const auto& [id, assignment] : assignments_) {
    auto& given = request.assignments.emplace_back();
    given.member_id = id;
    given.assignment = assignment;
  }
  return frame_of(request, settings().versions.sync);
}

std::optional<Member::Due> ClassicMember::due(runtime::MonoTime now) {
  switch (state_) {
    case State::out:
      if (again_at_ > now) return std::nullopt;
      state_ = State::joining;
      frame_ = join_frame();
      return Due{Question::join, &frame_, now};
    case State::joined:
      state_ = State::syncing;
      frame_ = sync_frame();
      return Due{Question::sync, &frame_, now};
    case State::stable:
      return due_when_stable(now, heartbeat_, commit_);
    case State::joining:
    case State::syncing:
    case State::failed:
      break;
  }
  return std::nullopt;
}

runtime::MonoTime ClassicMember::next() const {
  if (state_ == State::out) return again_at_;
  return state_ == State::stable ? next_when_stable() : runtime::never;
}

std::string ClassicMember::answered(Question question, Bytes answer, runtime::MonoTime now) {
  switch (question) {
    case Question::join:
      return joined(answer, now);
    case Question::sync:
      return synced(answer, now);
    case Question::heartbeat:
      return beaten(answer);
    case Question::commit:
      return commit_answered(answer);
    case Question::leave:
      break;
  }
  return {};
}

std::string ClassicMember::joined(Bytes answer, runtime::MonoTime now) {
  const auto response = response_of<protocol::JoinGroupResponse>(answer, settings().versions.join);
  state_ = State::failed;
  if (!response) return "an answer to a join that cannot be read";
  const std::int16_t code = response->error_code;
  if (is(code, ErrorCode::member_id_required)) {
    id_ = response->member_id;
    state_ = State::out;
    return {};
  }
  if (comes_soon(code)) {
    again_at_ = now + pause_before_again;
    state_ = State::out;
    return {};
  }
  if (code != 0) return named("join", code);
  id_ = response->member_id;
  generation_ = response->generation_id;
  assignments_.clear();
  if (response->leader == id_) {
    const std::size_t count = response->members.size();
    for (std::size_t rank = 0; rank < count; ++rank) {
      const std::string& id = response->members[rank].member_id;
      assignments_.emplace_back(id, assignment_of(settings(), rank, count, id));
    }
  }
  state_ = State::joined;
  return {};
}

std::string ClassicMember::synced(Bytes answer, runtime::MonoTime now) {
  const auto response = response_of<protocol::SyncGroupResponse>(answer, settings().versions.sync);
  state_ = State::failed;
  if (!response) return "an answer to a sync that cannot be read";
  if (is(response->error_code, ErrorCode::rebalance_in_progress)) {
    state_ = State::out;
    return {};
  }
  if (response->error_code != 0) return named("sync", response->error_code);
  const auto owned = partitions_of_assignment(response->assignment, id_);
  if (!owned) return "an assignment that the leader did not make for this member";
  owned_ = *owned;
  prepare_frames();
  state_ = State::stable;
  became_stable(now);
  return {};
}

void ClassicMember::prepare_frames() {
  protocol::HeartbeatRequest request;
  request.group_id = settings().group;
  request.generation_id = generation_;
  request.member_id = id_;
  heartbeat_ = frame_of(request, settings().versions.heartbeat);
  commit_ = commit_frame(id_, generation_);
}

std::string ClassicMember::beaten(Bytes answer) {
  const auto response = response_of<protocol::HeartbeatResponse>(answer, settings().versions.heartbeat);
  if (!response) return "an answer to a heartbeat that cannot be read";
  const std::int16_t code = response->error_code;
  if (code == 0) return {};
  if (state_ != State::stable) return {};  // about a membership that has ended
  if (is(code, ErrorCode::rebalance_in_progress) && !begun()) {
    state_ = State::out;
    return {};
  }
  state_ = State::failed;
  return named("heartbeat", code);
}

void ClassicMember::subscribe_anew() {
  ENSURE(state_ == State::stable);
  ++subscription_;
  state_ = State::out;
}

const Frame& ClassicMember::leave() {
  protocol::LeaveGroupRequest request;
  request.group_id = settings().group;
  if (settings().versions.leave < leave_names_members) {
    request.member_id = id_;
  } else {
    request.members.emplace_back().member_id = id_;
  }
  frame_ = frame_of(request, settings().versions.leave);
  state_ = State::failed;
  return frame_;
}

}  // namespace klamm::bench
