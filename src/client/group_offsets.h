// Offsets of a group: committed to its coordinator and read from it.
// Source of the rules: org.apache.kafka.clients.consumer.internals.{ConsumerCoordinator,CommitRequestManager}.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "client/coordinator.h"
#include "client/group_member.h"

namespace klamm::client {

struct GroupPosition {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;  // of the record before it; -1 when unknown
  std::string metadata;

  bool operator==(const GroupPosition&) const = default;
};
using GroupPositions = std::map<TopicPartition, GroupPosition>;

class GroupOffsets {
 public:
  // Under which name to commit now; and who is told how the coordinator answered one that was sent so.
  struct Member {
    std::function<Result<MemberIdentity>()> identity;
    std::function<void(ErrorCode, const MemberIdentity&)> refused;
    GroupProtocol protocol = GroupProtocol::classic;
  };

  GroupOffsets(Core& core, Coordinator& coordinator, Member member)
      : core_(core), coordinator_(coordinator), member_(std::move(member)) {}

  // Tries again what can be tried again until the deadline; `again` false: once.
  runtime::Task<Result<void>> commit(GroupPositions offsets, runtime::MonoTime deadline, bool again = true);
  // No entry where nothing is committed.
  runtime::Task<Result<GroupPositions>> fetch(PartitionSet partitions, runtime::MonoTime deadline);

 private:
  enum class Next : std::uint8_t { done, again, again_elsewhere, again_under_new_name };
  struct Outcome {
    Next next = Next::done;
    std::optional<Error> error;
    GroupPositions found = {};
  };
  runtime::Task<Outcome> commit_once(GroupPositions offsets, MemberIdentity as, runtime::MonoTime deadline);
  runtime::Task<Outcome> fetch_once(PartitionSet partitions, MemberIdentity as, runtime::MonoTime deadline);
  Outcome judge_commit(ErrorCode code, const TopicPartition& partition, const MemberIdentity& as);
  Outcome judge_fetch(ErrorCode code, const std::optional<TopicPartition>& partition) const;
  Error in_time(const char* what) const;

  Core& core_;
  Coordinator& coordinator_;
  Member member_;
};

}  // namespace klamm::client
