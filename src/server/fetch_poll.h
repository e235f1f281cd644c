// One fetch under way: the partitions it asks for, what was read of each so far, and, for a long poll, the wait for
// more. Pooled per reactor, so that a warm fetch takes nothing from the global allocator. Used on its reactor only.
#pragma once

#include <coroutine>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "replication/partition_table.h"
#include "runtime/reactor.h"
#include "server/exchange.h"

namespace klamm::server {

struct FetchEntry {
  // What is asked. The topic's name lies in the frame or the arena of the exchange; empty where ids are used.
  std::string_view topic;
  Uuid topic_id;
  PartitionIndex index;
  std::int32_t bytes_max = 0;
  Offset from;
  LeaderEpoch leader_epoch = no_leader_epoch;
  LeaderEpoch last_fetched_epoch = no_leader_epoch;

  // What was found. An entry is readable unless its topic or partition is not there or may not be read.
  replication::PartitionRef partition;
  bool readable = false;
  bool stale = true;      // changed since it was read
  bool was_read = false;  // the numbers below are there
  ErrorCode error = ErrorCode::none;
  storage::ReadResult data;
  std::optional<storage::EpochEndOffset> diverging;
};

class FetchPoll final : public runtime::Timer, public AbandonListener {
 public:
  explicit FetchPoll(runtime::Reactor& reactor);
  ~FetchPoll() override;

  std::vector<FetchEntry>& entries() { return entries_; }

  // Watches every readable partition; those that changed after they were read are stale at once.
  void watch(storage::ReadIsolation isolation);
  // Suspends until a watched partition changed, the time is there, or nobody wants the answer any more.
  auto wait(runtime::MonoTime deadline) {
    struct Awaiter {
      FetchPoll& poll;
      runtime::MonoTime deadline;
      bool await_ready() const { return poll.woken_ || poll.over_; }
      void await_suspend(std::coroutine_handle<> handle) {
        poll.waiting_ = handle;
        poll.reactor_.arm(poll, deadline);
      }
      void await_resume() const {
        if (poll.armed()) poll.reactor_.disarm(poll);
        poll.woken_ = false;
      }
    };
    return Awaiter{*this, deadline};
  }
  // The time is over, or nobody waits: answer with what there is.
  bool over() const { return over_; }

  // As good as new.
  void reset();

 private:
  class Watch;

  void fired() override;
  void abandoned() override;
  void changed(std::size_t entry);
  void wake();

  runtime::Reactor& reactor_;
  std::vector<FetchEntry> entries_;
  std::vector<std::unique_ptr<Watch>> watches_;  // more than are in use are kept
  std::size_t watching_ = 0;
  std::coroutine_handle<> waiting_;
  bool woken_ = false;
  bool over_ = false;
};

// The polls of one reactor that are not in use.
class FetchPolls {
 public:
  explicit FetchPolls(runtime::Reactor& reactor) : reactor_(reactor) {}

  class Lease {
   public:
    Lease(FetchPolls& pool, std::unique_ptr<FetchPoll> poll) : pool_(pool), poll_(std::move(poll)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_.give_back(std::move(poll_)); }
    FetchPoll& operator*() const { return *poll_; }
    FetchPoll* operator->() const { return poll_.get(); }

   private:
    FetchPolls& pool_;
    std::unique_ptr<FetchPoll> poll_;
  };
  Lease take();

 private:
  void give_back(std::unique_ptr<FetchPoll> poll);

  runtime::Reactor& reactor_;
  std::vector<std::unique_ptr<FetchPoll>> free_;
};

}  // namespace klamm::server
