#include "coordinators/readers.h"

#include <algorithm>
#include <set>

#include "protocol/messages/fetch.h"
#include "records/batch_walker.h"
#include "records/control_record.h"
#include "records/record_reader.h"

namespace klamm::simulation {

using namespace std::chrono_literals;

namespace {

enum class Isolation : std::int8_t { read_uncommitted = 0, read_committed = 1 };

// The last version that names topics.
constexpr std::int16_t fetch_version = 12;

protocol::FetchRequest request_for(const PartitionName& partition, std::int64_t from, Isolation isolation,
                                   runtime::Duration wait_max, std::int32_t bytes_max) {
  protocol::FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(wait_max / 1ms);
  request.min_bytes = 1;
  request.max_bytes = bytes_max;
  request.isolation_level = static_cast<std::int8_t>(isolation);
  auto& topic = request.topics.emplace_back();
  topic.topic = partition.topic;
  auto& to = topic.partitions.emplace_back();
  to.partition = partition.partition;
  to.fetch_offset = from;
  to.partition_max_bytes = bytes_max;
  return request;
}

const protocol::FetchResponse::PartitionData* only_partition(const protocol::FetchResponse& response) {
  if (response.error_code != 0 || response.responses.empty()) return nullptr;
  const auto& partitions = response.responses.front().partitions;
  if (partitions.empty() || partitions.front().error_code != 0) return nullptr;
  return &partitions.front();
}

// The marker of a control batch.
FinalRecord::Kind marker_in(const records::RecordBatchView& batch) {
  records::Decompressor decompressor;
  records::RecordReader reader(batch, decompressor);
  if (!reader.next()) return FinalRecord::Kind::data;
  const auto type = records::control_record_type(reader.record());
  if (!type) return FinalRecord::Kind::data;
  return *type == records::ControlRecordType::commit ? FinalRecord::Kind::commit : FinalRecord::Kind::abort;
}

template <typename Each>
void for_each_record(const records::RecordBatchView& batch, Each each) {
  records::Decompressor decompressor;
  records::RecordReader reader(batch, decompressor);
  while (reader.next()) {
    const auto value = reader.record().nullable_value();
    each(reader.record().offset.value, value ? std::string(as_text(*value)) : std::string());
  }
}

// Producers whose transactions were aborted, as far as the walk has come.
class AbortedTransactions {
 public:
  explicit AbortedTransactions(const protocol::FetchResponse::PartitionData& data) {
    if (!data.aborted_transactions) return;
    for (const auto& each : *data.aborted_transactions) starts_.emplace_back(each.first_offset, each.producer_id);
    std::ranges::sort(starts_);
  }

  bool hides(const records::RecordBatchView& batch) {
    while (next_ < starts_.size() && starts_[next_].first <= batch.last_offset().value) {
      open_.insert(starts_[next_++].second);
    }
    const std::int64_t producer = batch.producer_id().value;
    if (batch.is_control()) {
      if (marker_in(batch) == FinalRecord::Kind::abort) open_.erase(producer);
      return true;
    }
    return batch.is_transactional() && open_.contains(producer);
  }

 private:
  std::vector<std::pair<std::int64_t, std::int64_t>> starts_;
  std::size_t next_ = 0;
  std::set<std::int64_t> open_;
};

}  // namespace

Task<std::optional<Stretch>> CommittedReader::fetch(runtime::Duration wait_max, std::int32_t bytes_max) {
  const TransactionHistory::Bounds before = history_.bounds(partition_);
  auto asking = caller_.ask<protocol::FetchResponse>(
      request_for(partition_, position_, Isolation::read_committed, wait_max, bytes_max), fetch_version);
  const auto answer = co_await std::move(asking);
  if (!answer) co_return std::nullopt;
  const auto* data = only_partition(answer->body);
  if (data == nullptr) co_return std::nullopt;
  history_.answered(partition_, before, {data->high_watermark, data->last_stable_offset});
  Stretch stretch{partition_, position_, position_, {}};
  AbortedTransactions aborted(*data);
  records::BatchWalker walker(data->records.bytes());
  while (walker.next() == records::BatchWalker::Step::entry) {
    if (walker.entry().size_bytes() < records::batch_overhead) break;
    const records::RecordBatchView batch = walker.entry().batch();
    const bool hidden = aborted.hides(batch);
    stretch.to = std::max(stretch.to, batch.next_offset().value);
    if (hidden) continue;
    for_each_record(batch, [&](std::int64_t offset, std::string value) {
      if (offset >= position_) stretch.records.emplace_back(offset, std::move(value));
    });
  }
  position_ = stretch.to;
  history_.saw(stretch, data->last_stable_offset);
  co_return stretch;
}

Task<FinalPartition> read_whole(Caller& caller, PartitionName partition) {
  constexpr std::int32_t bytes_max = 1 << 20;
  FinalPartition log;
  for (std::int64_t at = 0;;) {
    auto asking = caller.ask<protocol::FetchResponse>(
        request_for(partition, at, Isolation::read_uncommitted, runtime::Duration(0), bytes_max), fetch_version);
    const auto answer = co_await std::move(asking);
    const auto* data = answer ? only_partition(answer->body) : nullptr;
    if (data == nullptr) {
      auto waiting = rest(caller.home(), 100ms);
      co_await std::move(waiting);
      continue;
    }
    records::BatchWalker walker(data->records.bytes());
    while (walker.next() == records::BatchWalker::Step::entry) {
      if (walker.entry().size_bytes() < records::batch_overhead) break;
      const records::RecordBatchView batch = walker.entry().batch();
      const std::int64_t producer = batch.producer_id().value;
      if (batch.next_offset().value <= at) continue;
      at = batch.next_offset().value;
      if (batch.is_control()) {
        log.records.push_back({batch.base_offset().value, producer, true, marker_in(batch), {}});
        continue;
      }
      for_each_record(batch, [&](std::int64_t offset, std::string value) {
        log.records.push_back({offset, producer, batch.is_transactional(), FinalRecord::Kind::data, std::move(value)});
      });
    }
    log.high_watermark = data->high_watermark;
    if (at >= data->high_watermark) break;
  }
  // The last stable offset is told to those who ask for it.
  for (;;) {
    auto asking = caller.ask<protocol::FetchResponse>(
        request_for(partition, 0, Isolation::read_committed, runtime::Duration(0), 1), fetch_version);
    const auto answer = co_await std::move(asking);
    const auto* data = answer ? only_partition(answer->body) : nullptr;
    if (data != nullptr) {
      log.last_stable = data->last_stable_offset;
      co_return log;
    }
    auto waiting = rest(caller.home(), 100ms);
    co_await std::move(waiting);
  }
}

}  // namespace klamm::simulation
