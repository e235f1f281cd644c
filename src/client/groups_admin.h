// What administrators ask about groups, and do about them. Each call goes to the groups' coordinators and is asked
// again while they load or move, until default.api.timeout.ms or the timeout given. Source of behaviour: the handlers
// of org.apache.kafka.clients.admin.internals for these calls, and KafkaAdminClient.listGroups.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "client/cluster.h"
#include "client/consumer.h"
#include "client/result.h"
#include "runtime/task.h"

namespace klamm::client {

enum class GroupType : std::uint8_t { unknown, consumer, classic, share, streams };
// "Consumer"
std::string_view group_type_name(GroupType type);
// In any case of letters; unknown for another word.
GroupType group_type_of(std::string_view name);

enum class GroupState : std::uint8_t {
  unknown,
  preparing_rebalance,
  completing_rebalance,
  stable,
  dead,
  empty,
  assigning,
  reconciling,
  not_ready,
};
// "PreparingRebalance"
std::string_view group_state_name(GroupState state);
// In any case of letters; unknown for another word.
GroupState group_state_of(std::string_view name);

// Empty lists: all.
struct GroupFilter {
  std::vector<GroupState> states = {};
  std::vector<GroupType> types = {};
  std::vector<std::string> protocol_types = {};

  // Classic groups of consumers and those of the consumer protocol, also such as only keep offsets.
  static GroupFilter consumer_groups();
};

struct GroupListing {
  std::string id;
  std::optional<GroupType> type;  // none: the broker did not say, as those before 3.8
  std::string protocol_type;      // "consumer"; "" of a group that only keeps offsets
  std::optional<GroupState> state;
};

struct MemberDescription {
  std::string id;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack;
  std::string client_id;
  std::string host;  // "/127.0.0.1"
  std::vector<PartitionName> assignment;
  // Of the consumer protocol alone:
  std::optional<std::vector<PartitionName>> target_assignment;
  std::optional<std::int32_t> epoch;
  std::optional<bool> upgraded;  // it speaks the consumer protocol; none: the broker did not say
};

struct ConsumerGroupDescription {
  std::string id;
  bool simple = false;  // it only keeps offsets
  GroupType type = GroupType::unknown;
  GroupState state = GroupState::unknown;
  std::string assignor;
  Broker coordinator;
  std::vector<MemberDescription> members;
  std::optional<std::int32_t> epoch;  // this and the next of the consumer protocol alone
  std::optional<std::int32_t> target_assignment_epoch;
};

struct ClassicGroupDescription {
  std::string id;
  std::string protocol_type;
  std::string protocol;
  GroupState state = GroupState::unknown;
  Broker coordinator;
  std::vector<MemberDescription> members;  // assignments only of consumers
};

struct CommittedOffset {
  PartitionName partition;
  std::int64_t offset = -1;  // -1: none is committed
  std::optional<std::int32_t> leader_epoch = {};
  std::string metadata = {};
};

// What happened to a partition's offset.
struct PartitionOutcome {
  PartitionName partition;
  std::optional<Error> error;
};

// A member by its instance id, where it has one, else by its id.
struct MemberToRemove {
  std::string id = {};
  std::optional<std::string> instance_id = {};
};

struct MemberOutcome {
  MemberToRemove member;
  std::optional<Error> error;
};

class GroupsAdmin {
 public:
  // The client's properties count, as for Admin. `timeout`: of each call, instead of default.api.timeout.ms.
  explicit GroupsAdmin(Client& client, std::optional<runtime::Duration> timeout = {})
      : core_(&client.core()), timeout_(timeout) {}

  // Of all brokers, in the order of their answers; one broker that cannot answer fails the call.
  runtime::Task<Result<std::vector<GroupListing>>> list(GroupFilter filter = {});
  // Groups of the consumer protocol, and classic ones whose protocol is "consumer" or that have none. Errors of a
  // group: GROUP_ID_NOT_FOUND, GROUP_AUTHORIZATION_FAILED, an illegal argument for other classic groups.
  runtime::Task<std::map<std::string, Result<ConsumerGroupDescription>>> describe_consumer_groups(
      std::vector<std::string> ids);
  runtime::Task<std::map<std::string, Result<ClassicGroupDescription>>> describe_classic_groups(
      std::vector<std::string> ids);

  // All that are committed, or those of the partitions. `stable`: waits for transactions that hold offsets back.
  runtime::Task<Result<std::vector<CommittedOffset>>> list_offsets(
      std::string group, std::optional<std::vector<PartitionName>> partitions = {}, bool stable = false);
  runtime::Task<Result<std::vector<PartitionOutcome>>> alter_offsets(std::string group,
                                                                     std::vector<CommittedOffset> offsets);
  runtime::Task<Result<std::vector<PartitionOutcome>>> delete_offsets(std::string group,
                                                                      std::vector<PartitionName> partitions);
  runtime::Task<std::map<std::string, Result<void>>> delete_groups(std::vector<std::string> ids);
  // Of a classic group; none named: all there are. `reason` is what the broker logs.
  runtime::Task<Result<std::vector<MemberOutcome>>> remove_members(std::string group,
                                                                   std::optional<std::vector<MemberToRemove>> members,
                                                                   std::string reason = {});

 private:
  runtime::MonoTime deadline() const;

  Core* core_;
  std::optional<runtime::Duration> timeout_;
};

}  // namespace klamm::client
