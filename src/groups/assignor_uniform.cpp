// The uniform assignor where all members have the same topics. Each member keeps what it has, up to its quota; what
// nobody has, or had to be given up, fills those who have less.
#include <algorithm>
#include <numeric>

#include "base/ensure.h"
#include "groups/assignor.h"
#include "groups/java_order.h"

namespace klamm::groups {
namespace {

class Homogeneous {
 public:
  explicit Homogeneous(const AssignorInput& input) : input_(input), out_(input.members.size()) {}

  Assignments build() {
    topics_ = input_.members.front().topics;
    sort_as_java(topics_, java_table_copied(topics_.size()));
    std::vector<std::size_t> order(input_.members.size());
    std::iota(order.begin(), order.end(), 0);
    sort_as_java(order, java_table_grown(order.size()), [&](std::size_t i) { return input_.members[i].id; });

    collect_free();
    const auto members = static_cast<std::int32_t>(order.size());
    quota_ = total_ / members;
    extras_ = total_ % members;
    for (std::int32_t i = 0; i < members; ++i) keep(order[static_cast<std::size_t>(i)], members - i);
    fill();
    for (Assignment& each : out_) {
      for (auto& [topic, partitions] : each) std::ranges::sort(partitions);
    }
    return std::move(out_);
  }

 private:
  struct Free {
    Uuid topic;
    std::int32_t partition;
  };
  struct Unfilled {
    std::size_t member;
    std::int32_t room;
  };

  bool is_subscribed(Uuid topic) const { return std::ranges::binary_search(input_.members.front().topics, topic); }

  void collect_free() {
    std::map<Uuid, std::vector<bool>> taken;
    for (const Uuid topic : topics_) {
      const std::int32_t count = input_.partition_counts.at(topic);
      taken[topic].resize(static_cast<std::size_t>(count));
      total_ += count;
    }
    for (const auto& member : input_.members) {
      if (!member.current) continue;
      for (const auto& [topic, partitions] : *member.current) {
        const auto found = taken.find(topic);
        if (found == taken.end()) continue;
        for (const std::int32_t partition : partitions) {
          if (static_cast<std::size_t>(partition) < found->second.size()) {
            found->second[static_cast<std::size_t>(partition)] = true;
          }
        }
      }
    }
    for (const Uuid topic : topics_) {
      const auto& of_topic = taken[topic];
      for (std::size_t i = 0; i < of_topic.size(); ++i) {
        if (!of_topic[i]) free_.push_back({topic, static_cast<std::int32_t>(i)});
      }
    }
  }

  // What the member keeps. `left`: members from here on, this one among them.
  void keep(std::size_t index, std::int32_t left) {
    bool has_extra = extras_ > 0;
    std::int32_t room = quota_ + (has_extra ? 1 : 0);
    if (const Assignment* current = input_.members[index].current) room = keep_up_to(room, *current, out_[index]);
    // The extra one goes to somebody else, unless only those are left who must take it.
    if (room > 0 && has_extra && left > extras_) {
      --room;
      has_extra = false;
    }
    if (room > 0) unfilled_.push_back({index, room});
    if (has_extra) --extras_;
  }

  std::int32_t keep_up_to(std::int32_t room, const Assignment& current, Assignment& kept) {
    std::vector<const Assignment::value_type*> entries;
    for (const auto& entry : current) entries.push_back(&entry);
    sort_as_java(entries, java_table_grown(entries.size()), [](const auto* entry) { return entry->first; });
    for (const auto* entry : entries) {
      const auto& [topic, partitions] = *entry;
      if (!is_subscribed(topic)) continue;
      const auto count = static_cast<std::int32_t>(partitions.size());
      if (count <= room) {
        room -= count;
        kept[topic] = partitions;
        continue;
      }
      PartitionList in_order = partitions;
      sort_as_java(in_order, java_table_copied(in_order.size()));
      for (const std::int32_t partition : in_order) {
        if (room > 0) {
          --room;
          kept[topic].push_back(partition);
        } else {
          free_.push_back({topic, partition});
        }
      }
    }
    return room;
  }

  void fill() {
    std::size_t next = 0;
    for (const auto& [member, room] : unfilled_) {
      for (std::int32_t i = 0; i < room && next < free_.size(); ++i, ++next) {
        out_[member][free_[next].topic].push_back(free_[next].partition);
      }
    }
    ENSURE(next == free_.size(), "partitions were left unassigned");
  }

  const AssignorInput& input_;
  Assignments out_;
  std::vector<Uuid> topics_;
  std::vector<Free> free_;
  std::vector<Unfilled> unfilled_;
  std::int32_t total_ = 0;
  std::int32_t quota_ = 0;
  std::int32_t extras_ = 0;
};

}  // namespace

Assignments assign_uniform_homogeneous(const AssignorInput& input) {
  if (input.members.front().topics.empty()) return Assignments(input.members.size());
  return Homogeneous(input).build();
}

Assignments assign_uniform(const AssignorInput& input) {
  if (input.members.empty()) return {};
  return input.is_homogeneous ? assign_uniform_homogeneous(input) : assign_uniform_heterogeneous(input);
}

}  // namespace klamm::groups
