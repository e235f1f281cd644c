#include "bench/group_member.h"

#include <algorithm>

#include "protocol/api_key.h"

namespace klamm::bench {
namespace {

constexpr std::chrono::milliseconds settling_heartbeat{500};

runtime::Duration part_of(runtime::Duration whole, double phase) {
  return runtime::Duration(static_cast<runtime::Duration::rep>(static_cast<double>(whole.count()) * phase));
}

}  // namespace

GroupVersions group_versions(const Target& target) {
  using protocol::ApiKey;
  return {.join = target.version_of(ApiKey::join_group, 9),
          .sync = target.version_of(ApiKey::sync_group, 5),
          .heartbeat = target.version_of(ApiKey::heartbeat, 4),
          .commit = target.version_of(ApiKey::offset_commit, commit_version_max),
          .leave = target.version_of(ApiKey::leave_group, 5),
          .consumer_heartbeat = target.version_of(ApiKey::consumer_group_heartbeat, 1)};
}

void Member::begin(runtime::MonoTime now, double phase) {
  begun_ = true;
  heartbeat_at_ = settings_.heartbeat.count() > 0 ? now + part_of(settings_.heartbeat, phase) : runtime::never;
  commit_at_ = settings_.commit.count() > 0 ? now + part_of(settings_.commit, phase) : runtime::never;
}

CommitFrame Member::commit_frame(const std::string& member, std::int32_t generation) const {
  return CommitFrame({.group = settings_.group,
                      .member = member,
                      .generation = generation,
                      .topic = settings_.topic,
                      .partitions = {settings_.partitions[settings_.index % settings_.partitions.size()]}},
                     settings_.versions.commit);
}

void Member::became_stable(runtime::MonoTime now) {
  if (!begun_) heartbeat_at_ = now + settling_heartbeat;
}

std::optional<Member::Due> Member::due_when_stable(runtime::MonoTime now, const Frame& heartbeat, CommitFrame& commit) {
  if (heartbeat_at_ <= now) {
    const runtime::MonoTime intended = heartbeat_at_;
    heartbeat_at_ += begun_ ? settings_.heartbeat : runtime::Duration(settling_heartbeat);
    return Due{Question::heartbeat, &heartbeat, intended};
  }
  if (commit_at_ <= now) {
    const runtime::MonoTime intended = commit_at_;
    commit_at_ += settings_.commit;
    return Due{Question::commit, &commit.with(static_cast<std::int64_t>(commits_sent_++)), intended};
  }
  return std::nullopt;
}

runtime::MonoTime Member::next_when_stable() const {
  return std::min(heartbeat_at_, commit_at_);
}

}  // namespace klamm::bench
