// One broker: builds every object of a process and hands each what it needs; starts them in order and stops them in the
// opposite one. Two of them live in one process as well as in two.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "broker/dynamic_settings.h"
#include "broker/identity.h"
#include "broker/registration.h"
#include "config/broker_config.h"
#include "controller/table_rules.h"
#include "hosting/embedded_metadata.h"
#include "hosting/metadata_publisher.h"
#include "replication/partition_table.h"
#include "replication/replicas.h"
#include "runtime/environment.h"
#include "security/authorizer.h"
#include "server/api_table.h"
#include "server/apis.h"
#include "server/group_shards.h"
#include "server/producer_ids.h"
#include "server/server.h"
#include "server/transaction_shards.h"
#include "server/transaction_verification.h"
#include "storage/log_directories.h"

namespace klamm::broker {

// Everything happens on the first reactor of the environment.
class Broker final : private replication::ReplicasEvents {
 public:
  // `on_halt` is told once when the process cannot go on (the last log directory failed, the metadata cannot be
  // written); the owner then ends it without stop(). `after_burst` is told, by any thread, when much memory was in use
  // for requests and little is. The environment outlives this.
  Broker(runtime::Environment& environment, config::BrokerConfigRef config,
         std::function<void(const std::string&)> on_halt, std::function<void()> after_burst = {});
  ~Broker() override;

  // When it ends, clients are served. Throws StartRefused, server::BindFailed and what the parts throw; what() is for
  // people. After a failure only the destructor may follow.
  runtime::Task<void> start();
  // Answers what is in flight, writes everything, marks the stop as clean.
  runtime::Task<void> stop();

  // The addresses that were bound, in the order of the listeners.
  std::vector<runtime::SocketAddress> addresses() const { return server_->addresses(); }
  replication::PartitionTable& partitions() { return partitions_; }
  storage::LogDirectories& log_directories() { return directories_; }
  // When every partition that the metadata speaks of now is ready, or failed.
  runtime::Task<void> settled();

 private:
  class ReplicasFeed;

  void lock_directories();
  storage::LogDirectory& metadata_directory();
  void build_server();
  runtime::Task<void> start_coordinators();
  void add_apis();
  std::vector<AdvertisedListener> advertised_listeners() const;
  RegistrationRequest registration_request() const;
  void follow_settings();
  void log_versions() const;

  // replication::ReplicasEvents
  void replica_placed(Uuid topic_id, PartitionIndex partition, Uuid directory) override;
  void directory_failed(storage::LogDirectory& directory) override;
  void all_directories_failed() override;
  void halt(const std::string& why);

  runtime::Environment& environment_;
  runtime::Reactor& home_;
  config::BrokerConfigRef config_;
  std::function<void(const std::string&)> on_halt_;
  std::function<void()> after_burst_;
  Logger log_;
  bool halted_ = false;

  storage::LogDirectories directories_;
  std::unique_ptr<storage::LogDirectory> separate_metadata_;  // metadata.log.dir when it is none of log.dirs
  std::unique_ptr<runtime::FileLock> separate_lock_;
  Identity identity_;
  std::optional<std::int64_t> clean_epoch_;

  controller::TableRules rules_;
  hosting::MetadataPublisher publisher_;
  std::unique_ptr<hosting::EmbeddedMetadata> metadata_;
  DynamicSettings settings_;
  replication::PartitionTable partitions_;
  std::unique_ptr<replication::Replicas> replicas_;
  std::unique_ptr<ReplicasFeed> replicas_feed_;
  std::unique_ptr<Registration> registration_;
  std::unique_ptr<server::GroupShards> groups_;
  std::unique_ptr<server::ProducerIds> producer_ids_;
  std::unique_ptr<server::TransactionShards> transactions_;
  std::unique_ptr<server::TransactionVerification> verification_;
  security::AllowAll authorizer_;
  server::ApiTable apis_;
  std::unique_ptr<server::Server> server_;
};

}  // namespace klamm::broker
