#include "server/transaction_shards.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "coordination/placement.h"
#include "server/gather.h"
#include "transactions/listing.h"
#include "transactions/record.h"

namespace klamm::server {
namespace {

// Transactions of a shard whose markers are on their way at the same time.
constexpr std::size_t endings_at_a_time = 32;

transactions::TransactionVersion version_of(const metadata::ImageRef& image) {
  return image == nullptr ? transactions::TransactionVersion(0)
                          : image->feature_level(metadata::transaction_version_feature);
}

}  // namespace

// --- records ---------------------------------------------------------------------------------------------------------

std::shared_ptr<TransactionsKind::Machine> TransactionsKind::make() const {
  return std::make_shared<Machine>(parts_.settings.transactions, parts_.memory, log_);
}

hosting::LogEntry TransactionsKind::encode(const transactions::Record& record) {
  transactions::Encoded encoded = transactions::encode(record);
  return {std::move(encoded.key), std::move(encoded.value)};
}

void TransactionsKind::load(Machine& machine, const records::RecordBatchView& batch,
                            const records::RecordView& record) {
  if (!record.has_key()) throw std::runtime_error("a record without a key");
  auto decoded = transactions::decode(record.key(), record.nullable_value());
  if (!decoded) {
    throw std::runtime_error(decoded.error().message.empty() ? std::string(error_message(decoded.error().code))
                                                             : decoded.error().message);
  }
  if (!*decoded) return;  // of a later release
  machine.apply(record.offset, batch.partition_leader_epoch(), record.timestamp, {&**decoded, 1});
}

std::vector<transactions::Call> TransactionsKind::after_load() const {
  return {transactions::Call(transactions::Loaded{version_of(parts_.metadata.latest())})};
}

std::vector<transactions::Call> TransactionsKind::after_change(const metadata::Delta& delta) const {
  if (!delta.features_changed()) return {};
  return {transactions::Call(transactions::VersionChanged{version_of(delta.image())})};
}

// --- work ------------------------------------------------------------------------------------------------------------

runtime::Task<void> TransactionsKind::work(hosting::Shard<Machine>& shard, runtime::Reactor& owner, LeaderEpoch epoch,
                                           hosting::BatchTools&) const {
  while (!shard.dropped()) {
    auto asking = shard.ask(owner, transactions::Call(transactions::NextWork{}));
    const transactions::Answer answer = co_await std::move(asking);
    const auto& work = std::get<transactions::Work>(answer);
    if (work.producer_id_wanted) {
      auto giving = give_producer_id(shard, owner);
      co_await std::move(giving);
    }
    for (std::size_t at = 0; at < work.markers.size() && !shard.dropped(); at += endings_at_a_time) {
      std::array<std::coroutine_handle<>, endings_at_a_time> room{};
      Gather gather(room);
      for (std::size_t i = at; i < std::min(at + endings_at_a_time, work.markers.size()); ++i) {
        gather.add(write_marker(shard, owner, epoch, work.markers[i]));
      }
      co_await gather;
    }
  }
}

runtime::Task<void> TransactionsKind::write_marker(hosting::Shard<Machine>& shard, runtime::Reactor& owner,
                                                   LeaderEpoch epoch, transactions::Marker marker) const {
  auto writing = parts_.markers.write(owner, std::move(marker), epoch, owner.now() + parts_.settings.marker_timeout);
  transactions::MarkersWritten written;
  written.reports.push_back(co_await std::move(writing));
  auto telling = shard.ask(owner, transactions::Call(std::move(written)));
  co_await std::move(telling);
}

runtime::Task<void> TransactionsKind::give_producer_id(hosting::Shard<Machine>& shard, runtime::Reactor& owner) const {
  auto taking = parts_.fresh_id(owner);
  const Result<ProducerId> id = co_await std::move(taking);
  auto giving = shard.ask(owner, transactions::Call(transactions::ProducerIdGiven{id.value_or(no_producer_id)}));
  co_await std::move(giving);
}

// --- settings --------------------------------------------------------------------------------------------------------

namespace {

transactions::Settings transactions_settings(const config::ConfigValues& values) {
  using std::chrono::milliseconds;
  transactions::Settings settings;
  settings.timeout_max = milliseconds(values.get_int("transaction.max.timeout.ms"));
  settings.abort_interval = milliseconds(values.get_int("transaction.abort.timed.out.transaction.cleanup.interval.ms"));
  settings.id_expiration = milliseconds(values.get_int("transactional.id.expiration.ms"));
  settings.expiration_interval =
      milliseconds(values.get_int("transaction.remove.expired.transaction.cleanup.interval.ms"));
  settings.two_phase_commit_enabled = values.get_bool("transaction.two.phase.commit.enable");
  return settings;
}

InternalTopic internal_topic(const TransactionShardsSettings& settings) {
  return {.name = std::string(transactions_topic),
          .partitions = settings.partitions,
          .replication_factor = settings.replication_factor,
          .configs = {{"unclean.leader.election.enable", "false"},
                      {"compression.type", "uncompressed"},
                      {"cleanup.policy", "compact"},
                      {"min.insync.replicas", std::to_string(settings.min_insync_replicas)},
                      {"segment.bytes", std::to_string(settings.segment_bytes)}},
          .creation_timeout = settings.creation_timeout};
}

}  // namespace

TransactionShardsSettings transaction_shards_settings(const config::BrokerConfig& config) {
  const config::ConfigValues& values = config.values();
  TransactionShardsSettings settings;
  settings.node_id = config.node_id();
  settings.transactions = transactions_settings(values);
  settings.memory_bytes = static_cast<std::size_t>(values.get_long("klamm.transactions.memory.bytes"));
  settings.partitions = values.get_int("transaction.state.log.num.partitions");
  settings.replication_factor = static_cast<std::int16_t>(values.get_int("transaction.state.log.replication.factor"));
  settings.min_insync_replicas = values.get_int("transaction.state.log.min.isr");
  settings.segment_bytes = values.get_int("transaction.state.log.segment.bytes");
  settings.load_bytes = static_cast<std::size_t>(values.get_int("transaction.state.log.load.buffer.size"));
  settings.commit_timeout = config.request_timeout();
  settings.creation_timeout = config.request_timeout();
  // A batch has to fit a segment too.
  settings.writer.batch_bytes_max =
      static_cast<std::size_t>(std::min(values.get_int("message.max.bytes"), settings.segment_bytes));
  settings.transactions.record_bytes_max = settings.writer.record_bytes_max();
  return settings;
}

// --- the shards ------------------------------------------------------------------------------------------------------

TransactionShards::TransactionShards(runtime::Environment& environment, hosting::MetadataPublisher& metadata,
                                     const replication::PartitionTable& partitions, GroupShards& groups,
                                     FreshProducerId fresh_id, TransactionShardsSettings settings)
    : metadata_(metadata),
      settings_(std::move(settings)),
      fresh_id_(std::move(fresh_id)),
      log_(environment.log, "kafka.coordinator.transaction.TransactionCoordinator",
           fmt::format("[TransactionCoordinator id={}] ", settings_.node_id)),
      partition_count_(settings_.partitions),
      creation_(internal_topic(settings_), log_),
      memory_(settings_.memory_bytes),
      markers_(environment, metadata, partitions, groups),
      shards_(environment, metadata, partitions,
              hosting::HostedTopicSettings{.topic = std::string(transactions_topic),
                                           .self = settings_.node_id,
                                           .writer = settings_.writer,
                                           .load_bytes = settings_.load_bytes},
              TransactionsKind({settings_, memory_, metadata, markers_, fresh_id_}, log_), log_) {}

runtime::Task<void> TransactionShards::start(runtime::Reactor& home) {
  log_.info("Starting up.");
  if (const metadata::ImageRef image = metadata_.latest()) {
    if (const metadata::Topic* topic = image->topic(transactions_topic)) {
      partition_count_ = static_cast<std::int32_t>(topic->partition_count());
    }
  }
  auto starting = shards_.start(home);
  co_await std::move(starting);
  log_.info("Startup complete.");
}

runtime::Task<void> TransactionShards::stop(runtime::Reactor& home) {
  log_.info("Shutting down.");
  auto stopping = shards_.stop(home);
  co_await std::move(stopping);
  log_.info("Shutdown complete.");
}

PartitionIndex TransactionShards::partition_of(std::string_view transactional_id) const {
  return coordination::partition_for(transactional_id, partition_count_);
}

protocol::ListTransactionsResponse TransactionShards::check_filters(
    const protocol::ListTransactionsRequest& request) const {
  return transactions::check_filters(settings_.transactions, request);
}

runtime::Task<transactions::Answer> TransactionShards::ask(runtime::Reactor& reactor, PartitionIndex partition,
                                                           transactions::Call call) {
  if (auto refused = transactions::TransactionCoordinator::check(settings_.transactions, call)) {
    co_return std::move(*refused);
  }
  const runtime::MonoTime deadline = reactor.now() + settings_.commit_timeout;
  auto asking = shards_.ask(reactor, partition, call, deadline);
  transactions::Answer answer = co_await std::move(asking);
  if (!std::holds_alternative<transactions::ProducerIdWanted>(answer)) co_return answer;

  auto taking = fresh_id_(reactor);
  const Result<ProducerId> id = co_await std::move(taking);
  if (!id) co_return transactions::TransactionCoordinator::refuse(call, id.error());
  std::visit(
      [&](auto& asked) {
        if constexpr (requires { asked.fresh_id; }) asked.fresh_id = *id;
      },
      call);
  auto again = shards_.ask(reactor, partition, std::move(call), deadline);
  co_return co_await std::move(again);
}

}  // namespace klamm::server
