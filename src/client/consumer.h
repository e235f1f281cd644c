// Reads records: as a member of a consumer group, of partitions that were assigned by hand, or of all partitions of
// some topics.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "client/offsets.h"
#include "client/record.h"
#include "client/result.h"
#include "runtime/clock.h"
#include "runtime/task.h"

namespace klamm::client {

class Fetcher;
class GroupSession;

// A consumed record: a view into the Batch it came in.
class Record {
 public:
  std::string_view topic() const { return *topic_; }
  std::int32_t partition() const { return partition_; }
  std::int64_t offset() const { return offset_; }
  // Milliseconds since 1970; -1 in the oldest formats.
  std::int64_t timestamp() const { return timestamp_; }
  // The broker's time of appending rather than the producer's.
  bool log_append_time() const { return timestamp_type_ == 1; }
  bool has_timestamp_type() const { return timestamp_type_ >= 0; }
  std::optional<std::string_view> key() const { return key_; }
  std::optional<std::string_view> value() const { return value_; }
  std::vector<Header> headers() const;
  std::int32_t header_count() const { return header_count_; }
  // Of the leader that took it; -1 when unknown.
  std::int32_t leader_epoch() const { return leader_epoch_; }

 private:
  friend class Fetcher;
  class GroupSession;
  const std::string* topic_ = nullptr;
  std::int32_t partition_ = -1;
  std::int32_t leader_epoch_ = -1;
  std::int64_t offset_ = -1;
  std::int64_t timestamp_ = -1;
  std::int8_t timestamp_type_ = -1;
  std::int32_t header_count_ = 0;
  std::string_view header_bytes_;
  std::optional<std::string_view> key_;
  std::optional<std::string_view> value_;
};

// Records that one poll gave, those of a partition in order and together. Keeps their bytes.
class Batch {
 public:
  auto begin() const { return records_.begin(); }
  auto end() const { return records_.end(); }
  std::size_t size() const { return records_.size(); }
  bool empty() const { return records_.empty(); }
  const Record& operator[](std::size_t index) const { return records_[index]; }

 private:
  friend class Fetcher;
  class GroupSession;
  std::vector<Record> records_;
  std::vector<std::shared_ptr<const void>> owners_;
};

struct OffsetAndTimestamp {
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
  std::int32_t leader_epoch = -1;
};

// What a rebalance calls, from within poll(), unsubscribe() and close(). Each may be left out; without `lost`,
// `revoked` is called instead.
struct RebalanceListener {
  using Call = std::function<runtime::Task<void>(std::vector<PartitionName>)>;
  Call assigned;  // these are new; may be none
  Call revoked;   // these go, and what was read of them may still be committed
  Call lost;      // these are gone already
};

class Consumer {
 public:
  // The client's properties with `properties` over them. One that cannot be used makes every call fail with
  // configuration_error().
  explicit Consumer(Client& client, const Properties& properties = {});
  ~Consumer();
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;

  const std::optional<Error>& configuration_error() const { return configuration_error_; }

  // --- in a group: with group.id, and by group.protocol ---
  // These topics instead of what was before; the group gives out their partitions while poll() is called.
  Result<void> subscribe(const std::vector<std::string>& topics, RebalanceListener listener = {});
  // All topics whose names match, also those that are made later; internal ones unless exclude.internal.topics=false.
  Result<void> subscribe_matching(std::function<bool(std::string_view)> matches, RebalanceListener listener = {});
  // The same, matched by the coordinator with a regular expression of RE2; only in the consumer protocol.
  Result<void> subscribe_regex(std::string regex, RebalanceListener listener = {});
  // Commits when that is automatic, gives up all partitions, leaves the group.
  runtime::Task<Result<void>> unsubscribe();
  // The positions of all partitions; tries again until default.api.timeout.ms.
  runtime::Task<Result<void>> commit();
  runtime::Task<Result<void>> commit(Offsets offsets);
  // Once, without waiting; `done` hears how it went.
  void post_commit(std::function<void(const Result<void>&)> done = {});
  // No entry where nothing is committed.
  runtime::Task<Result<Offsets>> committed(std::vector<PartitionName> partitions);
  Result<GroupMetadata> group_metadata() const;
  // Of the next record of each partition that poll() gives, where that is known: what was read so far.
  Offsets positions() const;
  // Commits when that is automatic, and leaves the group; destroying it alone is like a crash for the group.
  runtime::Task<Result<void>> close(runtime::Duration timeout = std::chrono::seconds(30));

  // Exactly these partitions from now on. Those that stay keep their position; the others start where seek() says, else
  // at the group's offset, else where auto.offset.reset says.
  void assign(const std::vector<PartitionName>& partitions);
  // All partitions of the topics, also those that are made later.
  void follow(const std::vector<std::string>& topics);
  // All partitions of all topics whose names match, also of those that are made later.
  void follow_matching(std::function<bool(std::string_view)> matches);
  std::vector<PartitionName> assignment() const;

  void seek(const PartitionName& partition, std::int64_t offset);
  void seek_to_beginning(const PartitionName& partition);
  void seek_to_end(const PartitionName& partition);
  // Of the next record that poll() gives; looks it up when it is not known yet.
  runtime::Task<Result<std::int64_t>> position(PartitionName partition);
  void pause(const PartitionName& partition, bool paused);

  // What is there, max.poll.records at most; waits for the first record so long, and gives an empty batch after that.
  // An error is about one partition or all; the next call goes on.
  runtime::Task<Result<Batch>> poll(runtime::Duration timeout);
  // Ends the poll that waits, or the next one, with an empty batch.
  void wake_up();

  runtime::Task<Result<std::map<PartitionName, std::int64_t>>> beginning_offsets(std::vector<PartitionName> partitions);
  runtime::Task<Result<std::map<PartitionName, std::int64_t>>> end_offsets(std::vector<PartitionName> partitions);
  // The first record at or after a time; no entry where there is none.
  runtime::Task<Result<std::map<PartitionName, OffsetAndTimestamp>>> offsets_for_times(
      std::map<PartitionName, std::int64_t> timestamps);

 private:
  std::optional<Error> configuration_error_;
  std::unique_ptr<Fetcher> fetcher_;
  std::unique_ptr<GroupSession> group_;  // with group.id
  bool following_ = false;               // without the group
};

}  // namespace klamm::client
