#include "client/accumulator.h"

#include <algorithm>
#include <cmath>

#include "records/record_reader.h"

namespace klamm::client {

using runtime::Duration;
using runtime::MonoTime;

bool ProducerBatch::has_room(const records::RecordFields& fields, std::size_t batch_bytes, double ratio) const {
  if (closed_) return false;
  if (record_count_ == 0) return true;
  return static_cast<double>(builder_.plain_bytes_after(fields)) * ratio <= static_cast<double>(batch_bytes);
}

void ProducerBatch::append(const records::RecordFields& fields, Delivered delivered) {
  builder_.append(fields);
  records_.push_back({std::move(delivered), fields.timestamp.value});
  plain_bytes_ = builder_.plain_bytes();
  ++record_count_;
}

void ProducerBatch::close(records::Compressor& compressor) {
  if (closed_) return;
  bytes_ = builder_.take(compressor);
  sequence.records = record_count_;
  closed_ = true;
}

void ProducerBatch::stamp(const BatchSequence& numbers) {
  records::MutableRecordBatch batch{MutableBytes(bytes_)};
  batch.set_producer_state(ProducerId(numbers.producer.id), ProducerEpoch(numbers.producer.epoch), numbers.base,
                           numbers.transactional);
}

void ProducerBatch::succeeded(std::int64_t base_offset, std::int64_t log_append_time) {
  if (done_) return;
  done_ = true;
  std::int64_t offset = base_offset;
  for (Record& record : std::exchange(records_, {})) {
    if (!record.delivered) continue;
    record.delivered(Produced{.partition = partition_.partition.value,
                              .offset = base_offset < 0 ? -1 : offset++,
                              .timestamp = log_append_time == -1 ? record.timestamp : log_append_time});
  }
}

void ProducerBatch::failed(const std::function<Error(std::int32_t)>& error_of) {
  if (done_) return;
  done_ = true;
  std::int32_t index = 0;
  for (Record& record : std::exchange(records_, {})) {
    const std::int32_t at = index++;
    if (record.delivered) record.delivered(error_of(at).about(partition_.topic, partition_.partition.value));
  }
}

Accumulator::Accumulator(AccumulatorSettings settings, runtime::Random& random)
    : settings_(settings), random_(random) {}

Accumulator::Topic& Accumulator::topic_of(std::string_view name, std::size_t partitions) {
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    const auto sticky = static_cast<std::int32_t>(std::clamp<std::size_t>(settings_.batch_bytes, 1, 1 << 30));
    found = topics_.emplace(std::string(name), Topic{{}, StickyPartitioner(sticky)}).first;
  }
  if (found->second.queues.size() < partitions) found->second.queues.resize(partitions);
  return found->second;
}

Accumulator::Queue* Accumulator::find_queue(const TopicPartition& partition) {
  const auto found = topics_.find(partition.topic);
  if (found == topics_.end()) return nullptr;
  const auto index = static_cast<std::size_t>(partition.partition.value);
  return index < found->second.queues.size() ? &found->second.queues[index] : nullptr;
}

double Accumulator::ratio_of(std::string_view topic) const {
  if (settings_.compression.type == records::CompressionType::none) return 1.0;
  const auto found = compression_ratio_.find(topic);
  return found == compression_ratio_.end() ? 1.0 : found->second;
}

std::int32_t Accumulator::choose_partition(Topic& topic, std::span<const LeaderOf> leaders) {
  std::vector<PartitionLoad> available;
  for (std::size_t i = 0; i < leaders.size(); ++i) {
    if (leaders[i].node < 0) continue;
    // Without adaptive partitioning all queues count as equally long.
    const std::size_t waiting = settings_.adaptive_partitioning ? topic.queues[i].batches.size() : 0;
    available.push_back({static_cast<std::int32_t>(i), static_cast<std::int32_t>(waiting)});
  }
  return topic.partitioner.choose(available, static_cast<std::int32_t>(leaders.size()), random_);
}

namespace {

// Only the last batch can still take records.
bool all_full(const std::deque<ProducerBatchRef>& batches, std::size_t batch_bytes, double ratio) {
  return batches.empty() || batches.back()->closed() || batches.back()->estimated_bytes(ratio) >= batch_bytes;
}

}  // namespace

Accumulator::Appended Accumulator::append(const RecordView& record, const records::RecordFields& fields,
                                          std::int32_t partition, std::span<const LeaderOf> leaders,
                                          Delivered delivered, MonoTime now) {
  Topic& topic = topic_of(record.topic, leaders.size());
  const double ratio = ratio_of(record.topic);
  const bool sticky = partition < 0;
  if (sticky) {
    partition = topic.partitioner.current();
    if (partition >= 0) {
      const auto& queued = topic.queues[static_cast<std::size_t>(partition)].batches;
      topic.partitioner.appended(0, all_full(queued, settings_.batch_bytes, ratio));
      partition = topic.partitioner.current();
    }
    if (partition < 0) partition = choose_partition(topic, leaders);
  }
  Queue& queue = topic.queues[static_cast<std::size_t>(partition)];

  ProducerBatch* last = queue.batches.empty() ? nullptr : queue.batches.back().get();
  if (!fits(records::batch_size_upper_bound(fields))) return Appended::no_memory;
  const bool fresh = last == nullptr || !last->has_room(fields, settings_.batch_bytes, ratio);
  if (fresh) {
    if (last != nullptr) closed(*last);
    const records::BatchOptions options{.compression = settings_.compression};
    TopicPartition name{std::string(record.topic), PartitionIndex(partition)};
    queue.batches.push_back(std::make_shared<ProducerBatch>(std::move(name), options, now));
    last = queue.batches.back().get();
    last->serial = next_serial_++;
    incomplete_.insert(last->serial);
    if (began_) began_(last->partition());
  }
  const std::size_t before = last->plain_bytes();
  last->append(fields, std::move(delivered));
  const std::size_t added = last->plain_bytes() - before;
  last->reserved_bytes += added;
  memory_used_ += added;
  const bool full = all_full(queue.batches, settings_.batch_bytes, ratio);
  if (sticky) topic.partitioner.appended(static_cast<std::int32_t>(added), full);
  return fresh || full ? Appended::something_to_do : Appended::taken;
}

// Compresses and remembers how well that went: batches of a topic resemble one another. Worse results are believed at
// once, better ones slowly, because an optimistic guess makes batches too large.
void Accumulator::closed(ProducerBatch& batch) {
  if (batch.closed()) return;
  batch.close(compressor_);
  if (settings_.compression.type == records::CompressionType::none || batch.plain_bytes() == 0) return;
  const double seen = static_cast<double>(batch.bytes().size()) / static_cast<double>(batch.plain_bytes());
  double& ratio = compression_ratio_.emplace(batch.partition().topic, 1.0).first->second;
  ratio = seen > ratio ? std::max(ratio + 0.05, seen) : std::max(ratio - 0.005, seen);
}

Duration Accumulator::backoff_after(int attempts) const {
  const double factor = std::pow(2.0, std::min(std::max(attempts - 1, 0), 30));
  const double wanted = static_cast<double>(settings_.retry_backoff.count()) * factor;
  const double jittered = wanted * (0.8 + 0.4 * static_cast<double>(random_.next() % 1000) / 1000.0);
  return Duration(
      static_cast<std::int64_t>(std::min(jittered, static_cast<double>(settings_.retry_backoff_max.count()))));
}

// A batch that failed waits, unless the leader it failed at has been replaced meanwhile.
bool Accumulator::backs_off(const ProducerBatch& batch, LeaderOf leader, MonoTime now, MonoTime& until) const {
  if (!batch.in_retry() || !batch.last_attempt) return false;
  if (leader.epoch >= 0 && batch.leader_epoch >= 0 && leader.epoch > batch.leader_epoch) return false;
  until = batch.retry_at;
  return now < until;
}

bool Accumulator::sendable(const Queue& queue, MonoTime now, MonoTime& next_look) const {
  const ProducerBatch& first = *queue.batches.front();
  if (first.in_retry() || queue.batches.size() > 1 || exhausted_ || closed_ || flushes_ > 0) return true;
  if (first.closed() || first.estimated_bytes(ratio_of(first.partition().topic)) >= settings_.batch_bytes) return true;
  const MonoTime lingers_until = first.created() + settings_.linger;
  if (now >= lingers_until) return true;
  next_look = std::min(next_look, lingers_until);
  return false;
}

Accumulator::Ready Accumulator::ready(const Leaders& leaders, MonoTime now) const {
  Ready result;
  for (const auto& [name, topic] : topics_) {
    for (const Queue& queue : topic.queues) {
      if (queue.batches.empty() || queue.muted) continue;
      const ProducerBatch& first = *queue.batches.front();
      const LeaderOf leader = leaders(first.partition());
      if (leader.node < 0) {
        if (result.leaderless_topics.empty() || result.leaderless_topics.back() != name) {
          result.leaderless_topics.push_back(name);
        }
        continue;
      }
      MonoTime until{};
      if (backs_off(first, leader, now, until)) {
        result.next_look = std::min(result.next_look, until);
        continue;
      }
      if (sendable(queue, now, result.next_look) &&
          std::ranges::find(result.nodes, leader.node) == result.nodes.end()) {
        result.nodes.push_back(leader.node);
      }
    }
  }
  return result;
}

std::vector<ProducerBatchRef> Accumulator::drain(std::int32_t node, const Leaders& leaders, Sequences* sequences,
                                                 MonoTime now) {
  std::vector<std::pair<Queue*, LeaderOf>> queues;
  for (auto& [name, topic] : topics_) {
    for (Queue& queue : topic.queues) {
      if (queue.batches.empty() || queue.muted) continue;
      const LeaderOf leader = leaders(queue.batches.front()->partition());
      if (leader.node == node) queues.emplace_back(&queue, leader);
    }
  }
  std::vector<ProducerBatchRef> taken;
  if (queues.empty()) return taken;

  // Starts where the last request to this node stopped, so that no partition starves.
  std::size_t& next = next_partition_of_node_[node];
  next %= queues.size();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < queues.size(); ++i) {
    auto& [queue, leader] = queues[next];
    ProducerBatchRef batch = queue->batches.front();
    MonoTime until{};
    if (backs_off(*batch, leader, now, until) || !sendable(*queue, now, until)) {
      next = (next + 1) % queues.size();
      continue;
    }
    if (sequences != nullptr) {
      const bool first = !batch->sequence.assigned();
      const bool allowed = sequences->may_send(batch->partition()) &&
                           (first ? sequences->may_assign(batch->partition())
                                  : sequences->may_resend(batch->partition(), batch->sequence));
      if (!allowed) {
        next = (next + 1) % queues.size();
        continue;
      }
    }
    // One batch may be larger than a request; it then travels alone.
    const std::size_t size = batch->estimated_bytes(ratio_of(batch->partition().topic));
    if (!taken.empty() && bytes + size > settings_.request_bytes_max) break;

    queue->batches.pop_front();
    closed(*batch);
    if (sequences != nullptr) {
      if (!batch->sequence.assigned()) sequences->assign(batch->partition(), batch->sequence);
      batch->stamp(batch->sequence);
    }
    if (settings_.order_by_muting) queue->muted = true;
    batch->leader_epoch = leader.epoch;
    bytes += batch->bytes().size();
    taken.push_back(std::move(batch));
    next = (next + 1) % queues.size();
  }
  return taken;
}

void Accumulator::enqueue_again(ProducerBatchRef batch, bool idempotent, MonoTime now) {
  batch->sent_again(now);
  batch->retry_at = now + backoff_after(batch->attempts());
  Queue* queue = find_queue(batch->partition());
  ENSURE(queue != nullptr);
  auto at = queue->batches.begin();
  if (idempotent) {
    while (at != queue->batches.end() && (*at)->sequence.assigned() && (*at)->sequence.base < batch->sequence.base)
      ++at;
  }
  queue->batches.insert(at, std::move(batch));
}

std::vector<ProducerBatchRef> Accumulator::split(const ProducerBatchRef& batch, MonoTime now) {
  std::vector<ProducerBatchRef> pieces;
  if (batch->record_count() < 2 || batch->done()) return pieces;
  const std::size_t target = std::max<std::size_t>(1, std::min(settings_.batch_bytes, batch->bytes().size() / 2));
  records::Decompressor decompressor;
  records::RecordReader reader{records::RecordBatchView(batch->bytes()), decompressor};
  std::size_t index = 0;
  std::vector<records::HeaderView> headers;
  while (reader.next()) {
    const records::RecordView& record = reader.record();
    headers.assign(record.headers.begin(), record.headers.end());
    const records::RecordFields fields{record.timestamp, record.nullable_key(), record.nullable_value(), headers};
    Delivered delivered = std::move(batch->records_[index++].delivered);
    if (pieces.empty() || !pieces.back()->has_room(fields, target, 1.0)) {
      const records::BatchOptions options{.compression = settings_.compression};
      pieces.push_back(std::make_shared<ProducerBatch>(batch->partition(), options, batch->created()));
    }
    pieces.back()->append(fields, std::move(delivered));
  }
  ENSURE(reader.ok(), "a batch of our own cannot be read");

  compression_ratio_[batch->partition().topic] = 1.0;
  Queue* queue = find_queue(batch->partition());
  std::int32_t base = batch->sequence.base;
  for (const ProducerBatchRef& piece : pieces) {
    closed(*piece);
    piece->reserved_bytes = piece->plain_bytes();
    memory_used_ += piece->reserved_bytes;
    piece->serial = batch->serial;
    incomplete_.insert(piece->serial);
    if (batch->sequence.assigned()) {
      piece->sequence = batch->sequence;
      piece->sequence.records = piece->record_count();
      piece->sequence.base = base;
      base = records::increment_sequence(base, piece->record_count());
    }
    piece->attempts_ = batch->attempts_;
    piece->last_attempt = now;
  }
  auto at = queue->batches.begin();
  while (at != queue->batches.end() && (*at)->sequence.assigned() && (*at)->sequence.base < batch->sequence.base) ++at;
  queue->batches.insert(at, pieces.begin(), pieces.end());
  batch->done_ = true;
  return pieces;
}

void Accumulator::unmute(const TopicPartition& partition) {
  if (Queue* queue = find_queue(partition)) queue->muted = false;
}

void Accumulator::release(ProducerBatch& batch) {
  memory_used_ -= std::exchange(batch.reserved_bytes, 0);
  if (const auto found = incomplete_.find(batch.serial); found != incomplete_.end()) incomplete_.erase(found);
  batch.serial = 0;
}

std::vector<ProducerBatchRef> Accumulator::take_expired(MonoTime now) {
  std::vector<ProducerBatchRef> expired;
  for (auto& [name, topic] : topics_) {
    for (Queue& queue : topic.queues) {
      while (!queue.batches.empty() && now - queue.batches.front()->created() >= settings_.delivery_timeout) {
        closed(*queue.batches.front());
        expired.push_back(std::move(queue.batches.front()));
        queue.batches.pop_front();
      }
    }
  }
  return expired;
}

std::vector<ProducerBatchRef> Accumulator::take_all() {
  std::vector<ProducerBatchRef> all;
  for (auto& [name, topic] : topics_) {
    for (Queue& queue : topic.queues) {
      std::ranges::move(queue.batches, std::back_inserter(all));
      queue.batches.clear();
    }
  }
  return all;
}

std::vector<ProducerBatchRef> Accumulator::take_unsent() {
  std::vector<ProducerBatchRef> unsent;
  for (auto& [name, topic] : topics_) {
    for (Queue& queue : topic.queues) {
      std::deque<ProducerBatchRef> sent;
      for (ProducerBatchRef& batch : queue.batches) {
        if (batch->sequence.assigned()) {
          sent.push_back(std::move(batch));
        } else {
          unsent.push_back(std::move(batch));
        }
      }
      queue.batches = std::move(sent);
    }
  }
  return unsent;
}

std::int32_t Accumulator::sticky_partition(std::string_view name, std::span<const LeaderOf> leaders) {
  Topic& topic = topic_of(name, leaders.size());
  const std::int32_t current = topic.partitioner.current();
  return current >= 0 ? current : choose_partition(topic, leaders);
}

MonoTime Accumulator::next_expiry() const {
  MonoTime next = runtime::never;
  for (const auto& [name, topic] : topics_) {
    for (const Queue& queue : topic.queues) {
      if (!queue.batches.empty()) next = std::min(next, queue.batches.front()->created() + settings_.delivery_timeout);
    }
  }
  return next;
}

}  // namespace klamm::client
