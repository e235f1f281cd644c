// Files of whole batches beside the metadata log: bootstrap.checkpoint, and snapshots <end offset>-<epoch>.checkpoint.
// Both begin with a SnapshotHeader and end with a SnapshotFooter; a snapshot also names kraft.version and voters when
// they are kept in records (kraft.version 1). docs/metadata.md shows the bytes. Source of the format:
// org.apache.kafka.snapshot.RecordsSnapshotWriter, Snapshots, BatchFileWriter.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "metadata/record.h"
#include "protocol/records/voters_record.h"
#include "records/control_record.h"
#include "records/record_batch_builder.h"
#include "records/record_batch_view.h"
#include "runtime/disk.h"

namespace klamm::hosting {

inline constexpr std::string_view bootstrap_checkpoint_name = "bootstrap.checkpoint";
inline constexpr std::string_view metadata_log_name = "__cluster_metadata-0";
// No batch of the metadata log is larger. Source: KafkaRaftClient.MAX_BATCH_SIZE_BYTES.
inline constexpr std::int32_t metadata_batch_bytes_max = 8 << 20;

// Up to which offset (exclusive) and epoch a snapshot reaches. 0-0 is made by formatting: what it holds was never
// written by a leader.
struct SnapshotId {
  Offset end{0};
  LeaderEpoch epoch{0};

  auto operator<=>(const SnapshotId&) const = default;
  bool is_bootstrap() const { return end.value == 0 && epoch.value == 0; }
};
// "00000000000000000129-0000000001.checkpoint"
std::string snapshot_name(SnapshotId id);

struct SnapshotFile {
  SnapshotId id;
  std::string name;
  bool leftover = false;  // ".checkpoint.part" or ".checkpoint.deleted": never finished, or on its way out
};
// Nothing when the name is none of a snapshot.
std::optional<SnapshotFile> parse_snapshot_name(std::string_view name);

// How the quorum is made up, as control records say it.
struct QuorumRecords {
  std::int16_t kraft_version = 0;
  std::optional<protocol::VotersRecord> voters;
  // Offset of the voters in the log; -1: they come from the 0-0 snapshot alone.
  Offset voters_at = no_offset;
};

// What a batch of these files and of the log holds; each function is called for what there is, in order.
struct BatchReader {
  std::function<void(Offset, metadata::Record)> record;
  std::function<void(Offset, records::ControlRecordType, Bytes)> control;

  // Throws std::runtime_error with what is wrong where: a checksum, a record that cannot be read. `path` is for the
  // text.
  void read(const records::RecordBatchView& batch, std::string_view path) const;
};
// Puts a KRAFT_VERSION or KRAFT_VOTERS record into `quorum`; others change nothing. Throws std::runtime_error when it
// cannot be read.
void note_control_record(Offset offset, records::ControlRecordType type, Bytes value, QuorumRecords& quorum);

// Walks the batches of [from, to) of a file, in windows: memory is bounded by the largest batch. Throws
// std::runtime_error at bytes that are no batch or at a batch that is cut off.
void each_batch(runtime::File& file, std::uint64_t from, std::uint64_t to,
                const std::function<void(const records::RecordBatchView&)>& use);

struct CheckpointContents {
  Timestamp last_contained_log_timestamp = no_timestamp;
  QuorumRecords quorum;
  bool complete = false;  // the footer is there
};
// Reads a whole checkpoint file. Throws as above, and when it does not begin with a header.
CheckpointContents read_checkpoint(runtime::Disk& disk, const std::string& path,
                                   const std::function<void(metadata::Record)>& use);

// The timestamp in its header alone.
Timestamp read_checkpoint_timestamp(runtime::Disk& disk, const std::string& path);

// Writes one: header, records, footer. What is at `path` before finish() is of no use.
class CheckpointWriter {
 public:
  struct Options {
    LeaderEpoch epoch{0};
    Timestamp last_contained_log_timestamp{0};
    Timestamp now;
    std::int16_t kraft_version = 0;
    std::optional<protocol::VotersRecord> voters;
  };

  CheckpointWriter(runtime::Disk& disk, const std::string& path, Options options);
  void add(const metadata::Record& record);
  // Writes the footer and syncs the file; its name is the caller's to sync.
  void finish();

 private:
  void write_batch();
  void begin_batch(bool control);

  Options options_;
  runtime::FileRef file_;
  std::uint64_t position_ = 0;
  records::RecordBatchBuilder builder_;
  Offset next_{0};
  ByteVector encoded_;
};

// The control records as they are written, version 0.
ByteVector voters_value(const protocol::VotersRecord& voters);
ByteVector kraft_version_value(std::int16_t kraft_version);

}  // namespace klamm::hosting
