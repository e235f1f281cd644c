#include "runtime/os/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include "base/ensure.h"

namespace klamm::runtime::os {
namespace {

std::size_t default_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 512;
  // The other part is for sockets.
  return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, 1u << 20)) * 6 / 10;
}

class OsFileLock final : public FileLock {
 public:
  OsFileLock(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~OsFileLock() override { ::close(descriptor_); }

  bool file_system_holds(std::span<const std::string> directories) override {
    struct stat own{};
    if (!syncfs_tells_errors() || ::fstat(descriptor_, &own) != 0) return false;
    return std::ranges::all_of(directories, [&](const std::string& directory) {
      struct stat status{};
      return ::stat(directory.c_str(), &status) == 0 && status.st_dev == own.st_dev;
    });
  }
  void sync_file_system() override {
    if (::syncfs(descriptor_) != 0) throw DiskError(errno, "syncfs", path_);
  }

 private:
  // Since Linux 5.8: of what failed after the descriptor was opened.
  static bool syncfs_tells_errors() {
    utsname system{};
    int major = 0;
    int minor = 0;
    if (::uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2) return false;
    return major > 5 || (major == 5 && minor >= 8);
  }

  int descriptor_;
  std::string path_;
};

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

// A ring for groups of fdatasync: the kernel works on all of them at a time, 3.5 times as fast as one after the other
// (measured, 64 files).
class OsDisk::SyncRing {
 public:
  // Null where the kernel or the container forbids it: then threads do it.
  static std::unique_ptr<SyncRing> make() {
    auto ring = std::make_unique<SyncRing>();
    if (::io_uring_queue_init(entries, &ring->ring_, 0) != 0) return nullptr;
    ring->ready_ = true;
    return ring;
  }
  SyncRing() = default;
  SyncRing(const SyncRing&) = delete;
  SyncRing& operator=(const SyncRing&) = delete;
  ~SyncRing() {
    if (ready_) ::io_uring_queue_exit(&ring_);
  }

  // The errno of each, 0 where it went well.
  std::vector<int> sync(std::span<const FileRef> files) {
    std::vector<int> results(files.size(), 0);
    for (std::size_t begin = 0; begin < files.size(); begin += entries) {
      const std::size_t count = std::min<std::size_t>(entries, files.size() - begin);
      sync_some(files.subspan(begin, count), std::span(results).subspan(begin, count));
    }
    return results;
  }

 private:
  static constexpr unsigned entries = 64;

  void sync_some(std::span<const FileRef> files, std::span<int> results) {
    std::vector<std::unique_ptr<OsFile::Pin>> pins;
    for (std::size_t i = 0; i < files.size(); ++i) {
      pins.push_back(std::make_unique<OsFile::Pin>(static_cast<OsFile&>(*files[i])));
      io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
      ENSURE(entry != nullptr);
      ::io_uring_prep_fsync(entry, pins.back()->descriptor(), IORING_FSYNC_DATASYNC);
      ::io_uring_sqe_set_data64(entry, i);
    }
    // Nothing is given up before all have ended: the kernel works on descriptors that are pinned here.
    for (std::size_t ended = 0; ended < files.size();) {
      const int result = ::io_uring_submit_and_wait(&ring_, 1);
      ENSURE(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY, "io_uring_enter");
      io_uring_cqe* done = nullptr;
      while (::io_uring_peek_cqe(&ring_, &done) == 0) {
        results[static_cast<std::size_t>(::io_uring_cqe_get_data64(done))] = done->res < 0 ? -done->res : 0;
        ::io_uring_cqe_seen(&ring_, done);
        ++ended;
      }
    }
  }

  io_uring ring_{};
  bool ready_ = false;
};

OsDisk::OsDisk(Options options)
    : cache_(std::make_shared<DescriptorCache>(DescriptorCache::Options{
          .limit = options.descriptors_max != 0 ? options.descriptors_max : default_descriptors(),
          .cachestat = options.cachestat})),
      use_rings_(options.io_uring) {}

OsDisk::~OsDisk() = default;

FileRef OsDisk::open(const std::string& path, OpenMode mode) {
  int flags = O_CLOEXEC | O_RDWR;
  if (mode == OpenMode::read) flags = O_CLOEXEC | O_RDONLY;
  if (mode == OpenMode::create) flags |= O_CREAT;
  if (mode == OpenMode::create_new) flags |= O_CREAT | O_EXCL;
  // The file keeps the cache alive: it may outlive the disk in a reader's hands.
  struct Kept {
    Kept(std::shared_ptr<DescriptorCache> its, const std::string& path, int flags)
        : cache(std::move(its)), file(*cache, path, flags) {}
    std::shared_ptr<DescriptorCache> cache;
    OsFile file;
  };
  auto kept = std::make_shared<Kept>(cache_, path, flags);
  return FileRef(kept, &kept->file);
}

bool OsDisk::exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool OsDisk::is_directory(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::uint64_t OsDisk::file_size(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) throw DiskError(errno, "stat", path);
  return static_cast<std::uint64_t>(status.st_size);
}

std::vector<DirectoryEntry> OsDisk::list(const std::string& directory) {
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) throw DiskError(errno, "list", directory);
  std::vector<DirectoryEntry> entries;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK)
      is_directory = this->is_directory(directory + "/" + std::string(name));
    entries.push_back({std::string(name), is_directory});
    errno = 0;
  }
  const int error = errno;
  ::closedir(stream);
  if (error != 0) throw DiskError(error, "list", directory);
  std::ranges::sort(entries, {}, &DirectoryEntry::name);
  return entries;
}

void OsDisk::make_directories(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return;
  if (errno == EEXIST) {
    if (is_directory(path)) return;
    throw DiskError(ENOTDIR, "mkdir", path);
  }
  const std::string parent = parent_of(path);
  if (errno != ENOENT || parent == path) throw DiskError(errno, "mkdir", path);
  make_directories(parent);
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) throw DiskError(errno, "mkdir", path);
}

void OsDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw DiskError(errno, "rename", from);
}

void OsDisk::remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw DiskError(errno, "remove", path);
}

void OsDisk::remove_tree(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw DiskError(errno, "remove", path);
  }
  if (!S_ISDIR(status.st_mode)) return remove_file(path);
  for (const auto& entry : list(path)) remove_tree(path + "/" + entry.name);
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) throw DiskError(errno, "remove", path);
}

void OsDisk::sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw DiskError(errno, "open", path);
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  if (result != 0) throw DiskError(error, "fsync", path);
}

std::unique_ptr<OsDisk::SyncRing> OsDisk::take_ring() {
  if (!use_rings_.load(std::memory_order_relaxed)) return nullptr;
  {
    const std::scoped_lock guard(rings_mutex_);
    if (!free_rings_.empty()) {
      auto ring = std::move(free_rings_.back());
      free_rings_.pop_back();
      return ring;
    }
  }
  auto ring = SyncRing::make();
  if (ring == nullptr) use_rings_.store(false, std::memory_order_relaxed);
  return ring;
}

// One file alone is as fast by fdatasync itself.
std::vector<std::exception_ptr> OsDisk::sync_files(std::span<const FileRef> files) {
  std::unique_ptr<SyncRing> ring = files.size() < 2 ? nullptr : take_ring();
  if (ring == nullptr) return Disk::sync_files(files);
  const std::vector<int> results = ring->sync(files);
  ring_syncs_.fetch_add(1, std::memory_order_relaxed);
  {
    const std::scoped_lock guard(rings_mutex_);
    free_rings_.push_back(std::move(ring));
  }
  std::vector<std::exception_ptr> errors(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (results[i] != 0) errors[i] = std::make_exception_ptr(DiskError(results[i], "fdatasync", files[i]->path()));
  }
  return errors;
}

ByteVector OsDisk::read_file(const std::string& path, std::uint64_t bytes_max) {
  const FileRef file = open(path, OpenMode::read);
  const std::uint64_t size = file->size();
  if (size > bytes_max) throw DiskError(EFBIG, "read", path);
  ByteVector content(static_cast<std::size_t>(size));
  content.resize(file->read_at(0, content));
  return content;
}

std::unique_ptr<FileLock> OsDisk::try_lock(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) throw DiskError(errno, "open", path);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(descriptor, F_OFD_SETLK, &lock) == 0) return std::make_unique<OsFileLock>(descriptor, path);
  const int error = errno;
  ::close(descriptor);
  if (error == EAGAIN || error == EACCES) return nullptr;
  throw DiskError(error, "lock", path);
}

std::uint64_t OsDisk::free_bytes(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) throw DiskError(errno, "statvfs", path);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

std::uint64_t OsDisk::total_bytes(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) throw DiskError(errno, "statvfs", path);
  return static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize;
}

// Like java.io.File.getAbsolutePath: no link is followed.
std::string OsDisk::absolute(const std::string& path) {
  std::string whole = path;
  if (!path.starts_with('/')) {
    char directory[PATH_MAX];
    if (::getcwd(directory, sizeof directory) == nullptr) throw DiskError(errno, "getcwd", path);
    whole = std::string(directory) + "/" + path;
  }
  std::string clean;
  for (const char next : whole) {
    if (next == '/' && clean.ends_with('/')) continue;
    clean.push_back(next);
  }
  if (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  return clean;
}

}  // namespace klamm::runtime::os
