#include "client/core.h"

#include <algorithm>
#include <cmath>

#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/metadata.h"

namespace klamm::client {

using runtime::Duration;
using runtime::MonoTime;
using runtime::Task;

Duration Backoff::next() {
  const double grown = static_cast<double>(first_.count()) * std::pow(2.0, std::min(failures_, 30));
  ++failures_;
  const double capped = std::min(grown, static_cast<double>(std::max(first_, last_).count()));
  return Duration(
      static_cast<std::int64_t>(capped * (0.8 + 0.4 * static_cast<double>(random_.next() % 1000) / 1000.0)));
}

Core::Core(runtime::Environment& environment, runtime::Reactor& reactor, ConnectionSettings settings)
    : environment_(environment),
      reactor_(reactor),
      settings_(std::move(settings)),
      log_(environment.log, "org.apache.kafka.clients.NetworkClient",
           fmt::format("[Client clientId={}] ", settings_.client_id)),
      links_changed_(reactor),
      cluster_changed_(reactor),
      refresh_wanted_(reactor),
      link_context_{environment_, reactor_, settings_, tasks_, log_, links_changed_},
      tasks_(reactor) {
  std::int32_t id = 0;
  for (const HostPort& server : settings_.bootstrap) {
    --id;
    links_.emplace(id, std::make_unique<Link>(link_context_, id, server));
  }
  tasks_.start(keep_cluster_fresh());
  tasks_.start(pass_on_link_changes());
  tasks_.start(close_idle_links());
}

Core::~Core() = default;

int Core::on_change(std::function<void()> changed) {
  on_change_.emplace(next_on_change_, std::move(changed));
  return next_on_change_++;
}

void Core::changed() {
  // Who is told may remove itself.
  for (auto at = on_change_.begin(); at != on_change_.end();) {
    const auto tell = (at++)->second;
    tell();
  }
}

Task<void> Core::pass_on_link_changes() {
  for (;;) {
    co_await links_changed_.wait(runtime::never);
    changed();
  }
}

Task<void> Core::close_idle_links() {
  Signal nothing(reactor_);
  for (;;) {
    co_await nothing.wait(now() + std::max<Duration>(settings_.idle_max / 10, std::chrono::seconds(1)));
    for (const auto& [id, link] : links_) link->close_if_idle(now());
    for (const auto& [id, link] : coordinator_links_) link->close_if_idle(now());
  }
}

void Core::watch_topic(std::string_view name, bool create) {
  const auto [at, added] = watched_.emplace(std::string(name), create);
  if (!added && at->second >= create) return;
  at->second = at->second || create;
  if (added && cluster_.topic(name) == nullptr) request_refresh();
}

void Core::request_refresh() {
  refresh_requested_ = true;
  refresh_wanted_.notify();
}

Task<Result<void>> Core::wait_refresh(MonoTime deadline) {
  const std::uint64_t before = cluster_version_;
  request_refresh();
  while (cluster_version_ == before) {
    if (!co_await cluster_changed_.wait(deadline)) {
      if (last_refresh_failure_) co_return *last_refresh_failure_;
      co_return Error::of_kind(kinds::timeout, "Timed out while waiting for the metadata of the cluster.");
    }
  }
  co_return Result<void>();
}

// Reads the cluster when somebody asks, when it is old, and again after failures; never more often than the backoff
// allows.
Task<void> Core::keep_cluster_fresh() {
  Backoff pause = backoff();
  MonoTime not_before{};
  for (;;) {
    const bool wanted = refresh_requested_ && now() >= not_before;
    const MonoTime stale_at = cluster_version_ == 0 ? runtime::never : cluster_taken_ + settings_.metadata_age_max;
    const bool stale = now() >= stale_at && (!watched_.empty() || watch_all_);
    if (!wanted && !stale) {
      co_await refresh_wanted_.wait(refresh_requested_ ? not_before : stale_at);
      continue;
    }
    refresh_requested_ = false;
    const Result<void> result = co_await refresh(now() + settings_.request_timeout);
    if (result) {
      // Topics may still have no leader: who needs one asks again, which then happens after the pause.
      last_refresh_failure_.reset();
      pause.reset();
      not_before = now() + pause.next();
      pause.reset();
    } else {
      last_refresh_failure_ = result.error();
      refresh_requested_ = true;
      not_before = now() + pause.next();
    }
  }
}

Task<Result<void>> Core::refresh(MonoTime deadline) {
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  if (watch_all_) {
    request.topics.reset();
  } else {
    request.topics.emplace();
    for (const auto& [name, create] : watched_) {
      request.topics->push_back({.name = name});
      request.allow_auto_topic_creation = request.allow_auto_topic_creation || create;
    }
  }
  const Result<Link*> link = co_await any_link(deadline);
  if (!link) co_return link.error();
  if (settings_.to_controllers) {
    const Result<void> result = co_await refresh_controllers(**link, deadline);
    co_return result;
  }
  auto reply = co_await exchange<protocol::MetadataResponse>(**link, request, deadline);
  if (!reply) co_return reply.error();
  if (const ErrorCode code = error_code_of(reply->body.error_code); code != ErrorCode::none) {
    if (code == ErrorCode::rebootstrap_required) cluster_.forget_brokers();
    co_return Error(code);
  }
  if (reply->body.brokers.empty()) co_return Error(ErrorCode::broker_not_available, "The answer named no broker.");
  cluster_.update(ClusterSnapshot::from(reply->body), watch_all_);
  took_cluster();
  co_return Result<void>();
}

// Controllers know no topics: the other controllers are all there is to learn (KIP-919).
Task<Result<void>> Core::refresh_controllers(Link& link, MonoTime deadline) {
  protocol::DescribeClusterRequest request;
  request.endpoint_type = 2;
  const auto reply = co_await exchange<protocol::DescribeClusterResponse>(link, request, deadline);
  if (!reply) co_return reply.error();
  if (const ErrorCode code = error_code_of(reply->body.error_code); code != ErrorCode::none) {
    co_return Error(code, reply->body.error_message.value_or(""));
  }
  ClusterSnapshot snapshot{reply->body.cluster_id, reply->body.controller_id, {}, {}};
  for (const auto& each : reply->body.brokers)
    snapshot.brokers.push_back({each.broker_id, each.host, each.port, each.rack});
  cluster_.update(std::move(snapshot), true);
  took_cluster();
  co_return Result<void>();
}

void Core::learned_leader(std::string_view topic, std::int32_t partition, std::int32_t leader, std::int32_t epoch) {
  cluster_.set_leader(topic, partition, leader, epoch);
  ++cluster_version_;
  cluster_changed_.notify();
}

void Core::learned_broker(Broker broker) {
  cluster_.add_broker(std::move(broker));
  make_links();
}

void Core::took_cluster() {
  cluster_taken_ = now();
  ++cluster_version_;
  make_links();
  cluster_changed_.notify();
  changed();
}

void Core::make_links() {
  for (const auto& [id, broker] : cluster_.brokers()) {
    const HostPort address{broker.host, static_cast<std::uint16_t>(broker.port)};
    if (const auto second = coordinator_links_.find(id); second != coordinator_links_.end())
      second->second->set_address(address);
    const auto known = links_.find(id);
    if (known != links_.end()) {
      known->second->set_address(address);
      continue;
    }
    // The bootstrap server that answered is often this broker: its connection serves on.
    const auto bootstrap = std::ranges::find_if(links_, [&](const auto& entry) {
      return entry.first < 0 && entry.second->address() == address && entry.second->ready();
    });
    if (bootstrap != links_.end()) {
      auto node = links_.extract(bootstrap);
      node.key() = id;
      node.mapped()->adopt_id(id);
      links_.insert(std::move(node));
    } else {
      links_.emplace(id, std::make_unique<Link>(link_context_, id, address));
    }
  }
}

Link* Core::link(std::int32_t broker) {
  if (!cluster_.brokers().contains(broker)) return nullptr;
  const auto found = links_.find(broker);
  return found == links_.end() ? nullptr : found->second.get();
}

Link* Core::coordinator_link(std::int32_t broker) {
  const auto known = cluster_.brokers().find(broker);
  if (known == cluster_.brokers().end()) return nullptr;
  auto& link = coordinator_links_[broker];
  if (link == nullptr) {
    const HostPort address{known->second.host, static_cast<std::uint16_t>(known->second.port)};
    link = std::make_unique<Link>(link_context_, broker, address);
  }
  return link.get();
}

// The brokers that are known; the bootstrap servers when none is, or when none was reachable for so long that the whole
// cluster may have moved (KIP-899).
std::vector<Link*> Core::candidates() {
  std::vector<Link*> known;
  for (const auto& [id, broker] : cluster_.brokers()) {
    if (Link* found = link(id)) known.push_back(found);
  }
  const bool lost = settings_.rebootstrap_after > Duration::zero() && cluster_version_ > 0 &&
                    now() - cluster_taken_ > settings_.metadata_age_max + settings_.rebootstrap_after;
  if (!known.empty() && !lost) return known;
  std::int32_t id = 0;
  for (const HostPort& server : settings_.bootstrap) {
    auto& bootstrap = links_[--id];
    if (bootstrap == nullptr) bootstrap = std::make_unique<Link>(link_context_, id, server);
    known.push_back(bootstrap.get());
  }
  return known;
}

Task<Result<Link*>> Core::any_link(MonoTime deadline) {
  for (;;) {
    const std::vector<Link*> links = candidates();
    Link* best = nullptr;
    bool connecting = false;
    MonoTime look_again = deadline;
    for (Link* each : links) {
      connecting = connecting || each->connecting();
      if (each->ready() && (best == nullptr || each->in_flight() < best->in_flight())) best = each;
      if (!each->ready() && !each->connecting()) look_again = std::min(look_again, each->retry_at());
    }
    if (best != nullptr) co_return best;
    if (now() >= deadline) {
      co_return Error::of_kind(kinds::timeout, "No broker could be reached in time.");
    }
    if (!connecting) {
      std::vector<Link*> free;
      std::ranges::copy_if(links, std::back_inserter(free), [](const Link* each) { return each->may_connect(); });
      if (!free.empty()) free[environment_.random.next() % free.size()]->connect();
    }
    co_await links_changed_.wait(connecting ? deadline : std::max(look_again, now()));
  }
}

Task<Result<Link*>> Core::link_to(Target target, MonoTime deadline) {
  for (;;) {
    if (target.kind == Target::Kind::any) {
      Result<Link*> any = co_await any_link(deadline);
      co_return any;
    }
    const std::int32_t id = target.kind == Target::Kind::controller ? cluster_.controller() : target.broker;
    if (Link* found = link(id)) co_return found;
    if (now() >= deadline) co_return Error::of_kind(kinds::timeout, "The broker is not known to the cluster.");
    const Result<void> fresh = co_await wait_refresh(deadline);
    if (!fresh) co_return fresh.error();
    if (link(id) == nullptr) co_await links_changed_.wait(std::min(deadline, now() + settings_.retry_backoff));
  }
}

}  // namespace klamm::client
