// What the directories do by themselves, each at its time and none of it while nothing changes: retention, delayed
// deletion, checkpoints, flush.ms, forgetting silent producers.
#include <algorithm>

#include "storage/log_directories_inner.h"

namespace klamm::storage {

using runtime::MonoTime;
using runtime::ShortLock;

void LogDirectories::Inner::WakeWork::run() {
  posted.store(false, std::memory_order_release);
  if (inner->notice) inner->notice->notify();
}

void LogDirectories::Inner::wake() {
  if (reactor != nullptr && !wake_work.posted.exchange(true, std::memory_order_acq_rel)) reactor->post(wake_work);
}

void LogDirectories::Inner::log_has_work(Log& its) {
  {
    const ShortLock::Guard guard(lock);
    with_work.push_back(its.weak_from_this());
  }
  wake();
}

std::vector<LogRef> LogDirectories::Inner::logs_in(const Place& place) const {
  std::vector<LogRef> here;
  const ShortLock::Guard guard(lock);
  for (const auto* logs : {&current, &future}) {
    for (const LogRef& each : *logs) {
      if (&each->directory() == place.directory.get()) here.push_back(each);
    }
  }
  return here;
}

void LogDirectories::Inner::schedule(const LogRef& its) {
  const auto at = its->due();
  const auto known = scheduled.find(its.get());
  if (at == runtime::never || (known != scheduled.end() && known->second <= at)) return;
  scheduled[its.get()] = at;
  due.emplace(at, std::pair(its.get(), its));
}

MonoTime LogDirectories::Inner::next_due() {
  std::vector<std::weak_ptr<Log>> told;
  bool has_logs = false;
  {
    const ShortLock::Guard guard(lock);
    told.swap(with_work);
    has_logs = !current.empty() || !future.empty();
  }
  for (const auto& weak : told) {
    if (const auto its = weak.lock()) schedule(its);
  }
  const auto now = reactor->now();
  unsigned touched = 0;
  for (const auto& place : places) touched |= place->live() ? place->directory->touched() : 0;
  const auto arm = [&](MonoTime& at, bool wanted, LogSettings::Milliseconds interval) {
    if (!wanted) {
      at = runtime::never;
    } else if (at == runtime::never) {
      at = later(now, interval);
    }
  };
  arm(next.recovery_point, (touched & LogDirectory::recovery_point_moved) != 0, settings.recovery_point_checkpoint_ms);
  arm(next.log_start, (touched & LogDirectory::log_start_moved) != 0, settings.log_start_checkpoint_ms);
  arm(next.high_watermark, (touched & LogDirectory::high_watermark_moved) != 0, settings.high_watermark_checkpoint_ms);
  arm(next.retention, has_logs, std::max(settings.initial_task_delay_ms, LogSettings::Milliseconds(1)));
  arm(next.rest, has_logs, settings.producer_id_expiration_check);
  auto at = std::min({next.recovery_point, next.log_start, next.high_watermark, next.retention, next.rest});
  if (!due.empty()) at = std::min(at, due.begin()->first);
  for (const auto& each : doomed) at = std::min(at, each.at);
  return at;
}

runtime::Task<void> LogDirectories::Inner::upkeep() {
  const auto stop = tasks->token();
  while (true) {
    const auto at = next_due();
    if (at > reactor->now()) {
      auto waiting = notice->wait(at, stop);
      co_await std::move(waiting);
      continue;
    }
    const auto now = reactor->now();
    auto logs_first = upkeep_of_logs(now);
    co_await std::move(logs_first);
    for (const auto& place : places) {
      unsigned what = 0;
      if (next.recovery_point <= now) what |= LogDirectory::recovery_point_moved;
      if (next.log_start <= now) what |= LogDirectory::log_start_moved;
      if (next.high_watermark <= now) what |= LogDirectory::high_watermark_moved;
      what &= place->directory->touched();
      if (what == 0 || !place->live()) continue;
      auto writing = write_checkpoints(*place, what);
      co_await std::move(writing);
    }
    if (next.recovery_point <= now) next.recovery_point = runtime::never;
    if (next.log_start <= now) next.log_start = runtime::never;
    if (next.high_watermark <= now) next.high_watermark = runtime::never;
    auto sweeping = sweep(now);
    co_await std::move(sweeping);
    auto removing = remove_doomed(now);
    co_await std::move(removing);
  }
}

runtime::Task<void> LogDirectories::Inner::upkeep_of_logs(MonoTime now) {
  while (!due.empty() && due.begin()->first <= now) {
    const auto at = due.begin()->first;
    const auto [address, weak] = due.begin()->second;
    due.erase(due.begin());
    const auto known = scheduled.find(address);
    if (known == scheduled.end() || known->second != at) continue;  // an earlier entry took its place
    scheduled.erase(known);
    const auto its = weak.lock();
    if (!its) continue;
    if (its->due() <= now) {
      auto working = its->upkeep(*reactor);
      co_await std::move(working);
    }
    schedule(its);
  }
}

runtime::Task<void> LogDirectories::Inner::sweep(MonoTime now) {
  const bool retention = next.retention <= now;
  const bool rest = next.rest <= now;
  if (!retention && !rest) co_return;
  if (retention) next.retention = later(now, settings.retention_check_ms);
  if (rest) next.rest = later(now, settings.producer_id_expiration_check);
  const auto wall = environment.clock.wall();
  for (const auto& its : owner.logs()) {
    if (tasks->stopping()) co_return;
    if (retention) {
      auto deleting = its->delete_old_segments(*reactor);
      co_await std::move(deleting);
    }
    if (rest) {
      auto resting = its->rest(*reactor, wall);
      co_await std::move(resting);
    }
  }
}

runtime::Task<void> LogDirectories::Inner::remove_doomed(MonoTime now) {
  while (true) {
    const auto ready = std::ranges::find_if(doomed, [&](const Doomed& each) { return each.at <= now; });
    if (ready == doomed.end()) co_return;
    const Doomed gone = *ready;
    doomed.erase(ready);
    if (!gone.place->live()) continue;
    const auto path = gone.place->directory->file(gone.directory_name);
    try {
      auto removing = runtime::blocking(*reactor, [path, this] { environment.disk.remove_tree(path); });
      co_await std::move(removing);
      log.info("Deleted log for partition {} in {}.", gone.name.to_string(), path);
    } catch (const runtime::DiskError& error) {
      gone.place->directory->failed(fmt::format("Error while deleting log for {} in dir {}", gone.name.to_string(),
                                                gone.place->directory->path()),
                                    error);
    }
  }
}

// Values are taken and files written on an I/O thread; one at a time, because all write to the same temporary names.
runtime::Task<void> LogDirectories::Inner::write_checkpoints(Place& place, unsigned what) {
  place.checkpoints_wanted |= what;
  const auto number = ++place.checkpoints_asked;
  while (writing_checkpoints && place.checkpoints_written < number) {
    auto waiting = checkpoints_written->wait();
    co_await std::move(waiting);
  }
  if (place.checkpoints_written >= number) co_return;
  writing_checkpoints = true;
  const auto all_asked = place.checkpoints_asked;
  what = std::exchange(place.checkpoints_wanted, 0);
  place.directory->take_touched(what & all_checkpoints);
  try {
    // Logs that are not open yet keep what was found.
    auto writing = runtime::blocking(
        *reactor, [&place, what, logs = logs_in(place), recovery_points = place.recovery_points,
                   log_starts = place.log_starts, high_watermarks = place.high_watermarks, this]() mutable {
          auto& disk = environment.disk;
          std::set<TopicPartition> here;
          for (const auto& [name, offset] : recovery_points) here.insert(name);
          for (const auto& its : logs) {
            const auto offsets = its->offsets();
            here.insert(its->name());
            recovery_points[its->name()] = its->recovery_checkpoint();
            high_watermarks[its->name()] = offsets.high_watermark;
            if (offsets.log_start > its->first_segment_base()) {
              log_starts[its->name()] = offsets.log_start;
            } else {
              log_starts.erase(its->name());
            }
          }
          if (what & LogDirectory::recovery_point_moved)
            write_offset_checkpoint(disk, place.directory->file(directory_file::recovery_point), recovery_points);
          if (what & LogDirectory::log_start_moved)
            write_offset_checkpoint(disk, place.directory->file(directory_file::log_start), log_starts);
          if (what & LogDirectory::high_watermark_moved)
            write_offset_checkpoint(disk, place.directory->file(directory_file::high_watermark), high_watermarks);
          if ((what & cleaner_forgets) == 0) return;
          // Nothing compacts here yet, but what Kafka's cleaner noted of a log that is gone is not for the next of its
          // name.
          const auto path = place.directory->file(directory_file::cleaner);
          auto cleaned = read_offset_checkpoint(disk, path);
          if (!cleaned) return;
          if (std::erase_if(*cleaned, [&](const auto& entry) { return !here.contains(entry.first); }) > 0)
            write_offset_checkpoint(disk, path, *cleaned);
        });
    co_await std::move(writing);
  } catch (const runtime::DiskError& error) {
    place.directory->failed(fmt::format("Error while writing to checkpoint file in {}", place.directory->path()),
                            error);
  }
  place.checkpoints_written = all_asked;
  writing_checkpoints = false;
  checkpoints_written->notify();
}

}  // namespace klamm::storage
