#include "groups/consumer_migration.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/ensure.h"
#include "groups/classic_rebalance.h"
#include "groups/java_order.h"
#include "protocol/reader.h"
#include "protocol/records/consumer_protocol_assignment.h"
#include "protocol/writer.h"

namespace klamm::groups {

// --- formats ---------------------------------------------------------------------------------------------------------

namespace {

// A version number, then the message; versions of the future begin as the newest known one.
template <typename Message>
std::optional<Message> read_versioned(Bytes bytes) {
  protocol::Reader reader(bytes);
  const std::int16_t version = reader.read_int16();
  if (!reader.ok() || version < Message::min_version) return std::nullopt;
  Message message;
  message.decode(reader, std::min(version, Message::max_version));
  if (!reader.ok()) return std::nullopt;
  return message;
}

std::int16_t version_of(Bytes bytes) {
  protocol::Reader reader(bytes);
  const std::int16_t version = reader.read_int16();
  return reader.ok() ? version : std::int16_t{0};
}

}  // namespace

std::optional<protocol::ConsumerProtocolSubscription> read_subscription(Bytes metadata) {
  return read_versioned<protocol::ConsumerProtocolSubscription>(metadata);
}

ByteVector written_assignment(const Assignment& assignment, const metadata::Image& image, Bytes metadata) {
  protocol::ConsumerProtocolAssignment message;
  for (const auto& [id, partitions] : assignment) {
    const metadata::Topic* topic = image.topic(id);
    if (!topic) continue;
    auto& to = message.assigned_partitions.emplace_back();
    to.topic = topic->name;
    to.partitions = partitions;
  }
  const std::int16_t version = std::clamp(version_of(metadata), protocol::ConsumerProtocolAssignment::min_version,
                                          protocol::ConsumerProtocolAssignment::max_version);
  ByteVector out;
  protocol::Writer writer(out);
  writer.write_int16(version);
  message.encode(writer, version);
  ENSURE(writer.ok(), writer.error());
  return out;
}

Assignment has(const ConsumerMember& member) {
  Assignment all = without_epochs(member.assigned);
  for (auto& [topic, partitions] : without_epochs(member.revoking)) {
    PartitionList& to = all[topic];
    to.insert(to.end(), partitions.begin(), partitions.end());
    std::ranges::sort(to);
  }
  return all;
}

Assignment without_epochs(const OwnedPartitions& owned) {
  Assignment out;
  for (const auto& [topic, partitions] : owned) {
    for (const OwnedPartition& each : partitions) out[topic].push_back(each.partition);
  }
  return out;
}

// --- to a consumer group ---------------------------------------------------------------------------------------------

namespace {

struct Upgraded {
  ConsumerMember member;
  Assignment target;
};

using Why = std::string_view;
constexpr Why malformed = "the embedded consumer protocol is malformed";
constexpr Why custom =
    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor "
    "before "
    "re-attempting the upgrade";

std::expected<Assignment, Why> read_assignment(const ByteVector& bytes, const metadata::Image& image) {
  Assignment out;
  if (bytes.empty()) return out;  // it has never synced
  const auto assignment = read_versioned<protocol::ConsumerProtocolAssignment>(bytes);
  if (!assignment) return std::unexpected(malformed);
  if (assignment->user_data && !assignment->user_data->empty()) return std::unexpected(custom);
  for (const auto& topic : assignment->assigned_partitions) {
    const metadata::Topic* known = image.topic(topic.topic);
    if (!known || topic.partitions.empty()) continue;
    PartitionList& partitions = out[known->id];
    partitions = topic.partitions;
    std::ranges::sort(partitions);
    const auto twice = std::ranges::unique(partitions);
    partitions.erase(twice.begin(), twice.end());
  }
  return out;
}

std::expected<Upgraded, Why> upgraded_member(const ClassicGroup& group, const ClassicMember& from,
                                             const metadata::Image& image) {
  auto target = read_assignment(from.assignment, image);
  if (!target) return std::unexpected(target.error());
  // All that it has hold the same subscription; before the first generation none is chosen.
  const ClassicProtocol* chosen = group.protocol ? from.protocol(*group.protocol) : nullptr;
  if (!chosen && !from.protocols.empty()) chosen = &from.protocols.front();
  if (!chosen) return std::unexpected(malformed);
  auto subscription = read_subscription(chosen->metadata);
  if (!subscription) return std::unexpected(malformed);

  ConsumerMember member{.id = from.id};
  member.epoch = member.previous_epoch = group.generation;
  member.instance_id = from.instance_id;
  if (subscription->rack_id && !subscription->rack_id->empty()) member.rack_id = subscription->rack_id;
  member.rebalance_timeout_ms = from.rebalance_timeout_ms;
  member.client_id = from.client_id;
  member.client_host = from.client_host;
  member.topics = std::move(subscription->topics);
  std::ranges::sort(member.topics);
  const auto twice = std::ranges::unique(member.topics);
  member.topics.erase(twice.begin(), twice.end());
  for (const auto& [topic, partitions] : from.still_has ? *from.still_has : *target) {
    for (const std::int32_t partition : partitions) member.assigned[topic].push_back({partition, group.generation});
  }
  auto& classic = member.classic.emplace();
  classic.session_timeout_ms = from.session_timeout_ms;
  for (const ClassicProtocol& each : from.protocols) {
    classic.supported_protocols.push_back({.name = each.name, .metadata = each.metadata});
  }
  return Upgraded{std::move(member), std::move(*target)};
}

// Every record is said and done at once.
class Making {
 public:
  Making(ConsumerGroup& group, Records& records) : group_(group), records_(records) {}

  void add(Record record) {
    std::visit(
        [&](const auto& each) {
          if constexpr (requires { group_.apply(each); }) group_.apply(each);
        },
        record.message);
    records_.push_back(std::move(record));
  }

 private:
  ConsumerGroup& group_;
  Records& records_;
};

}  // namespace

Result<void> upgraded(Turn& turn, const std::string& id, const ClassicGroup& classic, ConsumerGroup& to,
                      Records& records) {
  const auto refuse = [&](std::string_view why) {
    std::string text = fmt::format("Cannot upgrade classic group {} to consumer group because {}.", id, why);
    turn.state.log.info("{}", text);
    return fail(ErrorCode::group_id_not_found, std::move(text));
  };
  const Settings& settings = turn.state.settings;
  if (settings.migration_policy != MigrationPolicy::upgrade &&
      settings.migration_policy != MigrationPolicy::bidirectional) {
    return refuse("online upgrade is disabled");
  }
  if (!classic.uses_consumer_protocol()) return refuse("the group does not use the consumer embedded protocol");
  if (static_cast<std::int64_t>(classic.members().size()) > settings.consumer_group_size_max) {
    return refuse("the group size exceeds the consumer group maximum size");
  }

  const metadata::Image& image = *turn.state.image;
  std::vector<Upgraded> members;
  for (const auto& [member_id, from] : classic.members()) {
    auto member = upgraded_member(classic, from, image);
    if (!member) return refuse(member.error());
    members.push_back(std::move(*member));
  }
  sort_as_java(members, java_table_grown(members.size()),
               [](const Upgraded& each) { return std::string_view(each.member.id); });

  ConsumerTurn consumer{turn, id};
  records.push_back(group_tombstone(id));
  Making making(to, records);
  try {
    for (const Upgraded& each : members) making.add(consumer_member(id, each.member));
    making.add(consumer_group_epoch(id, classic.generation, consumer.hash_of(to.subscriptions())));
    for (const Upgraded& each : members) making.add(target_of(id, each.member.id, each.target));
    making.add(target_epoch(id, classic.generation, Timestamp(0)));
    for (const Upgraded& each : members) making.add(current_of(id, each.member));
  } catch (const ConsumerGroup::Contradiction&) {
    // Its leader gave a partition to two members.
    return fail(ErrorCode::unknown_server_error);
  }
  return {};
}

void leave_classic_behind(Turn& turn, const std::string& id, const ConsumerGroup& to) {
  ClassicGroup& group = *turn.state.classic(id);
  ClassicTurn classic{turn, id, group};
  for (const auto& [member_id, each] : group.members()) {
    ClassicMember& member = *group.member(member_id);
    classic.answer_join(member, join_error(ErrorCode::rebalance_in_progress, member_id));
    classic.answer_sync(member, ErrorCode::rebalance_in_progress);
  }
  turn.state.remove(id);
  ConsumerTurn consumer{turn, id};
  for (const auto& [member_id, member] : to.members()) consumer.keep_session(member);
  if (!to.is_empty()) turn.state.log.info("[GroupId {}] Converted the classic group to a consumer group.", id);
}

// --- to a classic group ----------------------------------------------------------------------------------------------

namespace {

bool may_downgrade(const ConsumerTurn& consumer, std::size_t members) {
  const Settings& settings = consumer.settings();
  const auto refuse = [&](std::string_view why) {
    consumer.turn.state.log.info("Cannot downgrade consumer group {} to classic group because {}.", consumer.id, why);
    return false;
  };
  if (settings.migration_policy != MigrationPolicy::downgrade &&
      settings.migration_policy != MigrationPolicy::bidirectional) {
    return refuse("the online downgrade is disabled");
  }
  if (static_cast<std::int64_t>(members) > settings.group_size_max) {
    return refuse("its group size is greater than classic group max size");
  }
  return true;
}

using Staying = std::vector<std::pair<const ConsumerMember*, std::string_view>>;  // and whose target it has

Staying those_who_stay(const ConsumerGroup& group, const Downgrade& how) {
  Staying out;
  const auto& instance = how.joining ? how.joining->instance_id : std::nullopt;
  for (const auto& [id, member] : group.members()) {
    const bool leaves = std::ranges::find(how.leaving, &member) != how.leaving.end();
    const bool is_replaced = instance && member.instance_id == instance;
    if (!leaves && !is_replaced) out.emplace_back(&member, id);
  }
  sort_as_java(out, java_table_grown(out.size()), [](const auto& each) { return std::string_view(each.first->id); });
  if (how.joining) out.emplace_back(how.joining, group.static_member(*instance)->id);
  return out;
}

bool have_a_common_protocol(const Staying& members) {
  const auto all_have = [&](const auto& protocol) {
    return std::ranges::all_of(members, [&](const auto& each) {
      return each.first->classic && std::ranges::any_of(each.first->classic->supported_protocols,
                                                        [&](const auto& other) { return other.name == protocol.name; });
    });
  };
  return !members.empty() && members.front().first->classic &&
         std::ranges::any_of(members.front().first->classic->supported_protocols, all_have);
}

ClassicMember classic_member(const ConsumerMember& from) {
  ClassicMember member;
  member.id = from.id;
  member.instance_id = from.instance_id;
  member.client_id = from.client_id;
  member.client_host = from.client_host;
  member.rebalance_timeout_ms = from.rebalance_timeout_ms;
  member.session_timeout_ms = from.classic->session_timeout_ms;
  for (const auto& each : from.classic->supported_protocols) member.protocols.push_back({each.name, each.metadata});
  member.still_has = has(from);
  return member;
}

// The records of the one that joins are written under its own id already.
Records tombstones(const std::string& id, const ConsumerGroup& group, const Downgrade& how) {
  Records records;
  consumer_tombstones(id, group, records);
  if (!how.joining) return records;
  const std::string& replaced = group.static_member(*how.joining->instance_id)->id;
  for (Record& record : records) {
    std::visit(
        [&](auto& each) {
          if constexpr (requires { each.key.member_id; }) {
            if (each.key.member_id == replaced) each.key.member_id = how.joining->id;
          }
        },
        record.message);
  }
  return records;
}

}  // namespace

bool becomes_classic(const ConsumerTurn& consumer, const ConsumerGroup& group,
                     const std::vector<const ConsumerMember*>& leaving) {
  const auto classic_leaving = static_cast<std::size_t>(
      std::ranges::count_if(leaving, [](const ConsumerMember* member) { return member->classic.has_value(); }));
  const std::size_t left = group.members().size() - leaving.size();
  if (left == 0 || group.classic_members() - classic_leaving != left) return false;
  return may_downgrade(consumer, left);
}

bool becomes_classic(const ConsumerTurn& consumer, const ConsumerGroup& group, const ConsumerMember& replaced) {
  if (replaced.classic || group.classic_members() + 1 != group.members().size()) return false;
  return may_downgrade(consumer, group.members().size());
}

bool downgrade(ConsumerTurn& consumer, const ConsumerGroup& group, const Downgrade& how) {
  const std::string id = consumer.id;
  State& state = consumer.turn.state;
  const Staying staying = those_who_stay(group, how);
  if (!have_a_common_protocol(staying)) return false;

  auto made = std::make_unique<ClassicGroup>(state.held, id);
  for (const auto& [member, target_id] : staying) made->add(classic_member(*member), consumer_protocol_type);
  made->become_stable(group.epoch, consumer.now());
  for (const auto& [member, target_id] : staying) {
    static const Assignment none;
    const Assignment* target = group.target(target_id);
    ClassicMember& to = *made->member(member->id);
    made->set_assignment(
        to, written_assignment(target ? *target : none, consumer.image(), to.protocol(*made->protocol)->metadata));
  }
  const std::size_t written = consumer.records.size();
  for (Record& record : tombstones(id, group, how)) consumer.append(std::move(record));
  consumer.append(group_metadata(id, made->stored(nullptr, consumer.now())));
  if (!consumer.fits()) {
    consumer.records.resize(written);
    return false;
  }

  // The members of the old group go with it.
  made->awaits_its_record = true;
  state.remove(id);
  ClassicGroup& classic = *made;
  state.groups[id] = std::move(made);
  ClassicTurn turn{consumer.turn, id, classic};
  for (const auto& [member_id, member] : classic.members()) turn.keep_session(member);
  if (how.rebalance_reason) turn.prepare_rebalance(*how.rebalance_reason);
  consumer.commit();
  state.log.info("[GroupId {}] Converted the consumer group to a classic group.", id);
  return true;
}

}  // namespace klamm::groups
