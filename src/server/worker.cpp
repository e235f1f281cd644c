#include "server/worker.h"

#include <algorithm>

#include "base/ensure.h"

namespace klamm::server {

namespace {
// The one large frame must come at least as fast, after a little while, or it goes when others wait.
constexpr double large_bytes_per_second_min = 1 << 20;
constexpr auto large_grace = std::chrono::seconds(5);
constexpr auto large_check_interval = std::chrono::seconds(1);
// Younger than this nobody is called slow while an older one is there.
constexpr auto stalled_grace = std::chrono::seconds(1);
}  // namespace

class Worker::Acceptor final : public runtime::AcceptEvents {
 public:
  Acceptor(Worker& worker, std::size_t index, runtime::Listener& from)
      : listener(from), worker_(worker), index_(index) {}
  void on_accepted(runtime::SocketRef socket) override { worker_.accepted(index_, std::move(socket)); }

  runtime::Listener& listener;
  bool joined = false;

 private:
  Worker& worker_;
  std::size_t index_;
};

// stop() waits on it: resumed when the last connection is gone or the deadline is there.
struct Worker::AllEnded final : runtime::Timer {
  AllEnded(Worker& worker, runtime::MonoTime deadline) : worker_(worker), deadline_(deadline) {}
  ~AllEnded() override { worker_.all_ended_ = nullptr; }

  bool await_ready() const { return worker_.connections_ == nullptr; }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    worker_.all_ended_ = this;
    if (deadline_ != runtime::never) worker_.reactor_.arm(*this, deadline_);
  }
  void await_resume() {
    worker_.all_ended_ = nullptr;
    if (armed()) worker_.reactor_.disarm(*this);
  }
  void fired() override { handle_.resume(); }
  void wake() { handle_.resume(); }

 private:
  Worker& worker_;
  runtime::MonoTime deadline_;
  std::coroutine_handle<> handle_;
};

Worker::Worker(ServerCore& core, runtime::Reactor& reactor) : core_(core), reactor_(reactor), buffers_(core.requests) {
  room_waiter_.wake = [this] { room_work_.post(); };
  core_.requests.add_waiter(room_waiter_);
  if (core_.trace_requests > 0)
    trace_ = std::make_unique<RequestTrace>(
        core_.log.named("klamm.server.RequestTrace", fmt::format("[reactor {}] ", reactor.index())),
        core_.trace_requests);
}

Worker::~Worker() {
  while (Connection* connection = connections_) {
    connections_ = connection->following_;
    delete connection;
  }
}

void Worker::start(std::vector<std::unique_ptr<runtime::Listener>>& listeners) {
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    acceptors_.push_back(std::make_unique<Acceptor>(*this, i, *listeners[i]));
    leave_or_join(i);
  }
}

void Worker::begin_stop() {
  stopping_ = true;
  for (std::size_t i = 0; i < acceptors_.size(); ++i) leave_or_join(i);
  core_.parked.fetch_sub(static_cast<std::uint32_t>(parked_.size()));
  parked_.clear();
  for (Connection* c = connections_; c;) {
    Connection* next = c->following_;  // stop() may end it, but nothing is destroyed before the sweep
    c->stop();
    c = next;
  }
}

runtime::Task<void> Worker::finish_stop(runtime::MonoTime deadline) {
  AllEnded all_ended(*this, deadline);
  co_await all_ended;
  for (Connection* c = connections_; c;) {
    Connection* next = c->following_;
    c->close();
    c = next;
  }
  if (trace_) trace_->say();
}

// --- taking connections ----------------------------------------------------------------------------------------------

void Worker::accepted(std::size_t listener, runtime::SocketRef socket) {
  if (stopping_) return;
  runtime::MonoTime not_before{};
  if (try_admit(listener, socket, not_before)) return;
  parked_.push_back({std::move(socket), listener, not_before});
  core_.parked.fetch_add(1);
  // In a moment, not now: the listener is in the middle of handing out connections and must not be left under its feet.
  // And a slot that became free before this one was counted as parked told nobody.
  recheck_.post();
}

// False when it must wait: for the time, or with none for a slot.
bool Worker::try_admit(std::size_t listener, runtime::SocketRef& socket, runtime::MonoTime& not_before) {
  using Verdict = ConnectionLimits::Verdict;
  const std::string& address = socket->peer().host;
  const auto answer = core_.limits.admit(listener, address, reactor_.now());
  switch (answer.verdict) {
    case Verdict::wait_for_slot:
      not_before = {};
      return false;
    case Verdict::wait_for_time:
      not_before = answer.not_before;
      return false;
    case Verdict::address_full:
      core_.bad_connections.write(
          BadConnection::too_many_of_address, LogLevel::info, reactor_.now(),
          fmt::format("Rejected connection from /{}, address already has the configured maximum of {} connections.",
                      address, answer.address_limit));
      socket.reset();
      return true;
    case Verdict::admitted:
      break;
  }
  auto* connection = new Connection(*this, listener, std::move(socket), next_number_++);
  connection->following_ = connections_;
  if (connections_) connections_->previous_ = connection;
  connections_ = connection;
  ++open_;
  touched(*connection);
  idle_insert(*connection, connection->last_active_tick_ + idle_ticks_per_timeout + 1);
  connection->open();
  return true;
}

void Worker::retry_parked() {
  for (std::size_t n = parked_.size(); n > 0; --n) {
    Parked parked = std::move(parked_.front());
    parked_.pop_front();
    if (parked.not_before <= reactor_.now() && try_admit(parked.listener, parked.socket, parked.not_before)) {
      core_.parked.fetch_sub(1);
    } else {
      parked_.push_back(std::move(parked));
    }
  }
  for (std::size_t i = 0; i < acceptors_.size(); ++i) leave_or_join(i);
  if (parked_timer_.armed()) reactor_.disarm(parked_timer_);
  runtime::MonoTime soonest = runtime::never;
  for (const auto& parked : parked_)
    if (parked.not_before != runtime::MonoTime{}) soonest = std::min(soonest, parked.not_before);
  if (soonest != runtime::never) reactor_.arm(parked_timer_, soonest);
  shed_excess();
}

// A listener that has a parked connection takes no further ones: they wait in the kernel's queue, as with Kafka.
void Worker::leave_or_join(std::size_t index) {
  Acceptor& acceptor = *acceptors_[index];
  const bool parked = std::ranges::any_of(parked_, [&](const Parked& p) { return p.listener == index; });
  const bool wanted = !stopping_ && !parked;
  if (wanted == acceptor.joined) return;
  acceptor.joined = wanted;
  if (wanted)
    acceptor.listener.join(reactor_, acceptor);
  else
    acceptor.listener.leave(reactor_);
}

// The listener between brokers filled the node beyond max.connections: the one idle for longest makes room.
void Worker::shed_excess() {
  Connection* oldest = nullptr;
  for (Connection* c = connections_; c; c = c->following_) {
    if (c->closed() || !core_.limits.must_shed(c->listener())) continue;
    if (!oldest || c->last_active_tick() < oldest->last_active_tick()) oldest = c;
  }
  if (oldest) oldest->close();
}

void Worker::ended(Connection& connection) {
  core_.limits.leave(connection.listener(), connection.host());
  --open_;
  idle_remove(connection);
  if (connection.waits_for_room_) std::erase(starved_, &connection);
  if (connection.pauses_ & Connection::pause_share) std::erase(put_off_, &connection);
  if (std::exchange(connection.closes_in_turn_, false)) std::erase(ending_, &connection);
  std::erase(muted_, &connection);
  if (large_owner_ == &connection) large_owner_ = nullptr;
  if (core_.parked.load() > 0)
    for (Worker* worker : core_.workers) worker->recheck_limits();
  if (connection.destroyable()) bury(connection);
}

void Worker::bury(Connection& connection) {
  buried_.push_back(&connection);
  sweep_.post();
}

void Worker::sweep() {
  const std::vector<Connection*> dead = std::exchange(buried_, {});
  for (auto at = dead.begin(); at != dead.end(); ++at) {
    Connection* connection = *at;
    // Told twice: it is destroyed once, after all have told.
    if (std::find(dead.begin(), at, connection) != at || std::ranges::find(buried_, connection) != buried_.end())
      continue;
    if (connection->previous_)
      connection->previous_->following_ = connection->following_;
    else
      connections_ = connection->following_;
    if (connection->following_) connection->following_->previous_ = connection->previous_;
    delete connection;
  }
  if (open_ == 0) buffers_.trim();
  if (!connections_ && all_ended_) all_ended_->wake();
}

// --- exchanges -------------------------------------------------------------------------------------------------------

Exchange& Worker::take_exchange() {
  if (free_exchanges_.empty()) return *new Exchange(*this);
  Exchange* exchange = free_exchanges_.back().release();
  free_exchanges_.pop_back();
  return *exchange;
}

void Worker::give_back(Exchange& exchange) {
  std::unique_ptr<Exchange> owned(&exchange);
  if (exchange.owns_large_) core_.requests.disown_large(exchange.connection_);
  exchange.owns_large_ = false;
  if (trace_) [[unlikely]]
    trace_->forget(exchange);
  if (free_exchanges_.size() >= pooled_exchanges_max) return;
  exchange.recycle();
  free_exchanges_.push_back(std::move(owned));
}

// --- turns -----------------------------------------------------------------------------------------------------------

void Worker::put_off(Connection& connection) {
  put_off_.push_back(&connection);
  put_off_work_.post();
}

void Worker::let_go_on() {
  for (std::size_t n = std::min(put_off_.size(), going_on_at_once); n > 0 && !put_off_.empty(); --n) {
    Connection* connection = put_off_.front();
    put_off_.pop_front();
    connection->go_on();
  }
  if (!put_off_.empty()) put_off_work_.post();
}

void Worker::end_in_turn(Connection& connection) {
  ending_.push_back(&connection);
  end_some_work_.post();
}

void Worker::end_some() {
  for (std::size_t n = 0; n < ending_at_once && !ending_.empty(); ++n) {
    Connection& connection = *ending_.front();
    ending_.pop_front();
    connection.closes_in_turn_ = false;
    connection.close();
  }
  if (!ending_.empty()) end_some_work_.post();
}

// --- memory ----------------------------------------------------------------------------------------------------------

void Worker::starve(Connection& connection) {
  starved_.push_back(&connection);
  core_.requests.wait_for_room(room_waiter_);
}

void Worker::room_appeared() {
  for (Connection* connection : std::exchange(starved_, {})) connection->room_appeared();
}

void Worker::set_stalled(Connection& connection, std::size_t bytes) {
  const std::size_t before = connection.stalled_bytes_;
  connection.stalled_bytes_ = bytes;
  if (before == 0 && bytes > 0) {
    connection.stalled_since_ = reactor_.now();
    connection.stalled_moved_ = 0;
    connection.stalled_index_ = static_cast<std::uint32_t>(stalled_.size());
    stalled_.push_back(&connection);
  } else if (before > 0 && bytes == 0) {
    stalled_.back()->stalled_index_ = connection.stalled_index_;
    stalled_[connection.stalled_index_] = stalled_.back();
    stalled_.pop_back();
  }
  stalled_total_.fetch_add(bytes - before, std::memory_order_relaxed);
  if (bytes <= before) {
    core_.requests.remove_stalled(before - bytes);
    return;
  }
  core_.requests.add_stalled(bytes - before);
  if (core_.requests.stalled() <= core_.requests.stalled_max()) return;
  Worker* fullest = this;
  for (Worker* worker : core_.workers)
    if (worker->stalled_total() > fullest->stalled_total()) fullest = worker;
  fullest->ask_to_shed();
}

// The least bytes a second among those that had time to show; among the young, the oldest.
Connection* Worker::slowest(runtime::MonoTime now) const {
  Connection* worst = nullptr;
  double worst_rate = 0;
  for (Connection* connection : stalled_) {
    const double age_s = std::chrono::duration<double>(now - connection->stalled_since()).count();
    const bool young = now - connection->stalled_since() < stalled_grace;
    // Young ones come after all others, the oldest of them first.
    const double rate = young ? 1e18 - age_s : static_cast<double>(connection->stalled_moved()) / age_s;
    if (!worst || rate < worst_rate) {
      worst = connection;
      worst_rate = rate;
    }
  }
  return worst;
}

void Worker::shed_stalled() {
  while (core_.requests.stalled() > core_.requests.stalled_max()) {
    Connection* connection = slowest(reactor_.now());
    if (!connection) return;
    core_.bad_connections.write(
        BadConnection::too_slow, LogLevel::warn, reactor_.now(),
        fmt::format("Closing connection {}: it holds {} bytes of the memory for requests, sends or takes the rest too "
                    "slowly, and the memory is needed",
                    connection->id(), connection->stalled_bytes()));
    connection->close();
  }
}

void Worker::watch_large(Connection& connection) {
  large_owner_ = &connection;
  large_since_ = reactor_.now();
  connection.stalled_moved_ = 0;
  if (!large_timer_.armed()) reactor_.arm(large_timer_, reactor_.now() + large_check_interval);
}

void Worker::check_large_owner() {
  Connection* owner = large_owner_;
  if (!owner || !owner->owns_large_) {
    large_owner_ = nullptr;
    return;
  }
  const auto age = reactor_.now() - large_since_;
  const double rate = static_cast<double>(owner->stalled_moved()) / std::chrono::duration<double>(age).count();
  if (age >= large_grace && rate < large_bytes_per_second_min && core_.requests.anybody_waits()) {
    core_.bad_connections.write(
        BadConnection::too_slow, LogLevel::warn, reactor_.now(),
        fmt::format("Closing connection {}: its request is larger than the memory for incomplete requests, comes too "
                    "slowly, and others wait",
                    owner->id()));
    owner->close();
    return;
  }
  reactor_.arm(large_timer_, reactor_.now() + large_check_interval);
}

// --- time ------------------------------------------------------------------------------------------------------------

void Worker::mute(Connection& connection) {
  if (std::ranges::find(muted_, &connection) == muted_.end()) muted_.push_back(&connection);
  // The one that is over first comes first.
  std::ranges::sort(muted_, {}, &Connection::muted_until);
  if (mute_timer_.armed()) reactor_.disarm(mute_timer_);
  reactor_.arm(mute_timer_, muted_.front()->muted_until());
}

void Worker::mutes_end() {
  while (!muted_.empty() && muted_.front()->muted_until() <= reactor_.now()) {
    Connection* connection = muted_.front();
    muted_.erase(muted_.begin());
    connection->unmute();
  }
  if (!muted_.empty() && !mute_timer_.armed()) reactor_.arm(mute_timer_, muted_.front()->muted_until());
}

std::uint32_t Worker::idle_tick(runtime::MonoTime at) const {
  if (core_.idle_max < runtime::Duration::zero()) return 0;
  const auto tick = std::max(core_.idle_max / idle_ticks_per_timeout, runtime::Duration(1'000'000));
  return static_cast<std::uint32_t>(at.time_since_epoch() / tick);
}

void Worker::idle_insert(Connection& connection, std::uint32_t expires_tick) {
  if (core_.idle_max < runtime::Duration::zero()) return;
  const auto slot = static_cast<std::uint16_t>(expires_tick % idle_slots);
  Connection*& head = idle_wheel_[slot];
  connection.idle_slot_ = slot;
  connection.idle_previous_ = nullptr;
  connection.idle_next_ = head;
  if (head) head->idle_previous_ = &connection;
  head = &connection;
  if (++idle_count_ == 1) {
    idle_next_tick_ = idle_tick(reactor_.now()) + 1;
    arm_idle_timer();
  }
}

void Worker::idle_remove(Connection& connection) {
  if (core_.idle_max < runtime::Duration::zero()) return;
  if (connection.idle_previous_)
    connection.idle_previous_->idle_next_ = connection.idle_next_;
  else
    idle_wheel_[connection.idle_slot_] = connection.idle_next_;
  if (connection.idle_next_) connection.idle_next_->idle_previous_ = connection.idle_previous_;
  if (--idle_count_ == 0 && idle_timer_.armed()) reactor_.disarm(idle_timer_);
}

// For the next slot with somebody in it, so that nobody is woken for nothing.
void Worker::arm_idle_timer() {
  if (idle_timer_.armed()) reactor_.disarm(idle_timer_);
  if (idle_count_ == 0) return;
  while (!idle_wheel_[idle_next_tick_ % idle_slots]) ++idle_next_tick_;
  const auto tick = std::max(core_.idle_max / idle_ticks_per_timeout, runtime::Duration(1'000'000));
  reactor_.arm(idle_timer_, runtime::MonoTime(tick * idle_next_tick_));
}

// Whoever stands in a slot whose time has come either was idle for the whole timeout, or moves to the slot of its last
// activity.
void Worker::idle_check() {
  const std::uint32_t now = idle_tick(reactor_.now());
  for (; idle_count_ > 0 && idle_next_tick_ <= now; ++idle_next_tick_) {
    Connection* connection = idle_wheel_[idle_next_tick_ % idle_slots];
    while (connection) {
      Connection* next = connection->idle_next_;
      const std::uint32_t expires = connection->last_active_tick_ + idle_ticks_per_timeout + 1;
      if (expires <= now) {
        connection->close_in_turn();
      } else if (expires % idle_slots != connection->idle_slot_) {
        idle_remove(*connection);
        idle_insert(*connection, expires);
      }
      connection = next;
    }
  }
  arm_idle_timer();
}

}  // namespace klamm::server
