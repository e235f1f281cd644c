#include "server/api/001_fetch.h"

#include <algorithm>

#include "server/metadata_view.h"

namespace klamm::server {

namespace {

constexpr std::int16_t topic_ids_from = 13;
constexpr std::int16_t replica_state_from = 15;
constexpr std::int16_t leader_hints_from = 16;
// Clients of older versions do not know KAFKA_STORAGE_ERROR and would not look for another leader.
constexpr std::int16_t storage_error_from = 6;

std::int64_t min_of(std::int64_t a, std::int64_t b) {
  return std::min(a, b);
}

}  // namespace

FetchHandler::FetchHandler(runtime::Environment& environment, const hosting::MetadataPublisher& metadata,
                           const replication::PartitionTable& partitions, const security::Authorizer& authorizer,
                           FetchSettings settings)
    : clock_(environment.clock),
      metadata_(metadata),
      partitions_(partitions),
      authorizer_(authorizer),
      settings_(settings),
      sessions_(environment.scheduling, environment.random, settings.sessions_max) {
  for (runtime::Reactor* reactor : environment.reactors) {
    if (polls_.size() <= reactor->index()) polls_.resize(reactor->index() + 1);
    polls_[reactor->index()] = std::make_unique<FetchPolls>(*reactor);
  }
}

runtime::Task<void> FetchHandler::answer(Exchange& exchange) {
  Request request;
  if (!exchange.decode_view(request)) co_return;
  const RequestContext& context = exchange.context();
  const Terms terms = terms_of(context, request);

  std::size_t partitions = 0;
  for (const auto& topic : request.topics) partitions += topic.partitions.size();
  if (partitions > FetchSessions::partitions_max)
    co_return fail(exchange, request, ErrorCode::invalid_request, no_fetch_session);

  const auto opened = sessions_.open(request, context.version, clock_.now());
  if (!opened) co_return fail(exchange, request, opened.error().code, no_fetch_session);

  const auto poll = polls_[context.reactor.index()]->take();
  list(exchange, request, *opened, poll->entries());
  bool any_readable = false;
  for (FetchEntry& entry : poll->entries()) {
    resolve(context, terms.follower(), entry);
    any_readable |= entry.readable;
  }
  if (any_readable) {
    if (request.isolation_level < 0 || request.isolation_level > 1)
      co_return fail(exchange, request, ErrorCode::unknown_server_error, request.session_id);
    auto reading = read_until_enough(exchange, *poll, terms);
    co_await std::move(reading);
  }
  respond(exchange, request, *opened, *poll, terms.follower());
}

FetchHandler::Terms FetchHandler::terms_of(const RequestContext& context, const Request& request) const {
  Terms terms;
  terms.replica =
      BrokerId(context.version >= replica_state_from ? request.replica_state.replica_id : request.replica_id);
  if (terms.follower())
    terms.isolation = storage::ReadIsolation::log_end;
  else if (request.isolation_level == 1)
    terms.isolation = storage::ReadIsolation::last_stable;
  terms.bytes_max = std::min(request.max_bytes, settings_.response_bytes_max);
  terms.bytes_min = min_of(request.min_bytes, terms.bytes_max);
  terms.deadline = context.received_at + std::chrono::milliseconds(std::max(request.max_wait_ms, 0));
  return terms;
}

// The partitions that this request is about: its own, or those of its session.
void FetchHandler::list(Exchange& exchange, const Request& request, const FetchSessions::Opened& opened,
                        std::vector<FetchEntry>& entries) const {
  const bool by_id = exchange.context().version >= topic_ids_from;
  if (opened.kind == FetchSessions::Kind::incremental) {
    std::string_view topic;  // neighbours mostly are of one topic
    opened.session->for_each([&](const CachedPartition& cached) {
      if (topic != cached.topic) topic = exchange.arena().copy(cached.topic);
      entries.push_back({.topic = topic,
                         .topic_id = cached.topic_id,
                         .index = cached.index,
                         .bytes_max = cached.bytes_max,
                         .from = cached.fetch_offset,
                         .leader_epoch = cached.leader_epoch,
                         .last_fetched_epoch = cached.last_fetched_epoch});
    });
    return;
  }
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      entries.push_back({.topic = by_id ? std::string_view() : topic.topic,
                         .topic_id = by_id ? topic.topic_id : zero_uuid,
                         .index = PartitionIndex(partition.partition),
                         .bytes_max = partition.partition_max_bytes,
                         .from = Offset(partition.fetch_offset),
                         .leader_epoch = LeaderEpoch(partition.current_leader_epoch),
                         .last_fetched_epoch = LeaderEpoch(partition.last_fetched_epoch)});
    }
  }
}

void FetchHandler::resolve(const RequestContext& context, bool follower, FetchEntry& entry) const {
  const bool by_id = context.version >= topic_ids_from;
  entry.partition = by_id ? partitions_.find(entry.topic_id, entry.index) : partitions_.find(entry.topic, entry.index);
  std::string_view topic = entry.topic;
  bool exists = entry.partition != nullptr;
  if (entry.partition) {
    topic = entry.partition->name().topic;
  } else {
    const auto& image = *metadata_.image(context.reactor);
    const metadata::Topic* known = by_id ? image.topic(entry.topic_id) : image.topic(entry.topic);
    if (by_id && !known) {
      entry.error = ErrorCode::unknown_topic_id;
      return;
    }
    if (known) topic = known->name;
    exists = known && known->partition(entry.index.value);
  }
  const bool allowed = follower ? authorizer_.allows(context.identity, security::Operation::cluster_action,
                                                     {security::ResourceType::cluster, security::cluster_resource})
                                : authorizer_.allows(context.identity, security::Operation::read,
                                                     {security::ResourceType::topic, topic});
  if (!allowed)
    entry.error = ErrorCode::topic_authorization_failed;
  else if (!exists)
    entry.error = ErrorCode::unknown_topic_or_partition;
  else
    entry.readable = true;
}

// Reads, and reads again what changed, until there is enough, an error, or no time left.
runtime::Task<void> FetchHandler::read_until_enough(Exchange& exchange, FetchPoll& poll, Terms terms) {
  const RequestContext& context = exchange.context();
  auto reading = read_all(context, poll, terms);
  Progress progress = co_await std::move(reading);
  const auto enough = [&] { return progress.must_answer || progress.bytes >= terms.bytes_min; };
  if (enough() || terms.deadline <= context.received_at || exchange.abandoned()) co_return;

  exchange.listen_for_abandon(&poll);
  poll.watch(terms.isolation);
  while (!enough() && !poll.over()) {
    co_await poll.wait(terms.deadline);
    auto again = read_all(context, poll, terms);
    progress = co_await std::move(again);
  }
  exchange.listen_for_abandon(nullptr);
}

// One look at all readable partitions, in order: what the response may hold is given to the first ones; the first batch
// of the first partition that has one is given whole, however large. What was empty and did not change is not read
// again.
runtime::Task<FetchHandler::Progress> FetchHandler::read_all(const RequestContext& context, FetchPoll& poll,
                                                             Terms terms) {
  Progress progress;
  std::int64_t room = terms.bytes_max;
  for (FetchEntry& entry : poll.entries()) {
    if (!entry.readable) continue;
    if (entry.stale || entry.data.bytes() > 0) {
      entry.stale = false;
      entry.error = ErrorCode::none;
      entry.data = {};
      entry.diverging.reset();
      entry.was_read = false;
      const std::int64_t bytes_max = min_of(entry.bytes_max, room);
      if (!entry.partition) {
        entry.error = ErrorCode::not_leader_or_follower;
      } else if (bytes_max < 0) {
        entry.error = ErrorCode::unknown_server_error;
      } else {
        replication::FetchRequest wanted{.read = {.from = entry.from,
                                                  .bytes_max = static_cast<std::size_t>(bytes_max),
                                                  .at_least_one_batch = progress.bytes == 0,
                                                  .isolation = terms.isolation},
                                         .replica = terms.replica,
                                         .current_leader_epoch = entry.leader_epoch,
                                         .last_fetched_epoch = entry.last_fetched_epoch};
        auto reading = entry.partition->read(context.reactor, wanted);
        auto read = co_await std::move(reading);
        if (read) {
          entry.data = std::move(read->data);
          entry.diverging = read->diverging;
          entry.was_read = true;
        } else {
          entry.error = read.error().code;
        }
      }
    }
    const auto bytes = static_cast<std::int64_t>(entry.data.bytes());
    progress.bytes += bytes;
    room = std::max<std::int64_t>(0, room - bytes);
    progress.must_answer |= entry.error != ErrorCode::none || entry.diverging.has_value();
  }
  co_return progress;
}

// --- the answer ------------------------------------------------------------------------------------------------------

// The request as a whole failed. Below version 13 clients look at the partitions.
void FetchHandler::fail(Exchange& exchange, const Request& request, ErrorCode code, std::int32_t session_id) const {
  Response response;
  response.error_code = wire_of(code);
  response.session_id = session_id;
  const bool session_error = code != ErrorCode::unknown_server_error;
  if (!session_error && exchange.context().version < topic_ids_from) {
    Arena& arena = exchange.arena();
    response.responses = arena.array<Response::FetchableTopicResponse>(request.topics.size());
    for (std::size_t t = 0; t < request.topics.size(); ++t) {
      auto& topic = response.responses[t];
      topic.topic = request.topics[t].topic;
      topic.partitions = arena.array<Response::PartitionData>(request.topics[t].partitions.size());
      for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
        topic.partitions[p].partition_index = request.topics[t].partitions[p].partition;
        topic.partitions[p].error_code = wire_of(code);
        topic.partitions[p].high_watermark = -1;
        topic.partitions[p].records = protocol::Payload::view({});
      }
    }
  }
  response.throttle_time_ms = exchange.throttle_time_ms();
  exchange.respond(response);
}

protocol::FetchResponseView::PartitionData FetchHandler::describe(Exchange& exchange, FetchEntry& entry) const {
  Response::PartitionData answer;
  answer.partition_index = entry.index.value;
  ErrorCode code = entry.error;
  if (code == ErrorCode::kafka_storage_error && exchange.context().version < storage_error_from)
    code = ErrorCode::not_leader_or_follower;
  answer.error_code = wire_of(code);
  answer.high_watermark = -1;
  answer.aborted_transactions.reset();
  answer.records = protocol::Payload::view({});
  if (!entry.was_read) return answer;

  answer.high_watermark = entry.data.offsets.high_watermark.value;
  answer.last_stable_offset = entry.data.offsets.last_stable.value;
  answer.log_start_offset = entry.data.offsets.log_start.value;
  if (entry.diverging) {
    answer.diverging_epoch.epoch = entry.diverging->leader_epoch.value;
    answer.diverging_epoch.end_offset = entry.diverging->end_offset.value;
  }
  return answer;
}

void FetchHandler::respond(Exchange& exchange, const Request& request, const FetchSessions::Opened& opened,
                           FetchPoll& poll, bool follower) {
  const RequestContext& context = exchange.context();
  Arena& arena = exchange.arena();
  auto& entries = poll.entries();
  Response response;
  response.throttle_time_ms = exchange.throttle_time_ms();

  const auto updates = arena.array<FetchSession::Update>(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const FetchEntry& entry = entries[i];
    updates[i] = {.topic = entry.topic,
                  .topic_id = entry.topic_id,
                  .index = entry.index,
                  .high_watermark = entry.was_read ? entry.data.offsets.high_watermark : Offset(-1),
                  .log_start = entry.was_read ? entry.data.offsets.log_start : Offset(-1),
                  .has_records = entry.data.bytes() > 0,
                  .has_error = entry.error != ErrorCode::none,
                  .diverges = entry.diverging.has_value(),
                  .wanted = true};
  }
  if (opened.kind == FetchSessions::Kind::incremental) {
    response.session_id = opened.session->id();
    if (!opened.session->select(request.session_epoch, updates))
      return fail(exchange, request, ErrorCode::invalid_fetch_session_epoch, response.session_id);
  } else if (opened.kind == FetchSessions::Kind::full) {
    std::vector<CachedPartition> cached;
    cached.reserve(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const FetchEntry& entry = entries[i];
      cached.push_back({.topic = std::string(entry.topic),
                        .topic_id = entry.topic_id,
                        .index = entry.index,
                        .bytes_max = entry.bytes_max,
                        .fetch_offset = entry.from,
                        .leader_epoch = entry.leader_epoch,
                        .last_fetched_epoch = entry.last_fetched_epoch,
                        .high_watermark = updates[i].high_watermark,
                        .log_start = updates[i].log_start});
    }
    response.session_id = sessions_.create(follower, context.version >= topic_ids_from, cached, clock_.now());
  }

  // Partitions in a row, cut into topics where the topic changes.
  const auto answers = arena.array<Response::PartitionData>(entries.size());
  const auto topics = arena.array<Response::FetchableTopicResponse>(entries.size());
  const auto answer_of = arena.array<Response::PartitionData*>(entries.size());
  std::size_t answered = 0;
  std::size_t topic_count = 0;
  bool hints_wanted = false;
  // Those that could be read come first, then those that could not, as Kafka lists them.
  for (std::size_t n = 0; n < 2 * entries.size(); ++n) {
    const std::size_t i = n % entries.size();
    FetchEntry& entry = entries[i];
    if (!updates[i].wanted || entry.readable != (n < entries.size())) continue;
    const bool same_topic = topic_count > 0 && topics[topic_count - 1].topic == entry.topic &&
                            topics[topic_count - 1].topic_id == entry.topic_id;
    if (!same_topic) {
      topics[topic_count].topic = entry.topic;
      topics[topic_count].topic_id = entry.topic_id;
      topics[topic_count++].partitions = answers.subspan(answered, 0);
    }
    Response::PartitionData& answer = answers[answered++] = describe(exchange, entry);
    answer_of[i] = &answer;
    auto& partitions = topics[topic_count - 1].partitions;
    partitions = {partitions.data(), partitions.size() + 1};
    if (request.isolation_level == 1 && entry.was_read) {
      const auto aborted = arena.array<Response::AbortedTransaction>(entry.data.aborted.size());
      for (std::size_t a = 0; a < aborted.size(); ++a) {
        aborted[a].producer_id = entry.data.aborted[a].producer_id.value;
        aborted[a].first_offset = entry.data.aborted[a].first_offset.value;
      }
      answer.aborted_transactions = aborted;
    }
    if (entry.data.bytes() > 0) answer.records = exchange.file_records(std::move(entry.data.data));
    hints_wanted |= entry.error == ErrorCode::not_leader_or_follower || entry.error == ErrorCode::fenced_leader_epoch;
  }
  response.responses = topics.first(topic_count);
  if (hints_wanted && context.version >= leader_hints_from) add_leader_hints(exchange, entries, answer_of, response);
  exchange.respond(response);
}

void FetchHandler::add_leader_hints(Exchange& exchange, std::vector<FetchEntry>& entries,
                                    std::span<Response::PartitionData* const> answers, Response& response) const {
  const RequestContext& context = exchange.context();
  const metadata::ImageRef image = metadata_.image(context.reactor);
  const auto nodes = exchange.arena().array<Response::NodeEndpoint>(entries.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const FetchEntry& entry = entries[i];
    if (!answers[i]) continue;
    if (entry.error != ErrorCode::not_leader_or_follower && entry.error != ErrorCode::fenced_leader_epoch) continue;
    const auto* topic = image->topic(entry.topic_id);  // these versions have ids only
    if (!topic) continue;
    const auto hint = leader_hint(*image, partitions_, topic->name, entry.index, context.identity.listener);
    answers[i]->current_leader.leader_id = hint.leader.value;
    answers[i]->current_leader.leader_epoch = hint.epoch.value;
    if (!hint.endpoint) continue;
    const auto known = nodes.first(count);
    if (std::ranges::find(known, hint.leader.value, &Response::NodeEndpoint::node_id) != known.end()) continue;
    auto& node = nodes[count++];
    node.node_id = hint.leader.value;
    node.host = exchange.arena().copy(hint.endpoint->host);
    node.port = hint.endpoint->port;
    if (hint.broker->rack) node.rack = exchange.arena().copy(*hint.broker->rack);
  }
  response.node_endpoints = nodes.first(count);
}

}  // namespace klamm::server
