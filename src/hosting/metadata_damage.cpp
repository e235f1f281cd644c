#include "hosting/metadata_damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "hosting/embedded_log.h"
#include "records/record_batch_view.h"
#include "storage/log_file_names.h"

namespace klamm::hosting {
namespace {

constexpr std::uint64_t sector_bytes = 512;
constexpr std::size_t window_bytes = 16u << 20;  // holds any batch of metadata
constexpr int tries_max = 1000;                  // checksums of what looks like a batch

std::optional<records::RecordBatchView> whole_batch(Bytes bytes, Offset expected) {
  const auto batch = records::RecordBatchView::parse(bytes);
  if (!batch || batch->base_offset() < expected || !batch->crc_matches()) return std::nullopt;
  return *batch;
}

// One segment, read from the front.
class Segment {
 public:
  Segment(runtime::Disk& disk, const std::string& path, Offset base)
      : file_(disk.open(path, runtime::OpenMode::read)), size_(disk.file_size(path)), expected_(base) {}

  std::uint64_t position() const { return position_; }
  Offset expected() const { return expected_; }

  // Goes to the first bytes that are no whole batch. False when there are none.
  bool find_bad() {
    while (position_ < size_) {
      load();
      std::size_t at = 0;
      while (at < window_.size()) {
        const auto batch = whole_batch(Bytes(window_).subspan(at), expected_);
        if (!batch) break;
        expected_ = batch->next_offset();
        at += static_cast<std::size_t>(batch->size_bytes());
      }
      position_ += at;
      if (at == 0) return true;
    }
    return false;
  }

  // How many bytes after position() the next whole batch begins.
  std::optional<std::size_t> next_whole() {
    load();
    int tries = 0;
    for (std::size_t at = 1; at + records::batch_field::records <= window_.size() && tries < tries_max; ++at) {
      if (window_[at + records::batch_field::magic] != std::byte{2}) continue;
      const Bytes here = Bytes(window_).subspan(at);
      if (const auto batch = records::RecordBatchView::parse(here); !batch || batch->base_offset() < expected_)
        continue;
      ++tries;
      if (whole_batch(here, expected_)) return at;
    }
    return std::nullopt;
  }

  // Of the first `bytes` after position(): whether a piece of them that lies in one sector is all zeros.
  bool lacks_a_sector(std::size_t bytes) const {
    for (std::size_t from = 0; from < bytes;) {
      const std::size_t in_sector = sector_bytes - (position_ + from) % sector_bytes;
      const Bytes piece = Bytes(window_).subspan(from, std::min(bytes - from, in_sector));
      if (std::ranges::all_of(piece, [](std::byte b) { return b == std::byte{0}; })) return true;
      from += piece.size();
    }
    return false;
  }

 private:
  void load() {
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(window_bytes, size_ - position_)));
    window_.resize(file_->read_at(position_, window_));
  }

  runtime::FileRef file_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  Offset expected_;
  ByteVector window_;
};

}  // namespace

void refuse_damaged_metadata(runtime::Disk& disk, const std::string& directory) {
  if (!disk.is_directory(directory)) return;
  for (const auto& entry : disk.list(directory)) {
    const auto base = storage::offset_of_file_name(entry.name);
    if (!base || !entry.name.ends_with(storage::suffix::log)) continue;
    const std::string path = fmt::format("{}/{}", directory, entry.name);
    Segment segment(disk, path, *base);
    if (!segment.find_bad()) continue;
    const auto bad = segment.next_whole();
    if (!bad || segment.lacks_a_sector(*bad)) continue;
    throw MetadataLogError(fmt::format(
        "{} is damaged at byte {} (offset {}), and what follows is not: this is no torn end, and to cut the "
        "file off there would lose topics. Restore the file. To go on without what follows, shorten it "
        "to {} bytes.",
        path, segment.position(), segment.expected(), segment.position()));
  }
}

}  // namespace klamm::hosting
