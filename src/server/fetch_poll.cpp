#include "server/fetch_poll.h"

namespace klamm::server {

namespace {
// Of a poll that is not in use, and how many of those are kept.
constexpr std::size_t kept_entries = 256;
constexpr std::size_t kept_polls = 256;
}  // namespace

class FetchPoll::Watch final : public replication::PartitionWatch {
 public:
  Watch(FetchPoll& poll, runtime::Reactor& reactor) : PartitionWatch(reactor), poll_(poll) {}
  void watch(std::size_t entry, replication::PartitionRef partition) {
    entry_ = entry;
    join(std::move(partition));
  }

 private:
  // A signal that was on its way when the watch was used for another fetch makes that one look once too often.
  void changed() override {
    if (partition()) poll_.changed(entry_);
  }
  FetchPoll& poll_;
  std::size_t entry_ = 0;
};

FetchPoll::FetchPoll(runtime::Reactor& reactor) : reactor_(reactor) {}
FetchPoll::~FetchPoll() {
  reset();
}

void FetchPoll::watch(storage::ReadIsolation isolation) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].readable || !entries_[i].partition) continue;
    if (watching_ == watches_.size()) watches_.push_back(std::make_unique<Watch>(*this, reactor_));
    watches_[watching_++]->watch(i, entries_[i].partition);
  }
  // Only now is nothing missed any more: look at what moved since it was read.
  for (FetchEntry& entry : entries_) {
    if (!entry.readable || !entry.partition) continue;
    const auto log = entry.partition->log_for(entry.leader_epoch);
    const auto& seen = entry.data.offsets;
    const bool moved =
        !log || (isolation == storage::ReadIsolation::log_end       ? (*log)->log_end() != seen.log_end
                 : isolation == storage::ReadIsolation::last_stable ? (*log)->last_stable_offset() != seen.last_stable
                                                                    : (*log)->high_watermark() != seen.high_watermark);
    if (moved) entry.stale = woken_ = true;
  }
}

void FetchPoll::fired() {
  over_ = true;
  wake();
}

void FetchPoll::abandoned() {
  over_ = true;
  wake();
}

void FetchPoll::changed(std::size_t entry) {
  entries_[entry].stale = true;
  wake();
}

void FetchPoll::wake() {
  woken_ = true;
  if (const auto handle = std::exchange(waiting_, nullptr)) handle.resume();
}

void FetchPoll::reset() {
  if (armed()) reactor_.disarm(*this);
  waiting_ = nullptr;
  for (std::size_t i = 0; i < watching_; ++i) watches_[i]->leave();
  watching_ = 0;
  woken_ = over_ = false;
  if (entries_.capacity() > kept_entries) {
    entries_ = {};
    if (watches_.size() > kept_entries) watches_.resize(kept_entries);
  } else {
    entries_.clear();
  }
}

FetchPolls::Lease FetchPolls::take() {
  if (free_.empty()) return {*this, std::make_unique<FetchPoll>(reactor_)};
  auto poll = std::move(free_.back());
  free_.pop_back();
  return {*this, std::move(poll)};
}

void FetchPolls::give_back(std::unique_ptr<FetchPoll> poll) {
  poll->reset();
  if (free_.size() < kept_polls) free_.push_back(std::move(poll));
}

}  // namespace klamm::server
