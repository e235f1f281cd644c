#include "hosting/metadata_survey.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "metadata/delta.h"
#include "metadata/transaction_filter.h"
#include "storage/log_file_names.h"

namespace klamm::hosting {
namespace {

class Surveyor {
 public:
  Surveyor(runtime::Disk& disk, const std::string& directory)
      : disk_(disk), directory_(directory), log_(fmt::format("{}/{}", directory, metadata_log_name)) {}

  MetadataSurvey run() {
    if (disk_.exists(log_)) {
      list();
      read_snapshot();
      for (std::size_t n = 0; n < segments_.size(); n++) read_segment(segments_[n], n + 1 == segments_.size());
      survey_.quorum_state = read_quorum_state(disk_, log_);
    }
    survey_.image = delta_.finish({});
    if (!survey_.image->metadata_version()) use_bootstrap();
    return std::move(survey_);
  }

 private:
  struct Segment {
    Offset base{0};
    std::string name;
  };

  void list() {
    std::vector<SnapshotFile> snapshots;
    for (const runtime::DirectoryEntry& entry : disk_.list(log_)) {
      if (entry.is_directory) continue;
      if (auto snapshot = parse_snapshot_name(entry.name)) {
        if (!snapshot->leftover) snapshots.push_back(std::move(*snapshot));
      } else if (entry.name.ends_with(storage::suffix::log)) {
        if (const auto base = storage::offset_of_file_name(entry.name)) segments_.push_back({*base, entry.name});
      }
    }
    std::ranges::sort(segments_, {}, &Segment::base);
    const auto latest = std::ranges::max_element(snapshots, {}, &SnapshotFile::id);
    if (latest != snapshots.end()) survey_.snapshot = latest->id;
    const Offset start = segments_.empty() ? Offset(0) : segments_.front().base;
    if (start > Offset(0) && (!survey_.snapshot || survey_.snapshot->end < start)) {
      throw std::runtime_error(fmt::format("{} begins at offset {}, and no snapshot reaches it", log_, start));
    }
  }

  void read_snapshot() {
    if (!survey_.snapshot) return;
    const SnapshotId id = *survey_.snapshot;
    const std::string file = fmt::format("{}/{}", log_, snapshot_name(id));
    const auto contents = read_checkpoint(disk_, file, [&](metadata::Record record) {
      if (id.is_bootstrap()) {
        bootstrap_.push_back(std::move(record));
      } else {
        delta_.replay(record);
      }
    });
    if (!contents.complete) throw std::runtime_error(fmt::format("The snapshot {} does not end with a footer", file));
    survey_.quorum = contents.quorum;
    survey_.log_end = id.end;
  }

  void read_segment(const Segment& segment, bool is_last) {
    const std::string path = fmt::format("{}/{}", log_, segment.name);
    const Offset from = survey_.snapshot ? survey_.snapshot->end : Offset(0);
    const BatchReader reader{
        .record =
            [&](Offset offset, metadata::Record record) {
              if (offset < from) return;
              for (const auto& ready : transactions_.pass(offset, std::move(record))) delta_.replay(ready);
            },
        .control = [&](Offset offset, records::ControlRecordType type,
                       Bytes value) { note_control_record(offset, type, value, survey_.quorum); },
    };
    const auto file = disk_.open(path, runtime::OpenMode::read);
    bool inside = false;  // an error of a batch that is whole is no torn tail
    try {
      each_batch(*file, 0, file->size(), [&](const records::RecordBatchView& batch) {
        if (is_last && survey_.torn_tail) return;
        if (is_last && !batch.crc_matches()) {
          survey_.torn_tail =
              fmt::format("{}: the batch at offset {} does not have its checksum", path, batch.base_offset());
          return;
        }
        inside = true;
        reader.read(batch, path);
        inside = false;
        survey_.log_end = std::max(survey_.log_end, batch.next_offset());
      });
    } catch (const runtime::DiskError&) {
      throw;
    } catch (const std::runtime_error& error) {
      if (inside || !is_last) throw;
      if (!survey_.torn_tail) survey_.torn_tail = error.what();
    }
  }

  void use_bootstrap() {
    survey_.only_bootstrap = true;
    const std::string file = fmt::format("{}/{}", directory_, bootstrap_checkpoint_name);
    if (disk_.exists(file)) {
      bootstrap_.clear();
      read_checkpoint(disk_, file, [&](metadata::Record record) { bootstrap_.push_back(std::move(record)); });
    }
    metadata::Delta delta(survey_.image);
    for (const metadata::Record& record : bootstrap_) delta.replay(record);
    survey_.image = delta.finish({});
  }

  runtime::Disk& disk_;
  std::string directory_;
  std::string log_;
  MetadataSurvey survey_;
  metadata::Delta delta_{metadata::Image::empty()};
  metadata::TransactionFilter transactions_;
  metadata::Records bootstrap_;
  std::vector<Segment> segments_;
};

}  // namespace

MetadataSurvey survey_metadata(runtime::Disk& disk, const std::string& directory) {
  return Surveyor(disk, directory).run();
}

std::optional<std::string> MetadataSurvey::foreign_voters(std::int32_t node_id,
                                                          std::optional<Uuid> directory_id) const {
  std::vector<std::int32_t> ids;
  if (quorum.kraft_version >= 1) {
    if (!quorum.voters || quorum.voters->voters.empty()) {
      return "The metadata log knows no voters: the directory was formatted with --no-initial-controllers.";
    }
    for (const auto& voter : quorum.voters->voters) ids.push_back(voter.voter_id);
  } else if (quorum_state && quorum_state->data_version == 0) {
    ids = quorum_state->voters;
  }
  if (ids.empty()) return std::nullopt;
  if (ids != std::vector{node_id}) {
    return fmt::format(
        "The voters of the metadata quorum are the nodes {}, not this node ({}) alone. Clusters with more than one "
        "controller are not supported yet.",
        fmt::join(ids, ", "), node_id);
  }
  if (quorum.kraft_version >= 1 && directory_id && quorum.voters->voters.front().voter_directory_id != *directory_id) {
    return fmt::format("The voter of the metadata quorum has directory id {}, but this directory has {}.",
                       quorum.voters->voters.front().voter_directory_id.to_string(), directory_id->to_string());
  }
  return std::nullopt;
}

}  // namespace klamm::hosting
