#include "client/fetch_session.h"

#include <algorithm>
#include <limits>

#include "protocol/messages/fetch.h"

namespace klamm::client {

using protocol::FetchRequest;

namespace {

template <typename Topics>
auto& topic_of(Topics& topics, const std::string& name, const Uuid& id) {
  if (topics.empty() || topics.back().topic != name) {
    topics.emplace_back();
    topics.back().topic = name;
    topics.back().topic_id = id;
  }
  return topics.back();
}

}  // namespace

void FetchSession::fill(FetchRequest& request, const std::vector<std::pair<TopicPartition, FetchPosition>>& wanted) {
  const bool all_have_ids =
      std::ranges::none_of(wanted, [](const auto& entry) { return entry.second.topic_id.is_zero(); });
  if (epoch_ != 0 && all_have_ids != uses_ids_) epoch_ = 0;  // a session names topics in one way only
  const bool full = epoch_ == 0;
  if (full) uses_ids_ = all_have_ids;
  request.session_id = id_;
  request.session_epoch = epoch_;

  std::map<TopicPartition, FetchPosition> before = std::exchange(partitions_, {});
  names_.clear();
  for (const auto& [partition, position] : wanted) {
    partitions_.insert_or_assign(partition, position);
    names_[position.topic_id] = partition.topic;
    const auto known = before.find(partition);
    bool unchanged = false;
    if (!full && known != before.end()) {
      unchanged = known->second == position;
      if (known->second.topic_id == position.topic_id)
        before.erase(known);  // else: the old topic of that name is forgotten
    }
    if (unchanged) continue;
    auto& topic = topic_of(request.topics, partition.topic, position.topic_id);
    topic.partitions.push_back({.partition = partition.partition.value,
                                .current_leader_epoch = position.leader_epoch,
                                .fetch_offset = position.offset,
                                .partition_max_bytes = position.bytes_max});
  }
  if (full) return;
  for (const auto& [partition, position] : before) {
    topic_of(request.forgotten_topics_data, partition.topic, position.topic_id)
        .partitions.push_back(partition.partition.value);
  }
}

bool FetchSession::answered(const protocol::FetchResponse& response) {
  const ErrorCode code = error_code_of(response.error_code);
  if (code != ErrorCode::none) {
    epoch_ = 0;
    if (code == ErrorCode::fetch_session_id_not_found) id_ = 0;
    return false;
  }
  if (response.session_id == 0) {
    id_ = epoch_ = 0;  // the broker has no room for a session
  } else {
    id_ = response.session_id;
    epoch_ = epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : epoch_ + 1;
  }
  return true;
}

void FetchSession::lost() {
  epoch_ = 0;
}

const std::string* FetchSession::name_of(const Uuid& id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? nullptr : &found->second;
}

}  // namespace klamm::client
