#include "server/fetch_sessions.h"

#include <algorithm>
#include <tuple>

namespace klamm::server {

using Guard = runtime::ShortLock::Guard;

namespace {
constexpr std::int16_t topic_ids_from = 13;
}

// --- one session -----------------------------------------------------------------------------------------------------

CachedPartition& FetchSession::put(CachedPartition partition) {
  const Key key{partition.topic, partition.topic_id, partition.index};
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    CachedPartition& cached = *known->second;
    cached.bytes_max = partition.bytes_max;
    cached.fetch_offset = partition.fetch_offset;
    cached.leader_epoch = partition.leader_epoch;
    cached.last_fetched_epoch = partition.last_fetched_epoch;
    return cached;
  }
  partitions_.push_back(std::move(partition));
  const auto stored = std::prev(partitions_.end());
  by_key_.emplace(Key{stored->topic, stored->topic_id, stored->index}, stored);
  return *stored;
}

void FetchSession::forget(const Key& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return;
  const auto stored = known->second;
  by_key_.erase(known);
  partitions_.erase(stored);
}

bool FetchSession::select(std::int32_t request_epoch, std::span<Update> updates) {
  const Guard guard(lock_);
  if (epoch_ != next_fetch_epoch(request_epoch)) return false;
  for (Update& update : updates) {
    const auto known = by_key_.find({update.topic, update.topic_id, update.index});
    if (known == by_key_.end()) continue;
    CachedPartition& cached = *known->second;
    update.wanted = update.has_records || update.has_error || update.diverges ||
                    cached.high_watermark != update.high_watermark || cached.log_start != update.log_start;
    cached.high_watermark = update.high_watermark;
    cached.log_start = update.log_start;
    // So that the partition is told again once the error is gone.
    if (update.has_error) cached.high_watermark = Offset(-1);
    if (update.has_records) partitions_.splice(partitions_.end(), partitions_, known->second);
  }
  return true;
}

// --- all sessions ----------------------------------------------------------------------------------------------------

Result<FetchSessions::Opened> FetchSessions::open(const protocol::FetchRequestView& request, std::int16_t version,
                                                  runtime::MonoTime now) {
  const bool full = request.session_epoch == initial_fetch_epoch || request.session_epoch == final_fetch_epoch;
  const Guard guard(lock_);
  const auto it = sessions_.find(request.session_id);
  if (full) {
    // Whatever session a full request names is over.
    if (request.session_id != no_fetch_session && it != sessions_.end()) remove_locked(it);
    return Opened{.kind = request.session_epoch == final_fetch_epoch ? Kind::sessionless : Kind::full, .session = {}};
  }
  if (it == sessions_.end()) return fail(ErrorCode::fetch_session_id_not_found);

  const FetchSessionRef session = it->second;
  const bool by_id = version >= topic_ids_from;
  const Guard session_guard(session->lock_);
  if (session->epoch_ != request.session_epoch) return fail(ErrorCode::invalid_fetch_session_epoch);
  if (session->uses_topic_ids_ != by_id) return fail(ErrorCode::fetch_session_topic_id_error);
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      session->put({.topic = std::string(by_id ? std::string_view() : topic.topic),
                    .topic_id = by_id ? topic.topic_id : zero_uuid,
                    .index = PartitionIndex(partition.partition),
                    .bytes_max = partition.partition_max_bytes,
                    .fetch_offset = Offset(partition.fetch_offset),
                    .leader_epoch = LeaderEpoch(partition.current_leader_epoch),
                    .last_fetched_epoch = LeaderEpoch(partition.last_fetched_epoch)});
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const std::int32_t partition : topic.partitions)
      session->forget(
          {by_id ? std::string_view() : topic.topic, by_id ? topic.topic_id : zero_uuid, PartitionIndex(partition)});
  }
  const std::size_t size = session->partitions_.size();
  if (size == 0) {
    remove_locked(it);
    return Opened{};
  }
  partitions_ += size - session->cached_size_;
  session->cached_size_ = size;
  if (partitions_ > partitions_max) {
    remove_locked(it);
    return fail(ErrorCode::fetch_session_id_not_found);
  }
  session->last_used_ = now;
  session->epoch_ = next_fetch_epoch(session->epoch_);
  return Opened{.kind = Kind::incremental, .session = session};
}

void FetchSessions::remove_locked(Sessions::iterator it) {
  partitions_ -= it->second->cached_size_;
  sessions_.erase(it);
}

// A place is free, or somebody loses it: who was not there for long enough, else the least of those that are not new,
// when the newcomer is worth more: a follower before a consumer, then many partitions before few.
bool FetchSessions::make_room_locked(bool privileged, std::size_t size, runtime::MonoTime now) {
  if (sessions_.size() < sessions_max_) return true;
  const auto unused_first = std::ranges::min_element(
      sessions_, {}, [](const auto& entry) { return std::tuple(entry.second->last_used_, entry.first); });
  if (unused_first == sessions_.end()) return false;
  if (now - unused_first->second->last_used_ > eviction_min) {
    remove_locked(unused_first);
    return true;
  }
  const auto worth = [](const auto& entry) {
    return std::tuple(entry.second->privileged_, entry.second->cached_size_, entry.first);
  };
  auto least = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    const bool old = now - it->second->created_ > eviction_min;
    if (!old && !(privileged && !it->second->privileged_)) continue;
    if (least == sessions_.end() || worth(*it) < worth(*least)) least = it;
  }
  if (least == sessions_.end() || std::tuple(privileged, size, std::int32_t{0}) < worth(*least)) return false;
  remove_locked(least);
  return true;
}

std::int32_t FetchSessions::create(bool privileged, bool uses_topic_ids, std::span<CachedPartition> partitions,
                                   runtime::MonoTime now) {
  const Guard guard(lock_);
  if (partitions_ + partitions.size() > partitions_max || !make_room_locked(privileged, partitions.size(), now))
    return no_fetch_session;
  std::int32_t id = 0;
  do id = static_cast<std::int32_t>(random_.next() & 0x7fffffff);
  while (id == no_fetch_session || sessions_.contains(id));
  auto session = std::make_shared<FetchSession>(scheduling_, id, privileged, uses_topic_ids, now);
  for (CachedPartition& partition : partitions) {
    const Offset high_watermark = partition.high_watermark;
    const Offset log_start = partition.log_start;
    CachedPartition& cached = session->put(std::move(partition));
    cached.high_watermark = high_watermark;
    cached.log_start = log_start;
  }
  session->cached_size_ = session->partitions_.size();
  partitions_ += session->cached_size_;
  sessions_.emplace(id, std::move(session));
  return id;
}

std::size_t FetchSessions::session_count() const {
  const Guard guard(lock_);
  return sessions_.size();
}

std::size_t FetchSessions::partition_count() const {
  const Guard guard(lock_);
  return partitions_;
}

}  // namespace klamm::server
