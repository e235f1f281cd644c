#include "hosting/embedded_metadata.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "controller/activation.h"

namespace klamm::hosting {

using controller::Asked;
using controller::Call;

// Calls the shard as it is; what the caller said of itself is of use to connections only.
class EmbeddedMetadata::DirectChannel final : public ControllerChannel {
 public:
  explicit DirectChannel(Shard<controller::Controller>& shard) : shard_(shard) {}

  runtime::Task<protocol::CreateTopicsResponse> create_topics(runtime::Reactor& reactor, CallerContext caller,
                                                              protocol::CreateTopicsRequest request) override {
    const auto timeout = std::chrono::milliseconds(request.timeout_ms);
    return ask_within<protocol::CreateTopicsResponse>(reactor, std::move(caller), std::move(request), timeout);
  }
  runtime::Task<protocol::DeleteTopicsResponse> delete_topics(runtime::Reactor& reactor, CallerContext caller,
                                                              protocol::DeleteTopicsRequest request) override {
    const auto timeout = std::chrono::milliseconds(request.timeout_ms);
    return ask_within<protocol::DeleteTopicsResponse>(reactor, std::move(caller), std::move(request), timeout);
  }
  runtime::Task<protocol::CreatePartitionsResponse> create_partitions(
      runtime::Reactor& reactor, CallerContext caller, protocol::CreatePartitionsRequest request) override {
    const auto timeout = std::chrono::milliseconds(request.timeout_ms);
    return ask_within<protocol::CreatePartitionsResponse>(reactor, std::move(caller), std::move(request), timeout);
  }
  runtime::Task<protocol::IncrementalAlterConfigsResponse> incremental_alter_configs(
      runtime::Reactor& reactor, CallerContext caller, protocol::IncrementalAlterConfigsRequest request) override {
    return ask<protocol::IncrementalAlterConfigsResponse>(reactor, std::move(caller), std::move(request));
  }
  runtime::Task<protocol::AlterConfigsResponse> alter_configs(runtime::Reactor& reactor, CallerContext caller,
                                                              protocol::AlterConfigsRequest request) override {
    return ask<protocol::AlterConfigsResponse>(reactor, std::move(caller), std::move(request));
  }
  runtime::Task<protocol::AllocateProducerIdsResponse> allocate_producer_ids(
      runtime::Reactor& reactor, CallerContext caller, protocol::AllocateProducerIdsRequest request) override {
    return ask<protocol::AllocateProducerIdsResponse>(reactor, std::move(caller), std::move(request));
  }
  runtime::Task<protocol::BrokerRegistrationResponse> register_broker(
      runtime::Reactor& reactor, CallerContext caller, protocol::BrokerRegistrationRequest request) override {
    return ask<protocol::BrokerRegistrationResponse>(reactor, std::move(caller), std::move(request));
  }
  runtime::Task<protocol::BrokerHeartbeatResponse> broker_heartbeat(runtime::Reactor& reactor, CallerContext caller,
                                                                    protocol::BrokerHeartbeatRequest request) override {
    return ask<protocol::BrokerHeartbeatResponse>(reactor, std::move(caller), std::move(request));
  }
  runtime::Task<protocol::UnregisterBrokerResponse> unregister_broker(
      runtime::Reactor& reactor, CallerContext caller, protocol::UnregisterBrokerRequest request) override {
    return ask<protocol::UnregisterBrokerResponse>(reactor, std::move(caller), std::move(request));
  }
  runtime::Task<protocol::AssignReplicasToDirsResponse> assign_replicas_to_dirs(
      runtime::Reactor& reactor, CallerContext caller, protocol::AssignReplicasToDirsRequest request) override {
    return ask<protocol::AssignReplicasToDirsResponse>(reactor, std::move(caller), std::move(request));
  }
  runtime::Task<protocol::ControllerRegistrationResponse> register_controller(
      runtime::Reactor& reactor, CallerContext caller, protocol::ControllerRegistrationRequest request) override {
    return ask<protocol::ControllerRegistrationResponse>(reactor, std::move(caller), std::move(request));
  }

 private:
  template <typename Response, typename Request>
  runtime::Task<Response> ask(runtime::Reactor& reactor, CallerContext caller, Request request,
                              runtime::MonoTime deadline = runtime::never) {
    Call call = Asked<Request>{std::move(request), caller.api_version};
    controller::Answer answer = co_await shard_.ask(reactor, std::move(call), deadline);
    co_return std::get<Response>(std::move(answer));
  }

  // A request whose time is up before it begins is not carried out, as in Kafka.
  template <typename Response, typename Request>
  runtime::Task<Response> ask_within(runtime::Reactor& reactor, CallerContext caller, Request request,
                                     std::chrono::milliseconds timeout) {
    if (timeout.count() <= 0) co_return controller::failed(request, Error{ErrorCode::request_timed_out});
    co_return co_await ask<Response>(reactor, std::move(caller), std::move(request), reactor.now() + timeout);
  }

  Shard<controller::Controller>& shard_;
};

EmbeddedMetadata::EmbeddedMetadata(runtime::Environment& environment, runtime::Reactor& owner,
                                   storage::LogDirectory& directory, EmbeddedMetadataSettings settings,
                                   const controller::ConfigRules& rules, MetadataPublisher& publisher,
                                   std::function<void(const std::string&)> on_failure)
    : owner_(owner),
      settings_(std::move(settings)),
      publisher_(publisher),
      on_failure_(std::move(on_failure)),
      line_(environment.log, "org.apache.kafka.controller.QuorumController",
            fmt::format("[QuorumController id={}] ", settings_.log.node_id)),
      log_(environment, owner, directory, settings_.log,
           Logger(environment.log, "org.apache.kafka.raft.KafkaRaftClient",
                  fmt::format("[RaftManager id={}] ", settings_.log.node_id))),
      controller_(settings_.controller, rules, line_),
      shard_(environment, owner, controller_, log_, [this] { applied(); }),
      channel_(std::make_unique<DirectChannel>(shard_)) {}

EmbeddedMetadata::~EmbeddedMetadata() = default;

ControllerChannel& EmbeddedMetadata::channel() {
  return *channel_;
}

runtime::Task<void> EmbeddedMetadata::start() {
  std::exception_ptr failure;
  try {
    co_await load_and_lead();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  // What was begun in the background ends before the files are let go.
  shard_.drop(Error{ErrorCode::not_controller});
  co_await log_.stop(false);
  std::rethrow_exception(failure);
}

runtime::Task<void> EmbeddedMetadata::load_and_lead() {
  LoadedMetadata loaded = co_await log_.load();
  const metadata::ImageRef image = loaded.contents->image();
  if (const auto unsupported = controller::unsupported_contents(*image)) throw MetadataLogError(*unsupported);
  if (!image->metadata_version() && settings_.partition_held) {
    throw MetadataLogError(
        fmt::format("The metadata log {} is empty, but there is {}. Restore the metadata log, or choose empty "
                    "directories.",
                    log_.path(), *settings_.partition_held));
  }
  settings_.controller.kraft_version = log_.quorum().kraft_version;
  controller_.load(image);
  // What was there before is published when it is known to last.
  if (image->metadata_version()) unpublished_.push_back(std::move(loaded.contents));
  log_.lead([this](Offset end) { committed(end); },
            [this](const std::string& what) {
              shard_.drop(Error{ErrorCode::not_controller});
              if (on_failure_) on_failure_(what);
            });
  controller::Activate activate;
  activate.bootstrap = std::move(loaded.bootstrap);
  activate.source = std::move(loaded.bootstrap_source);
  activate.open_transaction = loaded.open_transaction.value_or(no_offset);
  Call call = std::move(activate);
  co_await shard_.ask(owner_, std::move(call));
  if (log_.failure()) throw MetadataLogError(*log_.failure());
  if (const auto unsupported = controller::unsupported_contents(*controller_.image())) {
    throw MetadataLogError(*unsupported);  // the bootstrap brought it
  }
}

void EmbeddedMetadata::applied() {
  for (DeltaRef& delta : controller_.take_deltas()) unpublished_.push_back(std::move(delta));
}

void EmbeddedMetadata::committed(Offset end) {
  metadata::ImageRef image;
  while (!unpublished_.empty() && unpublished_.front()->image()->provenance().offset < end) {
    const DeltaRef delta = std::move(unpublished_.front());
    unpublished_.pop_front();
    image = delta->image();
    publisher_.publish(owner_, delta);
  }
  if (image) log_.consider_snapshot(image);
}

runtime::Task<void> EmbeddedMetadata::stop(bool clean) {
  shard_.drop(Error{ErrorCode::not_controller});
  co_await log_.stop(clean);
  co_await shard_.drain();
}

}  // namespace klamm::hosting
