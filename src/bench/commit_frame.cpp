#include "bench/commit_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error_code.h"
#include "bench/ask.h"
#include "protocol/messages/offset_commit.h"

namespace klamm::bench {
namespace {

// Two encodings that differ in the offset alone tell where it stands.
constexpr std::int64_t mark = 0x4b6c616d6d3a6f66;
constexpr std::int64_t other_mark = ~mark;

ByteVector encoded(const CommitSubject& subject, std::int16_t version, std::int64_t offset) {
  protocol::OffsetCommitRequest request;
  request.group_id = subject.group;
  request.member_id = subject.member;
  request.generation_id_or_member_epoch = subject.generation;
  auto& topic = request.topics.emplace_back();
  topic.name = subject.topic;
  for (const std::int32_t index : subject.partitions) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = index;
    partition.committed_offset = offset;
  }
  return frame_of(request, version).head;
}

}  // namespace

CommitFrame::CommitFrame(const CommitSubject& subject, std::int16_t version) {
  frame_.head = encoded(subject, version, mark);
  const ByteVector other = encoded(subject, version, other_mark);
  ENSURE(other.size() == frame_.head.size());
  for (std::size_t at = 0; at < other.size(); ++at) {
    if (other[at] == frame_.head[at]) continue;
    offsets_at_.push_back(at);
    at += sizeof mark - 1;
  }
  ENSURE(offsets_at_.size() == subject.partitions.size());
}

const Frame& CommitFrame::with(std::int64_t offset) {
  for (const std::size_t at : offsets_at_) store_big(frame_.head.data() + at, offset);
  last_ = offset;
  return frame_;
}

std::string commit_failure(Bytes answer, std::int16_t version, std::size_t partitions) {
  const auto response = response_of<protocol::OffsetCommitResponse>(answer, version);
  if (!response) return "an answer to a commit that cannot be read";
  std::size_t seen = 0;
  for (const auto& topic : response->topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != 0)
        return fmt::format("commit: {}", error_name(static_cast<ErrorCode>(partition.error_code)));
      ++seen;
    }
  }
  if (seen != partitions) return fmt::format("commit: {} of {} partitions answered", seen, partitions);
  return {};
}

}  // namespace klamm::bench
