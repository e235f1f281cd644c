#include "bench/commit_load.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/ask.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"

namespace klamm::bench {
namespace {

using runtime::Task;

constexpr std::int16_t fetch_version = 8;  // several groups, topics named

// Whether every partition of the group stands at this offset.
bool holds(Bytes answer, std::int64_t offset, std::size_t partitions) {
  const auto response = response_of<protocol::OffsetFetchResponse>(answer, fetch_version);
  if (!response || response->groups.size() != 1 || response->groups[0].error_code != 0) return false;
  std::size_t seen = 0;
  for (const auto& topic : response->groups[0].topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != 0 || partition.committed_offset != offset) return false;
      ++seen;
    }
  }
  return seen == partitions;
}

Frame fetch_all(const std::string& group) {
  protocol::OffsetFetchRequest request;
  auto& wanted = request.groups.emplace_back();
  wanted.group_id = group;
  wanted.topics = std::nullopt;
  return frame_of(request, fetch_version);
}

}  // namespace

CommitLoad::CommitLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, const Target& target)
    : Load(reactor, plan, report),
      target_(target),
      version_(target.version_of(protocol::ApiKey::offset_commit, commit_version_max)),
      channels_(plan.connections) {
  for (const auto& broker : target.brokers)
    partitions_.insert(partitions_.end(), broker.partitions.begin(), broker.partitions.end());
}

void CommitLoad::serve(std::size_t channel, std::string group) {
  CommitSubject subject{.group = group, .member = {}, .topic = target_.topic, .partitions = partitions_};
  channels_[channel].groups.push_back({std::move(group), CommitFrame(subject, version_)});
}

const Frame& CommitLoad::next_request(std::size_t channel, std::uint64_t&) {
  auto& [groups, turn] = channels_[channel];
  return groups[turn++ % groups.size()].frame.with(next_offset_++);
}

Load::Outcome CommitLoad::look_at(std::size_t, const Sent&, Bytes answer, runtime::MonoTime) {
  std::string failure = commit_failure(answer, version_, partitions_.size());
  if (!failure.empty()) return {.failure = std::move(failure)};
  return {.records = partitions_.size(), .bytes = 0, .failure = {}};
}

std::vector<std::string> CommitLoad::groups_of(std::size_t channel) const {
  std::vector<std::string> names;
  for (const auto& group : channels_[channel].groups) names.push_back(group.name);
  return names;
}

std::int64_t CommitLoad::last_of(std::size_t channel, std::size_t group) const {
  return channels_[channel].groups[group].frame.last();
}

Task<void> run_commits(runtime::Environment& environment, runtime::Reactor& reactor, const Plan& plan,
                       const Target& target, Report& report, Moments moments, std::string run) {
  std::vector<std::string> groups;
  for (std::size_t i = 0; i < std::max(plan.groups, plan.connections); ++i)
    groups.push_back(fmt::format("{}-{}", run, i));
  auto finding = find_coordinators(environment, reactor, target, CoordinatorOf::group, groups);
  const auto coordinators = co_await std::move(finding);
  CommitLoad load(reactor, plan, report, target);
  for (std::size_t i = 0; i < plan.connections; ++i) {
    auto connecting = connect(environment, reactor, coordinators[i]);
    load.add(co_await std::move(connecting));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    // A group goes to the next channel in turn that leads to its coordinator.
    for (std::size_t turn = 0; turn < plan.connections; ++turn) {
      const std::size_t channel = (i + turn) % plan.connections;
      if (coordinators[channel] != coordinators[i]) continue;
      load.serve(channel, groups[i]);
      break;
    }
  }
  auto running = load.run(std::move(moments));
  co_await std::move(running);
  std::uint64_t lost = 0;
  for (std::size_t channel = 0; channel < plan.connections; ++channel) {
    const auto names = load.groups_of(channel);
    auto connecting = connect(environment, reactor, coordinators[channel]);
    Asking asking(reactor, co_await std::move(connecting));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (load.last_of(channel, i) < 0) continue;
      const Frame frame = fetch_all(names[i]);
      auto answering = asking.ask(frame);
      const ByteVector answer = co_await std::move(answering);
      if (!holds(answer, load.last_of(channel, i), load.partitions())) ++lost;
    }
  }
  if (lost == 0) co_return;
  report.failed += lost;
  report.failures["a group without the offset that was acknowledged last"] += lost;
}

}  // namespace klamm::bench
