// The server's share of one reactor: the connections it accepted and what they have in common: buffers, exchanges, the
// idle wheel, the lists of those that wait for memory or hold it too slowly.
#pragma once

#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "runtime/environment.h"
#include "runtime/network.h"
#include "runtime/reactor.h"
#include "runtime/task.h"
#include "server/api_table.h"
#include "server/bad_connection_log.h"
#include "server/buffer.h"
#include "server/connection.h"
#include "server/connection_limits.h"
#include "server/quotas.h"
#include "server/request_pool.h"
#include "server/request_trace.h"

namespace klamm::server {

// What all workers of a server share.
struct ServerCore {
  struct ListenerInfo {
    std::string name;
    ListenerScope scope;
  };

  runtime::Environment& environment;
  const ApiTable& apis;
  std::vector<ListenerInfo> listeners;
  std::int32_t request_bytes_max;
  runtime::Duration idle_max;
  Quotas* quotas;  // may be null
  RequestPool requests;
  ConnectionLimits limits;
  BadConnectionLog bad_connections;
  Logger log;
  security::Principal anonymous;
  // After how many requests a worker says where their time went; 0: none is traced.
  std::uint32_t trace_requests = 0;
  std::atomic<std::uint32_t> parked{0};  // accepted connections that are not admitted yet
  std::vector<class Worker*> workers;
};

class Worker {
 public:
  Worker(ServerCore& core, runtime::Reactor& reactor);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  runtime::Reactor& reactor() const { return reactor_; }
  ServerCore& core() { return core_; }
  RequestPool& requests() { return core_.requests; }
  BufferPool& buffers() { return buffers_; }

  // On the reactor: takes connections of the listeners.
  void start(std::vector<std::unique_ptr<runtime::Listener>>& listeners);
  // On the reactor: takes no connections and no requests any more.
  void begin_stop();
  // On the reactor: waits until all connections have ended or the deadline is there, then ends the rest.
  runtime::Task<void> finish_stop(runtime::MonoTime deadline);
  // Any thread: there may be a free slot for a parked connection, or one too many.
  void recheck_limits() { recheck_.post(); }

  // --- for connections -----------------------------------------------------------------------------------------------
  Exchange& take_exchange();
  void give_back(Exchange& exchange);
  std::vector<OutputSlice>& slices() { return slices_; }
  // For who traces requests: it came so far; it was sent.
  void trace(const Exchange& exchange, Step step) {
    if (trace_) [[unlikely]]
      trace_->came_to(exchange, step, reactor_.clock().now());
  }
  void trace_sent(const Exchange& exchange) {
    if (trace_) [[unlikely]]
      trace_->sent(exchange, exchange.api_ ? exchange.api_->api->upper_name : "?", reactor_.clock().now());
  }

  void touched(Connection& connection) { connection.last_active_tick_ = idle_tick(reactor_.now()); }
  // Has more to do, after the others.
  void put_off(Connection& connection);
  // Waits for room in the request pool.
  void starve(Connection& connection);
  void mute(Connection& connection);
  void set_stalled(Connection& connection, std::size_t bytes);
  // Closes the slowest until stalled bytes are within their bound. Any thread asks, the worker that holds most does.
  void ask_to_shed() { shed_work_.post(); }
  std::uint64_t stalled_total() const { return stalled_total_.load(std::memory_order_relaxed); }
  // It owns the place of the one large frame: watched, because all others may be waiting for it.
  void watch_large(Connection& connection);
  // Is to be closed, after the others.
  void end_in_turn(Connection& connection);
  // It closed: its slot is free. Destroyed later.
  void ended(Connection& connection);
  // Has become destroyable.
  void bury(Connection& connection);

 private:
  class Acceptor;
  // Runs a method on the reactor; asked again before it ran, it runs once.
  struct PostedWork final : runtime::Work {
    Worker& worker;
    void (Worker::*what)();
    std::atomic<bool> posted{false};
    PostedWork(Worker& owner, void (Worker::*method)()) : worker(owner), what(method) {}
    void post() {
      if (!posted.exchange(true)) worker.reactor_.post(*this);
    }
    void run() override {
      posted.store(false);
      (worker.*what)();
    }
  };
  struct OwnTimer final : runtime::Timer {
    Worker& worker;
    void (Worker::*what)();
    OwnTimer(Worker& owner, void (Worker::*method)()) : worker(owner), what(method) {}
    void fired() override { (worker.*what)(); }
  };
  struct Parked {
    runtime::SocketRef socket;
    std::size_t listener;
    runtime::MonoTime not_before;
  };
  struct AllEnded;

  static constexpr std::size_t idle_slots = 34;
  static constexpr int idle_ticks_per_timeout = 32;
  static constexpr std::size_t pooled_exchanges_max = 256;
  // Of those that were put off, how many go on before sockets are looked at again (a turn has up to eight such rounds).
  static constexpr std::size_t going_on_at_once = 1;
  // The same of those that end: a socket takes 20 to 100 us to close.
  static constexpr std::size_t ending_at_once = 4;

  void accepted(std::size_t listener, runtime::SocketRef socket);
  bool try_admit(std::size_t listener, runtime::SocketRef& socket, runtime::MonoTime& not_before);
  void retry_parked();
  void leave_or_join(std::size_t listener);
  void shed_excess();

  std::uint32_t idle_tick(runtime::MonoTime at) const;
  void idle_insert(Connection& connection, std::uint32_t expires_tick);
  void idle_remove(Connection& connection);
  void arm_idle_timer();
  void idle_check();

  void let_go_on();
  void end_some();
  void room_appeared();
  void mutes_end();
  void check_large_owner();
  void shed_stalled();
  Connection* slowest(runtime::MonoTime now) const;
  void sweep();

  ServerCore& core_;
  runtime::Reactor& reactor_;
  BufferPool buffers_;
  std::unique_ptr<RequestTrace> trace_;  // null unless requests are traced
  std::vector<std::unique_ptr<Exchange>> free_exchanges_;
  std::vector<OutputSlice> slices_;

  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::deque<Parked> parked_;
  OwnTimer parked_timer_{*this, &Worker::retry_parked};
  PostedWork recheck_{*this, &Worker::retry_parked};

  Connection* connections_ = nullptr;
  std::size_t open_ = 0;
  std::uint32_t next_number_ = 0;
  std::vector<Connection*> buried_;
  PostedWork sweep_{*this, &Worker::sweep};

  std::array<Connection*, idle_slots> idle_wheel_{};
  std::uint32_t idle_next_tick_ = 0;  // slots before it are empty
  std::size_t idle_count_ = 0;
  OwnTimer idle_timer_{*this, &Worker::idle_check};

  std::deque<Connection*> put_off_;
  PostedWork put_off_work_{*this, &Worker::let_go_on};

  std::deque<Connection*> ending_;
  PostedWork end_some_work_{*this, &Worker::end_some};

  std::vector<Connection*> starved_;
  PostedWork room_work_{*this, &Worker::room_appeared};
  RequestPool::Waiter room_waiter_;
  Connection* large_owner_ = nullptr;
  runtime::MonoTime large_since_{};
  OwnTimer large_timer_{*this, &Worker::check_large_owner};

  std::vector<Connection*> muted_;
  OwnTimer mute_timer_{*this, &Worker::mutes_end};

  std::vector<Connection*> stalled_;
  std::atomic<std::uint64_t> stalled_total_{0};
  PostedWork shed_work_{*this, &Worker::shed_stalled};

  bool stopping_ = false;
  AllEnded* all_ended_ = nullptr;
};

}  // namespace klamm::server
