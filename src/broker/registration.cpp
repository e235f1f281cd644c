#include "broker/registration.h"

#include <map>
#include <stdexcept>

#include "hosting/format.h"
#include "metadata/features.h"

namespace klamm::broker {
namespace {

// One request of AssignReplicasToDirs carries at most so many (AssignmentsManager.MAX_ASSIGNMENTS_PER_REQUEST).
constexpr std::size_t assignments_per_request = 2250;

}  // namespace

Registration::Registration(runtime::Environment& environment, runtime::Reactor& reactor,
                           hosting::ControllerChannel& channel, hosting::MetadataPublisher& publisher,
                           RegistrationRequest request, Logger log)
    : environment_(environment),
      reactor_(reactor),
      channel_(channel),
      publisher_(publisher),
      request_(std::move(request)),
      log_(std::move(log)),
      tasks_(reactor) {}

runtime::Task<void> Registration::announce() {
  protocol::BrokerRegistrationRequest request;
  request.broker_id = request_.node.value;
  request.cluster_id = request_.cluster_id;
  request.incarnation_id = hosting::fresh_uuid(environment_.random);
  for (const auto& [name, host, port, security_protocol] : request_.listeners) {
    request.listeners.push_back({.name = name, .host = host, .port = port, .security_protocol = security_protocol});
  }
  for (const auto& [name, range] : metadata::supported_features()) {
    request.features.push_back({.name = name, .min_supported_version = range.min, .max_supported_version = range.max});
  }
  request.rack = request_.rack;
  request.log_dirs = request_.directories;
  request.previous_broker_epoch = request_.previous_broker_epoch.value_or(-1);
  log_.info("Incarnation {} of broker {} in cluster {} is now STARTING.", request.incarnation_id.to_string(),
            request_.node, request_.cluster_id);

  hosting::CallerContext caller{.api_version = protocol::BrokerRegistrationRequest::max_version};
  auto asking = channel_.register_broker(reactor_, std::move(caller), std::move(request));
  const auto answer = co_await std::move(asking);
  if (const ErrorCode code = error_code_of(answer.error_code); code != ErrorCode::none) {
    throw std::runtime_error(fmt::format("The controller refused to register broker {}: {}: {}", request_.node,
                                         error_name(code), error_message(code)));
  }
  epoch_ = BrokerEpoch(answer.broker_epoch);
  log_.info("Successfully registered broker {} with broker epoch {}", request_.node, epoch_);
}

protocol::BrokerHeartbeatRequest Registration::heartbeat() const {
  protocol::BrokerHeartbeatRequest request;
  request.broker_id = request_.node.value;
  request.broker_epoch = epoch_.value;
  request.current_metadata_offset = publisher_.latest()->provenance().offset.value;
  request.offline_log_dirs = failed_directories_;
  return request;
}

runtime::Task<void> Registration::unfence() {
  // One is enough: whoever was answered sees the metadata that holds the registration. The second look is for a
  // controller that answers before it has read it.
  for (int attempt = 0; attempt < 100; ++attempt) {
    hosting::CallerContext caller{.api_version = protocol::BrokerHeartbeatRequest::max_version};
    auto asking = channel_.broker_heartbeat(reactor_, std::move(caller), heartbeat());
    const auto answer = co_await std::move(asking);
    if (const ErrorCode code = error_code_of(answer.error_code); code != ErrorCode::none) {
      throw std::runtime_error(
          fmt::format("The controller refused the heartbeat of broker {}: {}", request_.node, error_name(code)));
    }
    if (!answer.is_fenced) {
      log_.info("The broker has been unfenced. Transitioning from RECOVERY to RUNNING.");
      co_return;
    }
    auto pausing = runtime::sleep_for(reactor_, std::chrono::milliseconds(10), tasks_.token());
    co_await std::move(pausing);
  }
  throw std::runtime_error(fmt::format("The controller keeps broker {} fenced.", request_.node));
}

void Registration::replica_placed(Uuid topic_id, PartitionIndex partition, Uuid directory) {
  placements_.push_back({topic_id, partition, directory});
  if (telling_ || tasks_.stopping()) return;
  telling_ = true;
  tasks_.start(tell());
}

void Registration::directory_failed(Uuid directory) {
  failed_directories_.push_back(directory);
  failure_untold_ = true;
  if (telling_ || tasks_.stopping()) return;
  telling_ = true;
  tasks_.start(tell());
}

runtime::Task<void> Registration::tell() {
  // What else is found in this turn goes along.
  auto pausing = runtime::yield(reactor_);
  co_await std::move(pausing);
  while ((!placements_.empty() || failure_untold_) && !tasks_.stopping()) {
    if (std::exchange(failure_untold_, false)) {
      hosting::CallerContext caller{.api_version = protocol::BrokerHeartbeatRequest::max_version};
      auto telling = channel_.broker_heartbeat(reactor_, std::move(caller), heartbeat());
      co_await std::move(telling);
    }
    if (placements_.empty()) continue;
    const std::size_t count = std::min(placements_.size(), assignments_per_request);
    std::vector<Placement> now(placements_.begin(), placements_.begin() + static_cast<std::ptrdiff_t>(count));
    placements_.erase(placements_.begin(), placements_.begin() + static_cast<std::ptrdiff_t>(count));
    auto assigning = assign(std::move(now));
    co_await std::move(assigning);
  }
  telling_ = false;
}

runtime::Task<void> Registration::assign(std::vector<Placement> placements) {
  using Request = protocol::AssignReplicasToDirsRequest;
  std::map<Uuid, std::map<Uuid, std::vector<std::int32_t>>> by_directory;
  for (const auto& [topic_id, partition, directory] : placements)
    by_directory[directory][topic_id].push_back(partition.value);
  Request request;
  request.broker_id = request_.node.value;
  request.broker_epoch = epoch_.value;
  for (auto& [directory, topics] : by_directory) {
    Request::DirectoryData data;
    data.id = directory;
    for (auto& [topic_id, partitions] : topics) {
      Request::TopicData topic;
      topic.topic_id = topic_id;
      for (const std::int32_t partition : partitions) {
        Request::PartitionData entry;
        entry.partition_index = partition;
        topic.partitions.push_back(entry);
      }
      data.topics.push_back(std::move(topic));
    }
    request.directories.push_back(std::move(data));
  }
  hosting::CallerContext caller{.api_version = Request::max_version};
  auto asking = channel_.assign_replicas_to_dirs(reactor_, std::move(caller), std::move(request));
  const auto answer = co_await std::move(asking);
  if (const ErrorCode code = error_code_of(answer.error_code); code != ErrorCode::none) {
    log_.warn("The controller did not take the directories of {} replicas: {}", placements.size(), error_name(code));
  }
}

runtime::Task<void> Registration::stop() {
  auto stopping = tasks_.stop();
  co_await std::move(stopping);
}

}  // namespace klamm::broker
