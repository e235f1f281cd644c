// Files of the machine. A file borrows a descriptor from a bounded cache for each call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/disk.h"

namespace klamm::runtime::os {

class OsFile;

// The descriptors that are open, at most so many; beyond that those that were not used lately are closed (second
// chance).
class DescriptorCache {
 public:
  struct Options {
    std::size_t limit = 512;
    bool cachestat = true;  // false: residency is asked by probes, as where the kernel does not have it
  };
  explicit DescriptorCache(Options options)
      : limit_(std::max<std::size_t>(options.limit, 16)), cachestat_(options.cachestat) {}

  // Opens the file's descriptor if it is not, making room first. Files are opened in parallel. Throws DiskError.
  void open(OsFile& file);
  // The file goes, or gives its descriptor back.
  void close(OsFile& file);
  void rename(OsFile& file, std::string path);
  std::size_t open_count() const;

  // cachestat(2) answers and tells the truth here.
  bool cachestat() const { return cachestat_.load(std::memory_order_relaxed); }
  void distrust_cachestat() { cachestat_.store(false, std::memory_order_relaxed); }

 private:
  bool evict_one();

  const std::size_t limit_;
  std::atomic<bool> cachestat_;
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  std::vector<OsFile*> files_;
  std::size_t opening_ = 0;  // count towards the limit already
  std::size_t hand_ = 0;
};

class OsFile final : public File {
 public:
  OsFile(DescriptorCache& cache, std::string path, int flags);
  ~OsFile() override;

  // Holds the descriptor open. Costs two atomic operations while it is open already.
  class Pin {
   public:
    explicit Pin(OsFile& file);
    ~Pin();
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    int descriptor() const { return file_.descriptor_.load(std::memory_order_relaxed); }

   private:
    OsFile& file_;
  };

  const std::string& path() const override { return path_; }
  std::uint64_t size() override;
  std::size_t read_at(std::uint64_t offset, MutableBytes to) override;
  void write_at(std::uint64_t offset, std::span<const Bytes> parts) override;
  void truncate(std::uint64_t size) override;
  void reserve(std::uint64_t offset, std::uint64_t length) override;
  void sync_data() override;
  void start_write_back(std::uint64_t offset, std::uint64_t length) override;
  bool resident(std::uint64_t offset, std::uint64_t length) override;
  void load(std::uint64_t offset, std::uint64_t length) override;
  void forget(std::uint64_t offset, std::uint64_t length) override;
  void renamed(std::string path) override;
  void close() override;

 private:
  friend class DescriptorCache;

  // Pins in the low bits; `open_bit` while the descriptor may be used.
  static constexpr std::uint32_t open_bit = 1u << 31;

  DescriptorCache& cache_;
  std::string path_;
  int flags_;  // for opening again: without O_CREAT and O_EXCL
  std::atomic<int> descriptor_{-1};
  std::atomic<std::uint32_t> state_{0};
  std::atomic<bool> used_{false};  // since the cache's hand passed
  bool opening_ = false;           // by some thread; the cache's
  std::size_t slot_ = 0;           // in the cache
};

class OsDisk final : public Disk {
 public:
  struct Options {
    std::size_t descriptors_max = 0;  // 0: a share of RLIMIT_NOFILE
    bool io_uring = true;             // for groups of syncs, where the kernel lets us
    bool cachestat = true;            // where the kernel has it
  };
  OsDisk() : OsDisk(Options{}) {}
  explicit OsDisk(Options options);
  ~OsDisk() override;

  FileRef open(const std::string& path, OpenMode mode) override;
  bool exists(const std::string& path) override;
  bool is_directory(const std::string& path) override;
  std::uint64_t file_size(const std::string& path) override;
  std::vector<DirectoryEntry> list(const std::string& directory) override;
  void make_directories(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove_file(const std::string& path) override;
  void remove_tree(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::vector<std::exception_ptr> sync_files(std::span<const FileRef> files) override;
  ByteVector read_file(const std::string& path, std::uint64_t bytes_max) override;
  std::unique_ptr<FileLock> try_lock(const std::string& path) override;
  std::uint64_t free_bytes(const std::string& path) override;
  std::uint64_t total_bytes(const std::string& path) override;
  std::string absolute(const std::string& path) override;

  std::size_t open_descriptors() const { return cache_->open_count(); }
  // Groups of syncs that went through io_uring.
  std::uint64_t ring_syncs() const { return ring_syncs_.load(std::memory_order_relaxed); }

 private:
  class SyncRing;
  std::unique_ptr<SyncRing> take_ring();

  std::shared_ptr<DescriptorCache> cache_;
  std::mutex rings_mutex_;
  std::vector<std::unique_ptr<SyncRing>>
      free_rings_;  // one for each thread that syncs at a time; made when first needed
  std::atomic<bool> use_rings_;
  std::atomic<std::uint64_t> ring_syncs_{0};
};

}  // namespace klamm::runtime::os
