// Committing offsets and reading them, and telling the history of it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "coordinators/caller.h"
#include "coordinators/group_history.h"
#include "coordinators/membership.h"

namespace klamm::simulation {

// Nobody knows whether what was answered with it was done.
bool may_have_been_done(ErrorCode code);

struct OffsetsWanted {
  std::string group;
  std::string topic;
  std::vector<std::int32_t> partitions;
  bool stable = true;
  bool counts = true;                  // its transactions do not matter: an acknowledged commit has to be there
  const Membership* member = nullptr;  // who asks; else nobody
};

// Partition -> offset, -1 for none. Partitions whose offset cannot be told now are not there.
struct OffsetsRead {
  std::map<std::int32_t, std::int64_t> offsets;
  ErrorCode error = ErrorCode::none;
};
Task<OffsetsRead> read_offsets(Caller& caller, GroupHistory& history, OffsetsWanted wanted);

// One attempt, outside of transactions. The error of the first partition that has one.
Task<ErrorCode> commit_offsets(Caller& caller, GroupHistory& history, const Membership& member,
                               std::map<std::int32_t, std::int64_t> offsets);

}  // namespace klamm::simulation
