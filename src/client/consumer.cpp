#include "client/consumer.h"

#include "client/fetcher.h"
#include "client/group_session.h"
#include "client/offset_lookup.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

TopicPartition internal(const PartitionName& name) {
  return {name.topic, PartitionIndex(name.partition)};
}
PartitionName external(const TopicPartition& name) {
  return {name.topic, name.partition.value};
}

Task<Result<std::map<PartitionName, OffsetAndTimestamp>>> offsets_at(Fetcher& fetcher,
                                                                     std::map<TopicPartition, std::int64_t> asked) {
  const MonoTime deadline = fetcher.core().now() + fetcher.settings().default_api_timeout;
  const auto found = co_await look_up_offsets(fetcher.core(), std::move(asked), fetcher.settings().isolation, deadline);
  std::map<PartitionName, OffsetAndTimestamp> result;
  for (const auto& [name, each] : found) {
    if (each.error) co_return Error(*each.error).about(name.topic, name.partition.value);
    if (each.offset >= 0) result.insert({external(name), {each.offset, each.timestamp, each.leader_epoch}});
  }
  co_return std::move(result);
}

Task<Result<std::map<PartitionName, std::int64_t>>> ends(Fetcher& fetcher, std::vector<PartitionName> partitions,
                                                         std::int64_t which) {
  std::map<TopicPartition, std::int64_t> asked;
  for (const PartitionName& name : partitions) asked[internal(name)] = which;
  const auto found = co_await offsets_at(fetcher, std::move(asked));
  if (!found) co_return found.error();
  std::map<PartitionName, std::int64_t> result;
  for (const auto& [name, each] : *found) result[name] = each.offset;
  co_return std::move(result);
}

Error no_group() {
  return Error(ErrorCode::invalid_group_id,
               "To use the group management or offset commit APIs, you must provide a valid group.id in the consumer "
               "configuration.");
}

GroupPositions internal(const Offsets& offsets) {
  GroupPositions result;
  for (const auto& [name, each] : offsets) result[internal(name)] = {each.offset, each.leader_epoch, each.metadata};
  return result;
}

}  // namespace

Consumer::Consumer(Client& client, const Properties& properties) {
  Properties all = client.properties();
  for (const auto& [key, value] : properties) all.insert_or_assign(key, value);
  Result<ConsumerSettings> settings = consumer_settings(all, client.core().log());
  if (client.configuration_error()) {
    configuration_error_ = client.configuration_error();
  } else if (!settings) {
    configuration_error_ = settings.error();
  } else {
    fetcher_ = std::make_unique<Fetcher>(client.core(), *std::move(settings));
    if (fetcher_->settings().group) group_ = std::make_unique<GroupSession>(client.core(), *fetcher_);
  }
}

Consumer::~Consumer() = default;
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;

void Consumer::assign(const std::vector<PartitionName>& partitions) {
  std::set<TopicPartition> wanted;
  for (const PartitionName& name : partitions) wanted.insert(internal(name));
  if (group_) {
    group_->assign(wanted);
  } else if (fetcher_) {
    fetcher_->assign(wanted);
  }
}

// --- groups ----------------------------------------------------------------------------------------------------------

Result<void> Consumer::subscribe(const std::vector<std::string>& topics, RebalanceListener listener) {
  if (configuration_error_) return *configuration_error_;
  if (!group_) return no_group();
  group_->subscribe(topics, std::move(listener));
  return {};
}

Result<void> Consumer::subscribe_matching(std::function<bool(std::string_view)> matches, RebalanceListener listener) {
  if (configuration_error_) return *configuration_error_;
  if (!group_) return no_group();
  group_->subscribe_matching(std::move(matches), std::move(listener));
  return {};
}

Result<void> Consumer::subscribe_regex(std::string regex, RebalanceListener listener) {
  if (configuration_error_) return *configuration_error_;
  if (!group_) return no_group();
  return group_->subscribe_regex(std::move(regex), std::move(listener));
}

Task<Result<void>> Consumer::unsubscribe() {
  if (configuration_error_) co_return *configuration_error_;
  if (!group_) {
    fetcher_->assign({});
    co_return Result<void>();
  }
  const MonoTime deadline = fetcher_->core().now() + fetcher_->settings().default_api_timeout;
  co_await group_->unsubscribe("the consumer unsubscribed from all topics", deadline);
  co_return Result<void>();
}

Task<Result<void>> Consumer::commit() {
  if (configuration_error_) co_return *configuration_error_;
  if (!group_) co_return no_group();
  const MonoTime deadline = fetcher_->core().now() + fetcher_->settings().default_api_timeout;
  const Result<void> done = co_await group_->commit_positions(deadline);
  co_return done;
}

Task<Result<void>> Consumer::commit(Offsets offsets) {
  if (configuration_error_) co_return *configuration_error_;
  if (!group_) co_return no_group();
  const MonoTime deadline = fetcher_->core().now() + fetcher_->settings().default_api_timeout;
  const Result<void> done = co_await group_->commit(internal(offsets), deadline);
  co_return done;
}

void Consumer::post_commit(std::function<void(const Result<void>&)> done) {
  if (group_) {
    group_->post_commit(group_->positions(), std::move(done));
  } else if (done) {
    done(configuration_error_ ? *configuration_error_ : no_group());
  }
}

Task<Result<Offsets>> Consumer::committed(std::vector<PartitionName> partitions) {
  if (configuration_error_) co_return *configuration_error_;
  if (!group_) co_return no_group();
  const MonoTime deadline = fetcher_->core().now() + fetcher_->settings().default_api_timeout;
  PartitionSet wanted;
  for (const PartitionName& name : partitions) wanted.insert(internal(name));
  const auto found = co_await group_->committed(std::move(wanted), deadline);
  if (!found) co_return found.error();
  Offsets offsets;
  for (const auto& [name, each] : *found) offsets[external(name)] = {each.offset, each.metadata, each.leader_epoch};
  co_return std::move(offsets);
}

Result<GroupMetadata> Consumer::group_metadata() const {
  if (configuration_error_) return *configuration_error_;
  if (!group_) return no_group();
  const GroupSettings& settings = *fetcher_->settings().group;
  const auto as = group_->identity();
  if (!as) return GroupMetadata{settings.id, -1, "", settings.instance_id};
  return GroupMetadata{settings.id, as->generation, as->member_id, as->instance_id};
}

Offsets Consumer::positions() const {
  Offsets offsets;
  if (!fetcher_) return offsets;
  for (const auto& [name, position] : fetcher_->positions()) offsets[external(name)].offset = position;
  return offsets;
}

Task<Result<void>> Consumer::close(runtime::Duration timeout) {
  if (configuration_error_) co_return Result<void>();
  if (group_) {
    co_await group_->close(fetcher_->core().now() + timeout);
    group_.reset();
  }
  co_return Result<void>();
}

void Consumer::follow(const std::vector<std::string>& topics) {
  following_ = true;
  if (fetcher_) fetcher_->follow(topics);
}

void Consumer::follow_matching(std::function<bool(std::string_view)> matches) {
  following_ = true;
  if (fetcher_) fetcher_->follow_matching(std::move(matches));
}

std::vector<PartitionName> Consumer::assignment() const {
  std::vector<PartitionName> names;
  if (fetcher_) {
    for (const auto& [name, partition] : fetcher_->partitions()) names.push_back(external(name));
  }
  return names;
}

void Consumer::seek(const PartitionName& partition, std::int64_t offset) {
  if (fetcher_) fetcher_->seek(internal(partition), offset);
}

void Consumer::seek_to_beginning(const PartitionName& partition) {
  if (fetcher_) fetcher_->reset(internal(partition), OffsetReset::Kind::earliest);
}

void Consumer::seek_to_end(const PartitionName& partition) {
  if (fetcher_) fetcher_->reset(internal(partition), OffsetReset::Kind::latest);
}

void Consumer::pause(const PartitionName& partition, bool paused) {
  if (fetcher_) fetcher_->pause(internal(partition), paused);
}

Task<Result<std::int64_t>> Consumer::position(PartitionName partition) {
  if (configuration_error_) co_return *configuration_error_;
  const MonoTime deadline = fetcher_->core().now() + fetcher_->settings().default_api_timeout;
  TopicPartition name = internal(partition);
  if (group_) group_->look_up_committed();
  const Result<std::int64_t> found = co_await fetcher_->position(std::move(name), deadline);
  co_return found;
}

Task<Result<Batch>> Consumer::poll(runtime::Duration timeout) {
  if (configuration_error_) co_return *configuration_error_;
  const MonoTime now = fetcher_->core().now();
  const MonoTime deadline = timeout > runtime::never - now ? runtime::never : now + timeout;
  Result<Batch> batch = group_ && !following_ ? co_await group_->poll(deadline) : co_await fetcher_->poll(deadline);
  co_return std::move(batch);
}

void Consumer::wake_up() {
  if (group_) {
    group_->wake_up();
  } else if (fetcher_) {
    fetcher_->wake_up();
  }
}

Task<Result<std::map<PartitionName, std::int64_t>>> Consumer::beginning_offsets(std::vector<PartitionName> partitions) {
  if (configuration_error_) co_return *configuration_error_;
  auto found = co_await ends(*fetcher_, std::move(partitions), special_timestamp::earliest);
  co_return std::move(found);
}

Task<Result<std::map<PartitionName, std::int64_t>>> Consumer::end_offsets(std::vector<PartitionName> partitions) {
  if (configuration_error_) co_return *configuration_error_;
  auto found = co_await ends(*fetcher_, std::move(partitions), special_timestamp::latest);
  co_return std::move(found);
}

Task<Result<std::map<PartitionName, OffsetAndTimestamp>>> Consumer::offsets_for_times(
    std::map<PartitionName, std::int64_t> timestamps) {
  if (configuration_error_) co_return *configuration_error_;
  std::map<TopicPartition, std::int64_t> asked;
  for (const auto& [name, timestamp] : timestamps) asked[internal(name)] = timestamp;
  auto found = co_await offsets_at(*fetcher_, std::move(asked));
  co_return std::move(found);
}

}  // namespace klamm::client
