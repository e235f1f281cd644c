#include "bench/produce_load.h"

#include "protocol/messages/produce.h"
#include "protocol/reader.h"
#include "records/record_batch_builder.h"

namespace klamm::bench {
namespace {

constexpr std::int32_t timeout_ms = 30'000;

// Four bits of chance a byte, the same in every run.
ByteVector value_of(std::size_t bytes, std::uint64_t& state) {
  ByteVector value(bytes);
  for (auto& byte : value) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = std::byte('a' + (state >> 60));
  }
  return value;
}

}  // namespace

Frame produce_frame(const Target& target, std::int16_t version, std::int16_t acks, std::int32_t partition,
                    Bytes records) {
  protocol::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = timeout_ms;
  auto& topic = request.topic_data.emplace_back();
  if (version >= 13)
    topic.topic_id = target.topic_id;
  else
    topic.name = target.topic;
  auto& data = topic.partition_data.emplace_back();
  data.index = partition;
  data.records = protocol::Payload::hole(records.size(), 0);
  return frame_of(request, version, records);
}

std::int16_t produce_version(const Target& target) {
  return target.version_of(protocol::ApiKey::produce, protocol::ProduceRequest::max_version);
}

PreparedBatch prepare_batch(const Plan& plan, Timestamp now) {
  records::RecordBatchBuilder builder({.compression = plan.compression});
  std::uint64_t state = 7;
  while (true) {
    const ByteVector value = value_of(plan.record_bytes, state);
    const records::RecordFields fields{.timestamp = now, .key = {}, .value = Bytes(value)};
    if (!builder.empty() && builder.plain_bytes_after(fields) > plan.batch_bytes) break;
    builder.append(fields);
  }
  const std::int32_t count = builder.record_count();
  records::Compressor compressor;
  return {builder.take(compressor), count};
}

ProduceLoad::ProduceLoad(runtime::Reactor& reactor, const Plan& plan, Report& report, const Target& target,
                         Timestamp now)
    : Load(reactor, plan, report), version_(produce_version(target)), batch_(prepare_batch(plan, now)) {
  for (const auto& broker : target.brokers) {
    auto& frames = frames_.emplace_back();
    for (const std::int32_t partition : broker.partitions)
      frames.push_back(produce_frame(target, version_, plan.acks, partition, batch_.bytes));
  }
  // Channels begin at different partitions.
  for (std::size_t channel = 0; channel < plan.connections; ++channel) next_.push_back(channel / frames_.size());
}

const Frame& ProduceLoad::next_request(std::size_t channel, std::uint64_t&) {
  const auto& frames = frames_[channel % frames_.size()];
  return frames[next_[channel]++ % frames.size()];
}

std::string produce_failure(Bytes answer, std::int16_t version, Arena& arena) {
  arena.reset();
  protocol::Reader reader(body_of(answer, version >= protocol::ProduceResponse::flexible_from));
  protocol::ProduceResponseView response;
  response.decode(reader, arena, version);
  if (!reader.ok()) return "an answer that cannot be read: " + reader.error();
  if (response.responses.size() != 1 || response.responses[0].partition_responses.size() != 1)
    return "an answer about something else";
  const auto& partition = response.responses[0].partition_responses[0];
  if (partition.error_code != 0) return std::string(error_name(static_cast<ErrorCode>(partition.error_code)));
  if (partition.base_offset < 0) return "an answer without an offset";
  return {};
}

Load::Outcome ProduceLoad::look_at(std::size_t, const Sent&, Bytes answer, runtime::MonoTime) {
  std::string failure = produce_failure(answer, version_, arena_);
  if (!failure.empty()) return {.failure = std::move(failure)};
  return {.records = static_cast<std::uint64_t>(batch_.records), .bytes = batch_.bytes.size(), .failure = {}};
}

}  // namespace klamm::bench
