#include "client/group_session.h"

#include <algorithm>
#include <utility>

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr runtime::Duration commit_pause_min = std::chrono::milliseconds(10);

std::vector<PartitionName> names_of(const PartitionSet& partitions) {
  std::vector<PartitionName> names;
  for (const TopicPartition& each : partitions) names.push_back({each.topic, each.partition.value});
  return names;
}

bool is_internal(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state" || topic == "__share_group_state";
}

}  // namespace

GroupSession::GroupSession(Core& core, Fetcher& fetcher)
    : core_(core),
      fetcher_(fetcher),
      settings_(*fetcher.settings().group),
      log_(core.log().named(
          "org.apache.kafka.clients.consumer.internals.ConsumerCoordinator",
          fmt::format("[Consumer clientId={}, groupId={}] ", core.settings().client_id, settings_.id))),
      coordinator_(core, settings_.id),
      membership_(core, coordinator_, fetcher.settings(), [this] { fetcher_.wake_up(); }),
      offsets_(core, coordinator_,
               {[this]() -> Result<MemberIdentity> {
                  return subscribed() ? membership_.identity() : MemberIdentity{-1, "", {}};
                },
                [this](ErrorCode code, const MemberIdentity& as) { membership_.commit_refused(code, as); },
                settings_.protocol}),
      tasks_(core.reactor()) {
  on_change_ = core_.on_change([this] { fetcher_.wake_up(); });  // topics may match, or be wrong
}

GroupSession::~GroupSession() {
  core_.remove_on_change(on_change_);
}

// --- subscriptions ---------------------------------------------------------------------------------------------------

void GroupSession::subscribed_anew(RebalanceListener listener) {
  listener_ = std::move(listener);
  topics_.clear();
  matches_ = nullptr;
  regex_ = false;
  matched_version_ = 0;
  commit_at_ = core_.now() + settings_.auto_commit_interval;
}

void GroupSession::subscribe(std::vector<std::string> topics, RebalanceListener listener) {
  subscribed_anew(std::move(listener));
  topics_ = std::move(topics);
  membership_.subscribe({topics_.begin(), topics_.end()});
}

void GroupSession::subscribe_matching(std::function<bool(std::string_view)> matches, RebalanceListener listener) {
  subscribed_anew(std::move(listener));
  matches_ = std::move(matches);
  core_.watch_all_topics();
  core_.request_refresh();
}

Result<void> GroupSession::subscribe_regex(std::string regex, RebalanceListener listener) {
  if (settings_.protocol == GroupProtocol::classic) {
    return Error::of_kind(
        "java.lang.UnsupportedOperationException",
        "Subscribe to RE2/J pattern is not supported when using the CLASSIC protocol defined in config "
        "group.protocol");
  }
  subscribed_anew(std::move(listener));
  regex_ = true;
  membership_.subscribe_regex(std::move(regex));
  return {};
}

// A pattern is resolved here, each time that the cluster changed.
void GroupSession::match_topics() {
  if (!matches_ || matched_version_ == core_.cluster_version()) return;
  matched_version_ = core_.cluster_version();
  std::set<std::string> matched;
  for (const auto& [name, topic] : core_.cluster().topics()) {
    const bool hidden = fetcher_.settings().exclude_internal_topics && (topic.internal || is_internal(name));
    if (!hidden && topic.error == ErrorCode::none && matches_(name)) matched.insert(name);
  }
  if (std::ranges::equal(matched, topics_)) return;
  topics_.assign(matched.begin(), matched.end());
  membership_.subscribe(std::move(matched));
}

void GroupSession::assign(const PartitionSet& partitions) {
  subscribed_anew({});
  fetcher_.assign(partitions, true);
}

Task<void> GroupSession::unsubscribe(std::string reason, MonoTime deadline) {
  const PartitionSet held = membership_.applied();
  const bool lost = !membership_.in_group();
  if (!held.empty()) co_await give_up(held, lost, deadline);
  AssignmentChange given_up;
  given_up.revoked = held;
  membership_.applied(given_up);
  co_await membership_.leave(std::move(reason), deadline);
  subscribed_anew({});
  fetcher_.assign({});
}

Task<void> GroupSession::close(MonoTime deadline) {
  if (subscribed()) {
    co_await unsubscribe("the consumer is being closed", deadline);
  } else if (settings_.auto_commit) {
    const Result<void> committed = co_await commit_positions(deadline);
    if (!committed) log_.warn("Synchronous auto-commit of offsets failed: {}", committed.error().message());
  }
}

// --- polling ---------------------------------------------------------------------------------------------------------

Task<Result<Batch>> GroupSession::poll(MonoTime deadline) {
  if (!subscribed() && fetcher_.partitions().empty()) {
    co_return Error::of_kind(kinds::illegal_state,
                             "Consumer is not subscribed to any topics or assigned any partitions");
  }
  for (;;) {
    match_topics();
    if (subscribed()) {
      membership_.polled();
      if (const auto failure = membership_.take_failure()) co_return *failure;
      co_await rebalance();
    }
    look_up_committed();
    commit_when_due();
    if (!errors_.empty()) {
      const Error error = errors_.front();
      errors_.erase(errors_.begin());
      co_return error;
    }
    if (const auto error = fetcher_.topic_error(topics_)) co_return *error;
    const bool commits = settings_.auto_commit && !committing_;
    const MonoTime pause = commits ? std::max(commit_at_, core_.now() + commit_pause_min) : runtime::never;
    Result<Batch> batch = co_await fetcher_.poll(std::min(deadline, pause));
    if (!batch || !batch->empty()) co_return std::move(batch);
    if (core_.now() >= deadline || std::exchange(woken_, false)) co_return std::move(batch);
  }
}

void GroupSession::wake_up() {
  woken_ = true;
  fetcher_.wake_up();
}

Task<void> GroupSession::rebalance() {
  for (;;) {
    AssignmentChange change = membership_.change();
    if (change.empty()) co_return;
    co_await apply(std::move(change));
  }
}

Task<void> GroupSession::apply(AssignmentChange change) {
  const MonoTime deadline = core_.now() + core_.settings().default_api_timeout;
  if (!change.lost.empty()) co_await give_up(change.lost, true, deadline);
  if (!change.revoked.empty()) co_await give_up(change.revoked, false, deadline);
  PartitionSet wanted = membership_.applied();
  for (const TopicPartition& each : change.lost) wanted.erase(each);
  for (const TopicPartition& each : change.revoked) wanted.erase(each);
  wanted.insert(change.added.begin(), change.added.end());
  fetcher_.assign(wanted, true);
  membership_.applied(change);
  if (!change.completes) co_return;
  log_.info("Adding newly assigned partitions: {}", to_string(change.added));
  look_up_committed();
  if (listener_.assigned) co_await listener_.assigned(names_of(change.added));
}

// Commits what was read, unless somebody else may have gone on from there, and tells the application.
Task<void> GroupSession::give_up(PartitionSet partitions, bool lost, MonoTime deadline) {
  if (!lost && settings_.auto_commit) {
    const Result<void> committed = co_await commit_positions(deadline);
    if (!committed) log_.warn("Synchronous auto-commit of offsets failed: {}", committed.error().message());
  }
  if (lost) {
    log_.info(
        "Giving away all assigned partitions as lost since generation/memberID has been reset,"
        "indicating that consumer is in old state or no longer part of the group");
  } else {
    log_.info("Revoke previously assigned partitions {}", to_string(partitions));
  }
  if (lost && listener_.lost) {
    co_await listener_.lost(names_of(partitions));
  } else if (listener_.revoked) {
    co_await listener_.revoked(names_of(partitions));
  }
}

// --- offsets ---------------------------------------------------------------------------------------------------------

GroupPositions GroupSession::positions() const {
  GroupPositions offsets;
  for (const auto& [partition, position] : fetcher_.positions()) offsets[partition].offset = position;
  return offsets;
}

Task<Result<void>> GroupSession::commit(GroupPositions offsets, MonoTime deadline) {
  Result<void> done = co_await offsets_.commit(std::move(offsets), deadline);
  co_return done;
}

Task<Result<void>> GroupSession::commit_positions(MonoTime deadline) {
  Result<void> done = co_await offsets_.commit(positions(), deadline);
  co_return done;
}

void GroupSession::post_commit(GroupPositions offsets, std::function<void(const Result<void>&)> done) {
  tasks_.start(run_commit(std::move(offsets), std::move(done)));
}

Task<void> GroupSession::run_commit(GroupPositions offsets, std::function<void(const Result<void>&)> done) {
  const MonoTime deadline = core_.now() + core_.settings().default_api_timeout;
  const Result<void> committed = co_await offsets_.commit(std::move(offsets), deadline, false);
  if (done) done(committed);
}

void GroupSession::commit_when_due() {
  if (!settings_.auto_commit || committing_ || core_.now() < commit_at_) return;
  commit_at_ = core_.now() + settings_.auto_commit_interval;
  if (subscribed() && !membership_.identity()) return;
  committing_ = true;
  tasks_.start(commit_by_itself());
}

Task<void> GroupSession::commit_by_itself() {
  const MonoTime deadline = core_.now() + core_.settings().request_timeout;
  const Result<void> committed = co_await offsets_.commit(positions(), deadline, false);
  committing_ = false;
  if (committed) co_return;
  log_.warn("Asynchronous auto-commit of offsets failed: {}", committed.error().message());
  if (committed.error().retriable()) commit_at_ = core_.now() + core_.settings().retry_backoff;
}

Task<Result<GroupPositions>> GroupSession::committed(PartitionSet partitions, MonoTime deadline) {
  Result<GroupPositions> found = co_await offsets_.fetch(std::move(partitions), deadline);
  co_return std::move(found);
}

void GroupSession::look_up_committed() {
  PartitionSet held = fetcher_.held();
  if (held.empty() || reading_committed_) return;
  reading_committed_ = true;
  tasks_.start(read_committed(std::move(held)));
}

Task<void> GroupSession::read_committed(PartitionSet partitions) {
  const MonoTime deadline = core_.now() + core_.settings().default_api_timeout;
  const Result<GroupPositions> found = co_await offsets_.fetch(partitions, deadline);
  reading_committed_ = false;
  if (!found) {
    errors_.push_back(found.error());
    fetcher_.wake_up();
    co_return;
  }
  for (const TopicPartition& each : partitions) {
    const auto committed = found->find(each);
    fetcher_.start(each, committed == found->end() ? std::nullopt : std::optional(committed->second.offset));
  }
  fetcher_.wake_up();
}

}  // namespace klamm::client
