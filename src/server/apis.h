// Which APIs this broker serves: the list is add_apis() in apis.cpp.
#pragma once

#include <functional>
#include <string>

#include "base/logger.h"
#include "config/dynamic_config.h"
#include "controller/broker_configs.h"
#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "security/authorizer.h"
#include "server/api_table.h"
#include "server/group_shards.h"
#include "server/producer_ids.h"
#include "server/transaction_shards.h"
#include "server/transaction_verification.h"
#include "storage/log_directories.h"

namespace klamm::server {

// What the handlers are made of. The references outlive the table.
struct ApiParts {
  runtime::Environment& environment;
  BrokerId node_id;
  std::string cluster_id;
  std::int16_t kraft_version;                          // finalized, for ApiVersions
  config::BrokerConfigRef config;                      // as the file says it
  std::function<config::DynamicConfigRef()> settings;  // as it is now; from any reactor
  const hosting::MetadataPublisher& metadata;
  hosting::ControllerChannel& controller;
  replication::PartitionTable& partitions;
  const storage::LogDirectories& directories;
  GroupShards& groups;
  TransactionShards& transactions;
  TransactionVerification& verification;
  ProducerIds& producer_ids;
  const security::Authorizer& authorizer;
  controller::AlterLoggers alter_loggers;  // for IncrementalAlterConfigs of a broker's loggers
  Logger log;
};

// Between Server::bind() and Server::start(). Which rows are in force follows from the table's mode.
void add_apis(ApiTable& table, const ApiParts& parts);

}  // namespace klamm::server
