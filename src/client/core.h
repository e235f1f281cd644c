// What producers, consumers and admins of one client share: links to the brokers, the cluster cache and its refreshing,
// and requests with their retries. Belongs to one reactor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "client/awaiting.h"
#include "client/cluster.h"
#include "client/encoding.h"
#include "client/link.h"
#include "client/settings.h"
#include "client/signal.h"
#include "runtime/environment.h"
#include "runtime/task_group.h"

namespace klamm::client {

// Which broker a request is for.
struct Target {
  enum class Kind : std::uint8_t { any, controller, broker };
  Kind kind = Kind::any;
  std::int32_t broker = -1;

  static Target any() { return {}; }
  static Target controller() { return {Kind::controller, -1}; }
  static Target node(std::int32_t id) { return {Kind::broker, id}; }
};

// Pauses between attempts: doubling from the first to the last, within a fifth around.
class Backoff {
 public:
  Backoff(runtime::Duration first, runtime::Duration last, runtime::Random& random)
      : first_(first), last_(last), random_(random) {}
  runtime::Duration next();
  void reset() { failures_ = 0; }

 private:
  runtime::Duration first_;
  runtime::Duration last_;
  runtime::Random& random_;
  int failures_ = 0;
};

class Core {
 public:
  Core(runtime::Environment& environment, runtime::Reactor& reactor, ConnectionSettings settings);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  runtime::Environment& environment() { return environment_; }
  runtime::Reactor& reactor() { return reactor_; }
  const ConnectionSettings& settings() const { return settings_; }
  const Logger& log() const { return log_; }
  runtime::TaskGroup& tasks() { return tasks_; }
  const Cluster& cluster() const { return cluster_; }
  // A broker's answer said who leads a partition now, and where that broker is.
  void learned_leader(std::string_view topic, std::int32_t partition, std::int32_t leader, std::int32_t epoch);
  void learned_broker(Broker broker);
  Backoff backoff() const { return {settings_.retry_backoff, settings_.retry_backoff_max, environment_.random}; }

  // A link is ready or failed; the cluster cache changed.
  Signal& links_changed() { return links_changed_; }
  Signal& cluster_changed() { return cluster_changed_; }
  // The same for those who do not wait in a coroutine. Removed with the returned number.
  int on_change(std::function<void()> changed);
  void remove_on_change(int number) { on_change_.erase(number); }

  // Topics whose metadata are kept fresh, until told otherwise. `create`: the broker may create the topic.
  void watch_topic(std::string_view name, bool create);
  void watch_all_topics() { watch_all_ = true; }
  // Something showed that the cache is old: it is read again soon, after retry.backoff.ms at most.
  void request_refresh();
  // Waits until the cache was read anew; the error of the last attempt at the deadline.
  runtime::Task<Result<void>> wait_refresh(runtime::MonoTime deadline);
  // Counts the answers that the cache took.
  std::uint64_t cluster_version() const { return cluster_version_; }

  // The link to a broker that the cluster knows; nothing for an unknown one.
  Link* link(std::int32_t broker);
  // A second one to it, for what a coordinator may hold back: requests of one connection are answered in order, and a
  // JoinGroup waits for the other members.
  Link* coordinator_link(std::int32_t broker);
  // A link that is ready, of the broker with the least to do; connects where none is.
  runtime::Task<Result<Link*>> any_link(runtime::MonoTime deadline);
  runtime::Task<Result<Link*>> link_to(Target target, runtime::MonoTime deadline);

  // One request and its answer on a link, at the newest version both sides know but at most `version_max`. The answer
  // may take `answer_within`; zero means request.timeout.ms.
  template <typename Response, typename Request>
  runtime::Task<Result<Reply<Response>>> exchange(Link& link, const Request& request, runtime::MonoTime deadline,
                                                  std::int16_t version_max = Request::max_version,
                                                  runtime::Duration answer_within = {});
  // The same, wherever `target` is found, again after failures of the connection until the deadline.
  template <typename Response, typename Request>
  runtime::Task<Result<Reply<Response>>> call(Target target, const Request& request, runtime::MonoTime deadline,
                                              std::int16_t version_max = Request::max_version);

  runtime::MonoTime now() const { return reactor_.now(); }

 private:
  std::vector<Link*> candidates();
  runtime::Task<void> keep_cluster_fresh();
  runtime::Task<Result<void>> refresh(runtime::MonoTime deadline);
  runtime::Task<Result<void>> refresh_controllers(Link& link, runtime::MonoTime deadline);
  void took_cluster();
  void make_links();
  void changed();
  runtime::Task<void> pass_on_link_changes();
  runtime::Task<void> close_idle_links();

  runtime::Environment& environment_;
  runtime::Reactor& reactor_;
  ConnectionSettings settings_;
  Logger log_;
  Signal links_changed_;
  Signal cluster_changed_;
  Signal refresh_wanted_;
  std::map<int, std::function<void()>> on_change_;
  int next_on_change_ = 0;

  Cluster cluster_;
  std::uint64_t cluster_version_ = 0;
  runtime::MonoTime cluster_taken_{};
  bool refresh_requested_ = false;
  bool watch_all_ = false;
  std::map<std::string, bool, std::less<>> watched_;  // name -> may be created
  std::optional<Error> last_refresh_failure_;

  LinkContext link_context_;
  std::map<std::int32_t, std::unique_ptr<Link>> links_;  // bootstrap servers under negative numbers
  std::map<std::int32_t, std::unique_ptr<Link>> coordinator_links_;
  runtime::TaskGroup tasks_;  // destroyed first: what runs in it uses all of the above
};

template <typename Response, typename Request>
runtime::Task<Result<Reply<Response>>> Core::exchange(Link& link, const Request& request, runtime::MonoTime deadline,
                                                      std::int16_t version_max, runtime::Duration answer_within) {
  const Result<void> ready = co_await link.wait_ready(deadline);
  if (!ready) co_return ready.error();
  const auto version = link.versions().latest_usable(Request::api_key, {Request::min_version, version_max});
  if (!version) co_return Error(version.error().code, version.error().message);
  Result<OutgoingFrame> frame = encode_request(request, *version, settings_.client_id);
  if (!frame) co_return frame.error();
  AwaitedAnswer waiter(reactor_);
  const runtime::Duration patience = answer_within.count() > 0 ? answer_within : settings_.request_timeout;
  const runtime::MonoTime answer_by = std::min(deadline, now() + patience);
  const std::uint64_t connection = link.connection_number();
  link.connection().send(*std::move(frame), waiter, answer_by);
  const Result<Answer> answer = co_await waiter;
  if (!answer) co_return answer.error();
  auto reply = decode_answer<Response>(*answer, *version);
  if (!reply) link.not_understood(connection, reply.error());
  co_return reply;
}

template <typename Response, typename Request>
runtime::Task<Result<Reply<Response>>> Core::call(Target target, const Request& request, runtime::MonoTime deadline,
                                                  std::int16_t version_max) {
  Backoff pause = backoff();
  for (;;) {
    const Result<Link*> link = co_await link_to(target, deadline);
    if (!link) co_return link.error();
    Result<Reply<Response>> reply = co_await exchange<Response>(**link, request, deadline, version_max);
    if (reply || !reply.error().retriable() || now() >= deadline) co_return reply;
    request_refresh();
    co_await links_changed_.wait(std::min(deadline, now() + pause.next()));
  }
}

}  // namespace klamm::client
