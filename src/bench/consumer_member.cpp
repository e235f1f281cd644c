#include <fmt/format.h>

#include "base/error_code.h"
#include "bench/ask.h"
#include "bench/group_member.h"
#include "protocol/messages/consumer_group_heartbeat.h"

namespace klamm::bench {
namespace {

constexpr std::int32_t rebalance_timeout_ms = 60'000;
constexpr std::int32_t leaving_epoch = -1;
constexpr std::chrono::milliseconds pause_before_again{50};

}  // namespace

ConsumerMember::ConsumerMember(MemberSettings settings, Uuid id) : Member(std::move(settings)), id_(id.to_string()) {}

// `tells`: with what is owned, as a client sends when that changed, and when it joins with its subscription too. Not
// with both later: to who says everything the coordinator says everything again, and there were no end.
Frame ConsumerMember::frame_with(std::int32_t epoch, bool tells) const {
  protocol::ConsumerGroupHeartbeatRequest request;
  request.group_id = settings().group;
  request.member_id = id_;
  request.member_epoch = epoch;
  if (tells && epoch == 0) {
    request.rebalance_timeout_ms = rebalance_timeout_ms;
    request.subscribed_topic_names = std::vector<std::string>{settings().topic};
  }
  if (tells) {
    auto& topics = request.topic_partitions.emplace();
    if (!owned_.empty()) {
      auto& topic = topics.emplace_back();
      topic.topic_id = settings().topic_id;
      topic.partitions = owned_;
    }
  }
  return frame_of(request, settings().versions.consumer_heartbeat);
}

std::optional<Member::Due> ConsumerMember::due(runtime::MonoTime now) {
  if (state_ == State::stable) return due_when_stable(now, heartbeat_, commit_);
  if ((state_ != State::out && state_ != State::told) || again_at_ > now) return std::nullopt;
  frame_ = frame_with(epoch_, true);
  state_ = State::asked;
  return Due{Question::heartbeat, &frame_, now};
}

runtime::MonoTime ConsumerMember::next() const {
  if (state_ == State::out || state_ == State::told) return again_at_;
  return state_ == State::stable ? next_when_stable() : runtime::never;
}

std::string ConsumerMember::answered(Question question, Bytes answer, runtime::MonoTime now) {
  if (question == Question::heartbeat) return beaten(answer, now);
  if (question != Question::commit) return {};
  return commit_answered(answer);
}

std::string ConsumerMember::beaten(Bytes answer, runtime::MonoTime now) {
  const std::int16_t version = settings().versions.consumer_heartbeat;
  const auto response = response_of<protocol::ConsumerGroupHeartbeatResponse>(answer, version);
  if (!response) return "an answer to a heartbeat that cannot be read";
  const auto code = static_cast<ErrorCode>(response->error_code);
  if (code == ErrorCode::coordinator_load_in_progress || code == ErrorCode::coordinator_not_available) {
    again_at_ = now + pause_before_again;
    if (state_ == State::asked) state_ = State::told;
    return {};
  }
  if (code != ErrorCode::none) {
    state_ = State::failed;
    return fmt::format("heartbeat: {}", error_name(code));
  }
  if (response->member_id) id_ = *response->member_id;
  const bool moved = response->member_epoch != epoch_;
  epoch_ = response->member_epoch;
  if (response->assignment) {
    owned_.clear();
    for (const auto& topic : response->assignment->topic_partitions)
      owned_.insert(owned_.end(), topic.partitions.begin(), topic.partitions.end());
    state_ = State::told;
    return begun() ? "heartbeat: the assignment changed" : "";
  }
  if (state_ == State::told) return {};
  if (moved || state_ == State::asked) {
    heartbeat_ = frame_with(epoch_, false);
    commit_ = commit_frame(id_, epoch_);
  }
  if (state_ == State::asked) {
    state_ = State::stable;
    became_stable(now);
  }
  return {};
}

const Frame& ConsumerMember::leave() {
  frame_ = frame_with(leaving_epoch, false);
  state_ = State::failed;
  return frame_;
}

}  // namespace klamm::bench
