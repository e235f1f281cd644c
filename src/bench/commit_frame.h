// An OffsetCommit that is encoded once: each time it is sent, only the offset in it changes.
#pragma once

#include <string>
#include <vector>

#include "bench/frames.h"

namespace klamm::bench {

struct CommitSubject {
  std::string group;
  std::string member;            // "" for a consumer that is no member
  std::int32_t generation = -1;  // or the epoch of a member
  std::string topic;
  std::vector<std::int32_t> partitions;
};

// The newest version in which topics are named.
inline constexpr std::int16_t commit_version_max = 9;

class CommitFrame {
 public:
  CommitFrame() = default;
  CommitFrame(const CommitSubject& subject, std::int16_t version);

  // The request that commits this offset in every partition; good until the next call.
  const Frame& with(std::int64_t offset);
  std::int64_t last() const { return last_; }
  std::size_t partitions() const { return offsets_at_.size(); }

 private:
  Frame frame_;
  std::vector<std::size_t> offsets_at_;
  std::int64_t last_ = -1;
};

// What is wrong with an answer to a commit of so many partitions; "" when nothing is.
std::string commit_failure(Bytes answer, std::int16_t version, std::size_t partitions);

}  // namespace klamm::bench
