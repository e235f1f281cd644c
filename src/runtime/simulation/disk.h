// The disk of a simulated host. What was written is seen at once; it survives a power cut only when it was synced. What
// was not synced may be there after it, or not, or in part: sector by sector, in any order. A name made, renamed or
// removed survives when its directory was synced; of what was not, the first so many changes of each directory do. The
// disk outlives the processes of its host; a ProcessDisk is what one of them sees of it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "runtime/simulation/world.h"

namespace klamm::runtime::simulation {

constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint64_t block_bytes = 4096;
constexpr std::uint64_t unlimited = std::uint64_t{1} << 40;  // bytes: nobody fills that in a simulation

enum class DiskCall : std::uint8_t {
  open,
  read,
  write,
  truncate,
  sync,
  rename,
  remove,
  make_directory,
  sync_directory,
  list,
  lock,
  any,
};
std::string_view disk_call_name(DiskCall call);

// Something that goes wrong. Of the calls it matches, the first `skip` go well, then it happens `times` times.
struct DiskFault {
  DiskCall call = DiskCall::any;
  std::string path_part = {};  // only paths that contain it
  std::uint64_t skip = 0;
  std::uint64_t times = 1;
  std::uint64_t one_in = 1;  // each time with this chance only
  int error = 0;             // the call fails with it, a write after a part was written; 0: it goes well
  Duration slow{};           // and takes so long
};

struct Inode;
using InodeRef = std::shared_ptr<Inode>;

class SimulatedDisk {
 public:
  SimulatedDisk(World& world, Host& host, Chance chance);
  ~SimulatedDisk();

  // --- for stories: what may go wrong
  void add_fault(DiskFault fault) { faults_.push_back(std::move(fault)); }
  void clear_faults() { faults_.clear(); }
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  std::uint64_t used() const;
  // Calls that change something, since the beginning.
  std::uint64_t changing_calls() const { return changing_calls_; }
  // Damages what is stored, as seen and as kept. The path names a file; offset and length lie within it.
  void flip_bit(const std::string& path, std::uint64_t offset, unsigned bit);
  void zero(const std::string& path, std::uint64_t offset, std::uint64_t length);
  // What a process would read; for checks of the story, without faults, costs or trace.
  ByteVector content(const std::string& path) const;
  // What would be left if nothing unsynced survived; nothing when the name would be gone.
  std::optional<ByteVector> synced_content(const std::string& path) const;
  void put(const std::string& path, Bytes content);  // synced, with its directories
  std::vector<std::string> files() const;            // all paths, sorted

 private:
  friend class Host;
  friend class ProcessDisk;
  friend class SimulatedFile;

  void crash(Crash kind);
  void crash_at(std::uint64_t n) { crash_countdown_ = n; }

  // What every call does first: counts, costs, faults. Returns the error it shall fail with, 0 for none.
  int begin(DiskCall call, const std::string& path);
  int fault_of(DiskCall call, const std::string& path);
  void check(DiskCall call, const std::string& path);  // throws it

  InodeRef find(const std::string& path) const;                                      // null when there is none
  InodeRef directory_of(const std::string& path, std::string_view operation) const;  // throws
  void change(Inode& directory, std::vector<std::pair<std::string, InodeRef>> names);
  void remove_inode(const std::string& path, Inode& directory, const std::string& name);

  World& world_;
  Host& host_;
  Chance chance_;
  InodeRef root_;
  std::uint64_t inode_count_ = 0;
  std::vector<DiskFault> faults_;
  std::uint64_t capacity_ = unlimited;
  std::uint64_t changing_calls_ = 0;
  std::uint64_t crash_countdown_ = 0;
};

class ProcessDisk final : public Disk {
 public:
  ProcessDisk(SimulatedDisk& disk, ProcessRef process) : disk_(disk), process_(std::move(process)) {}

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
  ByteVector read_file(const std::string& path, std::uint64_t bytes_max) override;
  std::unique_ptr<FileLock> try_lock(const std::string& path) override;
  std::uint64_t free_bytes(const std::string& path) override;
  std::uint64_t total_bytes(const std::string& path) override;
  std::string absolute(const std::string& path) override;
  void sync_all();

 private:
  void remove_tree_of(const std::string& path, const InodeRef& inode);

  SimulatedDisk& disk_;
  ProcessRef process_;
};

}  // namespace klamm::runtime::simulation
