#include "floor_control.h"

#include "base/ensure.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"
#include "protocol/reader.h"
#include "protocol/writer.h"
#include "rpc/frame.h"

namespace klamm::benchmarks {
namespace {

constexpr std::int32_t self = 1;
constexpr Uuid topic_id{0x6b6c616d6d00, 1};

struct Served {
  protocol::ApiKey key;
  std::int16_t least, most;
};
// One version of the hot ones: their layout is written out.
constexpr Served served[] = {{protocol::ApiKey::produce, 13, 13},    {protocol::ApiKey::fetch, 17, 17},
                             {protocol::ApiKey::list_offsets, 6, 8}, {protocol::ApiKey::metadata, 12, 12},
                             {protocol::ApiKey::api_versions, 0, 4}, {protocol::ApiKey::describe_cluster, 0, 1}};

template <typename Response>
ByteVector framed(const Response& response, std::int16_t version, std::int32_t correlation) {
  ByteVector frame(8);
  store_big(frame.data() + 4, correlation);
  if (rpc::response_header_version(static_cast<std::int16_t>(Response::api_key), version >= Response::flexible_from) ==
      1)
    frame.push_back(std::byte{0});
  protocol::Writer writer(frame);
  response.encode(writer, version);
  ENSURE(writer.ok(), writer.error());
  store_big(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
  return frame;
}

protocol::ApiVersionsResponse api_versions(std::int16_t& version) {
  protocol::ApiVersionsResponse response;
  if (version > 4) {
    response.error_code = 35;
    version = 0;
  }
  for (const auto& row : served) {
    auto& key = response.api_keys.emplace_back();
    key.api_key = static_cast<std::int16_t>(row.key);
    key.min_version = row.least;
    key.max_version = row.most;
  }
  return response;
}

protocol::MetadataResponse metadata(Bytes body, std::int16_t version, std::uint16_t port, int partitions) {
  protocol::MetadataRequest request;
  protocol::Reader reader(body);
  request.decode(reader, version);
  ENSURE(reader.ok(), reader.error());
  protocol::MetadataResponse response;
  response.cluster_id = "floor";
  response.controller_id = self;
  auto& broker = response.brokers.emplace_back();
  broker.node_id = self;
  broker.host = "127.0.0.1";
  broker.port = port;
  if (!request.topics) return response;
  for (const auto& wanted : *request.topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = wanted.name;
    topic.topic_id = topic_id;
    for (int i = 0; i < partitions; ++i) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = i;
      partition.leader_id = self;
      partition.leader_epoch = 0;
      partition.replica_nodes = partition.isr_nodes = {self};
    }
  }
  return response;
}

protocol::DescribeClusterResponse cluster(std::uint16_t port) {
  protocol::DescribeClusterResponse response;
  response.cluster_id = "floor";
  response.controller_id = self;
  auto& broker = response.brokers.emplace_back();
  broker.broker_id = self;
  broker.host = "127.0.0.1";
  broker.port = port;
  return response;
}

protocol::ListOffsetsResponse offsets(Bytes body, std::int16_t version, std::span<const std::int64_t> ends) {
  protocol::ListOffsetsRequest request;
  protocol::Reader reader(body);
  request.decode(reader, version);
  ENSURE(reader.ok(), reader.error());
  protocol::ListOffsetsResponse response;
  for (const auto& wanted : request.topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = wanted.name;
    for (const auto& each : wanted.partitions) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = each.partition_index;
      partition.offset = each.timestamp == -2 ? 0 : ends[static_cast<std::size_t>(each.partition_index)];
      partition.leader_epoch = 0;
    }
  }
  return response;
}

class Appender {
 public:
  explicit Appender(ByteVector& out) : out_(out) {}
  template <typename T>
  Appender& put(T value) {
    out_.resize(out_.size() + sizeof value);
    store_big(out_.data() + out_.size() - sizeof value, value);
    return *this;
  }
  Appender& varint(std::uint32_t value) {
    for (; value >= 128; value >>= 7) out_.push_back(static_cast<std::byte>(value | 128));
    out_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  Appender& id() { return put(topic_id.high).put(topic_id.low); }

 private:
  ByteVector& out_;
};

}  // namespace

ByteVector control_answer(std::int16_t key, std::int16_t version, std::int32_t correlation, Bytes rest,
                          std::uint16_t port, int partitions, std::span<const std::int64_t> ends) {
  using protocol::ApiKey;
  const auto body = [&] { return rest.subspan(1); };  // all of these versions have tagged fields in the header
  switch (static_cast<ApiKey>(key)) {
    case ApiKey::api_versions: {
      const auto response = api_versions(version);
      return framed(response, version, correlation);
    }
    case ApiKey::metadata:
      return framed(metadata(body(), version, port, partitions), version, correlation);
    case ApiKey::describe_cluster:
      return framed(cluster(port), version, correlation);
    case ApiKey::list_offsets:
      return framed(offsets(body(), version, ends), version, correlation);
    default:
      ENSURE(false, fmt::format("API key {} is not here", key));
  }
}

void append_produced(ByteVector& out, std::int32_t correlation, std::int32_t partition, std::int64_t base_offset) {
  const std::size_t begin = out.size();
  Appender to(out);
  to.put(std::int32_t{0}).put(correlation).varint(0);
  to.varint(2).id().varint(2).put(partition).put(std::int16_t{0}).put(base_offset);
  to.put(std::int64_t{-1}).put(std::int64_t{0}).varint(1).varint(0).varint(0);  // no errors, no message, no tags
  to.varint(0).put(std::int32_t{0}).varint(0);                                  // topic's tags, throttle time, tags
  store_big(out.data() + begin, static_cast<std::int32_t>(out.size() - begin - 4));
}

void append_fetched_head(ByteVector& out, std::int32_t correlation, std::int32_t partition, std::int64_t end,
                         std::size_t records_bytes) {
  const std::size_t begin = out.size();
  Appender to(out);
  const auto length = static_cast<std::uint32_t>(records_bytes + 1);
  to.put(std::int32_t{0}).put(correlation).varint(0);
  to.put(std::int32_t{0}).put(std::int16_t{0}).put(std::int32_t{0});
  to.varint(2).id().varint(2).put(partition).put(std::int16_t{0}).put(end).put(end).put(std::int64_t{0});
  to.varint(0).put(std::int32_t{-1}).varint(length);  // no aborted transactions, no preferred replica
  const std::size_t tail = 3;
  store_big(out.data() + begin, static_cast<std::int32_t>(out.size() - begin - 4 + records_bytes + tail));
}

void append_fetched_tail(ByteVector& out) {
  Appender(out).varint(0).varint(0).varint(0);
}

}  // namespace klamm::benchmarks
