#include "server/metadata_view.h"

#include <coroutine>

namespace klamm::server {

namespace {

constexpr std::chrono::milliseconds ready_check_interval{1};
constexpr std::chrono::milliseconds ready_patience{500};

// Sleeps until the time; bounded, so that it needs no stop.
class Sleep final : public runtime::Timer {
 public:
  Sleep(runtime::Reactor& reactor, runtime::MonoTime until) : reactor_(reactor), until_(until) {}
  ~Sleep() override {
    if (armed()) reactor_.disarm(*this);
  }
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    reactor_.arm(*this, until_);
  }
  void await_resume() const {}
  void fired() override { handle_.resume(); }

 private:
  runtime::Reactor& reactor_;
  runtime::MonoTime until_;
  std::coroutine_handle<> handle_;
};

}  // namespace

const metadata::Endpoint* alive_endpoint(const metadata::Image& image, BrokerId broker, std::string_view listener) {
  const auto* registration = image.broker(broker);
  return registration && !registration->fenced ? registration->endpoint(listener) : nullptr;
}

LeaderHint leader_hint(const metadata::Image& image, const replication::PartitionTable& partitions,
                       std::string_view topic, PartitionIndex partition, std::string_view listener) {
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

Result<replication::PartitionRef> find_partition(const metadata::Image& image,
                                                 const replication::PartitionTable& partitions, std::string_view topic,
                                                 PartitionIndex partition) {
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

std::vector<std::int32_t> offline_replicas(const metadata::Image& image,
                                           const metadata::PartitionRegistration& partition,
                                           std::string_view listener) {
  std::vector<std::int32_t> offline;
  for (const std::int32_t replica : partition.replicas) {
    const auto* broker = image.broker(BrokerId(replica));
    if (!broker || broker->fenced || !broker->endpoint(listener) ||
        !broker->has_online_directory(partition.directory_of(replica)))
      offline.push_back(replica);
  }
  return offline;
}

bool is_ready(const replication::PartitionTable& partitions, Uuid topic_id, PartitionIndex index) {
  const auto partition = partitions.find(topic_id, index);
  return partition && partition->log();
}

runtime::Task<void> wait_until_ready(const RequestContext& context, const hosting::MetadataPublisher& metadata,
                                     const replication::PartitionTable& partitions, BrokerId node_id,
                                     std::vector<std::string> topics) {
  const auto all_ready = [&] {
    const metadata::ImageRef image = metadata.image(context.reactor);
    for (const auto& name : topics) {
      const auto* topic = image->topic(name);
      if (!topic) continue;
      for (const auto& [index, partition] : topic->partitions)
        if (BrokerId(partition.leader) == node_id && !is_ready(partitions, topic->id, PartitionIndex(index)))
          return false;
    }
    return true;
  };
  const auto deadline = context.reactor.now() + ready_patience;
  while (!all_ready() && context.reactor.now() < deadline) {
    Sleep sleep(context.reactor, context.reactor.now() + ready_check_interval);
    co_await sleep;
  }
}

hosting::CallerContext caller_of(const RequestContext& context) {
  return {.api_version = context.version,
          .principal = context.identity.principal.to_string(),
          .client_id = std::string(context.identity.client_id),
          .client_host = std::string(context.identity.host)};
}

}  // namespace klamm::server
