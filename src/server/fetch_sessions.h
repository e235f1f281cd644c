// Incremental fetch sessions (KIP-227): the broker remembers which partitions a client fetches and from where, so that
// a request names only what changed and a response only what is new. Source of behaviour: FetchSession, FetchContext,
// FetchManager and FetchSessionCacheShard of org.apache.kafka.server.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "base/uuid.h"
#include "protocol/messages/fetch.h"
#include "runtime/clock.h"
#include "runtime/lock.h"

namespace klamm::server {

inline constexpr std::int32_t no_fetch_session = 0;
inline constexpr std::int32_t initial_fetch_epoch = 0;  // wants a session
inline constexpr std::int32_t final_fetch_epoch = -1;   // wants none, and the one it names ended
inline std::int32_t next_fetch_epoch(std::int32_t epoch) {
  if (epoch < 0) return final_fetch_epoch;
  return epoch == INT32_MAX ? 1 : epoch + 1;
}

// What a client asks of one partition, and what it was told last.
struct CachedPartition {
  std::string topic;  // below version 13
  Uuid topic_id;      // from version 13 on
  PartitionIndex index;
  std::int32_t bytes_max = 0;
  Offset fetch_offset;
  LeaderEpoch leader_epoch = no_leader_epoch;
  LeaderEpoch last_fetched_epoch = no_leader_epoch;
  Offset high_watermark{-1};
  Offset log_start{-1};
};

class FetchSession {
 public:
  // In the order in which they are answered: those that had data last stand at the end, so that all have their turn.
  using Partitions = std::list<CachedPartition>;

  FetchSession(runtime::Scheduling& scheduling, std::int32_t id, bool privileged, bool uses_topic_ids,
               runtime::MonoTime now)
      : lock_(scheduling),
        id_(id),
        privileged_(privileged),
        uses_topic_ids_(uses_topic_ids),
        created_(now),
        last_used_(now) {}

  std::int32_t id() const { return id_; }

  // Calls `use(const CachedPartition&)` for each, in order, under the session's lock.
  template <typename Use>
  void for_each(Use use) {
    const runtime::ShortLock::Guard guard(lock_);
    for (const CachedPartition& partition : partitions_) use(partition);
  }

  // One partition of a response under way.
  struct Update {
    std::string_view topic;
    Uuid topic_id;
    PartitionIndex index;
    Offset high_watermark;
    Offset log_start;
    bool has_records = false;
    bool has_error = false;
    bool diverges = false;
    bool wanted = false;  // out: stands in the response
  };
  // Decides what a response tells, and remembers it as told. False when the session went on meanwhile: a request that
  // was sent twice.
  bool select(std::int32_t request_epoch, std::span<Update> updates);

 private:
  friend class FetchSessions;
  struct Key {
    std::string_view topic;
    Uuid topic_id;
    PartitionIndex index;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return (std::hash<std::string_view>{}(key.topic) ^ std::hash<Uuid>{}(key.topic_id)) +
             static_cast<std::size_t>(key.index.value) * 0x9e3779b97f4a7c15ull;
    }
  };

  CachedPartition& put(CachedPartition partition);
  void forget(const Key& key);

  runtime::ShortLock lock_;
  const std::int32_t id_;
  const bool privileged_;
  const bool uses_topic_ids_;
  const runtime::MonoTime created_;
  // Below: under the lock. Of the cache: last_used_ and cached_size_.
  runtime::MonoTime last_used_;
  std::size_t cached_size_ = 0;
  std::int32_t epoch_ = 1;
  Partitions partitions_;
  std::unordered_map<Key, Partitions::iterator, KeyHash> by_key_;
};
using FetchSessionRef = std::shared_ptr<FetchSession>;

// Callable from every reactor.
class FetchSessions {
 public:
  static constexpr std::chrono::minutes eviction_min{2};  // unused or old for so long: others may take its place
  // What all sessions together may remember; beyond it clients are served without one.
  static constexpr std::size_t partitions_max = 200'000;

  // max.incremental.fetch.session.cache.slots
  FetchSessions(runtime::Scheduling& scheduling, runtime::Random& random, std::size_t sessions_max)
      : scheduling_(scheduling), random_(random), lock_(scheduling), sessions_max_(sessions_max) {}

  enum class Kind : std::uint8_t {
    sessionless,  // the request says all there is
    full,         // the same, and the answer should open a session: create()
    incremental,  // `session` says which partitions
  };
  struct Opened {
    Kind kind = Kind::sessionless;
    FetchSessionRef session;
  };
  // What a request means, with the session brought up to date. Errors: FETCH_SESSION_ID_NOT_FOUND,
  // INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
  Result<Opened> open(const protocol::FetchRequestView& request, std::int16_t version, runtime::MonoTime now);

  // Remembers the partitions of a full request as its response tells them; no_fetch_session when there is no room.
  std::int32_t create(bool privileged, bool uses_topic_ids, std::span<CachedPartition> partitions,
                      runtime::MonoTime now);

  std::size_t session_count() const;
  std::size_t partition_count() const;

 private:
  using Sessions = std::unordered_map<std::int32_t, FetchSessionRef>;

  void remove_locked(Sessions::iterator it);
  bool make_room_locked(bool privileged, std::size_t size, runtime::MonoTime now);

  runtime::Scheduling& scheduling_;
  runtime::Random& random_;
  mutable runtime::ShortLock lock_;
  const std::size_t sessions_max_;
  Sessions sessions_;
  std::size_t partitions_ = 0;
};

}  // namespace klamm::server
