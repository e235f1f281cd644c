#include "controller/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace klamm::controller {
namespace {

// Brokers that take turns: each round begins with the next one.
class Turns {
 public:
  void add(std::int32_t broker) { brokers_.push_back(broker); }
  bool empty() const { return brokers_.empty(); }
  void start_anywhere(coordination::FreshIds& ids) {
    std::ranges::sort(brokers_);
    if (!brokers_.empty()) offset_ = ids.below(static_cast<std::uint32_t>(brokers_.size()));
  }
  void shuffle(coordination::FreshIds& ids) { ids.shuffle(brokers_); }

  // Nothing when all were given in this round.
  std::optional<std::int32_t> next(std::uint32_t round) {
    if (brokers_.empty()) return std::nullopt;
    if (round_ != round) {
      round_ = round;
      given_ = 0;
      offset_ = (offset_ + 1) % brokers_.size();
    }
    if (given_ >= brokers_.size()) return std::nullopt;
    return brokers_[(given_++ + offset_) % brokers_.size()];
  }

 private:
  std::vector<std::int32_t> brokers_;
  std::size_t given_ = 0;
  std::size_t offset_ = 0;
  std::uint32_t round_ = 0;
};

struct Rack {
  Turns unfenced;
  Turns fenced;

  std::optional<std::int32_t> next(std::uint32_t round) {
    if (const auto broker = unfenced.next(round)) return broker;
    return fenced.next(round);
  }
};

class Racks {
 public:
  Racks(const std::vector<UsableBroker>& brokers, coordination::FreshIds& ids) : ids_(ids) {
    std::map<std::optional<std::string>, Rack> by_name;  // no rack at all comes first
    for (const UsableBroker& broker : brokers) {
      Rack& rack = by_name[broker.rack];
      (broker.fenced ? rack.fenced : rack.unfenced).add(broker.id);
      if (!broker.fenced) ++unfenced_;
    }
    for (auto& [name, rack] : by_name) {
      rack.fenced.start_anywhere(ids_);
      rack.unfenced.start_anywhere(ids_);
      racks_.push_back(std::move(rack));
    }
    first_ = ids_.below(static_cast<std::uint32_t>(racks_.size()));
  }

  // There is an unfenced broker, and at least `replicas` in all.
  std::vector<std::int32_t> place(std::int32_t replicas) {
    // After as many rounds as there are brokers the same assignments would come again.
    if (round_ == unfenced_ && unfenced_ > 1) {
      ids_.shuffle(racks_);
      for (Rack& rack : racks_) {
        rack.fenced.shuffle(ids_);
        rack.unfenced.shuffle(ids_);
      }
      round_ = 0;
    }
    if (first_ == racks_.size()) first_ = 0;
    std::vector<std::int32_t> brokers;
    std::size_t leader_rack = first_;
    for (;;) {
      if (const auto leader = racks_[leader_rack].unfenced.next(round_)) {
        brokers.push_back(*leader);
        break;
      }
      leader_rack = (leader_rack + 1) % racks_.size();
    }
    // The rack of the leader is passed over once.
    std::optional<std::size_t> skip = leader_rack;
    std::size_t at = first_;
    while (brokers.size() < static_cast<std::size_t>(replicas)) {
      if (skip == at) {
        skip.reset();
      } else if (const auto broker = racks_[at].next(round_)) {
        brokers.push_back(*broker);
      }
      at = (at + 1) % racks_.size();
    }
    ++round_;
    ++first_;
    return brokers;
  }

 private:
  coordination::FreshIds& ids_;
  std::vector<Rack> racks_;
  std::size_t first_ = 0;
  std::uint32_t unfenced_ = 0;
  std::uint32_t round_ = 0;
};

}  // namespace

Result<std::vector<std::vector<std::int32_t>>> place_replicas(std::vector<UsableBroker> brokers,
                                                              PlacementRequest request, coordination::FreshIds& ids) {
  if (request.replicas <= 0) {
    return fail(
        ErrorCode::invalid_replication_factor,
        fmt::format("Invalid replication factor {}: the replication factor must be positive.", request.replicas));
  }
  if (std::ranges::all_of(brokers, &UsableBroker::fenced)) {
    return fail(ErrorCode::invalid_replication_factor,
                "All brokers are currently fenced, or have all their log directories cordoned.");
  }
  if (static_cast<std::size_t>(request.replicas) > brokers.size()) {
    return fail(ErrorCode::invalid_replication_factor,
                fmt::format("The target replication factor of {} cannot be reached because only {} broker(s) are "
                            "registered or some brokers have all their log directories cordoned.",
                            request.replicas, brokers.size()));
  }
  Racks racks(brokers, ids);
  std::vector<std::vector<std::int32_t>> placed;
  placed.reserve(static_cast<std::size_t>(std::max(request.partitions, 0)));
  for (std::int32_t i = 0; i < request.partitions; ++i) placed.push_back(racks.place(request.replicas));
  return placed;
}

}  // namespace klamm::controller
