// The uniform assignor where members have different topics. Free partitions go to whoever of the subscribers has least;
// then partitions move from those who have most to those who have least, topic after topic, until nothing gets better
// or a bound of rounds is reached.
#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "groups/assignor.h"
#include "groups/java_order.h"

namespace klamm::groups {
namespace {

constexpr int rounds_max = 16;
constexpr std::int32_t nobody = -1;

// Some members in the order of what they have. Gives out the next one to get a partition from the low end and the next
// one to lose a partition from the high end; both ends grow towards each other as they level out.
class Scale {
 public:
  explicit Scale(const std::vector<std::int32_t>& sizes) : sizes_(sizes) {}

  // What lies between the most and the least. There is at least one member.
  std::int32_t weigh(const std::vector<std::int32_t>& members) {
    sorted_ = members;
    std::ranges::sort(sorted_, {}, [&](std::int32_t m) { return std::pair(size(m), m); });
    low_end_ = 0;
    low_level_ = size(sorted_.front()) - 1;
    low_next_ = 0;
    high_begin_ = high_end_ = std::ssize(sorted_);
    high_level_ = size(sorted_.back()) + 1;
    high_next_ = high_end_ - 1;
    return size(sorted_.back()) - size(sorted_.front());
  }

  std::int32_t next_lowest() {
    if (low_next_ >= low_end_) {
      ++low_level_;
      while (low_end_ < std::ssize(sorted_) && size_at(low_end_) == low_level_) ++low_end_;
      low_next_ = 0;
    }
    return at(low_next_++);
  }

  // `nobody` when none is left that could give.
  std::int32_t next_highest() {
    if (high_next_ < high_begin_) {
      if (high_end_ <= high_begin_ && high_begin_ > 0) {
        high_level_ = size_at(high_begin_ - 1);  // all above were excluded
      } else {
        --high_level_;
      }
      while (high_begin_ > 0 && size_at(high_begin_ - 1) == high_level_) --high_begin_;
      high_next_ = high_end_ - 1;
    }
    if (high_next_ < 0) return nobody;
    return at(high_next_--);
  }

  // The last of next_highest() has nothing to give.
  void exclude_highest() {
    std::swap(at(high_next_ + 1), at(high_end_ - 1));
    --high_end_;
  }

  bool is_level() const { return high_level_ - low_level_ <= 1; }

 private:
  using Index = std::ptrdiff_t;
  std::int32_t size(std::int32_t member) const { return sizes_[static_cast<std::size_t>(member)]; }
  std::int32_t& at(Index i) { return sorted_[static_cast<std::size_t>(i)]; }
  std::int32_t size_at(Index i) { return size(at(i)); }

  // As they are now, not as they were at the start: Kafka looks at the same numbers while it moves.
  const std::vector<std::int32_t>& sizes_;
  std::vector<std::int32_t> sorted_;
  Index low_end_ = 0;
  Index low_next_ = 0;
  Index high_begin_ = 0;
  Index high_end_ = 0;
  Index high_next_ = 0;
  std::int32_t low_level_ = 0;
  std::int32_t high_level_ = 0;
};

class Heterogeneous {
 public:
  explicit Heterogeneous(const AssignorInput& input) : input_(input) {}

  Assignments build() {
    number_members();
    for (auto& [id, topic] : topics_) topic.owners.assign(static_cast<std::size_t>(count_of(id)), nobody);
    keep_subscribed();
    deal_out_free();
    balance();
    return result();
  }

 private:
  // Members are numbers here, in the order in which Kafka has them; the input has them by id.
  using Member = std::int32_t;
  struct Topic {
    std::vector<Member> subscribers;
    std::vector<Member> owners;  // of each partition
  };

  std::int32_t count_of(Uuid topic) const { return input_.partition_counts.at(topic); }
  const AssignorMember& input_of(Member member) const {
    return input_.members[order_[static_cast<std::size_t>(member)]];
  }
  std::int32_t& size_of(Member member) { return sizes_[static_cast<std::size_t>(member)]; }

  void number_members() {
    order_.resize(input_.members.size());
    std::iota(order_.begin(), order_.end(), 0);
    sort_as_java(order_, java_table_grown(order_.size()), [&](std::size_t i) { return input_.members[i].id; });
    sizes_.resize(order_.size());
    for (Member member = 0; member < std::ssize(order_); ++member) {
      for (const Uuid topic : input_of(member).topics) topics_[topic].subscribers.push_back(member);
    }
  }

  void keep_subscribed() {
    for (Member member = 0; member < std::ssize(order_); ++member) {
      const AssignorMember& each = input_of(member);
      if (!each.current) continue;
      for (const auto& [topic, partitions] : *each.current) {
        if (!std::ranges::binary_search(each.topics, topic)) continue;
        auto& owners = topics_[topic].owners;
        for (const std::int32_t partition : partitions) {
          if (static_cast<std::size_t>(partition) >= owners.size()) continue;
          owners[static_cast<std::size_t>(partition)] = member;
          ++size_of(member);
        }
      }
    }
  }

  // First those with most partitions for a subscriber, then those with fewer subscribers; ids as Java compares them.
  std::vector<Uuid> in_order(std::vector<Uuid> topics) const {
    const auto comes_before = [&](Uuid a, Uuid b) {
      const auto subscribers_a = topics_.at(a).subscribers.size();
      const auto subscribers_b = topics_.at(b).subscribers.size();
      const double load_a = static_cast<double>(count_of(a)) / static_cast<double>(subscribers_a);
      const double load_b = static_cast<double>(count_of(b)) / static_cast<double>(subscribers_b);
      if (load_a != load_b) return load_a > load_b;
      if (subscribers_a != subscribers_b) return subscribers_a < subscribers_b;
      const auto as_signed = [](Uuid id) {
        return std::pair(static_cast<std::int64_t>(id.high), static_cast<std::int64_t>(id.low));
      };
      return as_signed(a) < as_signed(b);
    };
    std::ranges::sort(topics, comes_before);
    return topics;
  }

  void deal_out_free() {
    std::vector<Uuid> with_free;
    for (const auto& [id, topic] : topics_) {
      if (std::ranges::find(topic.owners, nobody) != topic.owners.end()) with_free.push_back(id);
    }
    Scale scale(sizes_);
    for (const Uuid id : in_order(std::move(with_free))) {
      Topic& topic = topics_[id];
      scale.weigh(topic.subscribers);
      for (Member& owner : topic.owners) {
        if (owner != nobody) continue;
        owner = scale.next_lowest();
        ++size_of(owner);
      }
    }
  }

  void balance() {
    std::vector<Uuid> movable;
    for (const auto& [id, topic] : topics_) {
      if (topic.subscribers.size() >= 2) movable.push_back(id);
    }
    const std::vector<Uuid> sorted = in_order(std::move(movable));
    Scale scale(sizes_);
    std::optional<std::size_t> last_moved;
    for (int round = 0; round < rounds_max; ++round) {
      for (std::size_t i = 0; i < sorted.size(); ++i) {
        if (i == last_moved) return;  // once around without a move
        const bool moved = balance(topics_[sorted[i]], scale);
        if (moved || !last_moved) last_moved = i;
      }
    }
  }

  // True when something moved.
  bool balance(Topic& topic, Scale& scale) {
    if (scale.weigh(topic.subscribers) <= 1) return false;
    std::unordered_map<Member, PartitionList> of_owner;  // looked up only, never walked through
    for (std::int32_t i = 0; i < std::ssize(topic.owners); ++i) {
      of_owner[topic.owners[static_cast<std::size_t>(i)]].push_back(i);
    }
    bool moved = false;
    while (!scale.is_level()) {
      Member from = scale.next_highest();
      while (from != nobody && of_owner[from].empty()) {
        scale.exclude_highest();
        from = scale.next_highest();
      }
      if (from == nobody) break;
      const std::int32_t partition = of_owner[from].back();
      of_owner[from].pop_back();
      const Member to = scale.next_lowest();
      if (scale.is_level()) break;
      topic.owners[static_cast<std::size_t>(partition)] = to;
      --size_of(from);
      ++size_of(to);
      moved = true;
    }
    return moved;
  }

  Assignments result() const {
    Assignments out(order_.size());
    for (const auto& [id, topic] : topics_) {
      for (std::int32_t i = 0; i < std::ssize(topic.owners); ++i) {
        const Member owner = topic.owners[static_cast<std::size_t>(i)];
        if (owner != nobody) out[order_[static_cast<std::size_t>(owner)]][id].push_back(i);
      }
    }
    return out;
  }

  const AssignorInput& input_;
  std::vector<std::size_t> order_;  // member to its place in the input
  std::vector<std::int32_t> sizes_;
  std::map<Uuid, Topic> topics_;
};

}  // namespace

Assignments assign_uniform_heterogeneous(const AssignorInput& input) {
  return Heterogeneous(input).build();
}

}  // namespace klamm::groups
