// The shards of one internal topic on this broker: one for each partition that it leads, on the reactor that the
// partition's number gives it. When the metadata says that this broker leads a partition, its log is replayed into a
// new machine, and the shard serves; when it does not lead any more, or the log failed, the shard is dropped. Source of
// behaviour: org.apache.kafka.coordinator.common.runtime.CoordinatorRuntime.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/logger.h"
#include "hosting/metadata_publisher.h"
#include "hosting/partition_loader.h"
#include "hosting/partition_writer.h"
#include "hosting/shard.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "runtime/task_group.h"

namespace klamm::hosting {

struct HostedTopicSettings {
  std::string topic;
  BrokerId self;
  PartitionWriterSettings writer;
  std::size_t load_bytes = 5u << 20;  // offsets.load.buffer.size
};

// When and as what this broker leads a partition.
struct LeadingTerm {
  Uuid topic_id;
  LeaderEpoch epoch;

  bool operator==(const LeadingTerm&) const = default;
};

// What the partitions of a topic are made into. A Kind has the type Machine (as Shard wants it) and
//   std::shared_ptr<Machine> make() const;
//   static LogEntry encode(const Machine::Record&);
//   static void load(Machine&, const records::RecordBatchView&, const records::RecordView&);   throws for a broken one
//   static void end_of_transaction(Machine&, ProducerId, bool commit);
//   std::vector<Call> after_load() const;                         asked before anybody else is served
//   std::vector<Call> after_change(const metadata::Delta&) const; asked of every shard that serves then
// and, if somebody has to work for its shards while they serve,
//   runtime::Task<void> work(Shard<Machine>&, runtime::Reactor& owner, LeaderEpoch, BatchTools&) const;
// which ends soon after the shard is dropped.
template <typename Kind>
class HostedPartition {
 public:
  using Machine = typename Kind::Machine;
  using Call = typename Machine::Call;
  using Answer = typename Machine::Answer;

  HostedPartition(runtime::Environment& environment, runtime::Reactor& owner, BatchTools& tools,
                  const replication::PartitionTable& partitions, const HostedTopicSettings& settings, const Kind& kind,
                  PartitionIndex index, Logger log)
      : environment_(environment),
        owner_(owner),
        tools_(tools),
        partitions_(partitions),
        settings_(settings),
        kind_(kind),
        name_{settings.topic, index},
        log_(std::move(log)),
        changed_(owner) {}

  // From now on this is so. All on the owner.
  void lead(std::optional<LeadingTerm> term) {
    if (term == wanted_) return;
    wanted_ = term;
    if (wanted_) {
      log_.info("Scheduling loading of metadata from {} with epoch {}", name_.to_string(), wanted_->epoch);
    }
    if (shard_ != nullptr) shard_->drop(Error{ErrorCode::not_coordinator});
    changed_.notify();
  }

  // Until the end of the process: leads when it shall.
  runtime::Task<void> run() {
    while (!stopping_) {
      if (!wanted_) {
        auto waiting = changed_.wait();
        co_await std::move(waiting);
        continue;
      }
      auto leading = lead_term(*wanted_);
      co_await std::move(leading);
    }
  }
  void stop() {
    stopping_ = true;
    lead(std::nullopt);
    changed_.notify();
  }

  runtime::Task<Answer> ask(Call call, runtime::MonoTime deadline) {
    if (shard_ == nullptr) {
      const bool loads = wanted_ && !broken_;
      co_return Machine::refuse(call,
                                Error{loads ? ErrorCode::coordinator_load_in_progress : ErrorCode::not_coordinator});
    }
    auto asking = shard_->ask(owner_, std::move(call), deadline);
    co_return co_await std::move(asking);
  }

  // Without an answer to anybody.
  void tell(const std::vector<Call>& calls) {
    if (shard_ == nullptr || tellings_ == nullptr) return;
    for (const Call& call : calls) tellings_->start(tell_one(*shard_, call));
  }

 private:
  using Record = typename Machine::Record;

  // A partition that is not there yet is looked for so often.
  static constexpr std::chrono::milliseconds look_interval_min{2};
  static constexpr std::chrono::milliseconds look_interval_max{100};

  struct Replay final : Playback {
    explicit Replay(std::shared_ptr<Machine> its) : machine(std::move(its)) {}
    void record(const records::RecordBatchView& batch, const records::RecordView& record) override {
      Kind::load(*machine, batch, record);
    }
    void end_of_transaction(const records::RecordBatchView& batch, bool commit) override {
      Kind::end_of_transaction(*machine, batch.producer_id(), commit);
    }
    std::shared_ptr<Machine> machine;
  };

  bool is_over(const LeadingTerm& term) const { return stopping_ || wanted_ != term; }

  runtime::Task<void> lead_term(LeadingTerm term) {
    broken_ = false;
    auto finding = find(term);
    const replication::PartitionRef partition = co_await std::move(finding);
    if (partition == nullptr) co_return;
    std::shared_ptr<Machine> machine = kind_.make();
    auto loading = load(term, partition, machine);
    const auto end = co_await std::move(loading);
    if (end) {
      auto serving = serve(term, partition, *machine, *end);
      co_await std::move(serving);
      co_return;
    }
    // Broken: it stays so until somebody else leads it. Or the term is over, or the disk failed.
    auto waiting = broken_ ? wait_for_end(term) : pause();
    co_await std::move(waiting);
  }

  // The partition, when this broker leads it in this term and its log is ready.
  runtime::Task<replication::PartitionRef> find(LeadingTerm term) {
    runtime::Duration interval = look_interval_min;
    while (!is_over(term)) {
      if (auto partition = partitions_.find(term.topic_id, name_.partition)) {
        if (partition->log_for(term.epoch)) co_return partition;
      }
      auto waiting = changed_.wait(owner_.now() + interval);
      co_await std::move(waiting);
      interval = std::min<runtime::Duration>(interval * 2, look_interval_max);
    }
    co_return nullptr;
  }

  runtime::Task<void> wait_for_end(LeadingTerm term) {
    while (!is_over(term)) {
      auto waiting = changed_.wait();
      co_await std::move(waiting);
    }
  }
  runtime::Task<void> pause() {
    auto waiting = changed_.wait(owner_.now() + look_interval_max);
    co_await std::move(waiting);
  }

  // The end of what was loaded; nothing when it was not.
  runtime::Task<std::optional<Offset>> load(LeadingTerm term, replication::PartitionRef partition,
                                            std::shared_ptr<Machine> machine) {
    const auto log = partition->log_for(term.epoch);
    if (!log) co_return std::nullopt;
    const runtime::MonoTime begin = owner_.now();
    std::string broken;
    try {
      auto loading = load_partition(owner_, *log, std::make_shared<Replay>(std::move(machine)), settings_.load_bytes,
                                    [this, term] { return !is_over(term); });
      const LoadSummary summary = co_await std::move(loading);
      if (!summary.finished) co_return std::nullopt;
      log_.info(
          "Finished loading of metadata from {} with epoch {} in {}ms where 0ms was spent in the scheduler. Loaded {} "
          "records which total to {} bytes.",
          name_.to_string(), term.epoch,
          std::chrono::duration_cast<std::chrono::milliseconds>(owner_.now() - begin).count(), summary.records,
          summary.bytes);
      co_return (*log)->log_end();
    } catch (const BrokenPartition& wrong) {
      broken = wrong.what();
    } catch (const runtime::DiskError& wrong) {
      broken = wrong.what();
    }
    log_.error("Failed to load metadata from {} with epoch {} due to {}.", name_.to_string(), term.epoch, broken);
    broken_ = true;
    co_return std::nullopt;
  }

  runtime::Task<void> serve(LeadingTerm term, replication::PartitionRef partition, Machine& machine, Offset end) {
    Shard<Machine>* shard_here = nullptr;
    PartitionWriter writer(environment_, owner_, tools_, std::move(partition), term.epoch, end, settings_.writer, log_,
                           [&](const Error&) {
                             if (shard_here != nullptr) shard_here->drop(Error{ErrorCode::not_coordinator});
                             changed_.notify();
                           });
    PartitionLog<Record> log(writer, &Kind::encode);
    Shard<Machine> shard(environment_, owner_, machine, log);
    shard_here = &shard;
    runtime::TaskGroup tellings(owner_);
    shard_ = &shard;
    tellings_ = &tellings;
    tell(kind_.after_load());
    if constexpr (requires { kind_.work(shard, owner_, term.epoch, tools_); }) {
      tellings.start(kind_.work(shard, owner_, term.epoch, tools_));
    }
    while (!is_over(term) && !writer.failed()) {
      auto waiting = changed_.wait();
      co_await std::move(waiting);
    }
    log_.info("Started unloading metadata for {} with epoch {}.", name_.to_string(), term.epoch);
    shard_ = nullptr;
    tellings_ = nullptr;
    shard.drop(Error{ErrorCode::not_coordinator});
    // Whoever woke this may still be at work on what is about to go.
    auto elsewhere = runtime::yield(owner_);
    co_await std::move(elsewhere);
    auto writing = writer.stop();
    co_await std::move(writing);
    auto draining = shard.drain();
    co_await std::move(draining);
    auto telling = tellings.wait();
    co_await std::move(telling);
    auto again = runtime::yield(owner_);
    co_await std::move(again);
    log_.info("Finished unloading metadata for {} with epoch {}.", name_.to_string(), term.epoch);
  }

  runtime::Task<void> tell_one(Shard<Machine>& shard, Call call) {
    auto asking = shard.ask(owner_, std::move(call));
    co_await std::move(asking);
  }

  runtime::Environment& environment_;
  runtime::Reactor& owner_;
  BatchTools& tools_;
  const replication::PartitionTable& partitions_;
  const HostedTopicSettings& settings_;
  const Kind& kind_;
  TopicPartition name_;
  Logger log_;
  runtime::Notice changed_;
  std::optional<LeadingTerm> wanted_;
  bool stopping_ = false;
  bool broken_ = false;
  Shard<Machine>* shard_ = nullptr;  // while it serves
  runtime::TaskGroup* tellings_ = nullptr;
};

template <typename Kind>
class HostedTopic {
 public:
  using Machine = typename Kind::Machine;
  using Call = typename Machine::Call;
  using Answer = typename Machine::Answer;

  // The references outlive this.
  HostedTopic(runtime::Environment& environment, MetadataPublisher& metadata,
              const replication::PartitionTable& partitions, HostedTopicSettings settings, Kind kind, Logger log)
      : environment_(environment), settings_(std::move(settings)), kind_(std::move(kind)) {
    for (runtime::Reactor* reactor : environment.reactors) {
      parts_.push_back(std::make_unique<Part>(*this, *reactor, metadata, partitions, log));
    }
  }

  // On `home`, where both end. From start() on partitions are led as the metadata says.
  runtime::Task<void> start(runtime::Reactor& home) {
    for (const auto& part : parts_) {
      auto there = runtime::move_to(part->reactor);
      co_await std::move(there);
      part->metadata.subscribe(part->reactor, *part);
      auto back = runtime::move_to(home);
      co_await std::move(back);
    }
  }
  // Whoever waits for an answer gets NOT_COORDINATOR, as everybody from then on.
  runtime::Task<void> stop(runtime::Reactor& home) {
    for (const auto& part : parts_) {
      auto there = runtime::move_to(part->reactor);
      co_await std::move(there);
      part->metadata.unsubscribe(part->reactor, *part);
      for (const auto& [index, hosted] : part->hosted) hosted->stop();
      auto stopping = part->tasks.stop();
      co_await std::move(stopping);
      auto back = runtime::move_to(home);
      co_await std::move(back);
    }
  }

  // As Shard::ask. NOT_COORDINATOR when this broker does not lead the partition, or cannot;
  // COORDINATOR_LOAD_IN_PROGRESS while its log is replayed.
  runtime::Task<Answer> ask(runtime::Reactor& reactor, PartitionIndex index, Call call,
                            runtime::MonoTime deadline = runtime::never) {
    Part& part = *parts_[part_of(index)];
    auto there = runtime::move_to(part.reactor);
    co_await std::move(there);
    const auto found = part.hosted.find(index);
    if (found == part.hosted.end()) {
      Answer refused = Machine::refuse(call, Error{ErrorCode::not_coordinator});
      auto back = runtime::move_to(reactor);
      co_await std::move(back);
      co_return refused;
    }
    auto asking = found->second->ask(std::move(call), deadline);
    Answer answer = co_await std::move(asking);
    auto back = runtime::move_to(reactor);
    co_await std::move(back);
    co_return answer;
  }

 private:
  // What belongs to one reactor.
  struct Part final : MetadataSubscriber {
    Part(HostedTopic& its, runtime::Reactor& r, MetadataPublisher& m, const replication::PartitionTable& p, Logger l)
        : topic(its), reactor(r), metadata(m), partitions(p), log(std::move(l)), tasks(r) {}

    void metadata_changed(const metadata::Delta& delta) override {
      const metadata::Topic* now = delta.image()->topic(topic.settings_.topic);
      if (now != nullptr) {
        for (const auto& [number, partition] : now->partitions) {
          const PartitionIndex index(number);
          if (&topic.parts_[topic.part_of(index)]->reactor != &reactor) continue;
          std::optional<LeadingTerm> term;
          if (BrokerId(partition.leader) == topic.settings_.self) {
            term = LeadingTerm{now->id, LeaderEpoch(partition.leader_epoch)};
          }
          if (term || hosted.contains(index)) hosted_at(index).lead(term);
        }
      }
      for (const auto& [index, each] : hosted) {
        if (now == nullptr || now->partition(index.value) == nullptr) each->lead(std::nullopt);
      }
      const std::vector<Call> calls = topic.kind_.after_change(delta);
      if (calls.empty()) return;
      for (const auto& [index, each] : hosted) each->tell(calls);
    }

    HostedPartition<Kind>& hosted_at(PartitionIndex index) {
      auto& slot = hosted[index];
      if (slot == nullptr) {
        slot = std::make_unique<HostedPartition<Kind>>(topic.environment_, reactor, tools, partitions, topic.settings_,
                                                       topic.kind_, index, log);
        tasks.start(slot->run());
      }
      return *slot;
    }

    HostedTopic& topic;
    runtime::Reactor& reactor;
    MetadataPublisher& metadata;
    const replication::PartitionTable& partitions;
    Logger log;
    BatchTools tools;
    std::map<PartitionIndex, std::unique_ptr<HostedPartition<Kind>>> hosted;
    runtime::TaskGroup tasks;  // after what its tasks work with
  };

  std::size_t part_of(PartitionIndex index) const { return static_cast<std::size_t>(index.value) % parts_.size(); }

  runtime::Environment& environment_;
  HostedTopicSettings settings_;
  Kind kind_;
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace klamm::hosting
