// Files, as everything outside runtime/os sees them. All calls block: on a reactor only those that end in the page
// cache are made directly (append, a read of resident pages, small metadata); the rest goes through Reactor::offload.
// The simulated disk implements the same with torn writes, lost unsynced data and errors under a seed.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/bytes.h"

namespace klamm::runtime {

// The disk failed: EIO, ENOSPC, a missing file. `code().value()` is the errno.
class DiskError : public std::system_error {
 public:
  // what(): "<operation> <path>: <strerror>"
  DiskError(int error, std::string_view operation, std::string_view path);
  const std::string& path() const { return path_; }
  bool is(std::errc condition) const { return code() == condition; }

 private:
  std::string path_;
};

// One file, by name; the real one borrows a descriptor from an LRU of open files for each call, so that a File costs no
// descriptor while nobody uses it. Callable from any thread; concurrent writes to disjoint ranges are allowed.
// A File whose name was changed by Disk::rename is told with `renamed`.
class File {
 public:
  virtual ~File() = default;

  virtual const std::string& path() const = 0;
  virtual std::uint64_t size() = 0;
  // Fills `to` from `offset`; returns the bytes read, fewer than asked only at the end of the file.
  virtual std::size_t read_at(std::uint64_t offset, MutableBytes to) = 0;
  // Writes all the parts one after another from `offset`, or throws. After ENOSPC or EIO a part may have been written.
  virtual void write_at(std::uint64_t offset, std::span<const Bytes> parts) = 0;
  void write_at(std::uint64_t offset, Bytes bytes) { write_at(offset, std::span<const Bytes>(&bytes, 1)); }
  virtual void truncate(std::uint64_t size) = 0;
  // Reserves blocks without changing the size (FALLOC_FL_KEEP_SIZE); best effort, never throws.
  virtual void reserve(std::uint64_t offset, std::uint64_t length) = 0;
  // fdatasync. A failure is final for the file's data: never retried (the kernel may have dropped the pages).
  virtual void sync_data() = 0;
  // Starts writing back the range without waiting; best effort.
  virtual void start_write_back(std::uint64_t offset, std::uint64_t length) = 0;
  // True when the whole range is in memory, so that reading or sending it does not block.
  virtual bool resident(std::uint64_t offset, std::uint64_t length) = 0;
  // Reads the range into memory (blocks); for an I/O thread, before sendfile.
  virtual void load(std::uint64_t offset, std::uint64_t length) = 0;
  // Drops the range from memory, for readers far behind; best effort.
  virtual void forget(std::uint64_t offset, std::uint64_t length) = 0;
  // The name changed: later opens use it.
  virtual void renamed(std::string path) = 0;
  // Gives the descriptor back now.
  virtual void close() = 0;
};
using FileRef = std::shared_ptr<File>;

// A range of a file, on its way to a socket. Keeps the file alive, also when its name is gone.
struct FileSlice {
  FileRef file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

enum class OpenMode : std::uint8_t {
  read,        // must exist
  write,       // must exist; read and write
  create,      // made when missing; read and write
  create_new,  // must not exist
};

// An exclusive lock on a file that conflicts with the JVM's (F_OFD_SETLK on the whole file); held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
  // Whether sync_file_system() is good for all that lies in these directories: they are on the lock's file system, and
  // the system would say that something was lost.
  virtual bool file_system_holds(std::span<const std::string> directories) = 0;
  // syncfs: all that was written to the lock's file system and all names made there, by whomever, are on disk
  // afterwards. One call in place of thousands. Throws when something was lost since the lock was taken. Blocks.
  virtual void sync_file_system() = 0;
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

// Callable from any thread.
class Disk {
 public:
  virtual ~Disk() = default;

  virtual FileRef open(const std::string& path, OpenMode mode) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual bool is_directory(const std::string& path) = 0;
  virtual std::uint64_t file_size(const std::string& path) = 0;
  // Sorted by name. Throws ENOENT when there is none.
  virtual std::vector<DirectoryEntry> list(const std::string& directory) = 0;
  // With parents; existing ones are fine. The new names are not yet durable: sync_directory of the parent.
  virtual void make_directories(const std::string& path) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  // A missing file is fine.
  virtual void remove_file(const std::string& path) = 0;
  virtual void remove_tree(const std::string& path) = 0;
  // sync_data of all the files, together where the system can (io_uring); an error each, null where it went well.
  // Blocks.
  virtual std::vector<std::exception_ptr> sync_files(std::span<const FileRef> files);
  // fsync of the directory: names made, renamed or removed in it survive a power cut.
  virtual void sync_directory(const std::string& path) = 0;
  // Throws EFBIG when the file is larger than `bytes_max`.
  virtual ByteVector read_file(const std::string& path, std::uint64_t bytes_max) = 0;
  // The lock, or nothing when another process (or another owner in this one) holds it.
  virtual std::unique_ptr<FileLock> try_lock(const std::string& path) = 0;
  virtual std::uint64_t free_bytes(const std::string& path) = 0;
  virtual std::uint64_t total_bytes(const std::string& path) = 0;
  virtual std::string absolute(const std::string& path) = 0;

  // make_directories, and the whole way to it survives a power cut. A directory on the way that is there already may
  // have been made by a process that was killed before it synced it: so all are synced, those apart that may not be
  // opened.
  void make_durable_directories(const std::string& path);

  // tmp file + fdatasync + rename + fsync of the directory: after it returns, the file has the whole new content, power
  // cut or not; when it throws, the old one. The temporary name is `path` + ".tmp".
  void replace_file(const std::string& path, Bytes content);
};

}  // namespace klamm::runtime
