#include "storage/log_directories.h"

#include <algorithm>

#include "base/ensure.h"
#include "storage/log_directories_inner.h"
#include "storage/partition_metadata.h"

namespace klamm::storage {

using runtime::Reactor;
using runtime::ShortLock;

namespace {

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string text_of_clean_shutdown(std::int64_t broker_epoch) {
  return fmt::format(R"({{"version":0,"brokerEpoch":{}}})", broker_epoch);
}

std::optional<std::int64_t> broker_epoch_in(std::string_view text) {
  constexpr std::string_view key = "\"brokerEpoch\"";
  const auto at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const auto begin = text.find_first_not_of(" \t\r\n:", at + key.size());
  if (begin == std::string_view::npos) return std::nullopt;
  return parse_number<std::int64_t>(text.substr(begin, text.find_first_of(" \t\r\n,}", begin) - begin));
}

}  // namespace

// --- directories ---------------------------------------------------------------------------------------------------

LogDirectories::Inner::Inner(LogDirectories& its_owner, LogDirectoriesSettings its_settings)
    : owner(its_owner),
      environment(its_owner.environment_),
      settings(std::move(its_settings)),
      log(environment.log, "kafka.log.LogManager"),
      changes(environment.scheduling, Offset(0)),
      all_loaded(environment.scheduling, Offset(0)),
      lock(environment.scheduling) {
  wake_work.inner = this;
}

// A directory that fails at the very end has told the reactor, which has not come to it.
LogDirectories::Inner::~Inner() {
  if (reactor == nullptr) return;
  for (const auto& work : failures) {
    if (work->told.load()) reactor->withdraw(*work);
  }
  if (wake_work.posted.load()) reactor->withdraw(wake_work);
}

LogDirectories::LogDirectories(runtime::Environment& environment, LogDirectoriesSettings settings)
    : environment_(environment), inner_(std::make_unique<Inner>(*this, std::move(settings))) {
  Inner& inner = *inner_;
  for (const auto& path : inner.settings.paths) {
    auto work = std::make_unique<Inner::FailureWork>();
    auto* const told = work.get();
    auto directory = std::make_unique<LogDirectory>(
        environment, environment.disk.absolute(path),
        [&inner, told](LogDirectory&) { inner.directory_failed_anywhere(*told->place); }, [&inner] { inner.wake(); },
        [&inner](Log& its) { inner.log_has_work(its); });
    auto place = std::make_unique<Inner::Place>(std::move(directory));
    work->inner = &inner;
    work->place = place.get();
    inner.places.push_back(std::move(place));
    inner.failures.push_back(std::move(work));
  }
}

LogDirectories::~LogDirectories() = default;

LogDirectories::Inner::Place& LogDirectories::Inner::place_of(const LogDirectory& directory) const {
  const auto found = std::ranges::find(places, &directory, [](const auto& place) { return place->directory.get(); });
  ENSURE(found != places.end());
  return **found;
}

std::string LogDirectories::Inner::paths() const {
  std::vector<std::string> all;
  for (const auto& place : places) all.push_back(place->directory->path());
  return joined(all);
}

std::string LogDirectories::Inner::live_paths() const {
  std::vector<std::string> live;
  for (const auto& place : places) {
    if (place->live()) live.push_back(place->directory->path());
  }
  return joined(live);
}

std::string LogDirectories::Inner::offline_paths() const {
  std::vector<std::string> offline;
  for (const auto& place : places) {
    if (!place->live()) offline.push_back(place->directory->path());
  }
  return joined(offline);
}

void LogDirectories::lock() {
  Inner& inner = *inner_;
  auto& disk = environment_.disk;
  std::set<std::string> seen;
  for (const auto& place : inner.places) {
    LogDirectory& directory = *place->directory;
    if (!seen.insert(directory.path()).second) {
      throw std::runtime_error(fmt::format("Duplicate log directory found: {}", joined(inner.settings.paths)));
    }
    try {
      if (!disk.exists(directory.path())) {
        inner.log.info("Log directory {} not found, creating it.", directory.path());
        disk.make_durable_directories(directory.path());
      }
      if (!disk.is_directory(directory.path())) {
        throw runtime::DiskError(ENOTDIR, "open", directory.path());
      }
      (void)disk.list(directory.path());
    } catch (const runtime::DiskError& error) {
      directory.failed(fmt::format("Failed to create or validate data directory {}", directory.path()), error);
    }
  }
  const auto require_one = [&] {
    if (std::ranges::any_of(inner.places, [](const auto& place) { return place->live() != nullptr; })) return;
    const auto message = fmt::format(
        "Shutdown broker because none of the specified log dirs from {} can be created or validated", inner.paths());
    inner.log.error("{}", message);
    throw std::runtime_error(message);
  };
  require_one();
  for (const auto& place : inner.places) {
    LogDirectory& directory = *place->directory;
    if (directory.offline()) continue;
    try {
      place->lock = disk.try_lock(directory.file(directory_file::lock));
    } catch (const runtime::DiskError& error) {
      directory.failed(fmt::format("Disk error while locking directory {}", directory.path()), error);
      continue;
    }
    if (place->lock) continue;
    for (const auto& each : inner.places) each->lock.reset();
    throw std::runtime_error(
        fmt::format("Failed to acquire lock on file .lock in {}. A Kafka instance in another process or thread "
                    "is using this directory.",
                    directory.path()));
  }
  for (const auto& place : inner.places) {
    LogDirectory& directory = *place->directory;
    if (directory.offline()) continue;
    try {
      auto meta = read_meta_properties(disk, directory.path());
      if (!meta) {
        inner.log.info("No meta.properties file found in {}.", directory.path());
        continue;
      }
      if (!*meta) throw std::runtime_error(meta->error().message);
      // A process that was killed may have left its name in memory only, and from now on the id is used.
      disk.sync_directory(directory.path());
      set_meta_properties(directory, std::move(**meta));
    } catch (const runtime::DiskError& error) {
      directory.failed(fmt::format("Disk error while loading ID {}", directory.path()), error);
    }
  }
  require_one();
}

std::vector<LogDirectory*> LogDirectories::directories() const {
  std::vector<LogDirectory*> all;
  for (const auto& place : inner_->places) all.push_back(place->directory.get());
  return all;
}

LogDirectory* LogDirectories::directory_of(Uuid id) const {
  for (const auto& place : inner_->places) {
    if (place->live() && place->directory->id() == id) return place->directory.get();
  }
  return nullptr;
}

const std::optional<MetaProperties>& LogDirectories::meta_properties(const LogDirectory& directory) const {
  return inner_->place_of(directory).meta;
}

void LogDirectories::set_meta_properties(LogDirectory& directory, MetaProperties properties) {
  directory.set_id(properties.directory_id.value_or(zero_uuid));
  inner_->place_of(directory).meta = std::move(properties);
}

std::optional<std::int64_t> LogDirectories::clean_shutdown_broker_epoch() const {
  std::optional<std::int64_t> epoch;
  for (const auto& place : inner_->places) {
    LogDirectory* const directory = place->live();
    if (!directory) return std::nullopt;
    std::optional<std::int64_t> here;
    try {
      const auto path = directory->file(directory_file::clean_shutdown);
      if (environment_.disk.exists(path)) here = broker_epoch_in(as_text(environment_.disk.read_file(path, 4096)));
    } catch (const runtime::DiskError&) {
      // As unreadable as a missing one.
    }
    if (!here) {
      inner_->log.info("Unable to read the broker epoch in {}.", directory->path());
      return std::nullopt;
    }
    if (epoch && *epoch != *here) {
      inner_->log.info("Found different broker epochs in {}. Other={} vs current={}.", directory->path(), *epoch,
                       *here);
      return std::nullopt;
    }
    epoch = here;
  }
  return epoch;
}

// --- failure -------------------------------------------------------------------------------------------------------

void LogDirectories::Inner::directory_failed_anywhere(Place& place) {
  const auto found = std::ranges::find(failures, &place, [](const auto& work) { return work->place; });
  // Before load() nobody is to be told; load() asks.
  if (reactor == nullptr || (*found)->told.exchange(true)) return;
  reactor->post(**found);
}

void LogDirectories::Inner::handle_failure(Place& place) {
  LogDirectory& directory = *place.directory;
  log.warn("Stopping serving logs in dir {}", directory.path());
  std::vector<std::string> gone;
  std::vector<std::string> gone_future;
  std::vector<LogRef> dropped;
  {
    const ShortLock::Guard guard(lock);
    place.logs = 0;
    const auto drop = [&](LogsByName& logs, std::vector<std::string>& names) {
      std::erase_if(logs, [&](const LogRef& each) {
        if (&each->directory() != &directory) return false;
        names.push_back(each->name().to_string());
        dropped.push_back(each);
        return true;
      });
    };
    drop(current, gone);
    drop(future, gone_future);
  }
  log.warn(
      "Logs for partitions {} are offline and logs for future partitions {} are offline due to failure on log "
      "directory {}",
      fmt::join(gone, ","), fmt::join(gone_future, ","), directory.path());
  place.lock.reset();
  const bool none_left = std::ranges::none_of(places, [](const auto& each) { return each->live() != nullptr; });
  if (events == nullptr) return;
  events->directory_failed(directory);
  if (!none_left) return;
  log.error("Shutdown broker because all log dirs in {} have failed", paths());
  events->all_directories_failed();
}

// --- logs ----------------------------------------------------------------------------------------------------------

void LogDirectories::Inner::put(const LogRef& made) {
  const ShortLock::Guard guard(lock);
  LogsByName& logs = made->is_future() ? future : current;
  logs.erase(made);
  logs.insert(made);
}

LogRef LogDirectories::find(const TopicPartition& name, bool future) const {
  const ShortLock::Guard guard(inner_->lock);
  const auto& logs = future ? inner_->future : inner_->current;
  const auto found = logs.find(name);
  return found == logs.end() ? nullptr : *found;
}

std::vector<LogRef> LogDirectories::logs() const {
  const ShortLock::Guard guard(inner_->lock);
  std::vector<LogRef> all;
  all.reserve(inner_->current.size() + inner_->future.size());
  for (const auto* logs : {&inner_->current, &inner_->future}) all.insert(all.end(), logs->begin(), logs->end());
  return all;
}

bool LogDirectories::loaded() const {
  return inner_->all_loaded.value() > Offset(0);
}

bool LogDirectories::is_loading(const TopicPartition& name) const {
  const ShortLock::Guard guard(inner_->lock);
  return inner_->loading.contains(name);
}

runtime::Task<void> LogDirectories::wait_loaded(Reactor& reactor) {
  auto waiting = inner_->all_loaded.wait(reactor, Offset(1), runtime::never);
  co_await std::move(waiting);
}

LogOpening LogDirectories::Inner::opening_of(Place& place, const TopicPartition& name, std::string directory_name) {
  LogOpening opening{.name = name,
                     .directory_name = std::move(directory_name),
                     .settings = events->topic_settings(name.topic),
                     .topic_id = {},
                     .high_watermark = {},
                     .producer_id_expiration = settings.producer_id_expiration};
  opening.clean = place.was_clean;
  if (const auto found = place.recovery_points.find(name); found != place.recovery_points.end())
    opening.recovery_point = found->second;
  if (const auto found = place.log_starts.find(name); found != place.log_starts.end())
    opening.log_start = found->second;
  if (const auto found = place.high_watermarks.find(name); found != place.high_watermarks.end())
    opening.high_watermark = found->second;
  return opening;
}

// The directory with that id; without one, that with the fewest logs, the first of equals.
LogDirectories::Inner::Place* LogDirectories::Inner::choose_place(Uuid directory_id) const {
  if (directory_id != directory_unassigned && directory_id != directory_lost && directory_id != directory_migrating) {
    for (const auto& place : places) {
      if (place->live() && place->directory->id() == directory_id) return place.get();
    }
    return nullptr;
  }
  Place* best = nullptr;
  for (const auto& place : places) {
    if (place->live() && (!best || place->logs_soon() < best->logs_soon())) best = place.get();
  }
  return best;
}

// Makes the directory with the topic id in it, on disk. False: there is one already.
runtime::Task<bool> LogDirectories::Inner::begin_directory(std::string path, Uuid topic_id) {
  auto beginning = runtime::blocking(*reactor, [this, path, topic_id]() -> runtime::FileRef {
    if (environment.disk.is_directory(path)) return nullptr;
    environment.disk.make_directories(path);
    return begin_partition_metadata(environment.disk, path, topic_id);
  });
  auto file = co_await std::move(beginning);
  if (file == nullptr) co_return false;
  auto syncing = new_files->sync(std::move(file));
  co_await std::move(syncing);
  co_return true;
}

runtime::Task<Result<LogRef>> LogDirectories::Inner::create(TopicPartition name, Uuid topic_id, Place& place) {
  auto opening = opening_of(place, name, partition_directory_name(name));
  // A new log has no past, whatever a checkpoint still says of a log of that name.
  opening.clean = true;
  opening.recovery_point = opening.log_start = Offset(0);
  opening.high_watermark.reset();
  try {
    if (!topic_id.is_zero()) {
      opening.topic_id = topic_id;
      auto beginning = begin_directory(place.directory->file(opening.directory_name), topic_id);
      opening.begun = co_await std::move(beginning);
    }
    auto opened = runtime::blocking(*reactor, [&place, opening = std::move(opening)] {
      LogDirectory& directory = *place.directory;
      if (opening.begun) {
        finish_partition_metadata(directory.environment().disk, directory.file(opening.directory_name));
      }
      return Log::open(directory, opening);
    });
    auto made = co_await std::move(opened);
    put(made);
    log.info("Created log for partition {} in {} with properties {{}}", name.to_string(), made->path());
    co_return made;
  } catch (const runtime::DiskError& error) {
    co_return std::unexpected(
        place.directory->failed(fmt::format("Error while creating log for {} in dir {}", partition_directory_name(name),
                                            place.directory->path()),
                                error));
  } catch (const std::runtime_error& error) {
    co_return fail(ErrorCode::inconsistent_topic_id, error.what());
  }
}

runtime::Task<Result<LogRef>> LogDirectories::get_or_create(Reactor& reactor, TopicPartition name, Uuid topic_id,
                                                            Uuid directory_id, bool is_new) {
  Inner& inner = *inner_;
  if (auto found = find(name); found && (topic_id.is_zero() || found->topic_id() == topic_id)) co_return found;
  auto there = runtime::move_to(*inner.reactor);
  co_await std::move(there);
  while (inner.changing.contains(name)) {
    auto waiting = inner.changes.wait(*inner.reactor, inner.changes.value() + 1, runtime::never);
    co_await std::move(waiting);
  }
  Result<LogRef> result;
  if (auto found = find(name)) {
    result = found;
    if (!topic_id.is_zero()) {
      auto assigned = runtime::blocking(*inner.reactor, [found, topic_id] { return found->assign_topic_id(topic_id); });
      if (auto ok = co_await std::move(assigned); !ok) result = std::unexpected(std::move(ok.error()));
    }
  } else if (is_loading(name)) {
    result = fail(ErrorCode::not_leader_or_follower);
  } else if (!is_new && !inner.offline_paths().empty()) {
    result = fail(ErrorCode::kafka_storage_error,
                  fmt::format("Can not create log for {} because log directories {} are offline", name.to_string(),
                              inner.offline_paths()));
  } else if (auto* const place = inner.choose_place(directory_id)) {
    inner.changing.insert(name);
    ++place->logs;
    auto creating = inner.create(name, topic_id, *place);
    result = co_await std::move(creating);
    if (!result && place->logs > 0) --place->logs;
    inner.changing.erase(name);
    inner.changes.advance(inner.changes.value() + 1);
  } else {
    result = fail(ErrorCode::kafka_storage_error, fmt::format("No log directories available. Tried {}", inner.paths()));
  }
  auto back = runtime::move_to(reactor);
  co_await std::move(back);
  co_return result;
}

void LogDirectories::Inner::doom(Place& place, std::string directory_name, TopicPartition name, runtime::MonoTime at) {
  doomed.push_back({at, &place, std::move(directory_name), std::move(name)});
  if (notice) notice->notify();
}

runtime::Task<Result<void>> LogDirectories::Inner::remove(TopicPartition name, bool stray) {
  for (const bool is_future : {false, true}) {
    LogRef removed;
    {
      const ShortLock::Guard guard(lock);
      auto& logs = is_future ? future : current;
      if (const auto found = logs.find(name); found != logs.end()) {
        removed = *found;
        logs.erase(found);
      }
    }
    if (!removed) continue;
    Place& place = place_of(removed->directory());
    if (place.logs > 0) --place.logs;  // none are counted any more where the directory failed
    auto closing = removed->close(*reactor, false);
    co_await std::move(closing);
    const auto id = Uuid{environment.random.next(), environment.random.next()};
    auto directory_name = partition_directory_name(name, stray ? DirectoryKind::stray : DirectoryKind::deleted, id);
    try {
      auto renaming = runtime::blocking(*reactor, [removed, directory_name, &place, this] {
        removed->rename_directory(directory_name);
        environment.disk.sync_directory(place.directory->path());
      });
      co_await std::move(renaming);
    } catch (const runtime::DiskError& error) {
      co_return std::unexpected(place.directory->failed(
          fmt::format("Error while renaming dir for {} in log dir {}", name.to_string(), place.directory->path()),
          error));
    }
    if (stray) {
      log.warn("Log for partition {} is marked as stray and renamed to {}", name.to_string(), removed->path());
    } else {
      log.info("Log for partition {} is renamed to {} and is scheduled for deletion", name.to_string(),
               removed->path());
      doom(place, std::move(directory_name), name, later(reactor->now(), removed->settings()->file_delete_delay_ms));
    }
    // A log of the same name that comes later must not find the numbers of this one.
    for (auto* offsets : {&place.recovery_points, &place.log_starts, &place.high_watermarks}) offsets->erase(name);
    auto writing = write_checkpoints(place, all_checkpoints | cleaner_forgets);
    co_await std::move(writing);
  }
  co_return Result<void>();
}

runtime::Task<Result<void>> LogDirectories::remove(Reactor& reactor, TopicPartition name, bool stray) {
  Inner& inner = *inner_;
  auto there = runtime::move_to(*inner.reactor);
  co_await std::move(there);
  while (inner.changing.contains(name)) {
    auto waiting = inner.changes.wait(*inner.reactor, inner.changes.value() + 1, runtime::never);
    co_await std::move(waiting);
  }
  Result<void> result;
  if (is_loading(name)) {
    result = fail(ErrorCode::not_leader_or_follower);
  } else if (find(name) || find(name, true)) {
    inner.changing.insert(name);
    auto removing = inner.remove(name, stray);
    result = co_await std::move(removing);
    inner.changing.erase(name);
    inner.changes.advance(inner.changes.value() + 1);
  } else if (!inner.offline_paths().empty()) {
    result = fail(ErrorCode::kafka_storage_error,
                  fmt::format("Failed to delete log for  {} because it may be in one of the offline directories {}",
                              name.to_string(), inner.offline_paths()));
  }
  auto back = runtime::move_to(reactor);
  co_await std::move(back);
  co_return result;
}

void LogDirectories::reconfigure(const std::string& topic, const LogSettingsRef& settings) {
  for (const auto& log : logs()) {
    if (log->name().topic == topic) log->reconfigure(settings);
  }
}

void LogDirectories::reconfigure(LogDirectoriesSettings settings) {
  settings.paths = inner_->settings.paths;
  inner_->settings = std::move(settings);
  inner_->wake();
}

// --- the end -------------------------------------------------------------------------------------------------------

runtime::Task<bool> LogDirectories::Inner::close_all(Place& place) {
  ClosingLogs closing{.logs = logs_in(place)};
  std::vector<LogRef> unsynced;
  std::ranges::copy_if(closing.logs, std::back_inserter(unsynced),
                       [](const LogRef& its) { return its->has_unsynced(); });
  auto asking = may_close_together(place, unsynced);
  closing.together = co_await std::move(asking);
  runtime::TaskGroup closers(*reactor);
  for (std::size_t i = 0; i < closers_max && i < closing.logs.size(); ++i) closers.start(close_some(closing));
  auto waiting = closers.wait();
  co_await std::move(waiting);
  if (!closing.together || !closing.all_closed) co_return closing.all_closed;
  auto syncing = sync_file_system(place);
  if (const bool synced = co_await std::move(syncing); !synced) co_return false;
  for (const auto& its : closing.logs) its->closed_on_disk();
  co_return true;
}

runtime::Task<bool> LogDirectories::Inner::may_close_together(Place& place, const std::vector<LogRef>& unsynced) {
  if (place.lock == nullptr || unsynced.empty()) co_return false;
  const bool enough =
      unsynced.size() >= closed_together_min || environment.scheduling.chance("storage: closed together");
  if (!enough) co_return false;
  std::vector<std::string> paths;
  for (const auto& its : unsynced) paths.push_back(its->path());
  auto asking = runtime::blocking(
      *reactor, [lock = place.lock, paths = std::move(paths)] { return lock->file_system_holds(paths); });
  co_return co_await std::move(asking);
}

runtime::Task<void> LogDirectories::Inner::close_some(ClosingLogs& closing) {
  while (closing.next < closing.logs.size()) {
    const auto its = closing.logs[closing.next++];
    auto one = closing.together ? its->close_unsynced(*reactor) : its->close(*reactor, true);
    if (const auto closed = co_await std::move(one); !closed) closing.all_closed = false;
  }
}

runtime::Task<bool> LogDirectories::Inner::sync_file_system(Place& place) {
  try {
    auto syncing = runtime::blocking(*reactor, [lock = place.lock] { lock->sync_file_system(); });
    co_await std::move(syncing);
    co_return true;
  } catch (const runtime::DiskError& error) {
    place.directory->failed(fmt::format("Error while closing the logs in dir {}", place.directory->path()), error);
  }
  co_return false;
}

runtime::Task<void> LogDirectories::Inner::stop_place(Place& place, std::int64_t broker_epoch) {
  auto closing = close_all(place);
  const bool closed = co_await std::move(closing);
  if (!closed || !place.live()) co_return;
  auto writing = write_checkpoints(place, all_checkpoints);
  co_await std::move(writing);
  if (!place.live() || (!place.was_clean && !place.all_loaded)) co_return;
  try {
    // Written last: who finds it trusts everything else.
    auto marking = runtime::blocking(*reactor, [&place, broker_epoch, this] {
      environment.disk.replace_file(place.directory->file(directory_file::clean_shutdown),
                                    as_bytes(text_of_clean_shutdown(broker_epoch)));
    });
    co_await std::move(marking);
  } catch (const runtime::DiskError& error) {
    log.warn("{}", error.what());
  }
}

runtime::Task<void> LogDirectories::stop(Reactor& reactor, std::int64_t broker_epoch) {
  Inner& inner = *inner_;
  inner.log.info("Shutting down.");
  if (inner.reactor != nullptr) {
    auto there = runtime::move_to(*inner.reactor);
    co_await std::move(there);
    for (const auto& place : inner.places) {
      if (!place->live()) continue;
      auto stopping = inner.stop_place(*place, broker_epoch);
      co_await std::move(stopping);
    }
    auto back = runtime::move_to(reactor);
    co_await std::move(back);
  }
  for (const auto& place : inner.places) place->lock.reset();
  inner.log.info("Shutdown complete.");
}

}  // namespace klamm::storage
