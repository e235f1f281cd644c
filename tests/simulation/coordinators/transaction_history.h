// What transactional producers and read_committed readers asked and saw, and the rules for it. Rules are those of
// docs/simulation.md:
//   T1  what was written in a transaction and acknowledged is in the log, at its offset, once, in the order of sending
//   T2  of a committed transaction readers see all, of an aborted one nothing, of any other all or nothing; the same
//       holds for the offsets that it committed
//   T3  what a read_committed reader saw of a stretch of a log is what the log in the end holds there of committed
//       transactions: nothing of an aborted one, nothing passed over
//   T4  neither high watermark nor last stable offset goes back; the last stable offset is not above the high
//       watermark, and no read_committed reader is given anything at or above it
//   T5  an epoch of a producer id is given to one producer, and what an older one asks after that is refused
//   T6  no transaction hangs: all are ended when their time is over, in all partitions and with one outcome
//   T7  what is copied from topic to topic is there exactly once
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinators/group_history.h"

namespace klamm::simulation {

// How a transaction ended, as far as its producer knows.
enum class Ending : std::uint8_t {
  open,       // nobody asked for its end
  committed,  // acknowledged
  aborted,    // acknowledged, or nobody asked for its commit
  unknown,    // its commit was asked for
};

std::string_view shown(Ending ending);

// A record of another topic, of which this one is a copy.
struct Source {
  PartitionName partition;
  std::int64_t offset = -1;
  auto operator<=>(const Source&) const = default;
};

struct TransactionalWrite {
  PartitionName partition;
  std::string value;  // unique
  std::size_t transaction = 0;
  int number = 0;  // of its producer, in the order of sending
  std::optional<Source> source = {};
  bool acknowledged = false;
  std::int64_t offset = -1;  // acknowledged, unless the broker no longer knew it
};

struct RecordedTransaction {
  std::string id;  // transactional id
  std::size_t producer = 0;
  Ending ending = Ending::open;
  std::vector<std::size_t> writes = {};
  std::vector<std::size_t> commits = {};  // of GroupHistory
};

// One entry of a log as a reader that wants all of it sees it.
struct FinalRecord {
  std::int64_t offset = 0;
  std::int64_t producer_id = -1;
  bool transactional = false;
  enum class Kind : std::uint8_t { data, commit, abort } kind = Kind::data;
  std::string value;
};
struct FinalPartition {
  std::int64_t high_watermark = 0;
  std::int64_t last_stable = 0;
  std::vector<FinalRecord> records;
};

// What a read_committed reader was given in one answer.
struct Stretch {
  PartitionName partition;
  std::int64_t from = 0;
  std::int64_t to = 0;  // where it goes on
  std::vector<std::pair<std::int64_t, std::string>> records;
};

class TransactionHistory {
 public:
  TransactionHistory(std::uint64_t& step, GroupHistory& groups, Fail fail)
      : step_(step), groups_(groups), fail_(std::move(fail)) {}

  std::uint64_t now() { return ++step_; }

  // --- producers
  // InitProducerId was answered.
  std::size_t producer_came(const std::string& id, std::int64_t producer_id, std::int16_t epoch);
  // Something that it asked at `begun` was done.
  void did(std::size_t producer, std::uint64_t begun, std::string_view what);

  std::size_t begin(std::size_t producer);
  std::size_t write(std::size_t transaction, PartitionName partition, std::string value, std::optional<Source> source);
  void acknowledged(std::size_t write, std::int64_t offset);
  void commits_offsets(std::size_t transaction, std::size_t commit);
  void ended(std::size_t transaction, Ending ending);
  const RecordedTransaction& transaction(std::size_t number) const { return transactions_[number]; }
  // Values are unique among all.
  int next_number() { return ++numbers_; }

  // --- readers
  struct Bounds {
    std::int64_t high_watermark = -1;
    std::int64_t last_stable = -1;
  };
  // Before a request; then what its answer said.
  Bounds bounds(const PartitionName& partition) const;
  void answered(const PartitionName& partition, Bounds before, Bounds now);
  void saw(Stretch stretch, std::int64_t last_stable);

  // When everything is ended; `copied`: each committed record of the first topic is to be in the second.
  using Copied = std::vector<std::pair<std::string, std::string>>;
  void check(const std::map<PartitionName, FinalPartition>& logs, const Copied& copied);
  // Before the offsets are read for the last time: what the logs say was committed had its effect.
  void note_committed(const std::map<PartitionName, FinalPartition>& logs);

  std::size_t transactions() const { return transactions_.size(); }
  std::size_t committed() const { return committed_; }
  std::size_t aborted() const { return aborted_; }
  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t reads() const { return reads_; }

 private:
  struct Producer {
    std::string id;
    std::int64_t producer_id;
    std::int16_t epoch;
    std::uint64_t came;
  };
  struct Place {
    PartitionName partition;
    std::int64_t offset;
    bool committed;
  };
  using Places = std::map<std::string_view, std::vector<Place>>;
  using CommittedLog = std::map<std::int64_t, std::string_view>;
  using CommittedLogs = std::map<PartitionName, CommittedLog>;

  void blame(std::size_t transaction, std::string what);
  void walk(const std::map<PartitionName, FinalPartition>& logs, Places& places, CommittedLogs& committed);
  void check_writes(const Places& places);
  void check_order(const std::map<PartitionName, FinalPartition>& logs);
  void check_wholeness(const Places& places);
  void check_stretches(const CommittedLogs& committed);
  void check_copies(const CommittedLogs& committed, const Copied& copied);

  std::uint64_t& step_;
  GroupHistory& groups_;
  Fail fail_;
  int numbers_ = 0;
  std::vector<Producer> producers_;
  std::map<std::string, std::vector<std::size_t>> producers_of_;
  std::vector<RecordedTransaction> transactions_;
  std::vector<TransactionalWrite> writes_;
  std::map<std::string, std::size_t, std::less<>> by_value_;
  std::map<PartitionName, Bounds> bounds_;
  std::vector<Stretch> stretches_;
  std::size_t committed_ = 0;
  std::size_t aborted_ = 0;
  std::size_t acknowledged_ = 0;
  std::size_t reads_ = 0;
};

}  // namespace klamm::simulation
