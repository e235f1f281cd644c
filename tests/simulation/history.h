// What the clients of one story asked for and saw, and the rules it must keep. Rules are those of docs/simulation.md:
//   R1  what was acknowledged is in the log, at its offset (of a lazy topic: unless a power cut took it; see R2)
//   R2  what a power cut takes of a lazy topic is an end of it: nothing acknowledged later in the same life is left;
//   and
//       it does not come back with another cut, when its offset was given anew
//   R3  an offset has one record, for every reader and for ever (of a lazy topic: between two power cuts)
//   R4  no reader sees what nobody sent
//   R5  offsets of one reader grow by one
//   R6  an idempotent producer's records are there once, and in the order in which it sent them. One that had several
//       requests on their way when the broker was started anew may have older ones twice: the snapshot of a log keeps
//       the last batch of each producer only, as Kafka's does, and so do its files
//   R7  what was acknowledged before another send began stands before it
//   R8  a topic whose creation was acknowledged is there, with the partitions that were added; one whose deletion was
//       acknowledged never comes back
//   R9  records go only where somebody deletes them or retention is short, and what was deleted is gone as long as
//       the broker does not crash
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/consumer.h"
#include "runtime/clock.h"

namespace klamm::simulation {

using client::PartitionName;

struct Write {
  PartitionName partition;
  std::string value;  // unique
  int producer = 0;   // each life of a producer object has its own
  int number = 0;     // in the order of sending
  bool idempotent = true;
  bool one_in_flight = true;   // at most one request at a time
  bool promised = true;        // acks=all or 1: an acknowledgement means that it was appended
  unsigned cuts_before = 0;    // power cuts of the broker before it was sent
  unsigned cuts_after = 0;     // ... before it was answered
  unsigned starts_before = 0;  // of the broker
  unsigned starts_after = 0;
  std::uint64_t begun = 0;             // of the history's own clock of steps
  std::uint64_t ended = 0;             // 0: never
  std::optional<std::int64_t> offset;  // acknowledged
};

class History {
 public:
  // Lazy topics have no flush.messages=1; shrinking ones lose records at their beginning.
  History(std::vector<std::string> lazy_topics, std::vector<std::string> shrinking_topics)
      : lazy_(std::move(lazy_topics)), shrinking_(std::move(shrinking_topics)) {}

  // The broker lost power: what is not synced may be gone.
  void power_cut() { ++cuts_; }
  void broker_started() { ++starts_; }
  void broker_died() { ++deaths_; }
  unsigned deaths() const { return deaths_; }
  // Records before the offset are deleted; `deaths` there were when that was asked for.
  void deleted_before(const PartitionName& partition, std::int64_t offset, unsigned deaths);
  // The highest offset that a reader saw, -1 for none.
  std::int64_t highest_seen(const PartitionName& partition) const;
  // A derived file was damaged: what it says is not the broker's word.
  void damaged(std::string path) { damaged_.insert(std::move(path)); }
  bool is_damaged(const std::string& path) const { return damaged_.contains(path); }
  bool shrinks(const PartitionName& partition) const;
  unsigned cuts() const { return cuts_; }
  std::size_t begin(Write write);
  void acknowledged(std::size_t write, std::int64_t offset);
  void failed(std::size_t write);

  int new_producer() { return ++producers_; }
  // A reader that reads from somewhere on, in one go.
  int new_reader() { return ++readers_; }
  void saw(int reader, const PartitionName& partition, std::int64_t offset, std::string_view value);

  // The log as it is in the end, wholly read.
  struct FinalLog {
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::map<std::int64_t, std::string> records;
  };
  void check(const std::map<PartitionName, FinalLog>& logs);

  void fail(std::string what);
  const std::vector<std::string>& failures() const { return failures_; }
  std::size_t writes() const { return writes_.size(); }
  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t reads() const { return reads_; }
  // Records that are there twice as R6 allows.
  std::size_t allowed_duplicates() const { return allowed_duplicates_; }

 private:
  bool lazy(const PartitionName& partition) const;
  void check_acknowledged(const std::map<PartitionName, FinalLog>& logs);
  void check_lost_ends(const std::map<PartitionName, FinalLog>& logs);
  void check_returned(const std::map<PartitionName, FinalLog>& logs);
  void check_once_and_in_order(const std::map<PartitionName, FinalLog>& logs);
  void check_real_time();
  void check_seen(const std::map<PartitionName, FinalLog>& logs);
  void check_starts(const std::map<PartitionName, FinalLog>& logs);

  std::vector<std::string> lazy_;
  std::vector<std::string> shrinking_;
  struct Deleted {
    std::int64_t before = 0;
    unsigned deaths = 0;
  };
  std::map<PartitionName, Deleted> deleted_;
  std::set<std::string> damaged_;
  unsigned deaths_ = 0;
  unsigned cuts_ = 0;
  unsigned starts_ = 0;
  std::uint64_t step_ = 0;
  int producers_ = 0;
  int readers_ = 0;
  std::vector<Write> writes_;
  std::map<std::string, std::size_t, std::less<>> by_value_;
  struct Seen {
    std::string value;
    unsigned cuts;
  };
  std::map<PartitionName, std::map<std::int64_t, Seen>> seen_;
  struct Position {
    std::int64_t offset = -1;
    unsigned deaths = 0;  // of the broker, until then
  };
  std::map<std::pair<int, PartitionName>, Position> positions_;
  std::size_t acknowledged_ = 0;
  std::size_t reads_ = 0;
  std::size_t allowed_duplicates_ = 0;
  std::vector<std::string> failures_;
};

}  // namespace klamm::simulation
