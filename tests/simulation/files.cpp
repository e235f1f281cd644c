#include "files.h"

#include <algorithm>
#include <set>

#include "records/batch_walker.h"
#include "records/record_reader.h"
#include "storage/checkpoint_file.h"
#include "storage/leader_epochs.h"
#include "storage/log_file_names.h"
#include "storage/producer_snapshot.h"

namespace klamm::simulation {
namespace {

struct Producer {
  ProducerEpoch epoch = no_producer_epoch;
  std::int32_t last_sequence = -1;
  Offset last_offset = no_offset;
};

class Checker {
 public:
  Checker(const runtime::simulation::SimulatedDisk& disk, History& history) : disk_(disk), history_(history) {
    for (const std::string& path : disk_.files()) paths_.insert(path);
  }

  void check() {
    std::map<std::string, std::vector<Offset>> partitions;  // directory -> bases
    for (const std::string& path : paths_) {
      if (!path.ends_with(storage::suffix::log)) continue;
      const auto slash = path.rfind('/');
      const std::string directory = path.substr(0, slash);
      const auto kind = storage::parse_partition_directory(directory.substr(directory.rfind('/') + 1), directory);
      if (!kind || kind->kind != storage::DirectoryKind::current) continue;
      if (const auto base = storage::offset_of_file_name(path.substr(slash + 1)))
        partitions[directory].push_back(*base);
    }
    for (auto& [directory, bases] : partitions) {
      std::ranges::sort(bases);
      check_partition(directory, bases);
    }
    for (const std::string& path : paths_) {
      if (path.ends_with("-offset-checkpoint")) check_checkpoint(path);
    }
  }

 private:
  template <typename... Args>
  void fail(fmt::format_string<Args...> text, Args&&... args) {
    history_.fail(fmt::format(text, std::forward<Args>(args)...));
  }

  void check_partition(const std::string& directory, const std::vector<Offset>& bases) {
    Offset next = bases.front();
    LeaderEpoch epoch = no_leader_epoch;
    std::map<ProducerId, Producer> producers;
    for (const Offset base : bases) {
      const std::string path = directory + "/" + storage::segment_file_name(base, "");
      if (base != next) fail("F1: {} begins at {}, the one before ends at {}", path, base, next);
      const ByteVector content = disk_.content(path + std::string(storage::suffix::log));
      std::map<std::uint64_t, std::int64_t> batches;                          // position -> last offset
      std::vector<std::pair<std::int64_t, std::int64_t>> largest_timestamps;  // last offset, largest timestamp up to it
      std::int64_t largest = -1;
      records::BatchWalker walker{Bytes(content)};
      auto step = walker.next();
      for (; step == records::BatchWalker::Step::entry; step = walker.next()) {
        const records::EntryView& entry = walker.entry();
        if (!entry.check()) {
          fail("F1: {}: bad checksum at {}", path, walker.position());
          return;
        }
        const records::RecordBatchView batch = entry.batch();
        if (batch.base_offset() != next)
          fail("F1: {}: batch {} follows offset {}", path, batch.base_offset(), next - 1);
        if (batch.partition_leader_epoch() < epoch) fail("F1: {}: epoch goes back at {}", path, batch.base_offset());
        epoch = batch.partition_leader_epoch();
        next = batch.next_offset();
        batches[walker.position()] = batch.last_offset().value;
        largest = std::max(largest, batch.max_timestamp().value);
        largest_timestamps.emplace_back(batch.last_offset().value, largest);
        if (batch.has_producer_id() && batch.is_control()) {
          // The end of a transaction: it brings no batch, and with another epoch those before it do not count.
          Producer& producer = producers[batch.producer_id()];
          if (producer.epoch != batch.producer_epoch()) producer = {batch.producer_epoch(), -1, no_offset};
        } else if (batch.has_producer_id()) {
          producers[batch.producer_id()] = {batch.producer_epoch(), batch.last_sequence(), batch.last_offset()};
          check_owner(batch, path);
        }
      }
      if (step != records::BatchWalker::Step::end)
        fail("F1: {}: no whole batch at {} of {}", path, walker.position(), content.size());
      check_index(path, base, batches);
      check_time_index(path, base, largest_timestamps);
    }
    ends_[directory] = next;
    check_snapshot(directory, next, producers);
    check_epochs(directory, next);
  }

  void check_owner(const records::RecordBatchView& batch, const std::string& path) {
    if (path.find("/__") != std::string::npos) return;  // values of a coordinator
    records::RecordReader reader(batch, decompressor_);
    while (reader.next()) {
      if (!reader.record().has_value()) continue;
      // "topic-0:producer.number ..."
      const std::string_view value = as_text(reader.record().value());
      const auto colon = value.find(':');
      const auto dot = value.find('.', colon == std::string_view::npos ? 0 : colon);
      if (colon == std::string_view::npos || dot == std::string_view::npos) continue;
      const std::string owner(value.substr(colon + 1, dot - colon - 1));
      const auto [found, first] = owners_.try_emplace(batch.producer_id(), owner);
      if (!first && found->second != owner) {
        fail("F6: producer id {} is that of producers {} and {} ({})", batch.producer_id(), found->second, owner, path);
      }
      return;
    }
  }

  void check_index(const std::string& path, Offset base, const std::map<std::uint64_t, std::int64_t>& batches) {
    const std::string name = path + std::string(storage::suffix::index);
    if (!paths_.contains(name) || history_.is_damaged(name)) return;
    const ByteVector content = disk_.content(name);
    if (content.size() % 8 != 0) fail("F2: {} has {} bytes", name, content.size());
    std::int64_t before = -1;
    for (std::size_t at = 0; at + 8 <= content.size(); at += 8) {
      const std::int64_t offset = base.value + load_big<std::int32_t>(content.data() + at);
      const auto position = load_big<std::uint32_t>(content.data() + at + 4);
      const auto batch = batches.find(position);
      if (batch == batches.end() || batch->second != offset) {
        fail("F2: {}: entry {} says that {} lies at {}", name, at / 8, offset, position);
        return;
      }
      if (offset <= before) fail("F2: {}: entry {} does not grow", name, at / 8);
      before = offset;
    }
  }

  void check_time_index(const std::string& path, Offset base,
                        const std::vector<std::pair<std::int64_t, std::int64_t>>& largest) {
    const std::string name = path + std::string(storage::suffix::time_index);
    if (!paths_.contains(name) || history_.is_damaged(name)) return;
    const ByteVector content = disk_.content(name);
    if (content.size() % 12 != 0) fail("F3: {} has {} bytes", name, content.size());
    std::int64_t before = -1;
    for (std::size_t at = 0; at + 12 <= content.size(); at += 12) {
      const auto timestamp = load_big<std::int64_t>(content.data() + at);
      const std::int64_t offset = base.value + load_big<std::int32_t>(content.data() + at + 8);
      const auto found = std::ranges::lower_bound(largest, offset, {}, &std::pair<std::int64_t, std::int64_t>::first);
      if (found == largest.end() || found->second != timestamp) {
        fail("F3: {}: entry {} says that {} is the largest timestamp up to {}", name, at / 12, timestamp, offset);
        return;
      }
      if (timestamp < before) fail("F3: {}: entry {} does not grow", name, at / 12);
      before = timestamp;
    }
  }

  void check_checkpoint(const std::string& path) {
    const ByteVector content = disk_.content(path);
    if (content.empty()) return;
    const auto offsets = storage::parse_offset_checkpoint(as_text(Bytes(content)), path);
    if (!offsets) {
      fail("F4: {}: {}", path, offsets.error().message);
      return;
    }
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    for (const auto& [partition, offset] : *offsets) {
      const auto end = ends_.find(directory + storage::partition_directory_name(partition));
      if (end == ends_.end()) continue;  // deleted, or in another directory
      const bool recovery = path.ends_with("recovery-point-offset-checkpoint");
      if (offset > end->second || offset < Offset(0))
        fail("F4: {}: {} of {}, whose end is {}", path, offset, end->first, end->second);
      if (recovery && offset != end->second)
        fail("F4: {}: {} of {}, which was stopped in order at {}", path, offset, end->first, end->second);
    }
  }

  void check_epochs(const std::string& directory, Offset end) {
    const std::string path = directory + "/" + std::string(storage::leader_epoch_checkpoint_name);
    if (!paths_.contains(path)) return;
    const ByteVector content = disk_.content(path);
    const auto lines = storage::parse_checkpoint_lines(as_text(Bytes(content)), path);
    if (!lines) {
      fail("F4: {}: {}", path, lines.error().message);
      return;
    }
    std::int64_t epoch_before = -1;
    std::int64_t start_before = -1;
    for (const std::string_view line : *lines) {
      const auto fields = storage::split_fields(line);
      const auto epoch = storage::parse_number<std::int64_t>(fields.at(0));
      const auto start = storage::parse_number<std::int64_t>(fields.at(1));
      if (!epoch || !start || *epoch <= epoch_before || *start < start_before || *start > end.value) {
        fail("F4: {}: '{}', with the log's end at {}", path, line, end);
        return;
      }
      epoch_before = *epoch;
      start_before = *start;
    }
  }

  void check_snapshot(const std::string& directory, Offset end, const std::map<ProducerId, Producer>& producers) {
    if (directory.ends_with("__cluster_metadata-0")) return;
    const std::string path = directory + "/" + storage::segment_file_name(end, storage::suffix::snapshot);
    // Below the start of a log nobody counts, though files may still hold it.
    const std::string name = directory.substr(directory.rfind('/') + 1);
    const bool shrinks = history_.shrinks({name.substr(0, name.rfind('-')), 0});
    if (!paths_.contains(path)) {
      if (!producers.empty() && !shrinks) fail("F5: {} is missing", path);
      return;
    }
    const ByteVector content = disk_.content(path);
    const auto entries = storage::decode_producer_snapshot(content);
    if (!entries) {
      fail("F5: {}: {}", path, entries.error().message);
      return;
    }
    std::set<ProducerId> seen;
    for (const storage::ProducerEntry& entry : *entries) {
      seen.insert(entry.id);
      const auto found = producers.find(entry.id);
      // Whose records were deleted is remembered all the same.
      if (found == producers.end() && shrinks) continue;
      if (found == producers.end() || found->second.epoch != entry.epoch ||
          found->second.last_sequence != entry.last_sequence() || found->second.last_offset != entry.last_offset()) {
        fail("F5: {}: producer {} is not what the log says", path, entry.id);
      }
    }
    for (const auto& [id, producer] : producers) {
      if (!seen.contains(id) && !shrinks) fail("F5: {}: producer {} is missing", path, id);
    }
  }

  const runtime::simulation::SimulatedDisk& disk_;
  History& history_;
  std::set<std::string> paths_;
  records::Decompressor decompressor_;
  std::map<std::string, Offset> ends_;
  std::map<ProducerId, std::string> owners_;
};

}  // namespace

void check_files(const runtime::simulation::SimulatedDisk& disk, History& history) {
  Checker(disk, history).check();
}

}  // namespace klamm::simulation
