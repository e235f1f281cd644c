#include <algorithm>

#include "client/group_assignment.h"

namespace klamm::client {

namespace {

using Members = std::vector<AssignedMember>;

// Static members by their instance before the others by their id.
bool comes_before(const AssignedMember& a, const AssignedMember& b) {
  if (a.instance_id && b.instance_id) return *a.instance_id < *b.instance_id;
  if (a.instance_id || b.instance_id) return a.instance_id.has_value();
  return a.id < b.id;
}

GroupAssignment nothing_for(const Members& members) {
  GroupAssignment assignment;
  for (const AssignedMember& member : members) assignment[member.id];
  return assignment;
}

bool wants(const AssignedMember& member, const std::string& topic) {
  return member.subscription.topics.contains(topic);
}

// Of each topic contiguous ranges, the first members one more where it does not come out even.
GroupAssignment assign_range(const Members& members, const PartitionCounts& counts) {
  GroupAssignment assignment = nothing_for(members);
  for (const auto& [topic, count] : counts) {
    std::vector<const AssignedMember*> takers;
    for (const AssignedMember& member : members) {
      if (wants(member, topic)) takers.push_back(&member);
    }
    if (takers.empty()) continue;
    const auto number = static_cast<std::int32_t>(takers.size());
    std::int32_t next = 0;
    for (std::int32_t i = 0; i < number; ++i) {
      const std::int32_t share = count / number + (i < count % number ? 1 : 0);
      for (std::int32_t end = next + share; next < end; ++next)
        assignment[takers[static_cast<std::size_t>(i)]->id].insert({topic, PartitionIndex(next)});
    }
  }
  return assignment;
}

// All partitions of all topics one after the other, to one member after the other that wants them.
GroupAssignment assign_round_robin(const Members& members, const PartitionCounts& counts) {
  GroupAssignment assignment = nothing_for(members);
  std::size_t turn = 0;
  for (const auto& [topic, count] : counts) {
    if (std::ranges::none_of(members, [&](const AssignedMember& member) { return wants(member, topic); })) continue;
    for (std::int32_t partition = 0; partition < count; ++partition) {
      while (!wants(members[turn % members.size()], topic)) ++turn;
      assignment[members[turn++ % members.size()].id].insert({topic, PartitionIndex(partition)});
    }
  }
  return assignment;
}

class Sticky {
 public:
  Sticky(const Members& members, const PartitionCounts& counts)
      : members_(members), counts_(counts), assignment_(nothing_for(members)) {
    for (const auto& [topic, count] : counts) {
      for (const AssignedMember& member : members) {
        if (wants(member, topic)) takers_[topic].push_back(&assignment_.at(member.id));
      }
    }
  }

  GroupAssignment run() {
    keep_what_is_owned();
    give_out_the_rest();
    balance();
    return std::move(assignment_);
  }

 private:
  // The newest generation is right; two members of one generation that hold the same both lose it.
  void keep_what_is_owned() {
    struct Claim {
      std::int32_t generation;
      const AssignedMember* member;
    };
    std::map<TopicPartition, Claim> claims;
    for (const AssignedMember& member : members_) {
      for (const TopicPartition& each : member.subscription.owned) {
        const auto count = counts_.find(each.topic);
        const bool exists = count != counts_.end() && each.partition.value >= 0 && each.partition.value < count->second;
        if (!exists || !wants(member, each.topic)) continue;
        const auto [at, first] = claims.try_emplace(each, member.subscription.generation, &member);
        if (first || member.subscription.generation < at->second.generation) continue;
        const bool tie = member.subscription.generation == at->second.generation;
        at->second = {member.subscription.generation, tie ? nullptr : &member};
      }
    }
    for (const auto& [partition, claim] : claims) {
      if (claim.member == nullptr) continue;
      assignment_.at(claim.member->id).insert(partition);
      taken_.insert(partition);
    }
  }

  // Topics that few want first: the others have more places to go to.
  void give_out_the_rest() {
    std::vector<std::pair<std::size_t, std::string>> order;
    for (const auto& [topic, takers] : takers_) order.emplace_back(takers.size(), topic);
    std::ranges::sort(order);
    for (const auto& [number, topic] : order) {
      for (std::int32_t i = 0; i < counts_.at(topic); ++i) {
        const TopicPartition partition{topic, PartitionIndex(i)};
        if (!taken_.contains(partition)) least_loaded(topic)->insert(partition);
      }
    }
  }

  // Moves a partition wherever that makes two members more alike; each move does, so there is an end.
  void balance() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [id, mine] : assignment_) {
        const std::vector<TopicPartition> held(mine.rbegin(), mine.rend());
        for (const TopicPartition& partition : held) {
          PartitionSet* other = least_loaded(partition.topic);
          if (other->size() + 1 >= mine.size()) continue;
          mine.erase(partition);
          other->insert(partition);
          moved = true;
        }
      }
    }
  }

  PartitionSet* least_loaded(const std::string& topic) {
    return *std::ranges::min_element(takers_.at(topic), {}, [](const PartitionSet* each) { return each->size(); });
  }

  const Members& members_;
  const PartitionCounts& counts_;
  GroupAssignment assignment_;
  std::map<std::string, std::vector<PartitionSet*>> takers_;
  PartitionSet taken_;
};

// What another member still holds is given only when that one has let go of it: in the rebalance that follows.
void hold_back_what_is_owned(const Members& members, GroupAssignment& assignment) {
  std::map<TopicPartition, std::set<std::string_view>> owners;
  for (const AssignedMember& member : members) {
    for (const TopicPartition& each : member.subscription.owned) owners[each].insert(member.id);
  }
  for (auto& [id, partitions] : assignment) {
    std::erase_if(partitions, [&](const TopicPartition& each) {
      const auto at = owners.find(each);
      return at != owners.end() && !at->second.contains(id);
    });
  }
}

}  // namespace

GroupAssignment assign(Assignor assignor, std::vector<AssignedMember> members, const PartitionCounts& counts) {
  std::ranges::sort(members, comes_before);
  switch (assignor) {
    case Assignor::range:
      return assign_range(members, counts);
    case Assignor::round_robin:
      return assign_round_robin(members, counts);
    case Assignor::sticky:
      return Sticky(members, counts).run();
    case Assignor::cooperative_sticky:
      break;
  }
  GroupAssignment assignment = Sticky(members, counts).run();
  hold_back_what_is_owned(members, assignment);
  return assignment;
}

}  // namespace klamm::client
