// The file quorum-state: what a node of the metadata quorum must not forget of elections. One line of JSON; version 0
// names the voters (they are static, kraft.version 0), version 1 the directory that was voted for (kraft.version 1).
// Source of the format: org.apache.kafka.raft.FileQuorumStateStore, QuorumStateData.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "base/uuid.h"
#include "runtime/disk.h"

namespace klamm::hosting {

inline constexpr std::string_view quorum_state_name = "quorum-state";

struct QuorumState {
  std::int32_t leader_id = -1;
  LeaderEpoch leader_epoch{-1};
  std::int32_t voted_id = -1;
  Uuid voted_directory_id;           // version 1
  std::vector<std::int32_t> voters;  // version 0
  std::int16_t data_version = 0;

  bool operator==(const QuorumState&) const = default;
};

std::string quorum_state_text(const QuorumState& state);
// Error::message says what is wrong.
Result<QuorumState> parse_quorum_state(std::string_view text);

// Nothing when there is no file. Throws DiskError; std::runtime_error with Kafka's text when it is not what it should
// be.
std::optional<QuorumState> read_quorum_state(runtime::Disk& disk, const std::string& log_directory);
// On disk, name and content, when it returns.
void write_quorum_state(runtime::Disk& disk, const std::string& log_directory, const QuorumState& state);

}  // namespace klamm::hosting
