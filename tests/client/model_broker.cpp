#include "model_broker.h"

#include "records/record_batch_view.h"
#include "records/record_reader.h"
#include "runtime/waiting.h"

namespace klamm::client {

using namespace std::chrono_literals;
using protocol::ApiKey;

struct ModelBroker::Connection final : runtime::SocketEvents, std::enable_shared_from_this<Connection> {
  Connection(ModelBroker& its, runtime::SocketRef what) : broker(its), socket(std::move(what)) {
    socket->listen_to(this);
    socket->want(true, false);
  }

  void on_readable() override {
    const auto self = shared_from_this();
    while (socket) {
      const runtime::IoResult got = socket->read(assembler.room());
      if (got.status == runtime::IoStatus::would_block) return;
      if (got.status != runtime::IoStatus::done) return close();
      assembler.received(got.bytes);
      while (socket) {
        const auto frame = assembler.next();
        if (!frame) break;
        broker.handle(self, *frame);
      }
      if (assembler.broken()) return close();
    }
  }

  void on_writable() override {
    while (socket && !to_send.empty()) {
      const Bytes bytes(to_send);
      const runtime::IoResult sent = socket->write(std::span(&bytes, 1), false);
      if (sent.status == runtime::IoStatus::failed) return close();
      if (sent.status != runtime::IoStatus::done) break;
      to_send.erase(to_send.begin(), to_send.begin() + static_cast<std::ptrdiff_t>(sent.bytes));
    }
    if (socket) socket->want(true, !to_send.empty());
  }

  void send(Bytes frame, std::int32_t length) {
    append_big(to_send, length);
    to_send.insert(to_send.end(), frame.begin(), frame.end());
    on_writable();
  }

  void close() { socket.reset(); }

  ModelBroker& broker;
  runtime::SocketRef socket;
  rpc::FrameAssembler assembler{100 << 20};
  ByteVector to_send;
  std::size_t unanswered = 0;
};

namespace {

// Of the coordinator in model_groups.cpp; a story may serve them otherwise.
struct ServedKey {
  ApiKey key;
  std::int16_t low;
  std::int16_t high;
};
constexpr ServedKey group_keys[] = {{ApiKey::find_coordinator, 0, 6}, {ApiKey::join_group, 0, 9},
                                    {ApiKey::sync_group, 0, 5},       {ApiKey::heartbeat, 0, 4},
                                    {ApiKey::leave_group, 0, 5},      {ApiKey::offset_commit, 2, 10},
                                    {ApiKey::offset_fetch, 1, 10},    {ApiKey::consumer_group_heartbeat, 0, 1}};

}  // namespace

ModelBroker::ModelBroker(sim::World& world, sim::Host& host, std::int32_t id) : world_(world), host_(host), id_(id) {
  brokers_[id] = host.name();
  world_.run(host_, [](ModelBroker& self) -> runtime::Task<void> {
    runtime::Environment& environment = self.host_.environment();
    self.tasks_ = std::make_unique<runtime::TaskGroup>(*environment.reactors.front());
    self.listener_ = environment.network.listen({"", 9092}, {});
    self.listener_->join(*environment.reactors.front(), self);
    co_return;
  }(*this));
}

ModelBroker::~ModelBroker() {
  world_.run(host_, [](ModelBroker& self) -> runtime::Task<void> {
    self.listener_->leave(*self.host_.environment().reactors.front());
    self.listener_.reset();
    for (const auto& connection : self.connections_) connection->close();
    auto stopping = self.tasks_->stop();
    co_await std::move(stopping);
  }(*this));
}

void ModelBroker::add_topic(std::string name, std::int32_t partitions, std::int32_t leader) {
  Partition partition;
  partition.leader = leader;
  topics_[std::move(name)].assign(static_cast<std::size_t>(partitions), partition);
}

void ModelBroker::set_leader(const std::string& topic, std::int32_t partition, std::int32_t leader) {
  find(topic, partition)->leader = leader;
}

void ModelBroker::add_peer(std::int32_t id, std::string host) {
  brokers_[id] = std::move(host);
}

std::vector<std::string> ModelBroker::values(const std::string& topic, std::int32_t partition) const {
  std::vector<std::string> values;
  records::Decompressor decompressor;
  for (const ByteVector& batch : topics_.at(topic).at(static_cast<std::size_t>(partition)).batches) {
    for (records::RecordReader reader(records::RecordBatchView(batch), decompressor); reader.next();) {
      values.emplace_back(as_text(reader.record().value()));
    }
  }
  return values;
}

void ModelBroker::set_log_start(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  Partition& log = *find(topic, partition);
  log.log_start = offset;
  std::erase_if(log.batches,
                [&](const ByteVector& batch) { return records::RecordBatchView(batch).last_offset().value < offset; });
}

std::size_t ModelBroker::count(ApiKey key) const {
  const auto found = counts_.find(key);
  return found == counts_.end() ? 0 : found->second;
}

ModelBroker::Partition* ModelBroker::find(const std::string& topic, std::int32_t partition) {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || partition < 0 || static_cast<std::size_t>(partition) >= found->second.size())
    return nullptr;
  return &found->second[static_cast<std::size_t>(partition)];
}

ErrorCode ModelBroker::error_for(ApiKey key) {
  if (const auto standing = standing_errors_.find(key); standing != standing_errors_.end()) return standing->second;
  std::deque<ErrorCode>& queue = errors_[key];
  if (queue.empty()) return ErrorCode::none;
  const ErrorCode code = queue.front();
  queue.pop_front();
  return code;
}

// --- connections

void ModelBroker::on_accepted(runtime::SocketRef socket) {
  ++accepted_;
  connections_.push_back(std::make_shared<Connection>(*this, std::move(socket)));
}

void ModelBroker::handle(const std::shared_ptr<Connection>& connection, Bytes frame) {
  const auto start = rpc::look_at_request(frame);
  if (!start) return connection->close();
  const auto key = static_cast<ApiKey>(start->api_key);
  ++counts_[key];
  in_flight_most_ = std::max(in_flight_most_, ++connection->unanswered);

  std::optional<Mishap> mishap;
  if (std::deque<Mishap>& queue = mishaps_[key]; !queue.empty()) {
    mishap = queue.front();
    queue.pop_front();
  }
  if (mishap == Mishap::silence) return;
  if (mishap == Mishap::hang_up_before) return connection->close();
  if (mishap == Mishap::huge_length) return connection->send({}, 0x7fffffff);
  if (mishap == Mishap::wrong_number || mishap == Mishap::garbage) {
    ByteVector nonsense;
    append_big(nonsense, start->correlation_id + (mishap == Mishap::wrong_number ? 1000 : 0));
    nonsense.resize(nonsense.size() + 3, std::byte{0xff});
    return connection->send(nonsense, static_cast<std::int32_t>(nonsense.size()));
  }
  ByteVector answer = answer_to(*start, frame);
  if (mishap == Mishap::hang_up_after) return connection->close();
  if (answer.empty()) return;
  tasks_->start(answer_later(connection, std::move(answer), std::max(delay_, std::exchange(long_poll_, {}))));
}

runtime::Task<void> ModelBroker::answer_later(std::shared_ptr<Connection> connection, ByteVector frame,
                                              runtime::Duration delay) {
  if (delay > runtime::Duration{}) {
    auto sleeping = runtime::sleep_for(tasks_->reactor(), delay, tasks_->token());
    co_await std::move(sleeping);
  }
  --connection->unanswered;
  if (connection->socket) connection->send(frame, static_cast<std::int32_t>(frame.size()));
}

ByteVector ModelBroker::answer_to(const rpc::RequestStart& start, Bytes frame) {
  ByteVector out;
  const auto with = [&]<typename Request>(Request request) {
    const bool flexible = start.api_version >= Request::flexible_from;
    const auto header = rpc::parse_request_header(frame, rpc::request_header_version(flexible));
    if (!header) throw std::runtime_error("the request's header cannot be read");
    protocol::Reader reader(frame.subspan(header->size));
    request.decode(reader, start.api_version);
    if (!reader.ok() || reader.remaining() > 0)
      throw std::runtime_error("the request cannot be read: " + reader.error());
    const auto response = respond(request, start.api_version);
    append_big(out, start.correlation_id);
    if (rpc::response_header_version(start.api_key, flexible) == 1) out.push_back(std::byte{0});
    protocol::Writer writer(out);
    response.encode(writer, start.api_version);
    if (!writer.ok()) throw std::runtime_error("the answer cannot be written: " + writer.error());
    if constexpr (std::is_same_v<Request, protocol::ProduceRequest>) {
      if (request.acks == 0) out.clear();
    }
  };
  if (served_.contains(static_cast<ApiKey>(start.api_key))) return served_answer(start, frame);
  switch (static_cast<ApiKey>(start.api_key)) {
    case ApiKey::api_versions:
      with(protocol::ApiVersionsRequest{});
      break;
    case ApiKey::metadata:
      with(protocol::MetadataRequest{});
      break;
    case ApiKey::init_producer_id:
      with(protocol::InitProducerIdRequest{});
      break;
    case ApiKey::produce:
      with(protocol::ProduceRequest{});
      break;
    case ApiKey::list_offsets:
      with(protocol::ListOffsetsRequest{});
      break;
    case ApiKey::fetch:
      with(protocol::FetchRequest{});
      break;
    case ApiKey::create_topics:
      with(protocol::CreateTopicsRequest{});
      break;
    case ApiKey::find_coordinator:
      with(protocol::FindCoordinatorRequest{});
      break;
    case ApiKey::join_group:
      with(protocol::JoinGroupRequest{});
      break;
    case ApiKey::sync_group:
      with(protocol::SyncGroupRequest{});
      break;
    case ApiKey::heartbeat:
      with(protocol::HeartbeatRequest{});
      break;
    case ApiKey::leave_group:
      with(protocol::LeaveGroupRequest{});
      break;
    case ApiKey::offset_commit:
      with(protocol::OffsetCommitRequest{});
      break;
    case ApiKey::offset_fetch:
      with(protocol::OffsetFetchRequest{});
      break;
    case ApiKey::consumer_group_heartbeat:
      with(protocol::ConsumerGroupHeartbeatRequest{});
      break;
    default:
      return served_answer(start, frame);
  }
  return out;
}

ByteVector ModelBroker::served_answer(const rpc::RequestStart& start, Bytes frame) {
  const auto found = served_.find(static_cast<ApiKey>(start.api_key));
  if (found == served_.end()) throw std::runtime_error("a request that this broker does not serve");
  const Served& served = found->second;
  const bool flexible = start.api_version >= served.flexible_from;
  const auto header = rpc::parse_request_header(frame, rpc::request_header_version(flexible));
  if (!header) throw std::runtime_error("the request's header cannot be read");
  protocol::Reader reader(frame.subspan(header->size));
  ByteVector out;
  append_big(out, start.correlation_id);
  if (rpc::response_header_version(start.api_key, flexible) == 1) out.push_back(std::byte{0});
  protocol::Writer writer(out);
  served.answer(reader, start.api_version, writer);
  if (!reader.ok() || reader.remaining() > 0) throw std::runtime_error("the request cannot be read: " + reader.error());
  if (!writer.ok()) throw std::runtime_error("the answer cannot be written: " + writer.error());
  return out;
}

// --- answers

protocol::ApiVersionsResponse ModelBroker::respond(const protocol::ApiVersionsRequest& /*request*/, std::int16_t) {
  protocol::ApiVersionsResponse response;
  response.error_code = static_cast<std::int16_t>(error_for(ApiKey::api_versions));
  const auto serve = [&](ApiKey key, std::int16_t low, std::int16_t high) {
    response.api_keys.push_back({static_cast<std::int16_t>(key), low, high, {}});
  };
  // Names rather than ids of topics, so that a test reads easily.
  serve(ApiKey::api_versions, 0, 4);
  serve(ApiKey::metadata, 0, 12);
  serve(ApiKey::init_producer_id, 0, 5);
  serve(ApiKey::produce, 3, 12);
  serve(ApiKey::list_offsets, 1, 10);
  serve(ApiKey::fetch, 4, 12);
  serve(ApiKey::create_topics, 2, 7);
  for (const auto& [key, low, high] : group_keys) {
    if (!served_.contains(key)) serve(key, low, high);
  }
  for (const auto& [key, served] : served_) serve(key, served.low, served.high);
  return response;
}

protocol::MetadataResponse ModelBroker::respond(const protocol::MetadataRequest& request, std::int16_t) {
  protocol::MetadataResponse response;
  response.controller_id = id_;
  response.cluster_id = "model";
  for (const auto& [id, host] : brokers_) response.brokers.push_back({id, host, 9092, std::nullopt, {}});
  std::vector<std::string> names;
  if (!request.topics) {
    for (const auto& [name, partitions] : topics_) names.push_back(name);
  } else {
    for (const auto& topic : *request.topics) names.push_back(topic.name.value_or(""));
  }
  const ErrorCode error = error_for(ApiKey::metadata);
  for (const std::string& name : names) {
    protocol::MetadataResponse::MetadataResponseTopic topic;
    topic.name = name;
    const auto found = topics_.find(name);
    if (error != ErrorCode::none || found == topics_.end()) {
      topic.error_code =
          static_cast<std::int16_t>(error != ErrorCode::none ? error : ErrorCode::unknown_topic_or_partition);
    } else {
      topic.topic_id = id_of(name);
      std::int32_t index = 0;
      for (const Partition& partition : found->second) {
        protocol::MetadataResponse::MetadataResponsePartition one;
        one.partition_index = index++;
        one.leader_id = partition.leader;
        one.leader_epoch = 0;
        one.replica_nodes = one.isr_nodes = {partition.leader};
        topic.partitions.push_back(std::move(one));
      }
    }
    response.topics.push_back(std::move(topic));
  }
  return response;
}

protocol::InitProducerIdResponse ModelBroker::respond(const protocol::InitProducerIdRequest& request, std::int16_t) {
  protocol::InitProducerIdResponse response;
  response.error_code = static_cast<std::int16_t>(error_for(ApiKey::init_producer_id));
  if (response.error_code != 0) return response;
  response.producer_id = request.producer_id >= 0 ? request.producer_id : last_producer_++;
  response.producer_epoch = static_cast<std::int16_t>(request.producer_id >= 0 ? request.producer_epoch + 1 : 0);
  return response;
}

ErrorCode ModelBroker::append(Partition& partition, const std::string& key, Bytes bytes, std::int64_t& base_offset) {
  const records::RecordBatchView batch(bytes);
  if (!batch.check() || !batch.crc_matches()) return ErrorCode::corrupt_message;
  if (batch.producer_id().value >= 0) {
    ProducerState& state = producers_[fmt::format("{}/{}", batch.producer_id().value, key)];
    const std::int16_t epoch = batch.producer_epoch().value;
    const bool first_of_epoch = epoch > state.epoch;
    if (epoch < state.epoch) return ErrorCode::invalid_producer_epoch;
    if (!first_of_epoch) {
      if (const auto known = state.recent.find(batch.base_sequence()); known != state.recent.end()) {
        base_offset = known->second;
        return ErrorCode::none;  // a duplicate
      }
      if (batch.base_sequence() != state.next_sequence) return ErrorCode::out_of_order_sequence_number;
    } else if (batch.base_sequence() != 0) {
      return state.epoch < 0 ? ErrorCode::unknown_producer_id : ErrorCode::out_of_order_sequence_number;
    } else {
      state.recent.clear();
    }
    state.epoch = epoch;
    state.next_sequence = batch.last_sequence() + 1;
    state.recent[batch.base_sequence()] = partition.end;
  }
  base_offset = partition.end;
  ByteVector stored(bytes.begin(), bytes.end());
  store_big(stored.data(), partition.end);
  partition.end += batch.record_count();
  partition.batches.push_back(std::move(stored));
  return ErrorCode::none;
}

protocol::ProduceResponse ModelBroker::respond(const protocol::ProduceRequest& request, std::int16_t) {
  protocol::ProduceResponse response;
  for (const auto& topic : request.topic_data) {
    protocol::ProduceResponse::TopicProduceResponse answered;
    answered.name = topic.name;
    for (const auto& data : topic.partition_data) {
      protocol::ProduceResponse::PartitionProduceResponse one;
      one.index = data.index;
      one.base_offset = -1;
      one.log_start_offset = 0;
      ErrorCode error = error_for(ApiKey::produce);
      Partition* partition = find(topic.name, data.index);
      if (error == ErrorCode::none && partition == nullptr) error = ErrorCode::unknown_topic_or_partition;
      if (error == ErrorCode::none && partition->leader != id_) error = ErrorCode::not_leader_or_follower;
      if (error == ErrorCode::none) {
        error = append(*partition, fmt::format("{}-{}", topic.name, data.index), data.records.bytes(), one.base_offset);
      }
      one.error_code = static_cast<std::int16_t>(error);
      answered.partition_responses.push_back(std::move(one));
    }
    response.responses.push_back(std::move(answered));
  }
  return response;
}

protocol::ListOffsetsResponse ModelBroker::respond(const protocol::ListOffsetsRequest& request, std::int16_t) {
  protocol::ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    protocol::ListOffsetsResponse::ListOffsetsTopicResponse answered;
    answered.name = topic.name;
    for (const auto& asked : topic.partitions) {
      protocol::ListOffsetsResponse::ListOffsetsPartitionResponse one;
      one.partition_index = asked.partition_index;
      ErrorCode error = error_for(ApiKey::list_offsets);
      const Partition* partition = find(topic.name, asked.partition_index);
      if (error == ErrorCode::none && partition == nullptr) error = ErrorCode::unknown_topic_or_partition;
      one.error_code = static_cast<std::int16_t>(error);
      if (error == ErrorCode::none) one.offset = asked.timestamp == -2 ? partition->log_start : partition->end;
      answered.partitions.push_back(std::move(one));
    }
    response.topics.push_back(std::move(answered));
  }
  return response;
}

protocol::FetchResponse ModelBroker::respond(const protocol::FetchRequest& request, std::int16_t) {
  protocol::FetchResponse response;
  std::size_t named = 0;
  for (const auto& topic : request.topics) named += topic.partitions.size();
  fetch_sizes_.push_back(named);
  fetch_epochs_.push_back(request.session_epoch);
  if (const ErrorCode error = error_for(ApiKey::fetch); error != ErrorCode::none) {
    response.error_code = static_cast<std::int16_t>(error);
    return response;
  }
  std::int32_t session = request.session_id;
  if (request.session_epoch == 0) {
    session = ++last_session_;
    sessions_[session];
  } else if (request.session_epoch > 0 && !sessions_.contains(session)) {
    response.error_code = static_cast<std::int16_t>(ErrorCode::fetch_session_id_not_found);
    return response;
  }
  auto& wanted = sessions_[session];
  for (const auto& forgotten : request.forgotten_topics_data) {
    for (const std::int32_t partition : forgotten.partitions) wanted.erase({forgotten.topic, partition});
  }
  for (const auto& topic : request.topics) {
    for (const auto& asked : topic.partitions) wanted[{topic.topic, asked.partition}] = asked.fetch_offset;
  }
  response.session_id = session;
  for (const auto& [name, offset] : wanted) {
    protocol::FetchResponse::PartitionData data;
    data.partition_index = name.second;
    const Partition* partition = find(name.first, name.second);
    if (partition == nullptr) {
      data.error_code = static_cast<std::int16_t>(ErrorCode::unknown_topic_or_partition);
    } else if (partition->leader != id_) {
      data.error_code = static_cast<std::int16_t>(ErrorCode::not_leader_or_follower);
    } else if (offset < partition->log_start || offset > partition->end) {
      data.error_code = static_cast<std::int16_t>(ErrorCode::offset_out_of_range);
    } else {
      data.high_watermark = data.last_stable_offset = partition->end;
      data.log_start_offset = partition->log_start;
      // One batch at a time: the one that holds the offset.
      const auto found = std::ranges::find_if(partition->batches, [&, at = offset](const ByteVector& batch) {
        return records::RecordBatchView(batch).last_offset().value >= at;
      });
      if (found == partition->batches.end()) continue;
      data.records = protocol::Payload::view(*found);
    }
    protocol::FetchResponse::FetchableTopicResponse topic;
    topic.topic = name.first;
    topic.partitions.push_back(std::move(data));
    response.responses.push_back(std::move(topic));
  }
  if (response.responses.empty()) long_poll_ = std::chrono::milliseconds(request.max_wait_ms);
  return response;
}

protocol::CreateTopicsResponse ModelBroker::respond(const protocol::CreateTopicsRequest& request, std::int16_t) {
  protocol::CreateTopicsResponse response;
  for (const auto& topic : request.topics) {
    protocol::CreateTopicsResponse::CreatableTopicResult result;
    result.name = topic.name;
    ErrorCode error = error_for(ApiKey::create_topics);
    if (error == ErrorCode::none && topics_.contains(topic.name)) error = ErrorCode::topic_already_exists;
    result.error_code = static_cast<std::int16_t>(error);
    result.error_message = std::nullopt;
    if (error == ErrorCode::none) add_topic(topic.name, std::max(topic.num_partitions, 1), id_);
    response.topics.push_back(std::move(result));
  }
  return response;
}

}  // namespace klamm::client
