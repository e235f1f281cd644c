#include <algorithm>
#include <numeric>

#include "groups/assignor.h"

namespace klamm::groups {
namespace {

// What is left of a topic while it is dealt out.
struct Dealt {
  std::int32_t partitions = 0;
  std::int32_t members = 0;
  std::int32_t next = 0;
  std::int32_t extra = 0;

  std::int32_t take() {
    const std::int32_t quota = partitions / members + (extra > 0 ? 1 : 0);
    if (extra > 0) --extra;
    return quota;
  }
};

// Static members first, by their instance ids: those stay when a member comes back under another id.
bool comes_before(const AssignorMember& a, const AssignorMember& b) {
  if (a.instance_id && b.instance_id) return *a.instance_id < *b.instance_id;
  if (a.instance_id || b.instance_id) return a.instance_id.has_value();
  return a.id < b.id;
}

}  // namespace

Assignments assign_range(const AssignorInput& input) {
  std::map<Uuid, Dealt> topics;
  for (const auto& member : input.members) {
    for (const Uuid topic : member.topics) {
      Dealt& dealt = topics[topic];
      dealt.partitions = input.partition_counts.at(topic);
      ++dealt.members;
    }
  }
  for (auto& [id, dealt] : topics) dealt.extra = dealt.partitions % dealt.members;

  std::vector<std::size_t> order(input.members.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order,
                    [&](std::size_t a, std::size_t b) { return comes_before(input.members[a], input.members[b]); });

  Assignments out(input.members.size());
  for (const std::size_t index : order) {
    for (const Uuid topic : input.members[index].topics) {
      Dealt& dealt = topics[topic];
      const std::int32_t end = std::min(dealt.next + dealt.take(), dealt.partitions);
      if (dealt.next == end) continue;
      PartitionList& range = out[index][topic];
      range.resize(static_cast<std::size_t>(end - dealt.next));
      std::iota(range.begin(), range.end(), dealt.next);
      dealt.next = end;
    }
  }
  return out;
}

AssignorFunction find_assignor(std::string_view name) {
  if (name == "uniform") return assign_uniform;
  if (name == "range") return assign_range;
  return nullptr;
}

}  // namespace klamm::groups
