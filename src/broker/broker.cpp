#include "broker/broker.h"

#include "base/version.h"
#include "broker/loggers.h"
#include "broker/settings.h"
#include "config/refusals.h"

namespace klamm::broker {
namespace {

// Answers in flight get so long at a stop; then their connections are closed.
constexpr std::chrono::seconds stop_patience{10};

}  // namespace

// Hands what changed to the replicas.
class Broker::ReplicasFeed final : public hosting::MetadataSubscriber {
 public:
  explicit ReplicasFeed(replication::Replicas& replicas) : replicas_(replicas) {}
  void metadata_changed(const metadata::Delta& delta) override { replicas_.metadata_changed(delta); }

 private:
  replication::Replicas& replicas_;
};

Broker::Broker(runtime::Environment& environment, config::BrokerConfigRef config,
               std::function<void(const std::string&)> on_halt, std::function<void()> after_burst)
    : environment_(environment),
      home_(*environment.reactors.front()),
      config_(std::move(config)),
      on_halt_(std::move(on_halt)),
      after_burst_(std::move(after_burst)),
      log_(environment.log, "kafka.server.BrokerServer", fmt::format("[BrokerServer id={}] ", config_->node_id())),
      directories_(environment, log_directories_settings(*config_)),
      rules_(config_),
      publisher_(environment),
      settings_(environment.scheduling, config_, log_.named("kafka.server.DynamicBrokerConfig")),
      partitions_(environment.scheduling),
      apis_(config_->mode() == config::Mode::embedded ? server::MetadataMode::embedded : server::MetadataMode::quorum) {
}

Broker::~Broker() = default;

// --- start -----------------------------------------------------------------------------------------------------------

runtime::Task<void> Broker::start() {
  if (const auto refused = config::refusal(*config_)) throw StartRefused(*refused);
  for (const std::string& warning : config_->warnings()) log_.named("kafka.server.KafkaConfig").warn("{}", warning);
  log_.info("Transition from SHUTDOWN to STARTING");
  log_.info("Starting broker");

  // 1. Nothing is opened before it is locked, nothing written before the ports are ours.
  lock_directories();
  build_server();
  server_->bind();

  // 2. Whose directories are these, and what does the metadata say?
  identity_ = establish_identity(environment_, *config_, directories_, separate_metadata_.get(), log_);
  log_.info("Cluster ID = {}", identity_.cluster_id);
  clean_epoch_ = directories_.clean_shutdown_broker_epoch();
  auto for_metadata = metadata_settings(*config_, identity_.cluster_id, identity_.metadata_directory_id);
  for_metadata.partition_held = partition_held(environment_.disk, directories_);
  metadata_ =
      std::make_unique<hosting::EmbeddedMetadata>(environment_, home_, metadata_directory(), std::move(for_metadata),
                                                  rules_, publisher_, [this](const std::string& why) { halt(why); });
  auto loading = metadata_->start();
  co_await std::move(loading);

  // 3. Join the cluster, take the settings it has for us, and bring the replicas into line.
  registration_ =
      std::make_unique<Registration>(environment_, home_, metadata_->channel(), publisher_, registration_request(),
                                     log_.named("org.apache.kafka.server.BrokerLifecycleManager",
                                                fmt::format("[BrokerLifecycleManager id={}] ", config_->node_id())));
  auto announcing = registration_->announce();
  co_await std::move(announcing);
  publisher_.subscribe(home_, settings_);
  replicas_ = std::make_unique<replication::Replicas>(
      environment_, home_, config_->node_id(), partitions_, directories_,
      [this](const metadata::ConfigEntries& overrides) {
        return topic_settings(settings_.current()->current(), overrides);
      },
      static_cast<replication::ReplicasEvents&>(*this), log_.named("state.change.logger"));
  replicas_feed_ = std::make_unique<ReplicasFeed>(*replicas_);
  publisher_.subscribe(home_, *replicas_feed_);
  auto starting = replicas_->start();
  co_await std::move(starting);
  follow_settings();
  auto unfencing = registration_->unfence();
  co_await std::move(unfencing);

  // 4. Serve.
  auto coordinating = start_coordinators();
  co_await std::move(coordinating);
  add_apis();
  auto serving = server_->start();
  co_await std::move(serving);
  log_.info("Transition from STARTING to STARTED");
  log_versions();
}

void Broker::lock_directories() {
  directories_.lock();
  const std::string metadata_path = environment_.disk.absolute(config_->metadata_log_dir());
  for (const storage::LogDirectory* directory : directories_.directories()) {
    if (directory->path() == metadata_path) return;
  }
  environment_.disk.make_directories(metadata_path);
  separate_metadata_ =
      std::make_unique<storage::LogDirectory>(environment_, metadata_path, [this](storage::LogDirectory& directory) {
        halt("The metadata log directory " + directory.path() + " failed.");
      });
  separate_lock_ = environment_.disk.try_lock(separate_metadata_->file(storage::directory_file::lock));
  if (separate_lock_ == nullptr) {
    throw StartRefused(fmt::format(
        "Failed to acquire lock on file .lock in {}. A Kafka instance in another process or thread is using "
        "this directory.",
        metadata_path));
  }
}

storage::LogDirectory& Broker::metadata_directory() {
  if (separate_metadata_ != nullptr) return *separate_metadata_;
  const std::string metadata_path = environment_.disk.absolute(config_->metadata_log_dir());
  for (storage::LogDirectory* directory : directories_.directories()) {
    if (directory->path() == metadata_path && !directory->offline()) return *directory;
  }
  throw StartRefused("The metadata log directory " + metadata_path + " cannot be used.");
}

void Broker::build_server() {
  auto settings = server_settings(*config_, environment_.network);
  settings.after_burst = after_burst_;
  server_ = std::make_unique<server::Server>(
      environment_, std::move(settings), apis_,
      log_.named("kafka.network.SocketServer",
                 fmt::format("[SocketServer listenerType=BROKER, nodeId={}] ", config_->node_id())));
}

runtime::Task<void> Broker::start_coordinators() {
  groups_ = std::make_unique<server::GroupShards>(environment_, publisher_, partitions_,
                                                  server::group_shards_settings(*config_));
  auto starting_groups = groups_->start(home_);
  co_await std::move(starting_groups);
  producer_ids_ = std::make_unique<server::ProducerIds>(environment_, metadata_->channel(), config_->node_id(), [this] {
    const auto image = publisher_.latest();
    const auto* broker = image ? image->broker(config_->node_id()) : nullptr;
    return broker ? broker->epoch : BrokerEpoch(-1);
  });
  transactions_ = std::make_unique<server::TransactionShards>(
      environment_, publisher_, partitions_, *groups_,
      [this](runtime::Reactor& reactor) { return producer_ids_->next(reactor); },
      server::transaction_shards_settings(*config_));
  auto starting_transactions = transactions_->start(home_);
  co_await std::move(starting_transactions);
  const config::ConfigValues& values = config_->values();
  const std::chrono::milliseconds retry_max(values.get_int("add.partitions.to.txn.retry.backoff.max.ms"));
  verification_ = std::make_unique<server::TransactionVerification>(
      publisher_, *transactions_, [this] { return settings_.current(); },
      server::TransactionVerificationSettings{
          .retry_backoff = std::chrono::milliseconds(values.get_int("add.partitions.to.txn.retry.backoff.ms")),
          .retry_max = std::min<std::chrono::milliseconds>(retry_max, config_->request_timeout())});
}

void Broker::add_apis() {
  server::add_apis(apis_, {.environment = environment_,
                           .node_id = config_->node_id(),
                           .cluster_id = identity_.cluster_id,
                           .kraft_version = metadata_->kraft_version(),
                           .config = config_,
                           .settings = [this] { return settings_.current(); },
                           .metadata = publisher_,
                           .controller = metadata_->channel(),
                           .partitions = partitions_,
                           .directories = directories_,
                           .groups = *groups_,
                           .transactions = *transactions_,
                           .verification = *verification_,
                           .producer_ids = *producer_ids_,
                           .authorizer = authorizer_,
                           .alter_loggers =
                               [this](const auto& resource, bool validate_only) {
                                 return alter_loggers(environment_.log, config_->node_id(), log_, resource,
                                                      validate_only);
                               },
                           .log = log_});
}

// A listener that was bound to port 0 is advertised with the port it got; one without a host with the machine's name.
std::vector<AdvertisedListener> Broker::advertised_listeners() const {
  const auto bound = server_->addresses();
  std::vector<AdvertisedListener> advertised;
  for (const config::Listener& listener : config_->advertised_listeners()) {
    AdvertisedListener entry{listener.name, listener.host, static_cast<std::uint16_t>(listener.port),
                             static_cast<std::int16_t>(listener.security_protocol)};
    if (entry.host.empty()) entry.host = environment_.network.canonical_host_name();
    for (std::size_t i = 0; entry.port == 0 && i < config_->broker_listeners().size(); ++i) {
      if (config_->broker_listeners()[i].name == listener.name) entry.port = bound[i].port;
    }
    advertised.push_back(std::move(entry));
  }
  return advertised;
}

RegistrationRequest Broker::registration_request() const {
  RegistrationRequest request{.node = config_->node_id(),
                              .cluster_id = identity_.cluster_id,
                              .listeners = advertised_listeners(),
                              .rack = config_->rack(),
                              .directories = {},
                              .previous_broker_epoch = clean_epoch_};
  for (const storage::LogDirectory* directory : directories_.directories()) {
    if (!directory->offline() && !directory->id().is_zero()) request.directories.push_back(directory->id());
  }
  std::ranges::sort(request.directories);
  return request;
}

void Broker::follow_settings() {
  settings_.on_change([this](const config::BrokerConfig& now) {
    server_->set_limits(server_limits(now, environment_.network));
    directories_.reconfigure(log_directories_settings(now));
    replicas_->broker_settings_changed();
  });
}

// Scripts wait for the last of these lines.
void Broker::log_versions() const {
  const Logger info = log_.named("org.apache.kafka.common.utils.AppInfoParser");
  info.info("Kafka version: {}", kafka_version);
  info.info("Kafka commitId: klamm-{}", klamm_version);
  info.info("Kafka startTimeMs: {}", environment_.clock.wall());
  log_.named("kafka.server.KafkaRaftServer", fmt::format("[KafkaRaftServer nodeId={}] ", config_->node_id()))
      .info("Kafka Server started");
}

runtime::Task<void> Broker::settled() {
  return replicas_->settled();
}

// --- stop ------------------------------------------------------------------------------------------------------------

runtime::Task<void> Broker::stop() {
  log_.info("Transition from STARTED to SHUTTING_DOWN");
  log_.info("shutting down");
  // Members of groups wait for one another: that ends here, or they would use up the patience.
  auto resigning = transactions_->stop(home_);
  co_await std::move(resigning);
  auto leaving_groups = groups_->stop(home_);
  co_await std::move(leaving_groups);
  auto answering = server_->stop(home_.now() + stop_patience);
  co_await std::move(answering);
  auto leaving = registration_->stop();
  co_await std::move(leaving);
  publisher_.unsubscribe(home_, *replicas_feed_);
  publisher_.unsubscribe(home_, settings_);
  auto closing = replicas_->stop();
  co_await std::move(closing);
  auto writing = directories_.stop(home_, registration_->epoch().value);
  co_await std::move(writing);
  auto ending = metadata_->stop(true);
  co_await std::move(ending);
  log_.info("shut down completed");
  log_.info("Transition from SHUTTING_DOWN to SHUTDOWN");
}

// --- what fails ------------------------------------------------------------------------------------------------------

void Broker::replica_placed(Uuid topic_id, PartitionIndex partition, Uuid directory) {
  registration_->replica_placed(topic_id, partition, directory);
}

void Broker::directory_failed(storage::LogDirectory& directory) {
  if (separate_metadata_ == nullptr && directory.path() == environment_.disk.absolute(config_->metadata_log_dir())) {
    halt("The metadata log directory " + directory.path() + " failed.");
    return;
  }
  if (registration_ != nullptr && !directory.id().is_zero()) registration_->directory_failed(directory.id());
}

void Broker::all_directories_failed() {
  halt("Shutdown broker because all log dirs have failed");
}

void Broker::halt(const std::string& why) {
  if (std::exchange(halted_, true)) return;
  log_.fatal("{}", why);
  on_halt_(why);
}

}  // namespace klamm::broker
