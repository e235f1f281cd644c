// Records as a user hands them to a producer and gets them from a consumer. Everything here is a view: nothing owns the
// bytes, so that such values may stand inside a co_await expression (g++ 12 destroys owning temporaries there twice).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace klamm::client {

struct Header {
  std::string_view key;
  std::optional<std::string_view> value;  // none: a null value

  bool operator==(const Header&) const = default;
};

// A record on its way to a topic. The bytes are read until send() suspends or post() returns.
struct RecordView {
  std::string_view topic;
  std::optional<std::string_view> key;    // none: a null key
  std::optional<std::string_view> value;  // none: a null value, a tombstone in a compacted topic
  std::span<const Header> headers;
  std::int32_t partition = -1;  // -1: the partitioner chooses
  std::int64_t timestamp = -1;  // milliseconds since 1970; -1: now
};
static_assert(std::is_trivially_destructible_v<RecordView>);

// Where a record went. `offset` is -1 with acks=0, and for a duplicate whose place the broker no longer knows.
struct Produced {
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
};

struct TopicPartitionOffset {
  std::string topic;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
};

}  // namespace klamm::client
