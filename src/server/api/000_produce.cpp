#include "server/api/000_produce.h"

#include <algorithm>

#include "metadata/topic_name.h"
#include "server/gather.h"
#include "server/metadata_view.h"

namespace klamm::server {

namespace {

constexpr std::int16_t topic_ids_from = 13;
constexpr std::int16_t leader_hints_from = 10;

// The request's bytes lie in the exchange's own buffer: the leader stamps offsets into them where they are.
MutableBytes mutable_records(const protocol::Payload& records) {
  const Bytes bytes = records.bytes();
  return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

}  // namespace

// One partition of the request, beside its place in the response.
struct ProduceHandler::Append {
  const Request::TopicProduceData* topic;
  const Request::PartitionProduceData* data;
  Response::PartitionProduceResponse* answer;
  bool superseded;                              // the same partition comes again later in the request: that one counts
  std::optional<std::uint32_t> ends_seen = {};  // when its transaction was verified

  bool failed() const { return answer->error_code != 0; }
  void fail(ErrorCode code) const {
    answer->error_code = klamm::wire_of(code);
    answer->base_offset = -1;
  }
};

// Where an append goes. Its partition is not here when somebody else leads it.
struct ProduceHandler::Target {
  replication::PartitionRef partition;
  std::string_view topic;
};

struct ProduceHandler::Unverified {
  Append* append;
  TopicPartition name;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
};

ProduceHandler::ProduceHandler(runtime::Environment& environment, const hosting::MetadataPublisher& metadata,
                               const replication::PartitionTable& partitions, const security::Authorizer& authorizer,
                               TransactionVerification& verification)
    : metadata_(metadata),
      partitions_(partitions),
      authorizer_(authorizer),
      verification_(verification),
      large_batches_(environment.scheduling) {
  for (const runtime::Reactor* reactor : environment.reactors) {
    if (validators_.size() <= reactor->index()) validators_.resize(reactor->index() + 1);
    validators_[reactor->index()] = std::make_unique<records::ProduceValidator>(replication::LargeBatches::on_reactor);
  }
}

runtime::Task<void> ProduceHandler::answer(Exchange& exchange) {
  Request request;
  if (!exchange.decode_view(request)) co_return;
  const RequestContext& context = exchange.context();
  Response response;
  const std::span<Append> appends = list(exchange, request, response);

  const Result<bool> transactional = look(context, request);
  if (!transactional) {
    refuse(exchange, appends, transactional.error());
    co_return finish(exchange, request, appends, response);
  }
  if (*transactional) {
    std::vector<Unverified> unverified = find_unverified(exchange, appends);
    if (!unverified.empty()) {
      // What comes behind it is of the same transaction, and in sequence.
      exchange.keep_order();
      auto verifying = verify(exchange, std::string(*request.transactional_id), std::move(unverified));
      co_await std::move(verifying);
    }
  }

  if (appends.size() == 1) {
    if (auto partition = resolve(context, request, appends[0])) {
      auto appending = append(exchange, request, appends[0], std::move(partition));
      co_await std::move(appending);
    }
  } else {
    Gather gather(exchange.arena().array<std::coroutine_handle<>>(appends.size()));
    for (Append& one : appends) {
      if (one.superseded) continue;
      if (auto partition = resolve(context, request, one))
        gather.add(append(exchange, request, one, std::move(partition)));
    }
    co_await gather;
  }
  finish(exchange, request, appends, response);
}

// What fails every partition of the request, before any is looked at.
Result<bool> ProduceHandler::look(const RequestContext& context, const Request& request) const {
  bool transactional = false;
  for (const auto& topic : request.topic_data) {
    for (const auto& partition : topic.partition_data) {
      const auto flags = records::produce_flags(partition.records.bytes());
      if (!flags) return std::unexpected(flags.error());
      transactional |= flags->transactional;
    }
  }
  if (!transactional) return false;
  const bool allowed = request.transactional_id &&
                       authorizer_.allows(context.identity, security::Operation::write,
                                          {security::ResourceType::transactional_id, *request.transactional_id});
  if (allowed) return true;
  return fail(ErrorCode::transactional_id_authorization_failed);
}

void ProduceHandler::refuse(Exchange& exchange, std::span<Append> appends, const Error& error) const {
  for (const Append& one : appends) {
    one.fail(error.code);
    if (const auto message = own_message(error)) one.answer->error_message = exchange.arena().copy(*message);
  }
}

// The response in the shape of the request, and a flat list of its partitions. A partition that is named twice is
// appended to once, with what was said last, as in Kafka, where they are the keys of a map.
std::span<ProduceHandler::Append> ProduceHandler::list(Exchange& exchange, const Request& request,
                                                       Response& response) const {
  Arena& arena = exchange.arena();
  std::size_t count = 0;
  for (const auto& topic : request.topic_data) count += topic.partition_data.size();
  const auto appends = arena.array<Append>(count);
  response.responses = arena.array<Response::TopicProduceResponse>(request.topic_data.size());
  std::size_t at = 0;
  for (std::size_t t = 0; t < request.topic_data.size(); ++t) {
    const auto& topic = request.topic_data[t];
    auto& answered = response.responses[t];
    answered.name = topic.name;
    answered.topic_id = topic.topic_id;
    answered.partition_responses = arena.array<Response::PartitionProduceResponse>(topic.partition_data.size());
    for (std::size_t p = 0; p < topic.partition_data.size(); ++p) {
      answered.partition_responses[p].index = topic.partition_data[p].index;
      appends[at++] = {&topic, &topic.partition_data[p], &answered.partition_responses[p], false};
    }
  }
  if (count < 2) return appends;

  const auto order = arena.array<Append*>(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = &appends[i];
  const auto key = [](const Append* one) {
    return std::tuple(one->data->index, one->topic->name, one->topic->topic_id);
  };
  std::ranges::sort(order,
                    [&](const Append* a, const Append* b) { return key(a) != key(b) ? key(a) < key(b) : a < b; });
  bool any_superseded = false;
  for (std::size_t i = 0; i + 1 < count; ++i)
    any_superseded |= order[i]->superseded = key(order[i]) == key(order[i + 1]);
  if (!any_superseded) return appends;

  // Close the gaps in the response; answers move towards the front of their topic's span.
  at = 0;
  for (auto& topic : response.responses) {
    std::size_t kept = 0;
    for (std::size_t p = 0; p < topic.partition_responses.size(); ++p, ++at) {
      if (appends[at].superseded) continue;
      topic.partition_responses[kept].index = topic.partition_responses[p].index;
      appends[at].answer = &topic.partition_responses[kept++];
    }
    topic.partition_responses = topic.partition_responses.first(kept);
  }
  return appends;
}

// The first checks, in Kafka's order. Nothing when the answer is there already.
std::optional<ProduceHandler::Target> ProduceHandler::locate(const RequestContext& context, Append& append) const {
  const PartitionIndex index(append.data->index);
  const bool by_id = context.version >= topic_ids_from;
  auto partition =
      by_id ? partitions_.find(append.topic->topic_id, index) : partitions_.find(append.topic->name, index);

  std::string_view topic = append.topic->name;
  bool exists = partition != nullptr;
  if (partition) {
    topic = partition->name().topic;
  } else {
    const auto& image = *metadata_.image(context.reactor);
    const metadata::Topic* known = by_id ? image.topic(append.topic->topic_id) : image.topic(append.topic->name);
    if (by_id && !known) return append.fail(ErrorCode::unknown_topic_id), std::nullopt;
    if (known) topic = known->name;
    exists = known && known->partition(append.data->index);
  }
  if (!authorizer_.allows(context.identity, security::Operation::write, {security::ResourceType::topic, topic}))
    return append.fail(ErrorCode::topic_authorization_failed), std::nullopt;
  if (!exists) return append.fail(ErrorCode::unknown_topic_or_partition), std::nullopt;
  if (append.data->records.bytes().empty()) return append.fail(ErrorCode::invalid_record), std::nullopt;
  return Target{std::move(partition), topic};
}

// The partition to append to, or nothing when the answer is there already.
replication::PartitionRef ProduceHandler::resolve(const RequestContext& context, const Request& request,
                                                  Append& append) const {
  if (append.failed()) return nullptr;
  auto target = locate(context, append);
  if (!target) return nullptr;
  if (request.acks < -1 || request.acks > 1) return append.fail(ErrorCode::invalid_required_acks), nullptr;
  if (metadata::is_internal_topic(target->topic)) return append.fail(ErrorCode::invalid_topic_exception), nullptr;
  if (!target->partition) return append.fail(ErrorCode::not_leader_or_follower), nullptr;
  return std::move(target->partition);
}

// --- transactions ----------------------------------------------------------------------------------------------------

std::vector<ProduceHandler::Unverified> ProduceHandler::find_unverified(Exchange& exchange,
                                                                        std::span<Append> appends) const {
  const RequestContext& context = exchange.context();
  const TransactionSupport support = produce_support(context.version);
  const bool is_off = verification_.is_off(support);
  std::vector<Unverified> unverified;
  std::optional<std::pair<ProducerId, ProducerEpoch>> producer;
  for (Append& append : appends) {
    if (append.superseded) continue;
    const auto flags = records::produce_flags(append.data->records.bytes());
    if (!flags || flags->transaction_producer == no_producer_id) continue;
    const auto target = locate(context, append);
    if (!target) continue;
    const std::pair its{flags->transaction_producer, flags->transaction_epoch};
    if (flags->several_transactions || (producer && *producer != its)) {
      refuse(exchange, appends,
             {ErrorCode::invalid_producer_id_mapping, "Transactional records contained more than one producer ID"});
      return {};
    }
    producer = its;
    if (is_off) continue;
    if (!target->partition) {
      append.fail(ErrorCode::not_leader_or_follower);
      continue;
    }
    const auto log = target->partition->log_for(no_leader_epoch);
    if (!log) {
      append.fail(log.error().code);
      continue;
    }
    const storage::ProducerStanding standing = (*log)->standing_of(its.first);
    if (its.second < standing.epoch) {
      append.fail(ErrorCode::invalid_producer_epoch);
      continue;
    }
    // Where every transaction has an epoch of its own, a late batch of an earlier one is refused for that.
    if (support != TransactionSupport::adds) append.ends_seen = standing.ends;
    if (standing.in_transaction && standing.epoch == its.second) continue;
    unverified.push_back({&append, target->partition->name(), its.first, its.second});
  }
  return unverified;
}

namespace {

// What a producer is told when its transaction could not be verified: errors of a coordinator become one that old
// clients try again for, without asking for metadata. Source: ReplicaManager.handleProduceAppend.
std::pair<ErrorCode, std::string> told_of_verification(ErrorCode code, TransactionSupport support) {
  const auto not_now = [&] {
    return std::pair(
        ErrorCode::not_enough_replicas,
        fmt::format("Unable to verify the partition has been added to the transaction. Underlying error: {}",
                    error_name(code)));
  };
  switch (code) {
    case ErrorCode::invalid_txn_state:
      return {code, "Partition was not added to the transaction"};
    case ErrorCode::network_exception:
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      return not_now();
    case ErrorCode::concurrent_transactions:
      if (support != TransactionSupport::adds) return not_now();
      return {code, {}};
    default:
      return {code, {}};
  }
}

}  // namespace

runtime::Task<void> ProduceHandler::verify(Exchange& exchange, std::string transactional_id,
                                           std::vector<Unverified> unverified) {
  const RequestContext& context = exchange.context();
  const TransactionSupport support = produce_support(context.version);
  std::vector<TopicPartition> names;
  for (const Unverified& each : unverified) names.push_back(each.name);
  const TransactionClaim claim{std::move(transactional_id), unverified.front().producer_id,
                               unverified.front().producer_epoch, support};
  auto asking = verification_.ask_patiently(context.reactor, claim, std::move(names));
  const std::vector<ErrorCode> codes = co_await std::move(asking);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] == ErrorCode::none) continue;
    const auto [code, message] = told_of_verification(codes[i], support);
    unverified[i].append->fail(code);
    if (!message.empty()) unverified[i].append->answer->error_message = exchange.arena().copy(message);
  }
}

runtime::Task<void> ProduceHandler::append(Exchange& exchange, const Request& request, Append& append,
                                           replication::PartitionRef partition) {
  const RequestContext& context = exchange.context();
  auto& answer = *append.answer;
  answer.base_offset = -1;
  try {
    replication::AppendRequest wanted{.records = mutable_records(append.data->records),
                                      .required_acks = request.acks,
                                      .produce_version = context.version,
                                      .ends_seen = append.ends_seen};
    auto& validator = *validators_[context.reactor.index()];
    auto appending = partition->append_as_leader(context.reactor, validator, wanted);
    auto appended = co_await std::move(appending);
    if (!appended && appended.error().opens_to_too_much) {
      exchange.keep_order();
      wanted.aside = &large_batches_;
      auto once_more = partition->append_as_leader(context.reactor, validator, wanted);
      appended = co_await std::move(once_more);
    }
    if (!appended) {
      const auto& failure = appended.error();
      answer.error_code = klamm::wire_of(failure.code);
      answer.log_start_offset = failure.log_start.value;
      if (!failure.message.empty()) answer.error_message = exchange.arena().copy(failure.message);
      answer.record_errors = exchange.arena().array<Response::BatchIndexAndErrorMessage>(failure.record_errors.size());
      for (std::size_t i = 0; i < failure.record_errors.size(); ++i) {
        answer.record_errors[i].batch_index = failure.record_errors[i].batch_index;
        answer.record_errors[i].batch_index_error_message = exchange.arena().copy(failure.record_errors[i].message);
      }
      co_return;
    }
    answer.base_offset = appended->first_offset.value;
    answer.log_append_time_ms = appended->log_append_time.value;
    answer.log_start_offset = appended->log_start.value;
    if (request.acks != -1) co_return;
    const auto deadline = context.received_at + std::chrono::milliseconds(std::max(request.timeout_ms, 0));
    auto waiting = partition->wait_replicated(context.reactor, appended->last_offset, deadline);
    const auto replicated = co_await std::move(waiting);
    if (!replicated) answer.error_code = klamm::wire_of(replicated.error().code);
  } catch (const runtime::Cancelled&) {
    throw;
  } catch (const std::exception&) {
    append.fail(exchange.error_of_current_exception().code);
  }
}

void ProduceHandler::add_leader_hints(Exchange& exchange, std::span<Append> appends, Response& response) const {
  const RequestContext& context = exchange.context();
  const metadata::ImageRef image = metadata_.image(context.reactor);
  std::size_t count = 0;
  std::span<Response::NodeEndpoint> nodes;
  for (const Append& append : appends) {
    if (append.superseded || append.answer->error_code != klamm::wire_of(ErrorCode::not_leader_or_follower)) continue;
    std::string_view topic = append.topic->name;
    if (context.version >= topic_ids_from) {
      const auto* known = image->topic(append.topic->topic_id);
      if (!known) continue;
      topic = known->name;
    }
    const auto hint =
        leader_hint(*image, partitions_, topic, PartitionIndex(append.data->index), context.identity.listener);
    append.answer->current_leader.leader_id = hint.leader.value;
    append.answer->current_leader.leader_epoch = hint.epoch.value;
    if (!hint.endpoint) continue;
    if (nodes.empty()) nodes = exchange.arena().array<Response::NodeEndpoint>(appends.size());
    if (std::ranges::find(nodes.first(count), hint.leader.value, &Response::NodeEndpoint::node_id) !=
        nodes.begin() + static_cast<std::ptrdiff_t>(count))
      continue;
    auto& node = nodes[count++];
    node.node_id = hint.leader.value;
    node.host = exchange.arena().copy(hint.endpoint->host);
    node.port = hint.endpoint->port;
    if (hint.broker->rack) node.rack = exchange.arena().copy(*hint.broker->rack);
  }
  response.node_endpoints = nodes.first(count);
}

void ProduceHandler::finish(Exchange& exchange, const Request& request, std::span<Append> appends,
                            Response& response) const {
  const RequestContext& context = exchange.context();
  const auto failed = [](const Append& one) { return !one.superseded && one.answer->error_code != 0; };
  const auto first_failed = std::ranges::find_if(appends, failed);
  response.throttle_time_ms = exchange.throttle_time_ms();
  if (request.acks == 0) {
    if (first_failed == appends.end()) return exchange.respond_nothing();
    // The producer hears of it by the end of its connection.
    return exchange.close_connection(
        fmt::format("Closing connection due to error during produce request with correlation id {} from client id {} "
                    "with ack=0. Topic and partition to exceptions: {}-{} -> {}",
                    context.correlation_id, context.identity.client_id, first_failed->topic->name,
                    first_failed->data->index, error_exception(error_code_of(first_failed->answer->error_code))),
        LogLevel::info);
  }
  if (context.version >= leader_hints_from && first_failed != appends.end())
    add_leader_hints(exchange, appends, response);
  exchange.respond(response);
}

}  // namespace klamm::server
