#include "client/fetcher.h"

#include <algorithm>

#include "client/offset_lookup.h"
#include "protocol/messages/fetch.h"
#include "records/control_record.h"

namespace klamm::client {

using protocol::FetchRequest;
using protocol::FetchResponse;
using runtime::MonoTime;
using runtime::Task;

std::vector<Header> Record::headers() const {
  std::vector<Header> result;
  for (const records::HeaderView& header : records::Headers(as_bytes(header_bytes_), header_count_)) {
    result.push_back({header.key, header.value ? std::optional(as_text(*header.value)) : std::nullopt});
  }
  return result;
}

Fetcher::Fetcher(Core& core, ConsumerSettings settings)
    : core_(core),
      settings_(std::move(settings)),
      log_(core.log().named("org.apache.kafka.clients.consumer.internals.FetchCollector",
                            fmt::format("[Consumer clientId={}, groupId={}] ", core.settings().client_id,
                                        settings_.group ? settings_.group->id : "null"))),
      progress_(core.reactor()),
      tasks_(core.reactor()) {
  on_change_ = core_.on_change([this] { progress_.notify(); });
}

Fetcher::~Fetcher() {
  core_.remove_on_change(on_change_);
}

void Fetcher::add(const TopicPartition& partition, bool hold) {
  Partition fresh;
  fresh.held = hold;
  fresh.topic = partition.topic;
  fresh.reset = settings_.reset;
  fresh.generation = next_generation_++;
  partitions_.emplace(partition, std::move(fresh));
}

void Fetcher::remove(const TopicPartition& partition) {
  partitions_.erase(partition);
  std::erase_if(fetched_, [&](const Fetched& each) { return each.name == partition; });
}

void Fetcher::assign(const std::set<TopicPartition>& wanted, bool hold) {
  for (auto at = partitions_.begin(); at != partitions_.end();) {
    const TopicPartition name = (at++)->first;
    if (!wanted.contains(name)) remove(name);
  }
  for (const TopicPartition& partition : wanted) {
    if (!partitions_.contains(partition)) add(partition, hold);
    core_.watch_topic(partition.topic, settings_.allow_auto_create);
  }
  progress_.notify();
}

void Fetcher::start(const TopicPartition& name, std::optional<std::int64_t> offset) {
  const auto found = partitions_.find(name);
  if (found == partitions_.end() || !found->second.held) return;  // meanwhile taken away, or moved by seek()
  found->second.held = false;
  if (offset) found->second.position = found->second.fetch_from = *offset;
  progress_.notify();
}

std::set<TopicPartition> Fetcher::held() const {
  std::set<TopicPartition> names;
  for (const auto& [name, partition] : partitions_) {
    if (partition.held) names.insert(name);
  }
  return names;
}

std::map<TopicPartition, std::int64_t> Fetcher::positions() const {
  std::map<TopicPartition, std::int64_t> positions;
  for (const auto& [name, partition] : partitions_) {
    if (partition.position >= 0) positions.emplace(name, partition.position);
  }
  return positions;
}

void Fetcher::follow(std::vector<std::string> topics) {
  followed_ = std::move(topics);
  for (const std::string& topic : followed_) core_.watch_topic(topic, settings_.allow_auto_create);
}

void Fetcher::follow_matching(std::function<bool(std::string_view)> matches) {
  matches_ = std::move(matches);
  core_.watch_all_topics();
  core_.request_refresh();
}

void Fetcher::update_followed() {
  if ((followed_.empty() && !matches_) || followed_version_ == core_.cluster_version()) return;
  followed_version_ = core_.cluster_version();
  std::set<TopicPartition> wanted;
  const auto want = [&](const TopicInfo& topic) {
    for (const PartitionInfo& info : topic.partitions) wanted.insert({topic.name, PartitionIndex(info.partition)});
  };
  for (const std::string& name : followed_) {
    if (const TopicInfo* topic = core_.cluster().topic(name)) want(*topic);
  }
  if (matches_) {
    for (const auto& [name, topic] : core_.cluster().topics()) {
      if (matches_(name)) want(topic);
    }
  }
  assign(wanted);
}

void Fetcher::seek(const TopicPartition& name, std::int64_t offset) {
  const auto found = partitions_.find(name);
  if (found == partitions_.end()) return;
  found->second.held = false;
  found->second.position = found->second.fetch_from = offset;
  found->second.generation = next_generation_++;
  progress_.notify();
}

void Fetcher::reset(const TopicPartition& name, OffsetReset::Kind to) {
  const auto found = partitions_.find(name);
  if (found == partitions_.end()) return;
  found->second.held = false;
  found->second.position = found->second.fetch_from = -1;
  found->second.reset.kind = to;
  found->second.generation = next_generation_++;
  progress_.notify();
}

void Fetcher::pause(const TopicPartition& name, bool paused) {
  const auto found = partitions_.find(name);
  if (found != partitions_.end()) found->second.paused = paused;
  progress_.notify();
}

void Fetcher::look_up_positions() {
  std::map<TopicPartition, std::int64_t> timestamps;
  std::string undefined;
  for (auto& [name, partition] : partitions_) {
    if (partition.position >= 0 || partition.looking_up || partition.held) continue;
    switch (partition.reset.kind) {
      case OffsetReset::Kind::earliest:
        timestamps[name] = special_timestamp::earliest;
        break;
      case OffsetReset::Kind::latest:
        timestamps[name] = special_timestamp::latest;
        break;
      case OffsetReset::Kind::by_duration:
        timestamps[name] = core_.environment().clock.wall().value -
                           std::chrono::duration_cast<std::chrono::milliseconds>(partition.reset.back).count();
        break;
      case OffsetReset::Kind::none:
        if (!undefined.empty()) undefined += ", ";
        undefined += name.to_string();
        continue;
    }
    partition.looking_up = true;
  }
  if (!undefined.empty() && errors_.empty()) {
    errors_.push_back(Error::of_kind(
        kinds::no_offset, fmt::format("Undefined offset with no reset policy for partitions: [{}]", undefined)));
  }
  if (!timestamps.empty()) tasks_.start(look_up(std::move(timestamps)));
}

Task<void> Fetcher::look_up(std::map<TopicPartition, std::int64_t> timestamps) {
  std::map<TopicPartition, std::uint64_t> generations;
  for (const auto& [name, timestamp] : timestamps) generations[name] = partitions_.at(name).generation;
  const MonoTime deadline = core_.now() + settings_.request_timeout;
  const auto found = co_await look_up_offsets(core_, timestamps, settings_.isolation, deadline);
  std::map<TopicPartition, std::int64_t> at_end;  // no record is that young: the end it is
  for (const auto& [name, result] : found) {
    const auto at = partitions_.find(name);
    if (at == partitions_.end()) continue;
    Partition& partition = at->second;
    partition.looking_up = false;
    if (partition.generation != generations[name] || partition.position >= 0) continue;
    if (result.error) {
      if (!result.error->retriable()) errors_.push_back(Error(*result.error).about(name.topic, name.partition.value));
      continue;
    }
    if (result.offset < 0) {
      partition.reset.kind = OffsetReset::Kind::latest;
      continue;
    }
    partition.position = partition.fetch_from = result.offset;
    partition.reset = settings_.reset;
  }
  progress_.notify();
}

Task<Result<std::int64_t>> Fetcher::position(TopicPartition name, MonoTime deadline) {
  for (;;) {
    const auto found = partitions_.find(name);
    if (found == partitions_.end()) {
      co_return Error::of_kind(kinds::illegal_state,
                               "You can only check the position for partitions assigned to this consumer.");
    }
    if (found->second.position >= 0) co_return found->second.position;
    look_up_positions();
    if (!errors_.empty()) {
      const Error error = errors_.front();
      errors_.pop_front();
      co_return error;
    }
    if (!co_await progress_.wait(deadline)) {
      co_return Error::of_kind(
          kinds::timeout,
          fmt::format("Timeout of {}ms expired before the position for partition {} could be determined",
                      std::chrono::round<std::chrono::milliseconds>(settings_.default_api_timeout).count(),
                      name.to_string()));
    }
  }
}

void Fetcher::wake_up() {
  woken_ = true;
  progress_.notify();
}

std::optional<Error> Fetcher::topic_error(const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    const TopicInfo* info = core_.cluster().topic(topic);
    if (info != nullptr && info->error == ErrorCode::invalid_topic_exception) {
      log_.named("org.apache.kafka.clients.Metadata",
                 fmt::format("[Consumer clientId={}, groupId={}] ", core_.settings().client_id,
                             settings_.group ? settings_.group->id : "null"))
          .error("Metadata response reported invalid topics [{}]", topic);
      return Error(info->error, fmt::format("Invalid topics: [{}]", topic));
    }
    if (info != nullptr && info->error == ErrorCode::topic_authorization_failed) {
      return Error(info->error, fmt::format("Not authorized to access topics: [{}]", topic));
    }
    if (info == nullptr || info->partitions.empty()) core_.request_refresh();
  }
  return std::nullopt;
}

Task<Result<Batch>> Fetcher::poll(MonoTime deadline) {
  for (;;) {
    update_followed();
    Batch batch;
    const Result<void> collected = collect(batch);
    look_up_positions();
    send_fetches();
    if (!batch.empty()) co_return std::move(batch);
    if (!collected) co_return collected.error();
    if (!errors_.empty()) {
      const Error error = errors_.front();
      errors_.pop_front();
      co_return error;
    }
    if (const auto error = topic_error(followed_)) co_return *error;
    if (core_.now() >= deadline || std::exchange(woken_, false)) co_return std::move(batch);
    MonoTime look_again = deadline;
    for (const auto& [name, partition] : partitions_) {
      if (partition.retry_at > core_.now()) look_again = std::min(look_again, partition.retry_at);
    }
    for (const auto& [id, node] : nodes_) {
      if (node.retry_at > core_.now()) look_again = std::min(look_again, node.retry_at);
    }
    co_await progress_.wait(look_again);
  }
}

std::int32_t Fetcher::node_for(const TopicPartition& name, Partition& partition) {
  if (partition.preferred_replica >= 0) {
    if (core_.now() < partition.preferred_until && core_.cluster().brokers().contains(partition.preferred_replica)) {
      return partition.preferred_replica;
    }
    partition.preferred_replica = -1;
  }
  const PartitionInfo* info = core_.cluster().partition(name.topic, name.partition.value);
  return info == nullptr ? -1 : info->leader;
}

void Fetcher::send_fetches() {
  const MonoTime now = core_.now();
  std::map<std::int32_t, std::vector<std::pair<TopicPartition, FetchPosition>>> by_node;
  bool leaderless = false;
  // Starts behind the partition that was first last time, so that each comes first in its turn.
  auto at = partitions_.upper_bound(last_first_);
  for (std::size_t i = 0; i < partitions_.size(); ++i, ++at) {
    if (at == partitions_.end()) at = partitions_.begin();
    auto& [name, partition] = *at;
    if (partition.paused || partition.fetch_from < 0 || partition.retry_at > now) continue;
    const std::int32_t node = node_for(name, partition);
    if (node < 0) {
      leaderless = true;
      continue;
    }
    const TopicInfo* topic = core_.cluster().topic(name.topic);
    const PartitionInfo* info = core_.cluster().partition(name.topic, name.partition.value);
    by_node[node].emplace_back(
        name, FetchPosition{topic->id, partition.fetch_from, info->leader_epoch, settings_.partition_bytes_max});
  }
  if (leaderless) core_.request_refresh();
  for (auto& [id, wanted] : by_node) {
    Node& node = nodes_[id];
    node.id = id;
    if (node.request != nullptr || waiting_answers(id) > 1 || node.retry_at > now) continue;
    last_first_ = wanted.front().first;
    send(node, std::move(wanted));
  }
}

void Fetcher::send(Node& node, std::vector<std::pair<TopicPartition, FetchPosition>> wanted) {
  Link* link = core_.link(node.id);
  if (link == nullptr) return core_.request_refresh();
  if (!link->ready()) {
    link->connect();
    if (!link->connecting()) node.retry_at = link->retry_at();
    return;
  }
  FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(settings_.fetch_wait_max).count());
  request.min_bytes = settings_.fetch_bytes_min;
  request.max_bytes = settings_.fetch_bytes_max;
  request.isolation_level = static_cast<std::int8_t>(settings_.isolation);
  request.rack_id = settings_.rack;
  node.session.fill(request, wanted);
  auto call = std::make_unique<Request>(*this, node);
  for (const auto& [name, position] : wanted) call->asked[name] = {partitions_.at(name).generation, position.offset};

  const std::int16_t version_max = node.session.uses_ids() ? FetchRequest::max_version : std::int16_t{12};
  const auto version = link->versions().latest_usable(FetchRequest::api_key, {FetchRequest::min_version, version_max});
  if (!version) {
    errors_.emplace_back(version.error().code, version.error().message);
    return;
  }
  Result<OutgoingFrame> frame = encode_request(request, *version, core_.settings().client_id);
  if (!frame) {
    errors_.push_back(frame.error());
    return;
  }
  call->version = *version;
  call->connection = link->connection_number();
  node.request = std::move(call);
  link->connection().send(*std::move(frame), *node.request, core_.now() + settings_.request_timeout);
}

void Fetcher::answered(Request& request, Result<Answer> answer) {
  Node& node = request.node;
  const std::unique_ptr<Request> kept = std::move(node.request);
  progress_.notify();
  if (!answer) {
    node.session.lost();
    node.retry_at = core_.now() + settings_.retry_backoff;
    core_.request_refresh();
    return;
  }
  const auto reply = decode_answer<FetchResponse>(*answer, kept->version);
  if (!reply) {
    node.session.lost();
    node.retry_at = core_.now() + settings_.retry_backoff;
    core_.link(node.id)->not_understood(kept->connection, reply.error());
    return;
  }
  if (!node.session.answered(reply->body)) {
    const ErrorCode code = error_code_of(reply->body.error_code);
    log_.info("Node {} was unable to process the fetch request: {}.", node.id, error_name(code));
    if (code == ErrorCode::fetch_session_topic_id_error || code == ErrorCode::unknown_topic_id ||
        code == ErrorCode::inconsistent_topic_id) {
      core_.request_refresh();
      node.retry_at = core_.now() + settings_.retry_backoff;
    }
    return;
  }
  read_response(node, *kept, reply->body, reply->frame);
  send_fetches();  // one answer ahead of the reader
}

void Fetcher::read_response(Node& node, const Request& request, const FetchResponse& response,
                            std::shared_ptr<const void> frame) {
  for (const auto& endpoint : response.node_endpoints) {
    core_.learned_broker({endpoint.node_id, endpoint.host, endpoint.port, endpoint.rack});
  }
  for (const auto& topic : response.responses) {
    const std::string* by_id = topic.topic_id.is_zero() ? nullptr : node.session.name_of(topic.topic_id);
    const std::string& name = by_id != nullptr ? *by_id : topic.topic;
    for (const auto& data : topic.partitions) {
      const TopicPartition partition{name, PartitionIndex(data.partition_index)};
      if (data.current_leader.leader_id >= 0 && data.current_leader.leader_epoch >= 0) {
        core_.learned_leader(name, data.partition_index, data.current_leader.leader_id,
                             data.current_leader.leader_epoch);
      }
      const auto found = partitions_.find(partition);
      const auto asked = request.asked.find(partition);
      // Meanwhile taken away, or moved to another offset.
      if (found == partitions_.end() || asked == request.asked.end() || asked->second.first != found->second.generation)
        continue;
      take_partition(node.id, partition, found->second, asked->second.second, data, frame);
    }
  }
}

void Fetcher::take_partition(std::int32_t node, const TopicPartition& name, Partition& partition,
                             std::int64_t asked_offset, const protocol::fetch_response::PartitionData& data,
                             const std::shared_ptr<const void>& frame) {
  const ErrorCode code = error_code_of(data.error_code);
  if (code != ErrorCode::none) return partition_failed(name, partition, code);
  if (data.preferred_read_replica >= 0) {
    partition.preferred_replica = data.preferred_read_replica;
    partition.preferred_until = core_.now() + core_.settings().metadata_age_max;
  }
  const Bytes bytes = data.records.bytes();
  if (bytes.empty() || asked_offset != partition.fetch_from) return;

  auto& topic = topic_names_[name.topic];
  if (topic == nullptr) topic = std::make_shared<const std::string>(name.topic);
  Fetched fetched{.name = name,
                  .generation = partition.generation,
                  .topic = topic,
                  .frame = frame,
                  .node = node,
                  .walker = records::BatchWalker(bytes)};
  if (data.aborted_transactions && settings_.isolation == Isolation::read_committed) {
    for (const auto& aborted : *data.aborted_transactions)
      fetched.aborted.emplace_back(aborted.first_offset, aborted.producer_id);
    std::ranges::sort(fetched.aborted);
  }
  // Where the next request goes on: after the last whole entry. The data may end inside of one.
  std::int64_t end = partition.fetch_from;
  for (records::BatchWalker ahead(bytes); ahead.next() == records::BatchWalker::Step::entry;) {
    const records::EntryView entry = ahead.entry();
    if (entry.is_batch() && entry.size_bytes() < records::batch_overhead) break;
    end = std::max(end, entry.last_offset().value + 1);
  }
  partition.fetch_from = end;
  fetched_.push_back(std::move(fetched));
}

void Fetcher::partition_failed(const TopicPartition& name, Partition& partition, ErrorCode code) {
  partition.retry_at = core_.now() + settings_.retry_backoff;
  switch (code) {
    case ErrorCode::offset_out_of_range:
      partition.retry_at = {};
      if (partition.preferred_replica >= 0) {
        partition.preferred_replica = -1;  // a follower may lag behind: ask the leader
        return;
      }
      if (settings_.reset.kind == OffsetReset::Kind::none) {
        errors_.push_back(
            Error::of_kind(kinds::offset_out_of_range, fmt::format("Fetch position {} is out of range for partition {}",
                                                                   partition.fetch_from, name.to_string()))
                .about(name.topic, name.partition.value));
        partition.retry_at = core_.now() + settings_.retry_backoff;
        return;
      }
      log_.info("Fetch position {} is out of range for partition {}, resetting offset", partition.fetch_from,
                name.to_string());
      // What was fetched before it is still the reader's.
      if (std::ranges::none_of(fetched_, [&](const Fetched& each) { return each.name == name; })) {
        partition.position = partition.fetch_from = -1;
        partition.reset = settings_.reset;
        partition.generation = next_generation_++;
      }
      return;
    case ErrorCode::topic_authorization_failed:
      errors_.push_back(Error(code, fmt::format("Not authorized to access topics: [{}]", name.topic))
                            .about(name.topic, name.partition.value));
      return;
    case ErrorCode::corrupt_message:
      errors_.push_back(
          Error::of_kind(kinds::kafka,
                         fmt::format("Encountered corrupt message when fetching offset {} for topic-partition {}",
                                     partition.fetch_from, name.to_string()))
              .about(name.topic, name.partition.value));
      return;
    case ErrorCode::unknown_leader_epoch:
    case ErrorCode::unknown_server_error:
      return;  // soon better
    default:
      if (is_retriable(code)) return core_.request_refresh();
      errors_.push_back(
          Error::of_kind(kinds::illegal_state,
                         fmt::format("Unexpected error code {} while fetching at offset {} from topic-partition {}",
                                     wire_of(code), partition.fetch_from, name.to_string()))
              .about(name.topic, name.partition.value));
  }
}

Result<void> Fetcher::collect(Batch& batch) {
  while (!fetched_.empty() && batch.size() < static_cast<std::size_t>(settings_.poll_records_max)) {
    Fetched& fetched = fetched_.front();
    const auto found = partitions_.find(fetched.name);
    if (found == partitions_.end() || found->second.generation != fetched.generation) {
      fetched_.pop_front();
      continue;
    }
    if (found->second.paused) {  // behind those that may be read
      if (std::ranges::all_of(fetched_, [&](const Fetched& each) {
            const auto at = partitions_.find(each.name);
            return at != partitions_.end() && at->second.paused;
          })) {
        break;
      }
      fetched_.push_back(std::move(fetched));
      fetched_.pop_front();
      continue;
    }
    const Result<bool> more = read_some(fetched, found->second, batch);
    if (!more) {
      if (!batch.empty()) return {};  // first what was good; the error comes again
      return more.error();
    }
    if (!*more) fetched_.pop_front();
  }
  return {};
}

std::size_t Fetcher::waiting_answers(std::int32_t node) const {
  std::vector<const void*> frames;
  for (const Fetched& each : fetched_) {
    if (each.node == node && std::ranges::find(frames, each.frame.get()) == frames.end())
      frames.push_back(each.frame.get());
  }
  return frames.size();
}

Error Fetcher::corrupt(const Fetched& fetched, std::int64_t offset, const std::string& why) const {
  return Error::of_kind(
             kinds::kafka,
             fmt::format("Received exception when fetching the next record from {}. If needed, please seek past "
                         "the record to continue consumption. (offset {}: {})",
                         fetched.name.to_string(), offset, why))
      .about(fetched.name.topic, fetched.name.partition.value);
}

Result<bool> Fetcher::read_some(Fetched& fetched, Partition& partition, Batch& batch) {
  const auto records_max = static_cast<std::size_t>(settings_.poll_records_max);
  const auto keep = [&](const std::shared_ptr<const void>& owner) {
    if (owner != nullptr && std::ranges::find(batch.owners_, owner) == batch.owners_.end())
      batch.owners_.push_back(owner);
  };
  while (batch.size() < records_max) {
    while (!fetched.legacy.empty() && batch.size() < records_max) {
      Record record = fetched.legacy.front();
      fetched.legacy.pop_front();
      if (record.offset_ < partition.position) continue;
      keep(fetched.topic);
      keep(fetched.plain);
      batch.records_.push_back(record);
      partition.position = record.offset_ + 1;
    }
    if (!fetched.legacy.empty()) return true;
    while (fetched.cursor && batch.size() < records_max) {
      if (!fetched.cursor->next()) {
        if (!fetched.cursor->ok()) return corrupt(fetched, partition.position, fetched.cursor->error().message);
        fetched.cursor.reset();
        break;
      }
      const records::RecordView& view = fetched.cursor->record();
      if (view.offset.value < partition.position) continue;
      Record record;
      record.topic_ = fetched.topic.get();
      record.partition_ = fetched.name.partition.value;
      record.leader_epoch_ = fetched.leader_epoch;
      record.offset_ = view.offset.value;
      record.timestamp_ = view.timestamp.value;
      record.timestamp_type_ = fetched.timestamp_type;
      record.header_count_ = view.headers.size();
      record.header_bytes_ = as_text(view.headers.bytes());
      if (view.has_key()) record.key_ = as_text(view.key());
      if (view.has_value()) record.value_ = as_text(view.value());
      keep(fetched.topic);
      keep(fetched.plain == nullptr ? fetched.frame : std::shared_ptr<const void>(fetched.plain));
      batch.records_.push_back(record);
      partition.position = view.offset.value + 1;
    }
    if (fetched.cursor) return true;
    partition.position = std::max(partition.position, fetched.batch_end);
    Result<bool> more = next_entry(fetched, partition);
    if (!more || !*more) return more;
  }
  return true;
}

Result<bool> Fetcher::next_entry(Fetched& fetched, Partition& partition) {
  using Step = records::BatchWalker::Step;
  switch (fetched.walker.next()) {
    case Step::end:
    case Step::partial:
      return false;
    case Step::corrupt:
      return corrupt(fetched, partition.position, fetched.walker.error().message);
    case Step::entry:
      break;
  }
  const records::EntryView entry = fetched.walker.entry();
  if (const auto checked = entry.check();
      !checked && (settings_.check_crcs || entry.size_bytes() < records::batch_overhead)) {
    return corrupt(fetched, partition.position, checked.error().message);
  }
  fetched.plain = nullptr;
  fetched.batch_end = entry.last_offset().value + 1;
  if (!entry.is_batch()) {
    if (Result<void> opened = open_legacy(fetched, entry); !opened) return std::move(opened).error();
    return true;
  }
  const records::RecordBatchView view = entry.batch();
  if (settings_.isolation == Isolation::read_committed && skip_transactional(fetched, view)) return true;
  if (view.is_control()) return true;
  if (Result<void> opened = open_batch(fetched, view); !opened) return std::move(opened).error();
  return true;
}

// Keeps count of the aborted transactions that are open at this batch. True when the batch belongs to one.
bool Fetcher::skip_transactional(Fetched& fetched, const records::RecordBatchView& view) {
  if (!view.has_producer_id()) return false;
  while (fetched.next_aborted < fetched.aborted.size() &&
         fetched.aborted[fetched.next_aborted].first <= view.last_offset().value) {
    fetched.aborted_now.insert(fetched.aborted[fetched.next_aborted++].second);
  }
  const std::int64_t producer = view.producer_id().value;
  if (view.is_control()) {
    records::RecordCursor cursor(view);
    if (!view.is_compressed() && cursor.next()) {
      const auto type = records::control_record_type(cursor.record());
      if (type && *type == records::ControlRecordType::abort) fetched.aborted_now.erase(producer);
    }
    return true;
  }
  return view.is_transactional() && fetched.aborted_now.contains(producer);
}

Result<void> Fetcher::open_batch(Fetched& fetched, const records::RecordBatchView& view) {
  fetched.leader_epoch = view.partition_leader_epoch().value;
  fetched.timestamp_type = static_cast<std::int8_t>(view.timestamp_type());
  if (!view.is_compressed()) {
    fetched.cursor.emplace(view);
    return {};
  }
  auto plain = std::make_shared<ByteVector>();
  if (const auto result = decompressor_.decompress(view.compression(), view.payload(), *plain); !result) {
    return corrupt(fetched, view.base_offset().value, result.error().message);
  }
  fetched.plain = std::move(plain);
  fetched.cursor.emplace(view, *fetched.plain);
  return {};
}

// Messages of magic 0 and 1 are rare enough to be copied.
Result<void> Fetcher::open_legacy(Fetched& fetched, const records::EntryView& entry) {
  const auto legacy = entry.legacy();
  if (!legacy) return corrupt(fetched, entry.last_offset().value, legacy.error().message);
  struct Where {
    Record record;
    std::optional<std::pair<std::size_t, std::size_t>> key, value;  // position and size in `plain`
  };
  auto plain = std::make_shared<ByteVector>();
  const auto copy = [&](std::optional<Bytes> bytes) {
    std::optional<std::pair<std::size_t, std::size_t>> at;
    if (!bytes) return at;
    at.emplace(plain->size(), bytes->size());
    append_bytes(*plain, *bytes);
    return at;
  };
  std::vector<Where> found;
  records::LegacyRecordReader reader(*legacy, decompressor_);
  while (reader.next()) {
    const records::RecordView& view = reader.record();
    Where where;
    where.record.topic_ = fetched.topic.get();
    where.record.partition_ = fetched.name.partition.value;
    where.record.offset_ = view.offset.value;
    where.record.timestamp_ = view.timestamp.value;
    where.record.timestamp_type_ = static_cast<std::int8_t>(legacy->timestamp_type());
    where.key = copy(view.nullable_key());
    where.value = copy(view.nullable_value());
    found.push_back(where);
  }
  if (!reader.ok()) return corrupt(fetched, entry.last_offset().value, reader.error().message);
  const std::string_view text = as_text(*plain);
  for (Where& where : found) {
    if (where.key) where.record.key_ = text.substr(where.key->first, where.key->second);
    if (where.value) where.record.value_ = text.substr(where.value->first, where.value->second);
    fetched.legacy.push_back(where.record);
  }
  fetched.plain = std::move(plain);
  return {};
}

}  // namespace klamm::client
