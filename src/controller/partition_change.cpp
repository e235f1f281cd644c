#include "controller/partition_change.h"

#include <algorithm>
#include <set>
#include <utility>

namespace klamm::controller {
namespace {

using metadata::LeaderRecoveryState;
using metadata::no_leader;
using metadata::no_leader_change;
using Ids = std::vector<std::int32_t>;

bool contains(const Ids& ids, std::int32_t id) {
  return std::ranges::find(ids, id) != ids.end();
}
bool contains_all(const Ids& ids, const Ids& wanted) {
  return std::ranges::all_of(wanted, [&](std::int32_t id) { return contains(ids, id); });
}
Ids without(const Ids& ids, const Ids& gone) {
  Ids left;
  for (const std::int32_t id : ids) {
    if (!contains(gone, id)) left.push_back(id);
  }
  return left;
}

struct Elected {
  std::int32_t leader = no_leader;
  bool unclean = false;
};

// The targets while they are worked out, step by step.
class Builder {
 public:
  explicit Builder(const PartitionChange& change)
      : change_(change),
        before_(change.before),
        isr_(change.isr.value_or(before_.isr)),
        replicas_(change.replicas.value_or(before_.replicas)),
        removing_(change.removing_replicas.value_or(before_.removing_replicas)),
        adding_(change.adding_replicas.value_or(before_.adding_replicas)),
        elr_(before_.elr),
        last_known_elr_(before_.last_known_elr) {}

  std::optional<metadata::Record> build() {
    record_.topic_id = change_.topic_id;
    record_.partition_id = change_.partition;
    complete_reassignment();
    populate_elr();
    elect();
    // Replicas that leave must notice, also when the leader stays.
    if (record_.leader == no_leader_change && !contains_all(replicas_, before_.replicas))
      record_.leader = before_.leader;
    put_elr();
    if (!record_.isr && (!isr_.empty() || change_.elr_enabled) && isr_ != before_.isr) record_.isr = isr_;
    if (change_.version.bumps_leader_epoch_on_isr_shrink() && record_.leader == no_leader_change && record_.isr &&
        !contains_all(*record_.isr, before_.isr)) {
      record_.leader = before_.leader;
    }
    put_last_known_leader();
    put_assignment();
    if (change_.leader_recovery_state && *change_.leader_recovery_state != before_.leader_recovery_state) {
      record_.leader_recovery_state = static_cast<std::int8_t>(*change_.leader_recovery_state);
    }
    if (is_no_op()) return std::nullopt;
    return metadata::Record{std::move(record_), change_.version.partition_record_version()};
  }

 private:
  void complete_reassignment() {
    if (removing_.empty() && adding_.empty()) return;
    const Ids isr = without(isr_, removing_);
    const Ids replicas = without(replicas_, removing_);
    if (!removing_.empty() && (isr.empty() || replicas.empty())) return;
    if (!contains_all(isr, adding_)) return;
    // With fewer replicas than before all of them have to be in sync, or the in-sync set would shrink for nothing.
    if (adding_.size() < removing_.size() && !contains_all(isr, replicas)) return;
    isr_ = isr;
    replicas_ = replicas;
    removing_.clear();
    adding_.clear();
  }

  // Who was in sync when the in-sync set fell below its minimum has all that was acknowledged, and may lead later.
  void populate_elr() {
    if (!change_.elr_enabled) return;
    if (isr_.size() >= static_cast<std::size_t>(std::max(change_.min_isr, 0))) {
      elr_.clear();
      last_known_elr_.clear();
      return;
    }
    std::set<std::int32_t> candidates(elr_.begin(), elr_.end());
    candidates.insert(before_.isr.begin(), before_.isr.end());
    elr_.clear();
    for (const std::int32_t id : candidates) {
      if (!contains(isr_, id) && !contains(change_.unclean_shutdown_replicas, id)) elr_.push_back(id);
    }
    candidates.insert(last_known_elr_.begin(), last_known_elr_.end());
    last_known_elr_.clear();
    for (const std::int32_t id : candidates) {
      if (!contains(isr_, id) && !contains(elr_, id)) last_known_elr_.push_back(id);
    }
  }

  // In sync, or, when nobody is, eligible.
  bool is_valid_leader(std::int32_t id) const {
    return (contains(isr_, id) || (isr_.empty() && contains(elr_, id))) && change_.can_lead(id);
  }

  bool can_elect_last_known_leader() const {
    return change_.elr_enabled && elr_.empty() && isr_.empty() && before_.last_known_elr.size() == 1 &&
           change_.can_lead(before_.last_known_elr.front());
  }

  Elected choose_leader() const {
    if (change_.election == Election::preferred && is_valid_leader(replicas_.front())) return {replicas_.front()};
    if (is_valid_leader(before_.leader)) return {before_.leader};
    for (const std::int32_t id : replicas_) {
      if (is_valid_leader(id)) return {id};
    }
    if (can_elect_last_known_leader()) return {before_.last_known_elr.front(), true};
    if (change_.election == Election::unclean) {
      for (const std::int32_t id : replicas_) {
        if (change_.can_lead(id)) return {id, true};
      }
    }
    return {};
  }

  void elect() {
    if (replicas_.empty()) return;
    const Elected elected = choose_leader();
    if (elected.leader == before_.leader) return;
    if (contains(elr_, elected.leader)) {
      isr_ = {elected.leader};
      std::erase(elr_, elected.leader);
    }
    record_.leader = elected.leader;
    if (!elected.unclean) return;
    // Records may be lost: the new leader alone is in sync with itself.
    record_.isr = Ids{elected.leader};
    if (before_.leader_recovery_state != LeaderRecoveryState::recovering) {
      record_.leader_recovery_state = static_cast<std::int8_t>(LeaderRecoveryState::recovering);
    }
  }

  void put_elr() {
    const bool clean_election = !record_.isr;
    if (!clean_election || !change_.elr_enabled) elr_.clear();
    if (elr_ != before_.elr) record_.eligible_leader_replicas = elr_;
  }

  // The field that is named after the last known ELR remembers the last leader of a partition that lost its leader.
  void put_last_known_leader() {
    if (!change_.elr_enabled) return;
    if (record_.leader == no_leader && before_.last_known_elr.empty()) {
      record_.last_known_elr = Ids{before_.leader};
    } else if (record_.leader >= 0 && !before_.last_known_elr.empty()) {
      record_.last_known_elr.emplace();
    }
  }

  void put_assignment() {
    if (!replicas_.empty()) {
      if (change_.version.supports_directory_assignment()) {
        std::vector<Uuid> directories;
        for (const std::int32_t id : replicas_) directories.push_back(directory_of(id));
        if (directories != before_.directories) record_.directories = std::move(directories);
      }
      if (replicas_ != before_.replicas) record_.replicas = replicas_;
    }
    if (removing_ != before_.removing_replicas) record_.removing_replicas = removing_;
    if (adding_ != before_.adding_replicas) record_.adding_replicas = adding_;
  }

  Uuid directory_of(std::int32_t broker) const {
    if (const auto found = change_.directories.find(broker); found != change_.directories.end()) return found->second;
    if (before_.has_replica(broker)) return before_.directory_of(broker);
    return change_.default_directory(broker);
  }

  bool is_no_op() const {
    return !record_.isr && record_.leader == no_leader_change && !record_.replicas && !record_.removing_replicas &&
           !record_.adding_replicas && record_.leader_recovery_state == -1 && !record_.directories &&
           !record_.eligible_leader_replicas && !record_.last_known_elr;
  }

  const PartitionChange& change_;
  const metadata::PartitionRegistration& before_;
  Ids isr_;
  Ids replicas_;
  Ids removing_;
  Ids adding_;
  Ids elr_;
  Ids last_known_elr_;
  protocol::PartitionChangeRecord record_;
};

}  // namespace

std::optional<metadata::Record> change_partition(const PartitionChange& change) {
  return Builder(change).build();
}

}  // namespace klamm::controller
