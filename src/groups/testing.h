// For tests: a coordinator with a clock that is told the time, a log that is kept as bytes, and calls that read like a
// story.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "groups/group_coordinator.h"

namespace klamm::groups::testing {

inline ByteVector bytes(std::string_view text) {
  return to_vector(as_bytes(text));
}

class GroupStory {
 public:
  GroupStory() { start(); }

  using Ticket = std::uint64_t;

  // Asks and applies; who is answered now, or later, stands in `answers`.
  Ticket ask(Call call) {
    const Ticket ticket = ++last_ticket_;
    carry_out(coordinator->decide({ticket}, moment(), call));
    return ticket;
  }
  template <typename Request>
  Ticket ask(Request request, int version = Request::max_version) {
    return ask(Call(Asked<Request>{std::move(request), static_cast<std::int16_t>(version), caller}));
  }
  bool is_answered(Ticket ticket) const { return answers.contains(ticket); }
  // The answer to a call, which must be there; each is given once.
  template <typename Response>
  Response take(Ticket ticket) {
    const auto found = answers.find(ticket);
    EXPECT_NE(found, answers.end()) << "nobody answered";
    if (found == answers.end()) return {};
    Response response = std::get<Response>(std::move(found->second));
    answers.erase(found);
    return response;
  }
  template <typename Response, typename Request>
  Response request(Request request, int version = Request::max_version) {
    return take<Response>(ask(std::move(request), version));
  }

  // Time goes by; what becomes due is done.
  void pass(std::chrono::nanoseconds time) {
    const auto end = now + time;
    while (timer && *timer <= end) {
      now = std::max(now, *timer);
      timer.reset();
      carry_out(coordinator->timer_fired(moment(), "deadlines"));
    }
    now = end;
  }

  // Another node takes over: only what was logged is known.
  void restart() {
    answers.clear();
    timer.reset();
    start();
  }

  // From now on the groups may take so many bytes more than they do now.
  void leave_room_for(std::size_t bytes) {
    const std::size_t most = memory->used() + bytes;
    coordinator.reset();
    memory = std::make_unique<Memory>(most);
    restart();
  }

  std::string state_of(const std::string& group) {
    protocol::DescribeGroupsRequest request;
    request.groups.push_back(group);
    return this->request<protocol::DescribeGroupsResponse>(request).groups.at(0).group_state;
  }
  const ClassicGroup& classic(const std::string& id) const {
    const auto found = coordinator->state().groups.find(id);
    EXPECT_NE(found, coordinator->state().groups.end());
    return *std::get<std::unique_ptr<ClassicGroup>>(found->second);
  }

  coordination::Moment moment() {
    const auto wall = wall_ms + std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    return {Timestamp(wall), now, ++seed_, Offset(static_cast<std::int64_t>(log.size()))};
  }

  NullLogSink sink;
  Settings settings;
  std::unique_ptr<Memory> memory = std::make_unique<Memory>();
  Caller caller{"client", "/127.0.0.1"};
  std::unique_ptr<GroupCoordinator> coordinator;
  std::map<Ticket, Answer> answers;
  Records decided;  // by the last call or deadline
  std::vector<std::pair<Encoded, ProducerId>> log;
  std::optional<std::chrono::nanoseconds> timer;
  std::chrono::nanoseconds now = std::chrono::hours(1);
  std::int64_t wall_ms = 1'700'000'000'000;

 private:
  void start() {
    coordinator = std::make_unique<GroupCoordinator>(settings, *memory, Logger(sink, "test"));
    for (std::size_t i = 0; i < log.size(); ++i) apply_at(i);
    EXPECT_TRUE(is_answered(ask(Call(Loaded{}))));
    answers.clear();
  }
  void apply_at(std::size_t index) {
    const auto& [encoded, producer] = log[index];
    std::optional<Bytes> value;
    if (encoded.value) value = *encoded.value;
    auto record = decode(encoded.key, value);
    ASSERT_TRUE(record && *record);
    (*record)->producer = producer;
    coordinator->apply(Offset(static_cast<std::int64_t>(index)), LeaderEpoch(1), Timestamp(0), {&**record, 1});
  }
  void carry_out(Decision decision) {
    decided = decision.records;
    for (const Record& record : decision.records) {
      log.emplace_back(encode(record), record.producer);
      apply_at(log.size() - 1);
    }
    for (auto& change : decision.timers) timer = now + *change.after;
    for (auto& reply : decision.replies) {
      EXPECT_TRUE(answers.emplace(reply.to.value, std::move(reply.body)).second) << "answered twice";
    }
  }

  Ticket last_ticket_ = 0;
  std::uint64_t seed_ = 0;
};

}  // namespace klamm::groups::testing
