#include "replication/replicas.h"

#include <algorithm>
#include <set>

#include "base/ensure.h"

namespace klamm::replication {

using runtime::ShortLock;

namespace {

constexpr std::size_t items_at_once = 256;

SmallList<BrokerId, 3> ids(const metadata::PartitionRegistration::Ids& numbers) {
  return numbers.transformed([](std::int32_t number) { return BrokerId(number); });
}

}  // namespace

Replicas::Replicas(runtime::Environment& environment, runtime::Reactor& reactor, BrokerId self, PartitionTable& table,
                   storage::LogDirectories& directories, TopicSettingsSource settings, ReplicasEvents& events,
                   Logger log)
    : environment_(environment),
      reactor_(reactor),
      self_(self),
      table_(table),
      directories_(directories),
      settings_source_(std::move(settings)),
      events_(events),
      log_(std::move(log)),
      tasks_(reactor),
      image_(metadata::Image::empty()),
      done_(environment.scheduling, Offset(0)),
      settings_lock_(environment.scheduling),
      default_settings_(settings_source_({})) {}

Replicas::~Replicas() = default;

// --- settings --------------------------------------------------------------------------------------------------------

TopicSettingsRef Replicas::settings_of(const std::string& topic) const {
  const ShortLock::Guard guard(settings_lock_);
  const auto found = settings_.find(topic);
  return found == settings_.end() ? default_settings_ : found->second;
}

storage::LogSettingsRef Replicas::topic_settings(const std::string& topic) {
  return settings_of(topic)->log;
}

void Replicas::refresh_settings(const std::string& topic) {
  const auto& entries = image_->config({metadata::ConfigResourceType::topic, topic});
  TopicSettingsRef fresh = entries.empty() ? nullptr : settings_source_(entries);
  {
    const ShortLock::Guard guard(settings_lock_);
    if (fresh == nullptr) {
      settings_.erase(topic);
      fresh = default_settings_;
    } else {
      settings_.insert_or_assign(topic, fresh);
    }
  }
  directories_.reconfigure(topic, fresh->log);
  const metadata::Topic* known = image_->topic(topic);
  if (known == nullptr) return;
  for (const auto& entry : known->partitions) {
    if (auto partition = table_.find(topic, PartitionIndex(entry.first))) partition->reconfigure(fresh);
  }
}

void Replicas::broker_settings_changed() {
  TopicSettingsRef fresh = settings_source_({});
  {
    const ShortLock::Guard guard(settings_lock_);
    default_settings_ = std::move(fresh);
  }
  for (const auto& topic : image_->topics()) refresh_settings(topic->name);
}

// --- what the metadata says ------------------------------------------------------------------------------------------

void Replicas::metadata_changed(const metadata::Delta& delta) {
  image_ = delta.image();
  // A topic that was deleted goes before one of the same name comes.
  for (const auto& [id, change] : delta.topics()) {
    if (change.after == nullptr) topic_changed(change);
  }
  for (const auto& resource : delta.configs()) {
    if (resource.type == metadata::ConfigResourceType::topic) refresh_settings(resource.name);
  }
  for (const auto& [id, change] : delta.topics()) {
    if (change.after != nullptr) topic_changed(change);
  }
}

void Replicas::topic_changed(const metadata::TopicChange& change) {
  const metadata::Topic& topic = change.after ? *change.after : *change.before;
  for (const std::int32_t index : change.partitions) {
    const TopicPartition name{topic.name, PartitionIndex(index)};
    const auto* before = change.before ? change.before->partition(index) : nullptr;
    const auto* after = change.after ? change.after->partition(index) : nullptr;
    const bool was_here = before != nullptr && before->has_replica(self_.value);
    const bool is_here = after != nullptr && after->has_replica(self_.value);
    if (is_here) {
      // Known at once, so that requests are answered with "not yet" and not with "no such partition".
      if (table_.find(topic.id, name.partition) == nullptr) {
        auto partition = std::make_shared<Partition>(name, topic.id, self_, settings_of(topic.name), environment_);
        partition->apply(*wanted(name, topic.id), nullptr);
        table_.insert(std::move(partition));
      }
      enqueue({.name = name, .topic_id = topic.id, .is_new = started_ && !was_here});
    } else if (was_here) {
      if (auto partition = table_.find(topic.id, name.partition)) {
        table_.erase(partition);
        partition->close();
      }
      enqueue({.name = name, .topic_id = topic.id, .remove = true});
    }
  }
}

std::optional<PartitionState> Replicas::wanted(const TopicPartition& name, Uuid topic_id) const {
  const metadata::PartitionRegistration* registration = image_->partition(topic_id, name.partition.value);
  if (registration == nullptr || !registration->has_replica(self_.value)) return std::nullopt;
  PartitionState state{.leader = BrokerId(registration->leader),
                       .leader_epoch = LeaderEpoch(registration->leader_epoch),
                       .partition_epoch = PartitionEpoch(registration->partition_epoch),
                       .directory = registration->directory_of(self_.value)};
  state.replicas = ids(registration->replicas);
  state.isr = ids(registration->isr);
  return state;
}

// --- bringing it about -----------------------------------------------------------------------------------------------

runtime::Task<void> Replicas::start() {
  auto loading = directories_.load(reactor_, tasks_, *this);
  co_await std::move(loading);
  started_ = true;
  if (!items_.empty() && !working_) {
    working_ = true;
    tasks_.start(work());
  }
}

void Replicas::enqueue(Item item) {
  if (stopping_) return;
  items_.push_back(std::move(item));
  ++enqueued_;
  if (!started_ || working_) return;
  working_ = true;
  tasks_.start(work());
}

// What can be done side by side: the next items up to one whose partition is among them already.
std::vector<Replicas::Item> Replicas::next_items() {
  std::vector<Item> next;
  std::set<TopicPartition> names;
  while (!items_.empty() && next.size() < items_at_once && names.insert(items_.front().name).second) {
    next.push_back(std::move(items_.front()));
    items_.pop_front();
  }
  return next;
}

runtime::Task<void> Replicas::do_one(Item item) {
  auto doing = item.remove ? take_away(std::move(item)) : bring_in_line(std::move(item));
  co_await std::move(doing);
}

runtime::Task<void> Replicas::work() {
  while (!items_.empty() && !stopping_) {
    auto now = next_items();
    const auto count = static_cast<std::int64_t>(now.size());
    // Most of their time is waiting for the disk, which serves many in the time of one.
    runtime::TaskGroup together(reactor_);
    for (auto& item : now) together.start(do_one(std::move(item)));
    auto doing = together.wait();
    co_await std::move(doing);
    if (const auto failure = together.failure()) std::rethrow_exception(failure);
    done_.advance(done_.value() + count);
  }
  working_ = false;
}

runtime::Task<void> Replicas::settled() {
  const Offset all(enqueued_);
  auto waiting = done_.wait(reactor_, all, runtime::never);
  co_await std::move(waiting);
}

runtime::Task<void> Replicas::bring_in_line(Item item) {
  const auto state = wanted(item.name, item.topic_id);
  const PartitionRef partition = table_.find(item.topic_id, item.name.partition);
  if (!state || partition == nullptr) co_return;  // changed again since; a later item says how
  if (partition->log() == nullptr && directories_.is_loading(item.name)) {
    partition->apply(*state, nullptr);
    co_return;  // log_ready comes back to it
  }

  auto getting = directories_.get_or_create(reactor_, item.name, item.topic_id, state->directory, item.is_new);
  auto log = co_await std::move(getting);
  if (!log) {
    if (log.error().code == ErrorCode::kafka_storage_error) partition->storage_failed();
    log_.error("[Broker id={}] Cannot open the log of {}: {} {}", self_, item.name.to_string(),
               error_name(log.error().code), log.error().message);
    co_return;
  }
  const Uuid directory = (*log)->directory().id();
  auto becoming = become(std::move(*log), partition, *state);
  const bool became = co_await std::move(becoming);
  if (became && directory != state->directory && !directory.is_zero()) {
    events_.replica_placed(item.topic_id, item.name.partition, directory);
  }
}

// The log first learns who may write, then the partition opens for clients: never the other way round (KAFKA-7415).
runtime::Task<bool> Replicas::become(storage::LogRef log, PartitionRef partition, PartitionState state) {
  const bool leads = state.leader == self_;
  const bool known = partition->log() == log && partition->state().leader_epoch == state.leader_epoch;
  if (!known) {
    auto setting = log->set_writer_epoch(reactor_, state.leader_epoch, leads);
    if (const auto set = co_await std::move(setting); !set) {
      if (set.error().code == ErrorCode::kafka_storage_error) partition->storage_failed();
      log_.error("[Broker id={}] Cannot set leader epoch {} of {}: {} {}", self_, state.leader_epoch,
                 partition->name().to_string(), error_name(set.error().code), set.error().message);
      co_return false;
    }
  }
  partition->apply(state, std::move(log));
  co_return true;
}

runtime::Task<void> Replicas::take_away(Item item) {
  // A topic of the same name may be here already, with a log of its own.
  const storage::LogRef log = directories_.find(item.name);
  if (log == nullptr || (log->topic_id() && *log->topic_id() != item.topic_id)) co_return;
  auto removing = directories_.remove(reactor_, item.name);
  if (const auto removed = co_await std::move(removing); !removed) {
    log_.error("[Broker id={}] Cannot remove the log of {}: {} {}", self_, item.name.to_string(),
               error_name(removed.error().code), removed.error().message);
  }
}

// --- what the disks say ----------------------------------------------------------------------------------------------

bool Replicas::is_stray(const TopicPartition& name, std::optional<Uuid> topic_id) {
  const metadata::Topic* topic = image_->topic(name.topic);
  if (topic == nullptr) return true;
  if (topic_id && *topic_id != topic->id) return true;
  const auto* registration = topic->partition(name.partition.value);
  return registration == nullptr || !registration->has_replica(self_.value);
}

void Replicas::log_ready(const storage::LogRef& log) {
  const metadata::Topic* topic = image_->topic(log->name().topic);
  if (topic != nullptr) enqueue({.name = log->name(), .topic_id = topic->id});
}

void Replicas::directory_failed(storage::LogDirectory& directory) {
  for (const auto& partition : table_.all()) {
    const auto log = partition->log();
    if (log != nullptr && &log->directory() == &directory) partition->storage_failed();
  }
  events_.directory_failed(directory);
}

void Replicas::all_directories_failed() {
  events_.all_directories_failed();
}

runtime::Task<void> Replicas::stop() {
  stopping_ = true;
  for (const auto& partition : table_.all()) partition->close();
  auto stopping = tasks_.stop();
  co_await std::move(stopping);
  done_.close();
}

}  // namespace klamm::replication
