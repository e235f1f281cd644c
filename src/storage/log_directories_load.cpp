// The start: what the directories hold is listed, then opened in parallel in the background, while the broker already
// serves what is open.
#include <algorithm>

#include "storage/log_directories_inner.h"
#include "storage/partition_metadata.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

namespace {

constexpr std::string_view metadata_topic = "__cluster_metadata";
constexpr std::string_view remote_index_cache = "remote-log-index-cache";
// A log with little to recover opens in microseconds: several go with one trip to an I/O thread.
constexpr std::size_t opened_at_once = 16;
constexpr std::uint64_t soon_recovered_bytes = 1u << 20;

std::int64_t milliseconds(runtime::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

// Reads the marker (and removes it at once: a crash from here on is no clean stop, KAFKA-10471), the checkpoints, and
// the names. Checkpoints that are no such files cost a longer recovery, nothing else (KAFKA-1758).
std::vector<LogDirectories::Inner::Found> LogDirectories::Inner::list(Place& place) {
  LogDirectory& directory = *place.directory;
  auto& disk = environment.disk;
  const auto marker = directory.file(directory_file::clean_shutdown);
  if (disk.exists(marker)) {
    disk.remove_file(marker);
    disk.sync_directory(directory.path());
    place.was_clean = true;
  }
  const auto read = [&](std::string_view name, std::string_view consequence) {
    auto offsets = read_offset_checkpoint(disk, directory.file(name));
    if (offsets) return std::move(*offsets);
    log.warn("Error occurred while reading {} file of directory {}, {}: {}", name, directory.path(), consequence,
             offsets.error().message);
    return OffsetMap();
  };
  place.recovery_points = read(directory_file::recovery_point, "resetting the recovery checkpoint to 0");
  place.log_starts = read(directory_file::log_start, "resetting to the base offset of the first segment");
  place.high_watermarks = read(directory_file::high_watermark, "high watermarks begin at the log start offsets");

  std::vector<Found> found;
  for (auto& entry : disk.list(directory.path())) {
    if (!entry.is_directory || entry.name == remote_index_cache || entry.name == "lost+found") continue;
    auto what = parse_partition_directory(entry.name, directory.file(entry.name));
    if (!what) throw std::runtime_error(what.error().message);
    if (what->name.topic == metadata_topic) continue;
    found.push_back({.place = &place, .directory_name = std::move(entry.name), .what = std::move(*what)});
  }
  return found;
}

// A directory that was offline when its topic was deleted comes back, and another topic has the name meanwhile, in
// another directory: by its topic id the old one is no second log of that name but a stray one.
runtime::Task<void> LogDirectories::Inner::set_strays_of_known_names_aside(std::vector<Found>& found) {
  std::map<TopicPartition, unsigned> counts;
  for (const auto& each : found) counts[each.what.name] += each.what.kind == DirectoryKind::current;
  for (auto& each : found) {
    if (each.what.kind != DirectoryKind::current || counts[each.what.name] < 2) continue;
    Place& place = *each.place;
    const auto path = place.directory->file(each.directory_name);
    const auto stray_name = partition_directory_name(each.what.name, DirectoryKind::stray,
                                                     {environment.random.next(), environment.random.next()});
    try {
      auto reading =
          runtime::blocking(*reactor, [this, path] { return read_partition_metadata(environment.disk, path); });
      const auto id = co_await std::move(reading);
      if (!id || !*id || !events->is_stray(each.what.name, **id)) continue;
      auto renaming = runtime::blocking(*reactor, [this, path, &place, stray_name] {
        environment.disk.rename(path, place.directory->file(stray_name));
        environment.disk.sync_directory(place.directory->path());
      });
      co_await std::move(renaming);
      each.directory_name = stray_name;
      each.what.kind = DirectoryKind::stray;
      place.all_loaded = --place.to_load == 0;
    } catch (const runtime::DiskError& error) {
      place.directory->failed(fmt::format("Error while loading log dir {}", place.directory->path()), error);
    }
  }
}

runtime::Task<void> LogDirectories::load(Reactor& reactor, runtime::TaskGroup& tasks, LogDirectoriesEvents& events) {
  Inner& inner = *inner_;
  inner.reactor = &reactor;
  inner.tasks = &tasks;
  inner.events = &events;
  inner.notice.emplace(reactor);
  inner.new_files.emplace(reactor, environment_.disk);
  inner.checkpoints_written.emplace(reactor);
  inner.load_began = reactor.clock().now();
  for (const auto& place : inner.places) {
    if (!place->live()) inner.directory_failed_anywhere(*place);
  }
  inner.log.info("Loading logs from log dirs ArrayBuffer({})", inner.live_paths());

  std::vector<Inner::Found> found;
  for (const auto& place : inner.places) {
    if (!place->live()) continue;
    try {
      auto listing = runtime::blocking(reactor, [&inner, &place = *place] { return inner.list(place); });
      auto here = co_await std::move(listing);
      const auto& path = place->directory->path();
      place->to_load = static_cast<std::size_t>(std::ranges::count_if(here, [](const Inner::Found& each) {
        return each.what.kind == DirectoryKind::current || each.what.kind == DirectoryKind::future;
      }));
      place->all_loaded = place->to_load == 0;
      if (here.empty()) {
        inner.log.info("No logs found to be loaded in {}", path);
      } else if (place->was_clean) {
        inner.log.info("Skipping recovery of {} logs from {} since clean shutdown file was found", here.size(), path);
      } else {
        inner.log.info("Recovering {} logs from {} since no clean shutdown file was found", here.size(), path);
      }
      std::ranges::move(here, std::back_inserter(found));
    } catch (const runtime::DiskError& error) {
      place->directory->failed(fmt::format("Error while loading log dir {}", place->directory->path()), error);
    }
  }

  auto setting_aside = inner.set_strays_of_known_names_aside(found);
  co_await std::move(setting_aside);
  std::vector<Inner::Found> to_open;
  std::map<std::pair<TopicPartition, bool>, std::string> seen;
  for (auto& each : found) {
    const auto path = each.place->directory->file(each.directory_name);
    if (each.what.kind == DirectoryKind::deleted) {
      inner.doom(*each.place, each.directory_name, each.what.name,
                 later(reactor.now(), events.topic_settings(each.what.name.topic)->file_delete_delay_ms));
      continue;
    }
    if (each.what.kind == DirectoryKind::stray) {
      inner.log.warn("Loaded stray log: {}", path);
      continue;
    }
    const bool is_future = each.what.kind == DirectoryKind::future;
    const auto [other, is_first] = seen.emplace(std::pair(each.what.name, is_future), path);
    if (!is_first && is_future)
      throw std::runtime_error(fmt::format("Duplicate log directories found: {}, {}", path, other->second));
    if (!is_first) {
      throw std::runtime_error(
          fmt::format("Duplicate log directories for {} are found in both {} and {}. It is likely because log "
                      "directory failure happened while "
                      "broker was replacing current replica with future replica. Recover broker from this failure by "
                      "manually deleting one of the "
                      "two directories for this partition. It is recommended to delete the partition in the log "
                      "directory that is known to have "
                      "failed recently.",
                      each.what.name.to_string(), path, other->second));
    }
    to_open.push_back(std::move(each));
  }
  inner.total = inner.left_to_load = to_open.size();
  {
    const ShortLock::Guard guard(inner.lock);
    for (const auto& each : to_open) {
      if (each.what.kind == DirectoryKind::current) inner.loading.insert(each.what.name);
    }
  }
  tasks.start(inner.load_all(std::move(to_open)));
  tasks.start(inner.upkeep());
}

runtime::Task<void> LogDirectories::Inner::load_all(std::vector<Found> found) {
  runtime::TaskGroup workers(*reactor);
  for (const auto& place : places) {
    std::vector<Found> here;
    std::ranges::copy_if(found, std::back_inserter(here), [&](const Found& each) { return each.place == place.get(); });
    if (!here.empty()) workers.start(load_place(std::move(here)));
  }
  auto working = workers.wait();
  co_await std::move(working);
  if (left_to_load > 0) {
    all_loaded.close();  // stopped before the end
    co_return;
  }
  std::vector<std::string> unclean;
  for (const auto& place : places) {
    if (place->live() && place->to_load > 0 && !place->was_clean) unclean.push_back(place->directory->path());
  }
  const auto ending =
      unclean.empty() ? std::string() : fmt::format(" (unclean log dirs = ArrayBuffer({}))", fmt::join(unclean, ", "));
  log.info("Loaded {} logs in {}ms{}", found.size(), milliseconds(reactor->clock().now() - load_began), ending);
  log.info("Starting log cleanup with a period of {} ms.", settings.retention_check_ms.count());
  log.info("Starting log flusher with a default period of {} ms.", settings.flush_check_ms.count());
  all_loaded.advance(Offset(1));
}

// First what is soon done, then what has much to recover: nobody waits for the data of others.
runtime::Task<void> LogDirectories::Inner::load_place(std::vector<Found> found) {
  LoadQueue small{.found = std::move(found)};
  auto loading_small = load_queue(small, true);
  co_await std::move(loading_small);
  LoadQueue large{.found = std::move(small.later)};
  auto loading_large = load_queue(large, false);
  co_await std::move(loading_large);
}

runtime::Task<void> LogDirectories::Inner::load_queue(LoadQueue& queue, bool all_at_once) {
  runtime::TaskGroup workers(*reactor);
  for (unsigned i = 0; i < std::max(settings.recovery_threads_per_directory, 1u) && i < queue.found.size(); ++i)
    workers.start(load_some(queue, all_at_once));
  auto working = workers.wait();
  co_await std::move(working);
}

// One of the workers of a directory. `all_at_once`: what takes long is put off.
runtime::Task<void> LogDirectories::Inner::load_some(LoadQueue& queue, bool all_at_once) {
  struct Opened {
    LogRef log;
    std::exception_ptr failure;
    runtime::Duration took{};
  };
  while (queue.next < queue.found.size() && !tasks->stopping()) {
    const auto first = queue.next;
    const auto count = std::min(all_at_once ? opened_at_once : 1, queue.found.size() - first);
    queue.next += count;
    std::vector<LogOpening> openings;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& each = queue.found[first + i];
      openings.push_back(opening_of(*each.place, each.what.name, each.directory_name));
      openings.back().listed = true;
      if (all_at_once) openings.back().recovery_bytes_max = soon_recovered_bytes;
    }
    auto& directory = *queue.found[first].place->directory;
    auto opening_them =
        runtime::blocking(*reactor, [&directory, openings = std::move(openings), &clock = environment.clock] {
          std::vector<Opened> opened;
          for (const auto& opening : openings) {
            Opened one;
            const auto begun = clock.now();
            try {
              if (!directory.offline()) one.log = Log::open(directory, opening);
            } catch (const std::exception&) {
              one.failure = std::current_exception();
            }
            one.took = clock.now() - begun;
            opened.push_back(std::move(one));
          }
          return opened;
        });
    auto opened = co_await std::move(opening_them);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& found = queue.found[first + i];
      if (!opened[i].log && !opened[i].failure && !directory.offline()) {
        queue.later.push_back(found);
        continue;
      }
      if (opened[i].failure) {
        try {
          std::rethrow_exception(opened[i].failure);
        } catch (const std::exception& error) {
          directory.failed(fmt::format("Error while loading log dir {}", directory.path()), error);
        }
      }
      auto taking = take(found, std::move(opened[i].log), opened[i].took);
      co_await std::move(taking);
    }
  }
}

runtime::Task<void> LogDirectories::Inner::take(Found found, LogRef opened, runtime::Duration took) {
  Place& place = *found.place;
  const auto& name = found.what.name;
  if (opened && opened->owes_sync()) {
    // A killed broker may have written and not synced it. A reader who sees it now must find it after a power cut too.
    auto syncing = opened->flush_all(*reactor);
    [[maybe_unused]] const auto synced = co_await std::move(syncing);  // a failure took the directory offline
  }
  if (opened) {
    log.info(
        "Completed load of Log(dir={}, topicId={}, topic={}, partition={}, highWatermark={}, lastStableOffset={}, "
        "logStartOffset={}, "
        "logEndOffset={}) with {} segments, local-log-start-offset {} and log-end-offset {} in {}ms ({}/{} completed "
        "in {})",
        opened->path(), opened->topic_id() ? opened->topic_id()->to_string() : "none", name.topic, name.partition,
        opened->high_watermark(), opened->last_stable_offset(), opened->log_start(), opened->log_end(),
        opened->segment_count(), opened->log_start(), opened->log_end(), milliseconds(took), place.loaded + 1,
        place.to_load, place.directory->path());
  }
  const bool stray = opened && events->is_stray(name, opened->topic_id());
  if (stray) {
    auto closing = opened->close(*reactor, false);
    co_await std::move(closing);
    const auto before = opened->path();
    auto stray_name =
        partition_directory_name(name, DirectoryKind::stray, {environment.random.next(), environment.random.next()});
    try {
      auto renaming = runtime::blocking(*reactor, [opened, stray_name] { opened->rename_directory(stray_name); });
      co_await std::move(renaming);
      log.warn("Log in {} marked stray and renamed to {}", before, opened->path());
    } catch (const runtime::DiskError& error) {
      place.directory->failed(
          fmt::format("Error while renaming dir for {} in log dir {}", name.to_string(), place.directory->path()),
          error);
    }
  } else if (opened && place.live()) {
    ++place.logs;
    put(opened);
  }
  {
    const ShortLock::Guard guard(lock);
    loading.erase(name);
  }
  if (opened && !stray && place.live()) events->log_ready(opened);
  one_less_to_load(place);
}

void LogDirectories::Inner::one_less_to_load(Place& place) {
  if (++place.loaded == place.to_load) {
    place.all_loaded = place.live() != nullptr;
    place.recovery_points.clear();
    place.log_starts.clear();
    place.high_watermarks.clear();
  }
  --left_to_load;
}

}  // namespace klamm::storage
