#include "client/sender.h"

#include <algorithm>
#include <limits>

#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

AccumulatorSettings accumulator_settings(const ProducerSettings& settings) {
  return {.batch_bytes = settings.batch_bytes,
          .memory_bytes = settings.memory_bytes,
          .request_bytes_max = settings.request_bytes_max,
          .linger = settings.linger,
          .retry_backoff = settings.retry_backoff,
          .retry_backoff_max = settings.retry_backoff_max,
          .delivery_timeout = settings.delivery_timeout,
          .compression = settings.compression,
          .adaptive_partitioning = settings.adaptive_partitioning,
          .order_by_muting = settings.in_flight_max == 1};
}

// The cache of the cluster is old: somebody else leads, or the topic was created anew.
bool tells_of_old_metadata(ErrorCode code) {
  switch (code) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::leader_not_available:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::replica_not_available:
    case ErrorCode::network_exception:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::listener_not_found:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::unknown_topic_id:
    case ErrorCode::inconsistent_topic_id:
      return true;
    default:
      return false;
  }
}

}  // namespace

Sender::Sender(Core& core, ProducerSettings settings)
    : core_(core),
      settings_(settings),
      log_(core.log().named("org.apache.kafka.clients.producer.internals.Sender",
                            fmt::format("[Producer clientId={}] ", core.settings().client_id))),
      accumulator_(accumulator_settings(settings), core.environment().random),
      sequences_(settings.transactions.has_value()),
      room_(core.reactor()),
      finished_(core.reactor()),
      tasks_(core.reactor()) {
  on_change_ = core_.on_change([this] { run_soon(); });
  if (!settings_.transactions) return;
  guarded_ = true;
  transactions_ = std::make_shared<TransactionSession>(core_, settings_, sequences_, [this] { transaction_changed(); });
  accumulator_.on_new_batch(
      [this](const TopicPartition& partition) { transactions_->machine().add_partition(partition); });
}

Sender::~Sender() {
  core_.remove_on_change(on_change_);
  if (armed()) core_.reactor().disarm(*this);
  for (const auto& request : requests_) {
    for (const ProducerBatchRef& batch : request->batches) {
      batch->failed([](std::int32_t) { return Error::of_kind(kinds::kafka, "Producer is closed forcefully."); });
    }
  }
  for (const ProducerBatchRef& batch : accumulator_.take_all()) {
    batch->failed([](std::int32_t) { return Error::of_kind(kinds::kafka, "Producer is closed forcefully."); });
  }
}

void Sender::run_soon() {
  run_at(core_.now());
}

void Sender::run_at(MonoTime at) {
  if (armed()) core_.reactor().disarm(*this);
  if (at != runtime::never) core_.reactor().arm(*this, at);
}

bool Sender::knows_topic(std::string_view topic, std::int32_t partition) const {
  const TopicInfo* info = core_.cluster().topic(topic);
  return info != nullptr && !info->partitions.empty() && partition < static_cast<std::int32_t>(info->partitions.size());
}

LeaderOf Sender::leader_of(const TopicPartition& partition) const {
  const PartitionInfo* info = core_.cluster().partition(partition.topic, partition.partition.value);
  return info == nullptr ? LeaderOf{} : LeaderOf{info->leader, info->leader_epoch};
}

const std::vector<LeaderOf>& Sender::leaders_of(std::string_view topic) {
  auto found = leaders_.find(topic);
  if (found == leaders_.end()) found = leaders_.emplace(std::string(topic), Leaders{}).first;
  Leaders& leaders = found->second;
  if (leaders.version != core_.cluster_version()) {
    leaders.by_partition.clear();
    for (const PartitionInfo& info : core_.cluster().topic(topic)->partitions) {
      leaders.by_partition.push_back({info.leader, info.leader_epoch});
    }
    leaders.version = core_.cluster_version();
  }
  return leaders.by_partition;
}

bool Sender::take(const RecordView& record, Delivered delivered) {
  if (guarded_) {
    if (const auto refused = refusal(record)) {
      if (delivered) delivered(*refused);
      return true;
    }
  }
  if (!knows_topic(record.topic, record.partition)) return false;

  std::vector<records::HeaderView> headers;
  headers.reserve(record.headers.size());
  for (const Header& header : record.headers) {
    headers.push_back({header.key, header.value ? std::optional(as_bytes(*header.value)) : std::nullopt});
  }
  records::RecordFields fields;
  fields.timestamp = record.timestamp >= 0 ? Timestamp(record.timestamp) : core_.environment().clock.wall();
  if (record.key) fields.key = as_bytes(*record.key);
  if (record.value) fields.value = as_bytes(*record.value);
  fields.headers = headers;
  const std::size_t size = records::batch_size_upper_bound(fields);
  const auto too_large = [&](std::string text) {
    const Error error = Error::of_kind(kinds::record_too_large, std::move(text));
    not_taken(error);
    if (delivered) delivered(error);
    return true;
  };
  if (size > settings_.request_bytes_max) {
    return too_large(
        fmt::format("The message is {} bytes when serialized which is larger than {}, which is the value of the "
                    "max.request.size configuration.",
                    size, settings_.request_bytes_max));
  }
  if (size > settings_.memory_bytes) {
    return too_large(
        fmt::format("The message is {} bytes when serialized which is larger than the total memory buffer you "
                    "have configured with the buffer.memory configuration.",
                    size));
  }

  const std::vector<LeaderOf>& leaders = leaders_of(record.topic);
  std::int32_t partition = record.partition;
  if (partition < 0 && record.key && !settings_.ignore_keys) {
    partition = partition_of_key(as_bytes(*record.key), static_cast<std::int32_t>(leaders.size()));
  }
  switch (accumulator_.append(record, fields, partition, leaders, std::move(delivered), core_.now())) {
    case Accumulator::Appended::taken:
      return true;
    case Accumulator::Appended::something_to_do:
      run_soon();
      return true;
    case Accumulator::Appended::no_memory:
      return false;
  }
  return false;
}

Task<Result<void>> Sender::wait_for_topic(std::string topic, std::int32_t partition, MonoTime deadline) {
  core_.watch_topic(topic, true);
  const MonoTime start = core_.now();
  while (!knows_topic(topic, partition)) {
    if (fatal_) co_return *fatal_;
    if (const TopicInfo* info = core_.cluster().topic(topic)) {
      if (info->error == ErrorCode::invalid_topic_exception) {
        log_.named("org.apache.kafka.clients.Metadata",
                   fmt::format("[Producer clientId={}] ", core_.settings().client_id))
            .error("Metadata response reported invalid topics [{}]", topic);
        co_return Error(info->error, fmt::format("Invalid topics: [{}]", topic));
      }
      if (info->error == ErrorCode::topic_authorization_failed) {
        co_return Error(info->error, fmt::format("Not authorized to access topics: [{}]", topic));
      }
    }
    if (core_.now() >= deadline) {
      const auto waited = std::chrono::round<std::chrono::milliseconds>(deadline - start).count();
      const TopicInfo* info = core_.cluster().topic(topic);
      co_return Error::of_kind(
          kinds::timeout,
          info != nullptr && !info->partitions.empty()
              ? fmt::format("Partition {} of topic {} with partition count {} is not present in metadata after {} ms.",
                            partition, topic, info->partitions.size(), waited)
              : fmt::format("Topic {} not present in metadata after {} ms.", topic, waited));
    }
    const Result<void> refreshed = co_await core_.wait_refresh(deadline);
    static_cast<void>(refreshed);  // looked at above: what counts is the topic
  }
  co_return Result<void>();
}

Task<Result<void>> Sender::wait_for_room(std::size_t bytes, MonoTime deadline) {
  struct Waiting {
    Sender& sender;
    explicit Waiting(Sender& s) : sender(s) { sender.accumulator_.set_exhausted(++sender.waiting_for_room_ > 0); }
    ~Waiting() { sender.accumulator_.set_exhausted(--sender.waiting_for_room_ > 0); }
  };
  if (accumulator_.fits(bytes)) co_return Result<void>();
  const Waiting waiting(*this);
  run_soon();
  while (!accumulator_.fits(bytes)) {
    if (fatal_) co_return *fatal_;
    if (!co_await room_.wait(deadline)) {
      const auto limit = std::chrono::round<std::chrono::milliseconds>(settings_.max_block).count();
      co_return Error::of_kind(
          "org.apache.kafka.clients.producer.BufferExhaustedException",
          fmt::format("Failed to allocate {} bytes within the configured max blocking time {} ms. Total "
                      "memory: {} bytes. Available memory: {} bytes.",
                      bytes, limit, settings_.memory_bytes,
                      settings_.memory_bytes - std::min(settings_.memory_bytes, accumulator_.memory_used())));
    }
  }
  co_return Result<void>();
}

// One look at everything: what can be sent is sent, what is too old fails, and the next look is scheduled.
void Sender::run() {
  const MonoTime now = core_.now();
  MonoTime next_look = runtime::never;
  if (transactions_) {
    next_look = run_transactions();
    if (fatal_) return;
  } else if (fatal_) {
    return;
  } else if (settings_.idempotent) {
    sequences_.resolve();
    if (!sequences_.producer().valid() && !obtaining_id_ && accumulator_.has_incomplete()) {
      obtaining_id_ = true;
      tasks_.start(obtain_producer_id());
    }
  }
  const auto leaders = [this](const TopicPartition& partition) { return leader_of(partition); };
  Accumulator::Ready ready = accumulator_.ready(leaders, now);
  for (const std::string& topic : ready.leaderless_topics) {
    core_.watch_topic(topic, true);
    core_.request_refresh();
  }
  next_look = std::min(next_look, ready.next_look);
  for (const std::int32_t node : ready.nodes) send_to(node, next_look);
  expire(now);
  run_at(std::exchange(look_again_, false) ? now : std::max(now, std::min(next_look, next_expiry())));
}

void Sender::send_to(std::int32_t node, MonoTime& next_look) {
  Link* link = core_.link(node);
  if (link == nullptr) return core_.request_refresh();
  if (!link->ready()) {
    link->connect();
    if (!link->connecting() && !link->ready()) {
      next_look = std::min(next_look, link->retry_at());
      core_.request_refresh();  // the leader may have moved away from a broker that is gone
    }
    return;
  }
  const auto leaders = [this](const TopicPartition& partition) { return leader_of(partition); };
  while (link->ready() && requests_in_flight_[node] < settings_.in_flight_max) {
    auto batches = accumulator_.drain(node, leaders, settings_.idempotent ? &sequences_ : nullptr, core_.now());
    if (batches.empty()) return;
    send(*link, std::move(batches));
  }
}

void Sender::send(Link& link, std::vector<ProducerBatchRef> batches) {
  using protocol::ProduceRequest;
  auto call = std::make_unique<Request>(*this, link.id());
  ProduceRequest request;
  request.acks = static_cast<std::int16_t>(settings_.acks);
  request.timeout_ms =
      static_cast<std::int32_t>(std::chrono::round<std::chrono::milliseconds>(settings_.request_timeout).count());
  std::vector<HeldPayload> payloads;
  bool all_ids_known = true;
  for (const ProducerBatchRef& batch : batches) {
    const std::string& name = batch->partition().topic;
    auto topic = std::ranges::find(request.topic_data, name, &ProduceRequest::TopicProduceData::name);
    if (topic == request.topic_data.end()) {
      const TopicInfo* info = core_.cluster().topic(name);
      const Uuid id = info == nullptr ? Uuid{} : info->id;
      all_ids_known = all_ids_known && !id.is_zero();
      call->names[id] = name;
      topic = request.topic_data.insert(
          topic, {.name = name, .topic_id = id, .partition_data = {}, .unknown_tagged_fields = {}});
    }
    topic->partition_data.push_back({.index = batch->partition().partition.value,
                                     .records = protocol::Payload::hole(batch->bytes().size(), payloads.size()),
                                     .unknown_tagged_fields = {}});
    payloads.push_back({batch->bytes(), batch});
    batch->in_flight = true;
  }
  // From version 13 on topics are named by id alone.
  std::int16_t version_max = all_ids_known ? ProduceRequest::max_version : std::int16_t{12};
  if (transactions_) {
    request.transactional_id = settings_.transactions->id;
    // What a later version produces belongs to the transaction by itself.
    if (!transactions_->machine().second_version()) version_max = std::min<std::int16_t>(version_max, 11);
  }
  const auto version =
      link.versions().latest_usable(ProduceRequest::api_key, {ProduceRequest::min_version, version_max});
  call->batches = std::move(batches);
  Result<OutgoingFrame> frame = Error();
  if (version) {
    call->version = *version;
    frame = encode_request(request, *version, core_.settings().client_id, payloads);
  } else {
    frame = Error(version.error().code, version.error().message);
  }
  Request& kept = *call;
  requests_.push_front(std::move(call));
  kept.self = requests_.begin();
  ++requests_in_flight_[kept.node];
  if (!frame) return answered(kept, frame.error());
  frame->expects_answer = settings_.acks != Acks::none;
  kept.connection = link.connection_number();
  link.connection().send(*std::move(frame), kept, core_.now() + settings_.request_timeout);
}

void Sender::answered(Request& request, Result<Answer> answer) {
  --requests_in_flight_[request.node];
  const auto self = request.self;
  if (!answer) {
    const bool timed_out = answer.error().code() == ErrorCode::request_timed_out;
    const bool lost = answer.error().code() == ErrorCode::network_exception;
    const std::string text = !timed_out && !lost ? answer.error().message()
                             : timed_out         ? fmt::format("Disconnected from node {} due to timeout", request.node)
                                                 : fmt::format("Disconnected from node {}", request.node);
    for (const ProducerBatchRef& batch : request.batches)
      complete(batch, {.code = answer.error().code(), .message = text});
  } else if (settings_.acks == Acks::none) {
    for (const ProducerBatchRef& batch : request.batches) complete(batch, {});
  } else {
    const auto reply = decode_answer<protocol::ProduceResponse>(*answer, request.version);
    if (reply) {
      read_response(request, reply->body);
    } else {
      for (const ProducerBatchRef& batch : request.batches) {
        complete(batch, {.code = reply.error().code(), .message = reply.error().message()});
      }
      core_.link(request.node)->not_understood(request.connection, reply.error());
    }
  }
  requests_.erase(self);
  run_soon();
}

void Sender::read_response(Request& request, const protocol::ProduceResponse& response) {
  std::vector<ProducerBatchRef> unanswered = request.batches;
  for (const auto& node : response.node_endpoints) {
    core_.learned_broker({node.node_id, node.host, node.port, node.rack});
  }
  for (const auto& topic : response.responses) {
    const auto known = request.names.find(topic.topic_id);
    const std::string& name = !topic.topic_id.is_zero() && known != request.names.end() ? known->second : topic.name;
    for (const auto& partition : topic.partition_responses) {
      const auto found = std::ranges::find_if(unanswered, [&](const ProducerBatchRef& batch) {
        return batch->partition().topic == name && batch->partition().partition.value == partition.index;
      });
      if (found == unanswered.end()) continue;
      PartitionAnswer answer{.code = error_code_of(partition.error_code),
                             .message = partition.error_message.value_or(""),
                             .base_offset = partition.base_offset,
                             .log_append_time = partition.log_append_time_ms,
                             .log_start_offset = partition.log_start_offset,
                             .record_errors = {}};
      for (const auto& record : partition.record_errors) {
        answer.record_errors.emplace_back(record.batch_index, record.batch_index_error_message.value_or(""));
      }
      if (partition.current_leader.leader_id >= 0 && partition.current_leader.leader_epoch >= 0) {
        core_.learned_leader(name, partition.index, partition.current_leader.leader_id,
                             partition.current_leader.leader_epoch);
      }
      const ProducerBatchRef batch = std::move(*found);
      unanswered.erase(found);
      complete(batch, std::move(answer));
    }
  }
  for (const ProducerBatchRef& batch : unanswered) {
    complete(batch,
             {.code = ErrorCode::unknown_server_error, .message = "The answer of the broker left the partition out."});
  }
}

void Sender::complete(const ProducerBatchRef& batch, PartitionAnswer answer) {
  batch->in_flight = false;
  if (accumulator_.settings().order_by_muting) accumulator_.unmute(batch->partition());
  if (batch->done()) return finish(*batch);  // it expired meanwhile
  if (answer.code == ErrorCode::none || answer.code == ErrorCode::duplicate_sequence_number) {
    // A duplicate is in the log since an earlier attempt; where, the broker no longer knows.
    return succeed(*batch, answer);
  }
  if (answer.code == ErrorCode::message_too_large && batch->record_count() > 1) return split(batch);

  const std::string shown = answer.message.empty()
                                ? std::string(error_name(answer.code))
                                : fmt::format("{}. Error Message: {}", error_name(answer.code), answer.message);
  if (may_retry(*batch, answer)) {
    log_.warn("Got error produce response on topic-partition {}, retrying ({} attempts left). Error: {}",
              batch->partition().to_string(), settings_.retries - batch->attempts() - 1, shown);
    accumulator_.enqueue_again(batch, settings_.idempotent, core_.now());
  } else {
    fail(*batch, answer, batch->attempts() < settings_.retries);
  }
  if (tells_of_old_metadata(answer.code)) core_.request_refresh();
}

bool Sender::may_retry(const ProducerBatch& batch, const PartitionAnswer& answer) {
  if (fatal_) return false;
  if (core_.now() - batch.created() >= settings_.delivery_timeout || batch.attempts() >= settings_.retries)
    return false;
  if (!settings_.idempotent) return is_retriable(answer.code);
  return sequences_.may_retry(batch.partition(), batch.sequence, {answer.code, answer.log_start_offset});
}

void Sender::succeed(ProducerBatch& batch, const PartitionAnswer& answer) {
  const std::int64_t offset = answer.code == ErrorCode::none ? answer.base_offset : -1;
  if (settings_.idempotent) sequences_.completed(batch.partition(), batch.sequence, offset);
  batch.succeeded(offset, answer.log_append_time);
  finish(batch);
}

void Sender::fail(ProducerBatch& batch, const PartitionAnswer& answer, bool never_appended) {
  not_taken(answer.code == ErrorCode::topic_authorization_failed
                ? Error(answer.code, fmt::format("Not authorized to access topics: [{}]", batch.partition().topic))
                : Error(answer.code, answer.message));
  // After a fatal error batches are gone that the numbers still tell of.
  if (settings_.idempotent && !fatal_) {
    sequences_.failed(batch.partition(), batch.sequence, answer.code, never_appended);
  }
  const auto error_of = [&](std::int32_t index) {
    if (answer.code == ErrorCode::topic_authorization_failed) {
      return Error(answer.code, fmt::format("Not authorized to access topics: [{}]", batch.partition().topic));
    }
    if (answer.code == ErrorCode::cluster_authorization_failed) {
      return Error(answer.code, "The producer is not authorized to do idempotent sends");
    }
    if (answer.record_errors.empty()) return Error(answer.code, answer.message);
    for (const auto& [at, text] : answer.record_errors) {
      if (at != index) continue;
      const std::string& shown = !text.empty() ? text : answer.message;
      // One bad record: the batch's code is about it. Several: the code cannot say which of them it means.
      return Error(answer.record_errors.size() == 1 ? answer.code : ErrorCode::invalid_record, shown);
    }
    return Error::of_kind(
        kinds::kafka, "Failed to append record because it was part of a batch which had one more more invalid records");
  };
  batch.failed(error_of);
  finish(batch);
  const Error whole(answer.code, answer.message);
  if (settings_.idempotent && !transactions_ && whole.fatal()) fail_everything(whole);
}

void Sender::finish(ProducerBatch& batch) {
  accumulator_.release(batch);
  room_.notify();
  finished_.notify();
}

void Sender::split(const ProducerBatchRef& batch) {
  log_.warn("Got error produce response on topic-partition {}, splitting and retrying ({} attempts left). Error: {}",
            batch->partition().to_string(), settings_.retries - batch->attempts(),
            error_name(ErrorCode::message_too_large));
  if (settings_.idempotent) sequences_.forget(batch->partition(), batch->sequence);
  for (const ProducerBatchRef& piece : accumulator_.split(batch, core_.now())) {
    if (settings_.idempotent) sequences_.adopt(piece->partition(), piece->sequence);
  }
  finish(*batch);
}

void Sender::expire(MonoTime now) {
  for (const ProducerBatchRef& batch : accumulator_.take_expired(now)) {
    expire(*batch, now);
    finish(*batch);
  }
  for (const auto& request : requests_) {
    for (const ProducerBatchRef& batch : request->batches) {
      // Its bytes may still be on their way: the memory comes back with the answer.
      if (!batch->done() && now - batch->created() >= settings_.delivery_timeout) expire(*batch, now);
    }
  }
}

void Sender::expire(ProducerBatch& batch, MonoTime now) {
  const auto waited = std::chrono::round<std::chrono::milliseconds>(now - batch.created()).count();
  const std::string text = fmt::format(
      "Expiring {} record(s) for {}:{} ms has passed since batch creation. The request has not been sent, or no server "
      "response "
      "has been received yet.",
      batch.record_count(), batch.partition().to_string(), waited);
  if (settings_.idempotent && batch.sequence.assigned()) {
    // Sent once and never answered: the broker has it or not, so nothing new goes out until that is settled.
    sequences_.unresolved(batch.partition(), batch.sequence);
    sequences_.forget(batch.partition(), batch.sequence);
  }
  batch.failed([&](std::int32_t) { return Error::of_kind(kinds::timeout, text); });
  not_taken(Error::of_kind(kinds::timeout, text));
}

MonoTime Sender::next_expiry() const {
  MonoTime next = accumulator_.next_expiry();
  for (const auto& request : requests_) {
    for (const ProducerBatchRef& batch : request->batches) {
      if (!batch->done()) next = std::min(next, batch->created() + settings_.delivery_timeout);
    }
  }
  return next;
}

void Sender::fail_everything(const Error& error) {
  if (fatal_) return;
  fatal_ = error;
  guarded_ = true;
  for (const ProducerBatchRef& batch : accumulator_.take_all()) {
    batch->failed([&](std::int32_t) { return error; });
    finish(*batch);
  }
}

Task<void> Sender::obtain_producer_id() {
  protocol::InitProducerIdRequest request;
  request.transactional_id.reset();
  request.transaction_timeout_ms = std::numeric_limits<std::int32_t>::max();
  Backoff pause = core_.backoff();
  for (;;) {
    const MonoTime deadline = core_.now() + settings_.request_timeout;
    const auto reply = co_await core_.call<protocol::InitProducerIdResponse>(Target::any(), request, deadline);
    const Error error = reply ? Error(error_code_of(reply->body.error_code)) : reply.error();
    if (reply && error.code() == ErrorCode::none) {
      sequences_.set_producer({reply->body.producer_id, reply->body.producer_epoch});
      log_.info("ProducerId set to {} with epoch {}", reply->body.producer_id, reply->body.producer_epoch);
      break;
    }
    if (!error.retriable() && error.code() != ErrorCode::request_timed_out) {
      fail_everything(error);
      break;
    }
    co_await finished_.wait(core_.now() + pause.next());
  }
  obtaining_id_ = false;
  run_soon();
}

Task<Result<void>> Sender::flush() {
  struct Flushing {
    Accumulator& accumulator;
    explicit Flushing(Accumulator& a) : accumulator(a) { accumulator.begin_flush(); }
    ~Flushing() { accumulator.end_flush(); }
  };
  const std::uint64_t last = accumulator_.last_serial();
  const Flushing flushing(accumulator_);
  run_soon();
  while (accumulator_.incomplete_up_to(last)) co_await finished_.wait(runtime::never);
  co_return Result<void>();
}

Task<void> Sender::close(MonoTime deadline) {
  accumulator_.close();
  run_soon();
  while (accumulator_.has_incomplete() && co_await finished_.wait(deadline)) {
  }
  if (transactions_) {
    co_await transactions_->close(deadline);
    transactions_->end();
  }
  fail_everything(Error::of_kind(kinds::kafka, "Producer is closed forcefully."));
  for (const auto& request : requests_) {
    for (const ProducerBatchRef& batch : request->batches) {
      batch->failed([](std::int32_t) { return Error::of_kind(kinds::kafka, "Producer is closed forcefully."); });
    }
  }
}

}  // namespace klamm::client
