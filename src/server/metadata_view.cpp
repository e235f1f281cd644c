#include "server/metadata_view.h"

namespace klamm::server {

const metadata::Endpoint* alive_endpoint(const metadata::Image& image, BrokerId broker, std::string_view listener) {
  const auto* registration = image.broker(broker);
  return registration && !registration->fenced ? registration->endpoint(listener) : nullptr;
}

LeaderHint leader_hint(const metadata::Image& image, const replication::PartitionTable& partitions, std::string_view topic,
                       PartitionIndex partition, std::string_view listener) {
  LeaderHint hint;
  if (const auto here = partitions.find(topic, partition)) {
    const auto state = here->state();
    hint.leader = state.leader;
    hint.epoch = state.leader_epoch;
  } else if (const auto* known = image.partition(topic, partition.value)) {
    hint.leader = BrokerId(known->leader);
    hint.epoch = LeaderEpoch(known->leader_epoch);
  }
  hint.endpoint = alive_endpoint(image, hint.leader, listener);
  if (hint.endpoint) hint.broker = image.broker(hint.leader);
  return hint;
}

Result<replication::PartitionRef> find_partition(const metadata::Image& image, const replication::PartitionTable& partitions,
                                                 std::string_view topic, PartitionIndex partition) {
  if (auto here = partitions.find(topic, partition)) return here;
  // It exists and is not here, or not yet: whoever asks looks at the metadata again.
  if (image.partition(topic, partition.value)) return fail(ErrorCode::not_leader_or_follower);
  return fail(ErrorCode::unknown_topic_or_partition);
}

std::optional<std::string> own_message(const Error& error) {
  if (error.code == ErrorCode::unknown_server_error || error.message.empty()) return std::nullopt;
  if (error.message == error_message(error.code)) return std::nullopt;
  return error.message;
}

}  // namespace klamm::server
