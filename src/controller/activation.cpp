#include "controller/activation.h"

#include <fmt/format.h>

namespace klamm::controller {
namespace {

constexpr std::string_view bootstrap_transaction = "Bootstrap records";

std::int16_t level_in(const metadata::Records& bootstrap, std::string_view feature) {
  std::int16_t level = 0;
  for (const metadata::Record& record : bootstrap) {
    const auto* finalized = std::get_if<protocol::FeatureLevelRecord>(&record.message);
    if (finalized && finalized->name == feature) level = finalized->feature_level;
  }
  return level;
}

metadata::Record begin_record() {
  protocol::BeginTransactionRecord record;
  record.name = bootstrap_transaction;
  return {std::move(record), 0};
}

metadata::Record abort_record() {
  protocol::AbortTransactionRecord record;
  record.reason = "Controller failover";
  return {std::move(record), 0};
}

Activation begin_log(const State& state, const Activate& call) {
  const std::int16_t level = level_in(call.bootstrap, metadata::metadata_version_feature);
  const auto version = metadata::metadata_version_of_level(level);
  if (!version) {
    throw metadata::BadRecord(level == 0 ? fmt::format("No FeatureLevelRecord for metadata.version was found in the "
                                                       "bootstrap metadata from {}",
                                                       call.source)
                                         : metadata::unknown_metadata_level_text(level));
  }
  const bool transactional = version->supports_transactions();
  Activation activation;
  activation.atomic = !transactional;
  if (call.open_transaction != no_offset) {
    if (!transactional) {
      throw metadata::BadRecord(fmt::format(
          "Detected partial bootstrap records transaction at {}, but the metadata.version {} does not support "
          "transactions. Cannot continue.",
          call.open_transaction, version->name()));
    }
    activation.records.push_back(abort_record());
    activation.message = fmt::format(
        "Performing controller activation. Aborting partial bootstrap records transaction at offset {}. Re-appending "
        "{} "
        "bootstrap record(s) in new metadata transaction at metadata.version {} from bootstrap source '{}'.",
        call.open_transaction, call.bootstrap.size(), version->name(), call.source);
  } else {
    activation.message = fmt::format(
        "Performing controller activation. The metadata log appears to be empty. Appending {} bootstrap record(s) {}at "
        "metadata.version {} from bootstrap source '{}'.",
        call.bootstrap.size(), transactional ? "in metadata transaction " : "", version->name(), call.source);
  }
  if (transactional) activation.records.push_back(begin_record());
  activation.records.insert(activation.records.end(), call.bootstrap.begin(), call.bootstrap.end());
  if (level_in(call.bootstrap, metadata::elr_version_feature) > 0) {
    protocol::ConfigRecord record;
    record.resource_type = static_cast<std::int8_t>(metadata::ConfigResourceType::broker);
    record.name = "min.insync.replicas";
    record.value = fmt::format("{}", state.settings.min_insync_replicas);
    activation.records.push_back({std::move(record), 0});
  }
  if (transactional) activation.records.push_back({protocol::EndTransactionRecord{}, 0});
  return activation;
}

}  // namespace

Activation activation_records(const State& state, const Activate& call) {
  const auto version = state.image->metadata_version();
  if (!version) return begin_log(state, call);
  Activation activation;
  activation.message = "Performing controller activation.";
  if (call.open_transaction != no_offset) {
    if (!version->supports_transactions()) {
      throw metadata::BadRecord(fmt::format(
          "Detected in-progress transaction at offset {}, but the metadata.version {} does not support transactions. "
          "Cannot continue.",
          call.open_transaction, version->name()));
    }
    activation.records.push_back(abort_record());
    activation.message +=
        fmt::format(" Aborting in-progress metadata transaction at offset {}.", call.open_transaction);
  }
  return activation;
}

std::optional<std::string> unsupported_contents(const metadata::Image& image) {
  if (!image.acls().empty()) {
    return fmt::format(
        "The cluster metadata holds {} access control entries, which are not enforced yet. Refusing to start "
        "without them: remove the ACLs with Apache Kafka first, or keep running Apache Kafka here.",
        image.acls().size());
  }
  for (const auto& [resource, entries] : image.configs()) {
    if (resource.type != metadata::ConfigResourceType::topic) continue;
    const auto tiered = entries->find("remote.storage.enable");
    if (tiered == entries->end() || tiered->second != "true") continue;
    return fmt::format(
        "Topic '{}' keeps records in remote storage (remote.storage.enable=true), which is not supported yet. "
        "Refusing to start: its older records could not be read.",
        resource.name);
  }
  return std::nullopt;
}

}  // namespace klamm::controller
