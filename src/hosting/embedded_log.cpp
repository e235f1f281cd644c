#include "hosting/embedded_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/ensure.h"
#include "base/plant.h"
#include "hosting/metadata_damage.h"
#include "metadata/delta.h"
#include "metadata/features.h"
#include "metadata/transaction_filter.h"
#include "protocol/records/leader_change_message.h"
#include "protocol/writer.h"
#include "records/batch_walker.h"

namespace klamm::hosting {
namespace {

// Of a decision that need not be atomic. Source: QuorumController.DEFAULT_MAX_RECORDS_PER_BATCH.
constexpr std::int32_t batch_records_max = 10'000;
constexpr std::size_t read_bytes = 4u << 20;

std::string_view plural(std::size_t count) {
  return count == 1 ? "" : "s";
}

}  // namespace

// Hooked in once per turn in which records were taken.
struct EmbeddedLog::WriteAtTurnEnd final : runtime::TurnEnd {
  explicit WriteAtTurnEnd(EmbeddedLog& its) : log(its) {}
  void turn_ended() override {
    if (!log.writing_ && !log.pending_.empty()) log.tasks_.start(log.write_pending());
  }
  EmbeddedLog& log;
};

EmbeddedLog::EmbeddedLog(runtime::Environment& environment, runtime::Reactor& owner, storage::LogDirectory& directory,
                         EmbeddedLogSettings settings, Logger log)
    : environment_(environment),
      owner_(owner),
      directory_(directory),
      settings_(std::move(settings)),
      log_line_(std::move(log)),
      committed_(environment.scheduling, Offset(0)),
      election_(owner),
      at_turn_end_(std::make_unique<WriteAtTurnEnd>(*this)),
      written_(owner),
      tasks_(owner) {}

EmbeddedLog::~EmbeddedLog() = default;

std::string EmbeddedLog::path() const {
  return directory_.file(metadata_log_name);
}

// ---- loading --------------------------------------------------------------------------------------------------------

std::vector<SnapshotFile> EmbeddedLog::find_snapshots() {
  std::vector<SnapshotFile> found;
  for (const runtime::DirectoryEntry& entry : environment_.disk.list(path())) {
    if (auto snapshot = parse_snapshot_name(entry.name)) found.push_back(std::move(*snapshot));
  }
  std::ranges::sort(found, {}, &SnapshotFile::id);
  return found;
}

void EmbeddedLog::drop_needless_snapshots(std::vector<SnapshotFile>& found, Offset log_start) {
  const auto needless = [&](const SnapshotFile& file) { return file.leftover || file.id.end < log_start; };
  const auto latest =
      std::ranges::find_if(found.rbegin(), found.rend(), [&](const auto& file) { return !needless(file); });
  if (log_start > Offset(0) && latest == found.rend()) {
    throw MetadataLogError(
        fmt::format("Inconsistent snapshot state: there must be a snapshot at an offset larger than the current log "
                    "start offset {}, "
                    "but there is none in {}",
                    log_start, path()));
  }
  for (const SnapshotFile& file : found) {
    if (!needless(file)) continue;
    environment_.disk.remove_file(fmt::format("{}/{}", path(), file.name));
    log_line_.info("Deleted unneeded snapshot file {}", file.name);
  }
  std::erase_if(found, needless);
  for (const SnapshotFile& file : found) snapshots_.push_back(file.id);
}

void EmbeddedLog::load_snapshot(metadata::Delta& delta, LoadedMetadata& loaded) {
  if (snapshots_.empty()) return;
  const SnapshotId latest = snapshots_.back();
  const std::string file = fmt::format("{}/{}", path(), snapshot_name(latest));
  const auto contents = read_checkpoint(environment_.disk, file, [&](metadata::Record record) {
    // What formatting left there still has to be written by a leader.
    if (latest.is_bootstrap()) {
      loaded.bootstrap.push_back(std::move(record));
    } else {
      delta.replay(record);
    }
  });
  if (!contents.complete) throw MetadataLogError(fmt::format("The snapshot {} does not end with a footer", file));
  quorum_ = contents.quorum;
  loaded_provenance_ = {latest.end - 1, latest.epoch, contents.last_contained_log_timestamp};
}

void EmbeddedLog::load_bootstrap(LoadedMetadata& loaded) {
  const std::string file = directory_.file(bootstrap_checkpoint_name);
  if (environment_.disk.exists(file)) {
    loaded.bootstrap.clear();
    read_checkpoint(environment_.disk, file,
                    [&](metadata::Record record) { loaded.bootstrap.push_back(std::move(record)); });
    loaded.bootstrap_source = "the binary bootstrap metadata file: " + file;
  } else if (!loaded.bootstrap.empty()) {
    loaded.bootstrap_source = "bootstrap";
  } else {
    protocol::FeatureLevelRecord record;
    record.name = metadata::metadata_version_feature;
    record.feature_level = metadata::metadata_version_production.level();
    loaded.bootstrap.push_back({std::move(record), 0});
    loaded.bootstrap_source = "the default bootstrap";
  }
}

runtime::Task<void> EmbeddedLog::load_log(metadata::Delta& delta, LoadedMetadata& loaded) {
  metadata::TransactionFilter transactions;
  Offset from = std::max(log_->log_start(), snapshots_.empty() ? Offset(0) : snapshots_.back().end);
  const Offset end = log_->log_end();
  const std::string where = path();
  const BatchReader reader{
      .record =
          [&](Offset offset, metadata::Record record) {
            if (offset < from) return;
            for (const metadata::Record& ready : transactions.pass(offset, std::move(record))) delta.replay(ready);
          },
      .control = [&](Offset offset, records::ControlRecordType type,
                     Bytes value) { note_control_record(offset, type, value, quorum_); },
  };
  ByteVector window;
  while (from < end) {
    const auto read =
        co_await log_->read(owner_, storage::ReadRequest{from, read_bytes, true, storage::ReadIsolation::log_end});
    if (!read)
      throw MetadataLogError(fmt::format("Cannot read {} at offset {}: {}", where, from, read.error().message));
    window.resize(read->bytes());
    if (!window.empty()) window.resize(read->data.file->read_at(read->data.offset, window));
    const Offset before = from;
    records::BatchWalker walker(window);
    Offset next = from;
    while (walker.next() == records::BatchWalker::Step::entry) {
      if (!walker.entry().is_batch()) throw MetadataLogError(fmt::format("{} holds a message of an old format", where));
      const records::RecordBatchView batch = walker.entry().batch();
      reader.read(batch, where);
      next = batch.next_offset();
      bytes_since_snapshot_ += batch.size_bytes();
      loaded_provenance_ = {batch.last_offset(), batch.partition_leader_epoch(),
                            batch.is_control() ? loaded_provenance_.last_append : batch.max_timestamp()};
    }
    from = next;
    if (from == before) throw MetadataLogError(fmt::format("{} cannot be read beyond offset {}", where, from));
  }
  loaded.open_transaction = transactions.open_since();
}

void EmbeddedLog::check_voters() const {
  const auto foreign = [&](const std::string& who) {
    return MetadataLogError(fmt::format(
        "The metadata quorum of {} is made up of {}, not of this node ({}) alone. Clusters with more than one "
        "controller are not supported yet.",
        path(), who, settings_.node_id));
  };
  if (quorum_.kraft_version >= 1) {
    if (!quorum_.voters || quorum_.voters->voters.empty()) {
      throw MetadataLogError(
          fmt::format("{} knows no voters: the directory was formatted with --no-initial-controllers. "
                      "Format it with --standalone.",
                      path()));
    }
    const auto& voters = quorum_.voters->voters;
    if (voters.size() != 1 || voters.front().voter_id != settings_.node_id) {
      std::vector<std::int32_t> ids;
      for (const auto& voter : voters) ids.push_back(voter.voter_id);
      throw foreign(fmt::format("node{} {}", plural(ids.size()), fmt::join(ids, ", ")));
    }
    if (voters.front().voter_directory_id != settings_.directory_id) {
      throw MetadataLogError(fmt::format("The voter of {} has directory id {}, but this directory has {}.", path(),
                                         voters.front().voter_directory_id.to_string(),
                                         settings_.directory_id.to_string()));
    }
  } else if (quorum_state_) {
    const std::vector<std::int32_t>& voters = quorum_state_->voters;
    if (quorum_state_->data_version == 0 && !voters.empty() && voters != std::vector{settings_.node_id}) {
      throw foreign(fmt::format("node{} {}", plural(voters.size()), fmt::join(voters, ", ")));
    }
  }
}

runtime::Task<LoadedMetadata> EmbeddedLog::load() {
  auto settings = std::make_shared<storage::LogSettings>();
  settings->segment_bytes = settings_.segment_bytes;
  settings->segment_ms = settings_.segment_ms;
  settings->max_message_bytes = metadata_batch_bytes_max;
  // Snapshots decide what may go.
  settings->retention_bytes = -1;
  settings->retention_ms = std::chrono::milliseconds(-1);
  storage::LogOpening opening{.name = {"__cluster_metadata", PartitionIndex(0)},
                              .directory_name = std::string(metadata_log_name),
                              .settings = std::move(settings),
                              .topic_id = metadata_topic_id,
                              .clean = false};
  auto open = runtime::blocking(owner_, [&, opening = std::move(opening)]() mutable {
    refuse_damaged_metadata(environment_.disk, path());
    return storage::Log::open(directory_, std::move(opening));
  });
  log_ = co_await std::move(open);

  auto found = find_snapshots();
  drop_needless_snapshots(found, log_->log_start());
  if (!snapshots_.empty()) {
    // A snapshot from elsewhere that the log has not reached: it is the truth.
    const SnapshotId latest = snapshots_.back();
    const LeaderEpoch log_epoch = log_->latest_epoch().value_or(LeaderEpoch(0));
    if (latest.epoch > log_epoch || (latest.epoch == log_epoch && latest.end > log_->log_end())) {
      if (auto done = co_await log_->truncate_fully_and_start_at(owner_, latest.end); !done) {
        throw MetadataLogError(done.error().message);
      }
    }
  }
  quorum_state_ = read_quorum_state(environment_.disk, path());

  LoadedMetadata loaded;
  auto delta = std::make_shared<metadata::Delta>(metadata::Image::empty());
  load_snapshot(*delta, loaded);
  co_await load_log(*delta, loaded);
  check_voters();
  if (!delta->finish(loaded_provenance_)->metadata_version()) load_bootstrap(loaded);
  loaded.contents = std::move(delta);
  next_offset_ = log_->log_end();
  log_line_.info("Loaded the metadata log up to offset {}, {} snapshot{} in {}", next_offset_, snapshots_.size(),
                 plural(snapshots_.size()), path());
  co_return loaded;
}

// ---- leading --------------------------------------------------------------------------------------------------------

// A dynamic quorum's voters stand in the log itself once a leader wrote them there, with the addresses of today.
std::optional<protocol::VotersRecord> EmbeddedLog::voters_to_write() const {
  if (quorum_.kraft_version < 1) return std::nullopt;
  protocol::VotersRecord voters = *quorum_.voters;
  auto& self = voters.voters.front();
  if (settings_.controller_endpoint) self.endpoints = {*settings_.controller_endpoint};
  const auto* supported = metadata::find_feature(metadata::kraft_version_feature);
  self.kraft_version_feature.min_supported_version = supported->min_level();
  self.kraft_version_feature.max_supported_version = supported->max_level();
  if (quorum_.voters_at != no_offset && voters == *quorum_.voters) return std::nullopt;
  return voters;
}

ByteVector EmbeddedLog::leader_change_batch(const std::optional<protocol::VotersRecord>& voters) {
  const Timestamp now = environment_.clock.wall();
  builder_.reset({.base_offset = next_offset_, .control = true, .partition_leader_epoch = epoch_});
  const auto add = [&](records::ControlRecordType type, const ByteVector& value) {
    const ByteVector key = records::control_record_key(type);
    builder_.append({.timestamp = now, .key = Bytes(key), .value = Bytes(value)});
  };
  protocol::LeaderChangeMessage change;
  change.leader_id = settings_.node_id;
  change.voters.emplace_back().voter_id = settings_.node_id;
  change.granting_voters.emplace_back().voter_id = settings_.node_id;
  ByteVector value;
  protocol::Writer writer(value);
  change.encode(writer, 0);
  ENSURE(writer.ok(), writer.error());
  add(records::ControlRecordType::leader_change, value);
  if (voters) {
    add(records::ControlRecordType::kraft_version, kraft_version_value(quorum_.kraft_version));
    add(records::ControlRecordType::kraft_voters, voters_value(*voters));
  }
  return builder_.take();
}

void EmbeddedLog::lead(CommitListener on_commit, FailureListener on_failure) {
  on_commit_ = std::move(on_commit);
  on_failure_ = std::move(on_failure);
  LeaderEpoch last = log_->latest_epoch().value_or(LeaderEpoch(0));
  if (quorum_state_) last = std::max(last, quorum_state_->leader_epoch);
  if (!snapshots_.empty()) last = std::max(last, snapshots_.back().epoch);
  if (last.value == std::numeric_limits<std::int32_t>::max()) {
    throw MetadataLogError(fmt::format("{} has used up all leader epochs", path()));
  }
  epoch_ = LeaderEpoch(last.value + 1);
  last_snapshot_ = owner_.now();

  // Nobody else votes, so these files and the log may reach the disk in any order: the largest epoch found counts. They
  // are written side by side, and nothing is committed before all are there.
  election_parts_left_ = 2;
  tasks_.start(write_epoch());
  tasks_.start(write_election());
  const auto voters = voters_to_write();
  const ByteVector batch = leader_change_batch(voters);
  append_bytes(pending_, batch);
  const records::BatchHeader header(batch.data());
  if (voters) {
    quorum_.voters = voters;
    quorum_.voters_at = header.last_offset();
  }
  next_offset_ = header.next_offset();
  log_line_.info("Leading the metadata log in epoch {} from offset {}", epoch_, next_offset_);
  owner_.at_turn_end(*at_turn_end_);
}

runtime::Task<void> EmbeddedLog::write_election() {
  QuorumState state;
  state.leader_id = settings_.node_id;
  state.leader_epoch = epoch_;
  state.data_version = quorum_.kraft_version >= 1 ? 1 : 0;
  if (state.data_version == 0) state.voters = {settings_.node_id};
  auto write = runtime::blocking(
      owner_, [&disk = environment_.disk, where = path(), state] { write_quorum_state(disk, where, state); });
  try {
    co_await std::move(write);
  } catch (const runtime::DiskError& error) {
    failed(error.what());
  }
  election_written();
}

// The log is this epoch's from the first step on; then its start is written down.
runtime::Task<void> EmbeddedLog::write_epoch() {
  const auto done = co_await log_->set_writer_epoch(owner_, epoch_, true);
  if (!done) failed(done.error().message);
  election_written();
}

void EmbeddedLog::election_written() {
  if (--election_parts_left_ == 0) election_.notify();
}

Result<Offset> EmbeddedLog::append(std::span<const metadata::Record> records, bool atomic) {
  if (failure_) return fail(ErrorCode::kafka_storage_error, *failure_);
  const std::size_t taken_before = pending_.size();
  const Timestamp now = environment_.clock.wall();
  Offset next = next_offset_;
  const auto finish_batch = [&] {
    next = builder_.next_offset();
    append_bytes(pending_, builder_.finish());
  };
  builder_.reset({.base_offset = next, .partition_leader_epoch = epoch_});
  ByteVector encoded;
  for (const metadata::Record& record : records) {
    encoded.clear();
    metadata::encode(record, encoded);
    const records::RecordFields fields{.timestamp = now, .value = Bytes(encoded)};
    const bool full = builder_.plain_bytes_after(fields) > static_cast<std::size_t>(metadata_batch_bytes_max);
    if (full && (atomic || builder_.empty())) {
      pending_.resize(taken_before);
      return fail(ErrorCode::record_list_too_large,
                  "The total record(s) size of the decision is more than one batch can hold.");
    }
    if (full || (!atomic && builder_.record_count() >= batch_records_max)) {
      finish_batch();
      builder_.reset({.base_offset = next, .partition_leader_epoch = epoch_});
    }
    builder_.append(fields);
  }
  finish_batch();
  next_offset_ = next;
  owner_.at_turn_end(*at_turn_end_);
  return next_offset_;
}

runtime::Task<void> EmbeddedLog::write_pending() {
  writing_ = true;
  while (!pending_.empty() && !failure_) {
    ByteVector batches = std::exchange(pending_, {});
    const Offset end = next_offset_;
    const storage::LeaderAppend how{epoch_, environment_.clock.wall(), records::AppendOrigin::coordinator};
    const auto appended = co_await log_->append_as_leader(owner_, MutableBytes(batches), how);
    if (!appended) {
      failed(appended.error().message);
      break;
    }
    ENSURE(appended->last_offset + 1 == end, "the metadata log gave other offsets than those decided with");
    // With the first of them, what was read at the start: it may have been in memory only.
    const Offset to_sync = planted(Plant::unsynced_metadata) ? Offset(0) : end;
    if (const auto synced = co_await log_->synced(owner_, to_sync); !synced) {
      failed(synced.error().message);
      break;
    }
    while (election_parts_left_ > 0) co_await election_.wait();
    if (failure_) break;
    bytes_since_snapshot_ += static_cast<std::int64_t>(batches.size());
    log_->advance_high_watermark(end);
    if (on_commit_) on_commit_(end);
    committed_.advance(end);
    // What an earlier run left, once it is certain that this one goes on.
    if (!std::exchange(led_, true)) tasks_.start(clean_up());
  }
  writing_ = false;
  written_.notify();
}

void EmbeddedLog::failed(const std::string& what) {
  if (failure_) return;
  failure_ = what;
  log_line_.error("The metadata log failed: {}", what);
  committed_.close();
  if (on_failure_) on_failure_(what);
}

// ---- snapshots ------------------------------------------------------------------------------------------------------

void EmbeddedLog::consider_snapshot(const metadata::ImageRef& image) {
  if (snapshotting_ || failure_ || tasks_.stopping()) return;
  const bool much = bytes_since_snapshot_ >= settings_.snapshot_bytes;
  const bool long_ago = settings_.snapshot_interval.count() > 0 &&
                        owner_.now() - last_snapshot_ >= runtime::Duration(settings_.snapshot_interval);
  if (!much && !long_ago) return;
  log_line_.info(
      "Creating new KRaft snapshot file {} because {}.",
      snapshot_name({image->provenance().offset + 1, image->provenance().epoch}),
      much ? fmt::format("we have replayed at least {} bytes", settings_.snapshot_bytes)
           : fmt::format("we have waited at least {} minute(s)",
                         std::chrono::duration_cast<std::chrono::minutes>(settings_.snapshot_interval).count()));
  tasks_.start(write_snapshot(image));
}

runtime::Task<void> EmbeddedLog::write_snapshot(metadata::ImageRef image) {
  const SnapshotId id{image->provenance().offset + 1, image->provenance().epoch};
  bytes_since_snapshot_ = 0;
  last_snapshot_ = owner_.now();
  if (std::ranges::find(snapshots_, id) != snapshots_.end()) co_return;
  snapshotting_ = true;
  const CheckpointWriter::Options options{.epoch = id.epoch,
                                          .last_contained_log_timestamp = image->provenance().last_append,
                                          .now = environment_.clock.wall(),
                                          .kraft_version = quorum_.kraft_version,
                                          .voters = quorum_.voters};
  auto write =
      runtime::blocking(owner_, [&disk = environment_.disk, image, options, where = path(), name = snapshot_name(id)] {
        const std::string part = fmt::format("{}/{}.part", where, name);
        CheckpointWriter writer(disk, part, options);
        image->each_record([&](metadata::Record record) { writer.add(record); });
        writer.finish();
        disk.rename(part, fmt::format("{}/{}", where, name));
        disk.sync_directory(where);
      });
  try {
    co_await std::move(write);
  } catch (const runtime::DiskError& error) {
    // The log itself is whole; the next one may succeed.
    log_line_.error("Could not write the snapshot {}: {}", snapshot_name(id), error.what());
    snapshotting_ = false;
    co_return;
  }
  snapshots_.push_back(id);
  co_await clean_up();
  snapshotting_ = false;
}

runtime::Task<void> EmbeddedLog::clean_up() {
  if (cleaning_up_) co_return;
  cleaning_up_ = true;
  try {
    while (snapshots_.size() >= 2 && !failure_ && co_await has_too_much())
      co_await drop_snapshots_before(snapshots_[1]);
  } catch (const runtime::DiskError& error) {
    // Nothing rests on it; the next snapshot tries again.
    log_line_.error("Could not remove old snapshots: {}", error.what());
  }
  cleaning_up_ = false;
}

// The oldest snapshots go while all files together are too large, or while they are too old; the last one stays.
runtime::Task<bool> EmbeddedLog::has_too_much() {
  struct Sizes {
    std::uint64_t snapshots = 0;
    Timestamp oldest_timestamp = no_timestamp;
  };
  auto measure = runtime::blocking(owner_, [&disk = environment_.disk, where = path(), all = snapshots_] {
    Sizes sizes;
    for (const SnapshotId id : all) sizes.snapshots += disk.file_size(fmt::format("{}/{}", where, snapshot_name(id)));
    sizes.oldest_timestamp = read_checkpoint_timestamp(disk, fmt::format("{}/{}", where, snapshot_name(all.front())));
    return sizes;
  });
  const Sizes sizes = co_await std::move(measure);
  const bool too_large = settings_.retention_bytes >= 0 &&
                         log_->size_bytes() + sizes.snapshots > static_cast<std::uint64_t>(settings_.retention_bytes);
  const bool too_old = settings_.retention_ms.count() >= 0 &&
                       environment_.clock.wall() - sizes.oldest_timestamp > settings_.retention_ms.count();
  co_return too_large || too_old;
}

runtime::Task<void> EmbeddedLog::drop_snapshots_before(SnapshotId kept) {
  const auto advanced = co_await log_->advance_log_start(owner_, kept.end, storage::LogStartReason::snapshot_generated);
  if (!advanced) {
    failed(advanced.error().message);
    co_return;
  }
  co_await log_->delete_old_segments(owner_);
  std::vector<SnapshotId> gone;
  std::erase_if(snapshots_, [&](SnapshotId id) {
    if (id < kept) gone.push_back(id);
    return id < kept;
  });
  auto remove = runtime::blocking(owner_, [&disk = environment_.disk, where = path(), gone] {
    for (const SnapshotId id : gone) disk.remove_file(fmt::format("{}/{}", where, snapshot_name(id)));
  });
  co_await std::move(remove);
  for (const SnapshotId id : gone) log_line_.info("Deleted snapshot files for snapshot {}.", snapshot_name(id));
}

runtime::Task<void> EmbeddedLog::stop(bool clean) {
  while ((writing_ || !pending_.empty()) && !failure_) co_await written_.wait();
  co_await tasks_.stop();
  if (log_) {
    // A flush that opening began must not outlive the loop.
    if (!clean) co_await log_->flush_all(owner_);
    const auto closed = co_await log_->close(owner_, clean);
    if (!closed) log_line_.error("Could not close the metadata log: {}", closed.error().message);
  }
  committed_.close();
}

}  // namespace klamm::hosting
