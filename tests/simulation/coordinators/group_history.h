// What members of groups were told, and the rules for it. Rules are those of docs/simulation.md:
//   G1  a partition has one owner in a generation or epoch
//   G2  who is told that it goes on (by a heartbeat of the consumer protocol, by a commit) has what it has: nobody was
//       given it in a later generation or epoch before that was asked
//   G3  a committed offset that was acknowledged, or that somebody read, does not vanish; later ones take its place
//   G4  nobody reads an offset that nobody committed, or whose commit was refused
//
// Nothing here speaks of offsets as numbers that grow: each commit has a name of its own, which the metadata carries,
// and what is looked at is which of them is there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/consumer.h"

namespace klamm::simulation {

using client::PartitionName;

// A violation; `about`: names of groups and transactional ids that it may be the fault of.
using Fail = std::function<void(const std::vector<std::string>& about, std::string what)>;

struct Commit {
  enum class State : std::uint8_t { unknown, acknowledged, refused };
  std::string group;
  PartitionName partition;
  std::int64_t offset = 0;
  std::optional<std::size_t> transaction = {};
  std::uint64_t begun = 0;
  std::uint64_t effective = 0;  // by then it had its effect; 0: nobody knows that it had
  State state = State::unknown;
  bool seen = false;  // somebody read it
};

class GroupHistory {
 public:
  // `note`: into the trace.
  GroupHistory(std::uint64_t& step, Fail fail, std::function<void(std::string)> note)
      : step_(step), fail_(std::move(fail)), note_(std::move(note)) {}

  std::uint64_t now() { return ++step_; }

  // Members of both protocols come and go in it: whenever nobody is left, its numbers may begin anew.
  void mixed(const std::string& group) { mixed_.insert(group); }

  // --- who has what. `who`: an instance id, else a member id
  void given(const std::string& group, const std::string& who, const std::string& topic, std::int32_t partition,
             std::int32_t epoch);
  // It was told to go on with what it was given in `epoch`; `begun` when it asked.
  void went_on(const std::string& group, const std::string& who, const std::string& topic, std::int32_t partition,
               std::int32_t epoch, std::uint64_t begun, std::string_view by);

  // --- committed offsets
  std::size_t commit_begun(std::string group, PartitionName partition, std::int64_t offset,
                           std::optional<std::size_t> transaction);
  void acknowledged(std::size_t commit);
  void refused(std::size_t commit) { commits_[commit].state = Commit::State::refused; }
  // Of a transaction: it was committed, and that was answered.
  void took_effect(std::size_t commit);
  const Commit& commit(std::size_t number) const { return commits_[number]; }
  std::size_t commits() const { return commits_.size(); }
  // The metadata that a commit carries.
  static std::string name_of(std::size_t commit);

  // Before a read; then what it gave. A read that waits for no open transaction may miss what is acknowledged.
  std::uint64_t floor(const std::string& group, const PartitionName& partition) const;
  void read(const std::string& group, const PartitionName& partition, std::uint64_t floor, std::int64_t offset,
            const std::string& metadata, bool stable);

  std::size_t acknowledged_commits() const { return acknowledged_; }
  std::size_t reads() const { return reads_; }

 private:
  struct Given {
    std::string who;
    std::int32_t epoch;
    std::uint64_t at;
  };
  using Key = std::pair<std::string, PartitionName>;

  void notice_new_beginning(const std::string& group, std::int32_t epoch);
  bool tells_nothing(const std::string& group, std::int32_t epoch) const;

  std::uint64_t& step_;
  Fail fail_;
  std::function<void(std::string)> note_;
  std::set<std::string> mixed_;
  std::map<std::string, std::int32_t> highest_;  // epoch of a mixed group
  std::map<Key, std::vector<Given>> given_;
  std::vector<Commit> commits_;
  std::map<Key, std::uint64_t> floors_;  // the latest beginning of a commit that had its effect
  std::size_t acknowledged_ = 0;
  std::size_t reads_ = 0;
};

}  // namespace klamm::simulation
