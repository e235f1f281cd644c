#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/ensure.h"
#include "runtime/os/disk.h"

namespace klamm::runtime::os {

// --- the cache ---------------------------------------------------------------------------------------------------------

std::size_t DescriptorCache::open_count() const {
  const std::scoped_lock guard(mutex_);
  return files_.size();
}

void DescriptorCache::open(OsFile& file) {
  const std::scoped_lock guard(mutex_);
  if (file.descriptor_.load(std::memory_order_relaxed) >= 0) return;  // another thread was first
  make_room();
  const int descriptor = ::open(file.path_.c_str(), file.flags_, 0644);
  if (descriptor < 0) throw DiskError(errno, "open", file.path_);
  file.slot_ = files_.size();
  files_.push_back(&file);
  file.descriptor_.store(descriptor, std::memory_order_relaxed);
  file.state_.fetch_or(OsFile::open_bit, std::memory_order_release);
}

// Passes over the open files: one that was used since the last time gets a second chance, one that is pinned stays.
void DescriptorCache::make_room() {
  std::size_t looked_at = 0;
  while (files_.size() >= limit_ && looked_at++ < 2 * files_.size()) {
    hand_ = hand_ < files_.size() ? hand_ : 0;
    OsFile& file = *files_[hand_];
    std::uint32_t idle = OsFile::open_bit;
    if (file.used_.exchange(false, std::memory_order_relaxed) ||
        !file.state_.compare_exchange_strong(idle, 0, std::memory_order_acq_rel)) {
      ++hand_;
      continue;
    }
    ::close(file.descriptor_.exchange(-1, std::memory_order_relaxed));
    files_[hand_] = files_.back();
    files_[hand_]->slot_ = hand_;
    files_.pop_back();
  }
}

void DescriptorCache::close(OsFile& file) {
  const std::scoped_lock guard(mutex_);
  if (file.descriptor_.load(std::memory_order_relaxed) < 0) return;
  std::uint32_t idle = OsFile::open_bit;
  if (!file.state_.compare_exchange_strong(idle, 0, std::memory_order_acq_rel)) return;  // in use: the cache closes it later
  ::close(file.descriptor_.exchange(-1, std::memory_order_relaxed));
  files_[file.slot_] = files_.back();
  files_[file.slot_]->slot_ = file.slot_;
  files_.pop_back();
}

// --- the file ----------------------------------------------------------------------------------------------------------

OsFile::OsFile(DescriptorCache& cache, std::string path, int flags) : cache_(cache), path_(std::move(path)), flags_(flags) {
  cache_.open(*this);
  flags_ &= ~(O_CREAT | O_EXCL);
}

OsFile::~OsFile() {
  ENSURE((state_.load() & ~open_bit) == 0, path_);
  cache_.close(*this);
}

OsFile::Pin::Pin(OsFile& file) : file_(file) {
  for (;;) {
    const std::uint32_t before = file_.state_.fetch_add(1, std::memory_order_acquire);
    if ((before & open_bit) != 0) break;
    file_.state_.fetch_sub(1, std::memory_order_relaxed);
    file_.cache_.open(file_);
  }
  if (!file_.used_.load(std::memory_order_relaxed)) file_.used_.store(true, std::memory_order_relaxed);
}

OsFile::Pin::~Pin() { file_.state_.fetch_sub(1, std::memory_order_release); }

std::uint64_t OsFile::size() {
  const Pin pin(*this);
  struct stat status {};
  if (::fstat(pin.descriptor(), &status) != 0) throw DiskError(errno, "fstat", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t OsFile::read_at(std::uint64_t offset, MutableBytes to) {
  const Pin pin(*this);
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t got = ::pread(pin.descriptor(), to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw DiskError(errno, "read", path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void OsFile::write_at(std::uint64_t offset, std::span<const Bytes> parts) {
  constexpr std::size_t at_once = 64;
  const Pin pin(*this);
  std::size_t part = 0;
  std::size_t skip = 0;  // of the first part that is left
  while (part < parts.size()) {
    std::array<iovec, at_once> vectors;
    std::size_t count = 0;
    for (std::size_t i = part; i < parts.size() && count < at_once; ++i) {
      const Bytes bytes = i == part ? parts[i].subspan(skip) : parts[i];
      vectors[count++] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
    }
    const ssize_t written = ::pwritev(pin.descriptor(), vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw DiskError(errno, "write", path_);
    offset += static_cast<std::uint64_t>(written);
    auto left = static_cast<std::size_t>(written);
    while (part < parts.size() && left >= parts[part].size() - skip) {
      left -= parts[part].size() - skip;
      ++part;
      skip = 0;
    }
    skip += left;
    // A write of nothing that was not asked for would loop for ever.
    if (written == 0 && part < parts.size()) throw DiskError(EIO, "write", path_);
  }
}

void OsFile::truncate(std::uint64_t size) {
  const Pin pin(*this);
  if (::ftruncate(pin.descriptor(), static_cast<off_t>(size)) != 0) throw DiskError(errno, "truncate", path_);
}

void OsFile::reserve(std::uint64_t offset, std::uint64_t length) {
  const Pin pin(*this);
  ::fallocate(pin.descriptor(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(length));
}

void OsFile::sync_data() {
  const Pin pin(*this);
  if (::fdatasync(pin.descriptor()) != 0) throw DiskError(errno, "fdatasync", path_);
}

void OsFile::start_write_back(std::uint64_t offset, std::uint64_t length) {
  const Pin pin(*this);
  ::sync_file_range(pin.descriptor(), static_cast<off64_t>(offset), static_cast<off64_t>(length), SYNC_FILE_RANGE_WRITE);
}

namespace {

constexpr long cachestat_number = 451;  // Linux 6.5; Debian 12's headers do not name it
struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct Cachestat {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t write_back;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

// Kernels before 6.5 and some containers do not have it: then a byte in every readahead window is asked for.
bool resident_by_probes(int descriptor, std::uint64_t offset, std::uint64_t length) {
  constexpr std::uint64_t step = 32 * 1024;
  const auto there = [descriptor](std::uint64_t at) {
    char byte;
    iovec vector{&byte, 1};
    return ::preadv2(descriptor, &vector, 1, static_cast<off_t>(at), RWF_NOWAIT) >= 0 || errno == EOPNOTSUPP;
  };
  for (std::uint64_t at = offset; at < offset + length; at += step) {
    if (!there(at)) return false;
  }
  return length == 0 || there(offset + length - 1);
}

std::atomic<bool> cachestat_works{true};

}  // namespace

bool OsFile::resident(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return true;
  const Pin pin(*this);
  if (cachestat_works.load(std::memory_order_relaxed)) {
    const CachestatRange range{offset, length};
    Cachestat found{};
    if (::syscall(cachestat_number, pin.descriptor(), &range, &found, 0) == 0) {
      constexpr std::uint64_t page = 4096;
      const std::uint64_t pages = (offset + length - 1) / page - offset / page + 1;
      return found.cached >= pages;
    }
    cachestat_works.store(false, std::memory_order_relaxed);
  }
  return resident_by_probes(pin.descriptor(), offset, length);
}

void OsFile::load(std::uint64_t offset, std::uint64_t length) {
  constexpr std::size_t window = 256 * 1024;
  ByteVector sink(static_cast<std::size_t>(std::min<std::uint64_t>(length, window)));
  for (std::uint64_t at = offset; at < offset + length; at += sink.size()) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(sink.size(), offset + length - at));
    if (read_at(at, MutableBytes(sink).first(now)) < now) return;
  }
}

void OsFile::forget(std::uint64_t offset, std::uint64_t length) {
  const Pin pin(*this);
  ::posix_fadvise(pin.descriptor(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_DONTNEED);
}

void OsFile::renamed(std::string path) { path_ = std::move(path); }

void OsFile::close() { cache_.close(*this); }

}  // namespace klamm::runtime::os
