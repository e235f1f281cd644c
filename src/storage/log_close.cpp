#include "base/ensure.h"
#include "storage/log_state.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

bool Log::State::owes_contents_locked() const {
  const Segment& last = active();
  return flushed != log_end || first_unsynced_segment() + 1 < segments.size() || !snapshots_unsynced.empty() ||
         last.indexes_unsynced || last.offset_index.unsaved() > 0 || last.time_index.unsaved() > 0 ||
         last.reserved_end > last.size || producers_end > last_snapshot || (!closed_cleanly && last.size > 0);
}

bool Log::has_unsynced() const {
  if (sleeps()) return false;
  const State& state = awake();
  const ShortLock::Guard guard(state.lock);
  return state.owes_contents_locked() || state.epochs_unsaved || state.names_unsynced || state.parent_unsynced;
}

// Everything a start after a clean stop relies on, on disk; without `sync`, written. A log that nobody touched costs
// nothing.
void Log::State::close_cleanly(bool sync) {
  Segment& last = active();
  std::optional<std::string> epochs_text;
  bool contents = false;
  bool names = false;
  {
    const ShortLock::Guard guard(lock);
    contents = owes_contents_locked();
    if (std::exchange(epochs_unsaved, false)) epochs_text = epochs.to_text();
    names = std::exchange(names_unsynced, false) || contents || epochs_text;
    if (contents) {
      for (const auto& segment : segments) {
        if (segments[first_unsynced_segment()]->base <= segment->base) segment->open_files();
      }
      last.open_files();
      last.open_indexes();
      last.add_time_entry();
    }
  }
  if (contents) {
    last.save_indexes();
    last.trim();
    take_snapshot(producers, producers_end, sync);
    const auto unsynced = std::exchange(snapshots_unsynced, {});
    for (const auto offset : unsynced) {
      if (!sync || !disk.exists(snapshot_path(offset))) continue;
      disk.open(snapshot_path(offset), runtime::OpenMode::write)->sync_data();
    }
  }
  if (epochs_text) replace_epochs_file(*epochs_text, sync);
  if (!sync) return;
  if (contents) {
    for (std::size_t i = first_unsynced_segment(); i < segments.size(); ++i) segments[i]->sync(true);
  }
  if (names) disk.sync_directory(files.directory);
  if (std::exchange(parent_unsynced, false)) directory.sync_names();
  const ShortLock::Guard guard(lock);
  closed_on_disk_locked();
}

void Log::State::closed_on_disk_locked() {
  names_unsynced = false;  // those of the snapshot too
  flushed = log_end;
  closed_cleanly = true;
}

void Log::closed_on_disk() {
  if (sleeps()) return;
  State& state = awake();
  const ShortLock::Guard guard(state.lock);
  ENSURE(state.closed);
  state.parent_unsynced = false;
  for (const auto& segment : state.segments) segment->indexes_unsynced = false;
  state.closed_on_disk_locked();
}

// As Disk::replace_file; the sync of the directory is the caller's. Without `sync` a power cut may leave a part of it,
// which reads as what it is, and then the log says which epochs there are.
void Log::State::replace_epochs_file(std::string_view text, bool sync) {
  const auto path = files.path(leader_epoch_checkpoint_name);
  const auto temporary = path + ".tmp";
  {
    const auto file = disk.open(temporary, runtime::OpenMode::create);
    file->truncate(0);
    file->write_at(0, as_bytes(text));
    if (sync) file->sync_data();
  }
  disk.rename(temporary, path);
}

runtime::Task<Result<void>> Log::close(Reactor& reactor, bool clean) {
  return close(reactor, clean ? Closing::on_disk : Closing::as_it_is);
}

runtime::Task<Result<void>> Log::close_unsynced(Reactor& reactor) {
  return close(reactor, Closing::written);
}

runtime::Task<Result<void>> Log::close(Reactor& reactor, Closing how) {
  if (const auto closed = close_asleep()) co_return *closed;
  State& state = awake();
  TurnWaiter turn(state, reactor, nullptr);
  co_await turn;
  const TurnGuard release(state);
  if (auto error = state.unusable()) {
    const ShortLock::Guard guard(state.lock);
    state.closed = true;
    co_return std::unexpected(std::move(*error));
  }
  std::optional<Error> failure;
  if (how != Closing::as_it_is) {
    // A flush that is under way goes first; nobody asks for another while the turn is held but for waiting appends.
    bool under_way = false;
    {
      const ShortLock::Guard guard(state.lock);
      under_way = state.flush_under_way_locked();
    }
    if (under_way) {
      auto flushing = state.flush(reactor, Offset(0));
      if (auto flushed = co_await std::move(flushing); !flushed) failure = std::move(flushed.error());
    }
    const bool owes = has_unsynced();
    if (!owes && !failure) {
      const ShortLock::Guard guard(state.lock);
      state.closed_on_disk_locked();
    }
    try {
      // Most logs of many owe nothing: these make no trip to an I/O thread, which costs more than all else of a close.
      if (owes && !failure) {
        const bool sync = how == Closing::on_disk;
        auto closing =
            runtime::blocking(reactor, [sync, log = shared_from_this()] { log->awake().close_cleanly(sync); });
        co_await std::move(closing);
      }
    } catch (const runtime::DiskError& error) {
      failure = state.failed("closing log segments for", error);
    }
  }
  {
    const ShortLock::Guard guard(state.lock);
    state.closed = true;
    for (const auto& segment : state.segments) segment->close_files();
  }
  state.scratch.reset();
  if (failure) co_return std::unexpected(std::move(*failure));
  co_return Result<void>();
}

}  // namespace klamm::storage
