#include "bench/fetch_load.h"

#include "protocol/messages/fetch.h"
#include "protocol/reader.h"
#include "records/batch_walker.h"

namespace klamm::bench {

std::int16_t fetch_version(const Target& target) {
  return target.version_of(protocol::ApiKey::fetch, protocol::FetchRequest::max_version);
}

Frame fetch_frame(const Target& target, std::int16_t version, std::int32_t partition, const FetchOptions& options) {
  protocol::FetchRequest request;
  request.max_wait_ms = options.wait_ms;
  request.min_bytes = 1;
  request.max_bytes = options.bytes_max;
  auto& topic = request.topics.emplace_back();
  if (version >= 13)
    topic.topic_id = target.topic_id;
  else
    topic.topic = target.topic;
  auto& wanted = topic.partitions.emplace_back();
  wanted.partition = partition;
  wanted.fetch_offset = options.offset;
  wanted.partition_max_bytes = options.bytes_max;
  return frame_of(request, version);
}

Fetched read_fetch(Bytes answer, std::int16_t version, Arena& arena) {
  arena.reset();
  protocol::Reader reader(body_of(answer, version >= protocol::FetchResponse::flexible_from));
  protocol::FetchResponseView response;
  response.decode(reader, arena, version);
  Fetched fetched;
  if (!reader.ok()) {
    fetched.failure = "an answer that cannot be read: " + reader.error();
  } else if (response.error_code != 0) {
    fetched.failure = error_name(static_cast<ErrorCode>(response.error_code));
  } else if (response.responses.size() != 1 || response.responses[0].partitions.size() != 1) {
    fetched.failure = "an answer about something else";
  } else if (const auto& partition = response.responses[0].partitions[0]; partition.error_code != 0) {
    fetched.failure = error_name(static_cast<ErrorCode>(partition.error_code));
  } else {
    fetched.records = partition.records.bytes();
    fetched.high_watermark = partition.high_watermark;
  }
  return fetched;
}

FetchLoad::FetchLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, const Target& target)
    : Load(reactor, plan, report), target_(target), bytes_max_(plan.fetch_bytes), version_(fetch_version(target)) {
  for (std::size_t channel = 0; channel < plan.connections; ++channel) {
    const auto& partitions = target.broker_of(channel).partitions;
    readings_.push_back({.partition = partitions[(channel / target.brokers.size()) % partitions.size()]});
  }
}

const Frame& FetchLoad::next_request(std::size_t channel, std::uint64_t& tag) {
  const Reading& reading = readings_[channel];
  tag = static_cast<std::uint64_t>(reading.offset);
  frame_ = fetch_frame(target_, version_, reading.partition, {.offset = reading.offset, .bytes_max = bytes_max_});
  return frame_;
}

// Whole batches count; what is cut at the end comes again with the next request.
Load::Outcome FetchLoad::look_at(std::size_t channel, const Sent& sent, Bytes answer, runtime::MonoTime) {
  const Fetched fetched = read_fetch(answer, version_, arena_);
  if (!fetched.failure.empty()) return {.failure = fetched.failure};
  Outcome outcome;
  std::int64_t next = static_cast<std::int64_t>(sent.tag);
  records::BatchWalker walker(fetched.records);
  while (walker.next() == records::BatchWalker::Step::entry) {
    const records::EntryView& entry = walker.entry();
    if (!entry.is_batch()) return {.failure = "a message of an old format"};
    if (entry.first_known_offset().value > next || entry.last_offset().value < next)
      return {.failure = "a gap between batches"};
    outcome.records += static_cast<std::uint64_t>(entry.batch().record_count());
    next = entry.last_offset().value + 1;
  }
  outcome.bytes = fetched.records.size();
  // Requests that are already on their way ask for the same again; they are as good.
  readings_[channel].offset = next >= fetched.high_watermark ? 0 : next;
  if (outcome.records == 0) return {.failure = "no records"};
  return outcome;
}

}  // namespace klamm::bench
