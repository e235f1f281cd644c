// The client's half of fetch sessions (KIP-227): the first request to a broker names everything, later ones only what
// changed. Knows no network. Source of the rules: org.apache.kafka.clients.FetchSessionHandler.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/error_code.h"
#include "base/topic_partition.h"
#include "base/uuid.h"

namespace klamm::protocol {
struct FetchRequest;
struct FetchResponse;
}  // namespace klamm::protocol

namespace klamm::client {

// What is fetched of one partition.
struct FetchPosition {
  Uuid topic_id;
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::int32_t bytes_max = 0;

  bool operator==(const FetchPosition&) const = default;
};

// With one broker. One request is on its way at a time.
class FetchSession {
 public:
  // Fills in the session and the topics. `wanted` in the order of fetching; a partition that was part of the session
  // and is not wanted now is taken out of it.
  void fill(protocol::FetchRequest& request, const std::vector<std::pair<TopicPartition, FetchPosition>>& wanted);
  // True when the answer can be used. Otherwise the next request names everything again.
  bool answered(const protocol::FetchResponse& response);
  // No answer came: what the broker has heard is not known.
  void lost();

  // All topics of the session have an id: the request may be of a version that names them so.
  bool uses_ids() const { return uses_ids_; }
  // The name behind an id of an answer; nothing for one that was not asked for.
  const std::string* name_of(const Uuid& id) const;

 private:
  std::int32_t id_ = 0;
  std::int32_t epoch_ = 0;  // 0: full
  bool uses_ids_ = false;
  std::map<TopicPartition, FetchPosition> partitions_;
  std::map<Uuid, std::string> names_;
};

}  // namespace klamm::client
