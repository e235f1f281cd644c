// Keeps data of the assigned partitions coming: positions, fetch requests in sessions, one answer ahead of the reader.
// Source of the rules: org.apache.kafka.clients.consumer.internals.{AbstractFetch,FetchCollector,CompletedFetch}.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/consumer.h"
#include "client/core.h"
#include "client/fetch_session.h"
#include "client/settings.h"
#include "records/batch_walker.h"
#include "records/compression.h"
#include "records/record_batch_view.h"

namespace klamm::protocol {
struct FetchResponse;
namespace fetch_response {
struct PartitionData;
}
}  // namespace klamm::protocol

namespace klamm::client {

class Fetcher final {
 public:
  Fetcher(Core& core, ConsumerSettings settings);
  ~Fetcher();

  // With `hold`, those that are new wait for start().
  void assign(const std::set<TopicPartition>& partitions, bool hold = false);
  // One that is held begins at the offset, or without one where auto.offset.reset says.
  void start(const TopicPartition& partition, std::optional<std::int64_t> offset);
  std::set<TopicPartition> held() const;
  void follow(std::vector<std::string> topics);
  void follow_matching(std::function<bool(std::string_view)> matches);
  const auto& partitions() const { return partitions_; }
  // Of the next record for the reader; only where it is known.
  std::map<TopicPartition, std::int64_t> positions() const;

  void seek(const TopicPartition& partition, std::int64_t offset);
  void reset(const TopicPartition& partition, OffsetReset::Kind to);
  void pause(const TopicPartition& partition, bool paused);
  runtime::Task<Result<std::int64_t>> position(TopicPartition partition, runtime::MonoTime deadline);
  runtime::Task<Result<Batch>> poll(runtime::MonoTime deadline);

  void wake_up();
  // Of topics that somebody follows: what the cluster says against one of them.
  std::optional<Error> topic_error(const std::vector<std::string>& topics);

  const ConsumerSettings& settings() const { return settings_; }
  Core& core() { return core_; }
  const Logger& log() const { return log_; }

 private:
  struct Partition {
    std::string topic;
    std::int64_t position = -1;    // of the next record for the reader; -1: to be looked up
    std::int64_t fetch_from = -1;  // of the next request; ahead of the position while answers wait
    OffsetReset reset;             // where to look it up
    std::uint64_t generation = 0;  // grows with every jump: answers to earlier questions are dropped
    bool held = false;             // nobody has said yet where it begins
    bool looking_up = false;
    bool paused = false;
    runtime::MonoTime retry_at{};  // not fetched before
    std::int32_t preferred_replica = -1;
    runtime::MonoTime preferred_until{};
  };
  // What one answer has of one partition, while the reader works through it.
  struct Fetched {
    TopicPartition name;
    std::uint64_t generation;
    std::shared_ptr<const std::string> topic;
    std::shared_ptr<const void> frame;
    std::int32_t node;
    records::BatchWalker walker;
    std::vector<std::pair<std::int64_t, std::int64_t>> aborted;  // first offset, producer id; by offset
    std::size_t next_aborted = 0;
    std::set<std::int64_t> aborted_now;  // producers whose aborted transaction has begun
    // The batch being read.
    std::shared_ptr<ByteVector> plain;
    std::optional<records::RecordCursor> cursor;
    std::int64_t batch_end = -1;
    std::int32_t leader_epoch = -1;
    std::int8_t timestamp_type = -1;
    std::deque<Record> legacy;  // of the oldest formats, already copied to `plain`
  };
  struct Node;
  struct Request final : AnswerWaiter {
    Request(Fetcher& owner, Node& to) : fetcher(owner), node(to) {}
    void answered(Result<Answer> answer) override { fetcher.answered(*this, std::move(answer)); }
    Fetcher& fetcher;
    Node& node;
    std::int16_t version = 0;
    std::uint64_t connection = 0;                                            // Link::connection_number()
    std::map<TopicPartition, std::pair<std::uint64_t, std::int64_t>> asked;  // generation, offset
  };
  struct Node {
    std::int32_t id = -1;
    FetchSession session;
    std::unique_ptr<Request> request;
    runtime::MonoTime retry_at{};
  };

  void update_followed();
  void add(const TopicPartition& partition, bool hold);
  void remove(const TopicPartition& partition);
  void look_up_positions();
  runtime::Task<void> look_up(std::map<TopicPartition, std::int64_t> timestamps);
  void send_fetches();
  void send(Node& node, std::vector<std::pair<TopicPartition, FetchPosition>> wanted);
  void answered(Request& request, Result<Answer> answer);
  void read_response(Node& node, const Request& request, const protocol::FetchResponse& response,
                     std::shared_ptr<const void> frame);
  // Answers of a node that the reader has not finished.
  std::size_t waiting_answers(std::int32_t node) const;
  void take_partition(std::int32_t node, const TopicPartition& name, Partition& partition, std::int64_t asked_offset,
                      const protocol::fetch_response::PartitionData& data, const std::shared_ptr<const void>& frame);
  void partition_failed(const TopicPartition& name, Partition& partition, ErrorCode code);
  std::int32_t node_for(const TopicPartition& name, Partition& partition);

  Result<void> collect(Batch& batch);
  // False when the fetched data are at their end.
  Result<bool> read_some(Fetched& fetched, Partition& partition, Batch& batch);
  Result<bool> next_entry(Fetched& fetched, Partition& partition);
  Result<void> open_batch(Fetched& fetched, const records::RecordBatchView& view);
  Result<void> open_legacy(Fetched& fetched, const records::EntryView& entry);
  bool skip_transactional(Fetched& fetched, const records::RecordBatchView& view);
  Error corrupt(const Fetched& fetched, std::int64_t offset, const std::string& why) const;

  Core& core_;
  ConsumerSettings settings_;
  Logger log_;
  std::map<TopicPartition, Partition> partitions_;
  std::vector<std::string> followed_;
  std::function<bool(std::string_view)> matches_;
  std::uint64_t followed_version_ = 0;
  std::uint64_t next_generation_ = 1;
  std::map<std::int32_t, Node> nodes_;
  std::deque<Fetched> fetched_;
  std::map<std::string, std::shared_ptr<const std::string>> topic_names_;
  std::deque<Error> errors_;
  records::Decompressor decompressor_;
  Signal progress_;
  bool woken_ = false;
  int on_change_ = -1;
  TopicPartition last_first_;  // where the order of fetching begins next time
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::client
