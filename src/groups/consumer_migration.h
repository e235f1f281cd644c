// Groups change from one protocol to the other while their members live on (group.consumer.migration.policy): a classic
// group becomes a consumer group when the first member comes that speaks the consumer protocol, and a consumer group a
// classic one when the last of them is gone. In between members of both kinds are in it.
// Source of behaviour: org.apache.kafka.coordinator.group.GroupMetadataManager (convertToConsumerGroup,
// convertToClassicGroup), ConsumerGroup.fromClassicGroup, ClassicGroup.fromConsumerGroup.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "groups/consumer_group.h"
#include "groups/consumer_turn.h"
#include "protocol/records/consumer_protocol_subscription.h"

namespace klamm::groups {

// --- the formats that consumers of classic groups have among themselves ----------------------------------------------

std::optional<protocol::ConsumerProtocolSubscription> read_subscription(Bytes metadata);
// At the version of a member's metadata. Topics that are gone are left out.
ByteVector written_assignment(const Assignment& assignment, const metadata::Image& image, Bytes metadata);
Assignment without_epochs(const OwnedPartitions& owned);
// What it has still to give up is its own until it has.
Assignment has(const ConsumerMember& member);

// --- to a consumer group ---------------------------------------------------------------------------------------------

// Makes `to`, which is new, what the classic group would be as a consumer group, and the records that say so. Errors:
// group_id_not_found when it cannot be one, unknown_server_error when its assignment contradicts itself.
Result<void> upgraded(Turn& turn, const std::string& id, const ClassicGroup& classic, ConsumerGroup& to,
                      Records& records);
// Its members are told to join again, their sessions go on in `to`.
void leave_classic_behind(Turn& turn, const std::string& id, const ConsumerGroup& to);

// --- to a classic group ----------------------------------------------------------------------------------------------

struct Downgrade {
  std::vector<const ConsumerMember*> leaving;
  const ConsumerMember* joining = nullptr;      // comes in the place of a static member, whose records are written
  std::optional<std::string> rebalance_reason;  // nothing: all have what they are to have
};

// Nobody would be left who speaks the consumer protocol, and the policy allows it.
bool becomes_classic(const ConsumerTurn& consumer, const ConsumerGroup& group,
                     const std::vector<const ConsumerMember*>& leaving);
bool becomes_classic(const ConsumerTurn& consumer, const ConsumerGroup& group, const ConsumerMember& replaced);

// The group is a classic one from here on: `group` is gone. False, and nothing done, when its members have no common
// protocol or it cannot be stored as a whole.
bool downgrade(ConsumerTurn& consumer, const ConsumerGroup& group, const Downgrade& how);

}  // namespace klamm::groups
