#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/ensure.h"
#include "runtime/os/disk.h"

namespace klamm::runtime::os {

// --- the cache -------------------------------------------------------------------------------------------------------

std::size_t DescriptorCache::open_count() const {
  const std::scoped_lock guard(mutex_);
  return files_.size();
}

void DescriptorCache::open(OsFile& file) {
  std::unique_lock lock(mutex_);
  opened_.wait(lock, [&] { return !file.opening_; });
  if (file.descriptor_.load(std::memory_order_relaxed) >= 0) return;  // another thread was first
  file.opening_ = true;
  ++opening_;
  while (files_.size() + opening_ > limit_ && evict_one()) {
  }
  const std::string path = file.path_;
  const auto open_it = [&] {
    lock.unlock();  // a cold inode takes a while, and others go on meanwhile
    const int result = ::open(path.c_str(), file.flags_, 0644);
    const int error = errno;
    lock.lock();
    errno = error;
    return result;
  };
  int descriptor = open_it();
  // The process has none left, though the limit is not reached: somebody else has too many.
  while (descriptor < 0 && (errno == EMFILE || errno == ENFILE) && evict_one()) descriptor = open_it();
  const int error = errno;
  file.opening_ = false;
  --opening_;
  if (descriptor >= 0) {
    file.slot_ = files_.size();
    files_.push_back(&file);
    file.descriptor_.store(descriptor, std::memory_order_relaxed);
    file.state_.fetch_or(OsFile::open_bit, std::memory_order_release);
  }
  opened_.notify_all();
  if (descriptor < 0) throw DiskError(error, "open", path);
}

// Passes over the open files: one that was used since the last time gets a second chance, one that is pinned stays.
bool DescriptorCache::evict_one() {
  for (std::size_t looked_at = 0; looked_at < 2 * files_.size(); ++looked_at) {
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
    return true;
  }
  return false;
}

void DescriptorCache::close(OsFile& file) {
  const std::scoped_lock guard(mutex_);
  if (file.descriptor_.load(std::memory_order_relaxed) < 0) return;
  std::uint32_t idle = OsFile::open_bit;
  if (!file.state_.compare_exchange_strong(idle, 0, std::memory_order_acq_rel))
    return;  // in use: the cache closes it later
  ::close(file.descriptor_.exchange(-1, std::memory_order_relaxed));
  files_[file.slot_] = files_.back();
  files_[file.slot_]->slot_ = file.slot_;
  files_.pop_back();
}

void DescriptorCache::rename(OsFile& file, std::string path) {
  const std::scoped_lock guard(mutex_);
  file.path_ = std::move(path);
}

// --- the file --------------------------------------------------------------------------------------------------------

OsFile::OsFile(DescriptorCache& cache, std::string path, int flags)
    : cache_(cache), path_(std::move(path)), flags_(flags) {
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

OsFile::Pin::~Pin() {
  file_.state_.fetch_sub(1, std::memory_order_release);
}

std::uint64_t OsFile::size() {
  const Pin pin(*this);
  struct stat status{};
  if (::fstat(pin.descriptor(), &status) != 0) throw DiskError(errno, "fstat", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t OsFile::read_at(std::uint64_t offset, MutableBytes to) {
  const Pin pin(*this);
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t got =
        ::pread(pin.descriptor(), to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
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
    const ssize_t written =
        ::pwritev(pin.descriptor(), vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
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
  ::sync_file_range(pin.descriptor(), static_cast<off64_t>(offset), static_cast<off64_t>(length),
                    SYNC_FILE_RANGE_WRITE);
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

// Null where the call is missing or forbidden.
std::optional<std::uint64_t> cached_pages(int descriptor, std::uint64_t offset, std::uint64_t length) {
  const CachestatRange range{offset, length};
  Cachestat found{};
  if (::syscall(cachestat_number, descriptor, &range, &found, 0) != 0) return std::nullopt;
  return found.cached;
}

constexpr std::uint64_t page_bytes = 4096;

std::uint64_t pages_of(std::uint64_t offset, std::uint64_t length) {
  return (offset + length - 1) / page_bytes - offset / page_bytes + 1;
}

// Kernels before 6.5 and some containers do not have cachestat. Then the range is read as far as it is there, into one
// page over and over: that costs a copy into the processor's cache.
bool resident_by_reading(int descriptor, std::uint64_t offset, std::uint64_t length) {
  constexpr std::size_t pages_at_once = 256;
  std::byte page[page_bytes];
  std::array<iovec, pages_at_once> vectors;
  for (std::uint64_t at = offset; at < offset + length;) {
    std::uint64_t wanted = 0;
    std::size_t count = 0;
    for (; count < vectors.size() && at + wanted < offset + length; ++count) {
      const std::uint64_t bytes = std::min<std::uint64_t>(page_bytes, offset + length - at - wanted);
      vectors[count] = {page, static_cast<std::size_t>(bytes)};
      wanted += bytes;
    }
    const ssize_t got =
        ::preadv2(descriptor, vectors.data(), static_cast<int>(count), static_cast<off_t>(at), RWF_NOWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EOPNOTSUPP) return true;  // cannot be known here
    if (got == 0) return true;                        // the end of the file
    if (got < 0) return false;
    at += static_cast<std::uint64_t>(got);
  }
  return true;
}

}  // namespace

bool OsFile::resident(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return true;
  const Pin pin(*this);
  if (cache_.cachestat()) {
    const auto cached = cached_pages(pin.descriptor(), offset, length);
    if (cached && *cached >= pages_of(offset, length)) return true;
    if (cached) {
      // What lies beyond the end has no pages.
      struct stat status{};
      if (::fstat(pin.descriptor(), &status) != 0) return false;
      const auto size = static_cast<std::uint64_t>(status.st_size);
      if (offset >= size) return true;
      return offset + length > size && *cached >= pages_of(offset, size - offset);
    }
    cache_.distrust_cachestat();
  }
  return resident_by_reading(pin.descriptor(), offset, length);
}

void OsFile::load(std::uint64_t offset, std::uint64_t length) {
  constexpr std::size_t window = 256 * 1024;
  ByteVector sink(static_cast<std::size_t>(std::min<std::uint64_t>(length, window)));
  std::uint64_t loaded = 0;
  while (loaded < length) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(sink.size(), length - loaded));
    const std::size_t got = read_at(offset + loaded, MutableBytes(sink).first(now));
    loaded += got;
    if (got < now) break;
  }
  // Overlay file systems keep the pages in a file below, and cachestat looks at the one above: nothing would ever be
  // there.
  if (loaded == 0 || !cache_.cachestat()) return;
  const Pin pin(*this);
  if (cached_pages(pin.descriptor(), offset, loaded) == std::uint64_t{0}) cache_.distrust_cachestat();
}

void OsFile::forget(std::uint64_t offset, std::uint64_t length) {
  const Pin pin(*this);
  ::posix_fadvise(pin.descriptor(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_DONTNEED);
}

void OsFile::renamed(std::string path) {
  cache_.rename(*this, std::move(path));
}

void OsFile::close() {
  cache_.close(*this);
}

}  // namespace klamm::runtime::os
