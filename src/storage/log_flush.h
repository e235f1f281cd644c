// Bringing a log to disk: one job a log, at most one running. Whoever needs something durable asks for a flush and gets
// its number; all that ask before it begins share it (group commit), the others share the next.
#pragma once

#include "storage/log_state.h"

namespace klamm::storage {

class Log::State::FlushJob final : public runtime::BlockingWork, public runtime::TurnEnd, public runtime::Work {
 public:
  explicit FlushJob(State& state) : state_(state), done_(state.environment.scheduling, Offset(0)) {}

 private:
  friend struct Log::State;

  struct Files {
    Offset up_to;
    std::vector<std::pair<SegmentRef, bool>> segments;  // with indexes?
    std::optional<std::string> epochs;
    std::vector<Offset> snapshots;
    bool names = false;
    bool parent = false;
    std::string directory;
  };

  void run() override;         // on reactor_: begins
  void turn_ended() override;  // after all that this turn appends
  void block() override;       // on an I/O thread
  void done() override;        // on reactor_
  // The reactor ended before: nobody is there any more to be answered.
  void dropped() noexcept override;
  Files collect();
  void sync_snapshots(const Files& work);

  State& state_;
  runtime::Reactor* reactor_ = nullptr;
  LogRef keep_;  // the log outlives the job
  // Under the log's lock.
  std::int64_t requested_ = 0;
  std::int64_t running_ = 0;  // the number that the running flush covers
  Offset wanted_{0};          // records below it are to be on disk
  std::size_t waiting_ = 0;   // coroutines that wait for one
  bool active_ = false;
  bool failed_ = false;
  std::uint32_t truncations_ = 0;
  Offset up_to_{0};       // what the running flush brings to disk
  bool indexes_ = false;  // it syncs those of rolled segments

  runtime::Watermark done_;  // the numbers of flushes that are done
};

}  // namespace klamm::storage
