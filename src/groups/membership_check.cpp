#include "groups/membership_check.h"

#include "base/plant.h"
#include "groups/classic_rebalance.h"
#include "groups/consumer_records.h"

namespace klamm::groups {
namespace {

template <typename... Cases>
auto of(const Group& group, Cases... cases) {
  return std::visit([&](const auto& kind) { return Overloaded{cases...}(*kind); }, group);
}

Result<void> check_classic_commit(ClassicTurn& classic, const CommitBy& by) {
  ClassicGroup& group = classic.group;
  const bool is_empty = group.state == ClassicState::empty;
  if (by.epoch < 0 && is_empty) return {};  // by hand, as nobody else does
  if (by.epoch >= 0 || !by.member_id.empty() || by.instance_id) {
    if (auto known = group.check_member(by.member_id, by.instance_id); !known) return known;
    if (by.epoch != group.generation && !planted(Plant::skipped_generation)) {
      return fail(ErrorCode::illegal_generation);
    }
  } else if (!by.transactional && !is_empty) {
    return fail(ErrorCode::unknown_member_id);
  }
  if (by.transactional) return {};
  if (group.state == ClassicState::completing_rebalance) return fail(ErrorCode::rebalance_in_progress);
  if (const ClassicMember* member = group.member(by.member_id)) classic.keep_session(*member);
  return {};
}

Error wrong_epoch(const ConsumerMember& member, const CommitBy& by) {
  // TxnOffsetCommit has no place for stale_member_epoch before version 6.
  const bool is_old = by.transactional && by.api_version < 6;
  return {member.classic || is_old ? ErrorCode::illegal_generation : ErrorCode::stale_member_epoch};
}

Result<void> check_consumer_commit(const ConsumerGroup& group, const CommitBy& by) {
  if (by.epoch < 0 && group.is_empty()) return {};
  if (by.transactional && by.epoch == -1 && by.member_id.empty() && !by.instance_id) return {};
  const ConsumerMember* member = group.member(by.member_id);
  if (!member) return fail(ErrorCode::unknown_member_id);
  if (!by.transactional && !member->classic && by.api_version < 9) return fail(ErrorCode::unsupported_version);
  if (by.epoch > member->epoch) return std::unexpected(wrong_epoch(*member, by));
  return {};  // an earlier one: check_commit_partition
}

}  // namespace

Result<void> check_commit_partition(const State& state, const std::string& group_id, const CommitBy& by, Uuid topic,
                                    std::int32_t partition) {
  const ConsumerGroup* group = state.consumer(group_id);
  const ConsumerMember* member = group ? group->member(by.member_id) : nullptr;
  if (!member || by.epoch >= member->epoch) return {};
  const OwnedPartition* owned = find(member->assigned, topic, partition);
  if (!owned) owned = find(member->revoking, topic, partition);
  if (owned && by.epoch >= owned->epoch) return {};
  return std::unexpected(wrong_epoch(*member, by));
}

Result<void> check_commit(Turn& turn, const std::string& group_id, const CommitBy& by) {
  Group* group = turn.state.find(group_id);
  if (!group) {
    if (by.epoch < 0) return {};
    const bool knows_code = by.api_version >= (by.transactional ? 6 : 9);
    return fail(knows_code ? ErrorCode::group_id_not_found : ErrorCode::illegal_generation);
  }
  return std::visit(
      Overloaded{
          [&](const std::unique_ptr<ClassicGroup>& classic) {
            ClassicTurn classic_turn{turn, group_id, *classic};
            return check_classic_commit(classic_turn, by);
          },
          [&](const std::unique_ptr<ConsumerGroup>& consumer) { return check_consumer_commit(*consumer, by); },
          [](const std::unique_ptr<ForeignGroup>&) -> Result<void> { return fail(ErrorCode::group_id_not_found); },
      },
      *group);
}

Result<void> check_fetch(const Group& group, const FetchBy& by) {
  return of(
      group, [](const ClassicGroup&) -> Result<void> { return {}; },
      [&](const ConsumerGroup& consumer) -> Result<void> {
        if (!by.member_id && by.epoch < 0) return {};
        const ConsumerMember* member = by.member_id ? consumer.member(*by.member_id) : nullptr;
        if (!member) return fail(ErrorCode::unknown_member_id);
        if (member->epoch == by.epoch) return {};
        return fail(member->classic ? ErrorCode::illegal_generation : ErrorCode::stale_member_epoch);
      },
      [](const ForeignGroup&) -> Result<void> { return {}; });
}

Result<void> check_offset_delete(const Group& group) {
  return of(
      group,
      [](const ClassicGroup& classic) -> Result<void> {
        if (classic.state == ClassicState::empty || classic.uses_consumer_protocol()) return {};
        return fail(ErrorCode::non_empty_group);
      },
      [](const ConsumerGroup&) -> Result<void> { return {}; },
      [](const ForeignGroup&) -> Result<void> { return fail(ErrorCode::group_id_not_found); });
}

Result<void> check_delete(const Group& group) {
  return of(
      group,
      [](const ClassicGroup& classic) -> Result<void> {
        if (classic.state == ClassicState::empty) return {};
        return fail(ErrorCode::non_empty_group);
      },
      [](const ConsumerGroup& consumer) -> Result<void> {
        if (consumer.is_empty()) return {};
        return fail(ErrorCode::non_empty_group);
      },
      // Its details are not kept here, so that it could not be forgotten as a whole.
      [](const ForeignGroup&) -> Result<void> { return fail(ErrorCode::non_empty_group); });
}

bool is_empty(const Group& group) {
  return of(
      group, [](const ClassicGroup& classic) { return classic.state == ClassicState::empty; },
      [](const ConsumerGroup& consumer) { return consumer.is_empty(); }, [](const ForeignGroup&) { return false; });
}

bool is_subscribed(const Group& group, std::string_view topic) {
  return of(
      group, [&](const ClassicGroup& classic) { return classic.is_subscribed_to(topic); },
      [&](const ConsumerGroup& consumer) { return consumer.is_subscribed_to(topic); },
      [](const ForeignGroup&) { return false; });
}

std::optional<ExpiryBasis> expiry_basis(const Group& group) {
  return of(
      group,
      [](const ClassicGroup& classic) -> std::optional<ExpiryBasis> {
        if (!classic.protocol_type) return ExpiryBasis{};
        if (classic.state == ClassicState::empty) return ExpiryBasis{classic.state_since};
        const bool knows_topics = classic.uses_consumer_protocol() && classic.subscribed_topics;
        if (classic.state == ClassicState::stable && knows_topics) return ExpiryBasis{};
        return std::nullopt;
      },
      [](const ConsumerGroup&) -> std::optional<ExpiryBasis> { return ExpiryBasis{}; },
      [](const ForeignGroup&) -> std::optional<ExpiryBasis> { return std::nullopt; });
}

void group_tombstones(const std::string& id, const Group& group, Records& to) {
  of(
      group, [&](const ClassicGroup&) { to.push_back(group_tombstone(id)); },
      [&](const ConsumerGroup& consumer) { consumer_tombstones(id, consumer, to); }, [](const ForeignGroup&) {});
}

std::string_view type_name(const Group& group) {
  return of(
      group, [](const ClassicGroup&) -> std::string_view { return "classic"; },
      [](const ConsumerGroup&) -> std::string_view { return "consumer"; },
      [](const ForeignGroup& foreign) -> std::string_view {
        return foreign.type == ForeignGroup::Type::share ? "share" : "streams";
      });
}

std::string state_name(const Group& group) {
  return of(
      group, [](const ClassicGroup& classic) { return std::string(name_of(classic.state)); },
      [](const ConsumerGroup& consumer) { return std::string(consumer.state_name()); },
      [](const ForeignGroup&) { return std::string("Unknown"); });
}

std::string protocol_type(const Group& group) {
  return of(
      group, [](const ClassicGroup& classic) { return classic.protocol_type.value_or(""); },
      [](const ConsumerGroup&) { return std::string(consumer_protocol_type); },
      [](const ForeignGroup& foreign) {
        return std::string(foreign.type == ForeignGroup::Type::share ? "share" : "streams");
      });
}

}  // namespace klamm::groups
