#include "runtime/simulation/disk.h"

#include <algorithm>
#include <cerrno>

#include "base/ensure.h"
#include "runtime/simulation/inode.h"

namespace klamm::runtime::simulation {
namespace {

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string path;
  for (const std::string& part : parts) path += "/" + part;
  return path.empty() ? "/" : path;
}

bool changes(DiskCall call) {
  switch (call) {
    case DiskCall::open:
    case DiskCall::read:
    case DiskCall::list:
    case DiskCall::lock:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::string_view disk_call_name(DiskCall call) {
  constexpr std::string_view names[] = {"open",   "read",  "write",          "truncate", "sync", "rename",
                                        "remove", "mkdir", "sync_directory", "list",     "lock", "any"};
  return names[static_cast<std::size_t>(call)];
}

SimulatedDisk::SimulatedDisk(World& world, Host& host, Chance chance)
    : world_(world), host_(host), chance_(chance), root_(std::make_shared<Inode>(0, true)) {}

SimulatedDisk::~SimulatedDisk() = default;

int SimulatedDisk::fault_of(DiskCall call, const std::string& path) {
  for (DiskFault& fault : faults_) {
    if (fault.times == 0 || (fault.call != DiskCall::any && fault.call != call)) continue;
    if (!fault.path_part.empty() && path.find(fault.path_part) == std::string::npos) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    if (!chance_.one_in(fault.one_in)) continue;
    --fault.times;
    world_.cost_ += fault.slow;
    world_.trace().add(world_.now(), host_.name(), "fault {} {} error {} slow {} us", disk_call_name(call), path,
                       fault.error, fault.slow.count() / 1000);
    if (fault.error != 0) return fault.error;
  }
  return 0;
}

int SimulatedDisk::begin(DiskCall call, const std::string& path) {
  const Options& options = world_.options();
  const bool syncs = call == DiskCall::sync || call == DiskCall::sync_directory;
  world_.cost_ += chance_.between(Duration(0), syncs ? options.sync_max : options.disk_call_max);
  if (changes(call)) {
    ++changing_calls_;
    if (crash_countdown_ > 0 && --crash_countdown_ == 0) {
      world_.trace().add(world_.now(), host_.name(), "crash at {} {}", disk_call_name(call), path);
      host_.crash(host_.crash_kind_);
      throw HostCrashed(path);
    }
  }
  return fault_of(call, path);
}

void SimulatedDisk::check(DiskCall call, const std::string& path) {
  if (const int error = begin(call, path)) throw DiskError(error, disk_call_name(call), path);
}

InodeRef SimulatedDisk::find(const std::string& path) const {
  InodeRef at = root_;
  for (const std::string& part : parts_of(path)) {
    if (!at->is_directory) return nullptr;
    const auto found = at->names.find(part);
    if (found == at->names.end()) return nullptr;
    at = found->second;
  }
  return at;
}

InodeRef SimulatedDisk::directory_of(const std::string& path, std::string_view operation) const {
  std::vector<std::string> parts = parts_of(path);
  if (parts.empty()) throw DiskError(EISDIR, operation, path);
  parts.pop_back();
  InodeRef directory = find(joined(parts));
  if (directory == nullptr) throw DiskError(ENOENT, operation, path);
  if (!directory->is_directory) throw DiskError(ENOTDIR, operation, path);
  return directory;
}

void SimulatedDisk::change(Inode& directory, NameChange names) {
  apply_change(directory.names, names);
  directory.unsynced.push_back(std::move(names));
}

namespace {

template <typename Visit>
void visit(const std::string& path, const InodeRef& inode, const Visit& what) {
  what(path, *inode);
  for (const auto& [name, child] : inode->names) visit(path + "/" + name, child, what);
}

}  // namespace

std::uint64_t SimulatedDisk::used() const {
  std::uint64_t bytes = 0;
  visit("", root_, [&](const std::string&, const Inode& inode) { bytes += inode.seen.size(); });
  return bytes;
}

std::vector<std::string> SimulatedDisk::files() const {
  std::vector<std::string> paths;
  visit("", root_, [&](const std::string& path, const Inode& inode) {
    if (!inode.is_directory) paths.push_back(path);
  });
  return paths;
}

ByteVector SimulatedDisk::content(const std::string& path) const {
  const InodeRef inode = find(path);
  if (inode == nullptr) throw DiskError(ENOENT, "read", path);
  return inode->seen;
}

std::optional<ByteVector> SimulatedDisk::synced_content(const std::string& path) const {
  InodeRef at = root_;
  for (const std::string& part : parts_of(path)) {
    const auto found = at->kept_names.find(part);
    if (found == at->kept_names.end()) return std::nullopt;
    at = found->second;
  }
  return at->kept;
}

void SimulatedDisk::put(const std::string& path, Bytes content) {
  std::vector<std::string> parts = parts_of(path);
  ENSURE(!parts.empty());
  InodeRef at = root_;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    InodeRef& next = at->names[parts[i]];
    if (next == nullptr) next = std::make_shared<Inode>(++inode_count_, !last);
    at->kept_names[parts[i]] = next;
    at = next;
  }
  at->resize(0);
  at->write(0, content);
  at->sync();
}

void SimulatedDisk::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
  const InodeRef inode = find(path);
  ENSURE(inode != nullptr && offset < inode->seen.size());
  const auto mask = static_cast<std::byte>(1u << bit);
  inode->seen[static_cast<std::size_t>(offset)] ^= mask;
  if (offset < inode->kept.size()) inode->kept[static_cast<std::size_t>(offset)] ^= mask;
  world_.trace().add(world_.now(), host_.name(), "damage {} bit {} of byte {}", path, bit, offset);
}

void SimulatedDisk::zero(const std::string& path, std::uint64_t offset, std::uint64_t length) {
  const InodeRef inode = find(path);
  ENSURE(inode != nullptr && offset + length <= inode->seen.size());
  for (ByteVector* bytes : {&inode->seen, &inode->kept}) {
    for (std::uint64_t i = offset; i < offset + length && i < bytes->size(); ++i)
      (*bytes)[static_cast<std::size_t>(i)] = std::byte{0};
  }
  world_.trace().add(world_.now(), host_.name(), "damage {} zeros {}+{}", path, offset, length);
}

void SimulatedDisk::crash(Crash kind) {
  crash_countdown_ = 0;
  // In the order of paths, so that the seed decides and not the order of memory. A directory first: what it loses is
  // gone.
  const std::function<void(const InodeRef&)> cut = [&](const InodeRef& inode) {
    if (kind == Crash::power) {
      inode->power_cut(chance_);
    } else {
      inode->locked = false;
    }
    for (const auto& [name, child] : inode->names) cut(child);
  };
  cut(root_);
}

// --- one process's view ----------------------------------------------------------------------------------------------

// A file that a process has open. The inode stays when its name goes.
class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedDisk& disk, ProcessRef process, std::string path, InodeRef inode, bool writable)
      : disk_(disk),
        process_(std::move(process)),
        path_(std::move(path)),
        inode_(std::move(inode)),
        writable_(writable) {}

  const std::string& path() const override { return path_; }
  std::uint64_t size() override { return process_->gone() ? 0 : inode_->seen.size(); }

  std::size_t read_at(std::uint64_t offset, MutableBytes to) override {
    if (process_->gone()) return 0;
    disk_.check(DiskCall::read, path_);
    const ByteVector& seen = inode_->seen;
    if (offset >= seen.size()) return 0;
    const std::size_t count = std::min<std::size_t>(to.size(), seen.size() - static_cast<std::size_t>(offset));
    std::copy_n(seen.begin() + static_cast<std::ptrdiff_t>(offset), count, to.begin());
    return count;
  }

  void write_at(std::uint64_t offset, std::span<const Bytes> parts) override {
    if (process_->gone()) return;
    ENSURE(writable_, path_);
    std::uint64_t length = 0;
    for (const Bytes part : parts) length += part.size();
    int error = 0;
    try {
      error = disk_.begin(DiskCall::write, path_);
    } catch (const HostCrashed&) {
      put(offset, parts, disk_.chance_.below(length + 1));  // it was in the middle of it
      throw;
    }
    std::uint64_t allowed = error != 0 ? disk_.chance_.below(length + 1) : length;
    const std::uint64_t end = offset + length;
    if (error == 0 && disk_.capacity_ != unlimited && end > inode_->seen.size()) {
      const std::uint64_t free = disk_.capacity_ - std::min(disk_.capacity_, disk_.used());
      const std::uint64_t grows = std::min<std::uint64_t>(end - inode_->seen.size(), length);
      if (grows > free) {
        error = ENOSPC;
        allowed = length - (grows - free);
      }
    }
    trace("write {}+{}{}", offset, length, error != 0 ? fmt::format(" failed after {}", allowed) : std::string());
    put(offset, parts, allowed);
    if (error != 0) throw DiskError(error, "write", path_);
  }

  void truncate(std::uint64_t size) override {
    if (process_->gone()) return;
    disk_.check(DiskCall::truncate, path_);
    trace("truncate {} to {}", inode_->seen.size(), size);
    inode_->resize(size);
  }

  void sync_data() override {
    if (process_->gone()) return;
    const int error = disk_.begin(DiskCall::sync, path_);
    trace("sync{}", error != 0 ? " failed" : "");
    if (error != 0) {
      inode_->lose_dirty();
      throw DiskError(error, "fdatasync", path_);
    }
    inode_->sync();
  }

  bool resident(std::uint64_t, std::uint64_t) override {
    if (process_->gone() || inode_->loaded) return true;
    return !disk_.chance_.one_in(disk_.world_.options().not_resident_one_in);
  }
  void load(std::uint64_t, std::uint64_t) override {
    if (process_->gone()) return;
    disk_.check(DiskCall::read, path_);
    inode_->loaded = true;
  }
  void forget(std::uint64_t, std::uint64_t) override {
    if (!process_->gone()) inode_->loaded = false;
  }
  void reserve(std::uint64_t, std::uint64_t) override {}
  void start_write_back(std::uint64_t, std::uint64_t) override {}
  void renamed(std::string path) override { path_ = std::move(path); }
  void close() override {}

 private:
  void put(std::uint64_t offset, std::span<const Bytes> parts, std::uint64_t bytes_max) {
    for (const Bytes part : parts) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), bytes_max));
      inode_->write(offset, part.first(count));
      offset += count;
      bytes_max -= count;
    }
  }
  template <typename... Args>
  void trace(fmt::format_string<Args...> text, Args&&... args) {
    disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "{}: {}", path_,
                             fmt::format(text, std::forward<Args>(args)...));
  }

  SimulatedDisk& disk_;
  ProcessRef process_;
  std::string path_;
  InodeRef inode_;
  bool writable_;
};

FileRef ProcessDisk::open(const std::string& path, OpenMode mode) {
  if (process_->gone()) throw HostCrashed(path);
  disk_.check(DiskCall::open, path);
  InodeRef inode = disk_.find(path);
  if (inode != nullptr && inode->is_directory) throw DiskError(EISDIR, "open", path);
  if (inode != nullptr && mode == OpenMode::create_new) throw DiskError(EEXIST, "open", path);
  if (inode == nullptr) {
    if (mode == OpenMode::read || mode == OpenMode::write) throw DiskError(ENOENT, "open", path);
    const InodeRef directory = disk_.directory_of(path, "open");
    disk_.check(DiskCall::make_directory, path);
    inode = std::make_shared<Inode>(++disk_.inode_count_, false);
    disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "{}: create", path);
    disk_.change(*directory, {{parts_of(path).back(), inode}});
  }
  return std::make_shared<SimulatedFile>(disk_, process_, path, std::move(inode), mode != OpenMode::read);
}

bool ProcessDisk::exists(const std::string& path) {
  return !process_->gone() && disk_.find(path) != nullptr;
}

bool ProcessDisk::is_directory(const std::string& path) {
  if (process_->gone()) return false;
  const InodeRef inode = disk_.find(path);
  return inode != nullptr && inode->is_directory;
}

std::uint64_t ProcessDisk::file_size(const std::string& path) {
  if (process_->gone()) return 0;
  const InodeRef inode = disk_.find(path);
  if (inode == nullptr) throw DiskError(ENOENT, "stat", path);
  return inode->seen.size();
}

std::vector<DirectoryEntry> ProcessDisk::list(const std::string& directory) {
  if (process_->gone()) return {};
  disk_.check(DiskCall::list, directory);
  const InodeRef inode = disk_.find(directory);
  if (inode == nullptr) throw DiskError(ENOENT, "list", directory);
  if (!inode->is_directory) throw DiskError(ENOTDIR, "list", directory);
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, child] : inode->names) entries.push_back({name, child->is_directory});
  return entries;
}

void ProcessDisk::make_directories(const std::string& path) {
  if (process_->gone()) return;
  InodeRef at = disk_.root_;
  for (const std::string& part : parts_of(path)) {
    if (!at->is_directory) throw DiskError(ENOTDIR, "mkdir", path);
    const auto found = at->names.find(part);
    InodeRef next = found != at->names.end() ? found->second : nullptr;
    if (next == nullptr) {
      disk_.check(DiskCall::make_directory, path);
      next = std::make_shared<Inode>(++disk_.inode_count_, true);
      disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "mkdir {} ({})", path, part);
      disk_.change(*at, {{part, next}});
    }
    at = next;
  }
  if (!at->is_directory) throw DiskError(ENOTDIR, "mkdir", path);
}

void ProcessDisk::rename(const std::string& from, const std::string& to) {
  if (process_->gone()) return;
  disk_.check(DiskCall::rename, from);
  const InodeRef inode = disk_.find(from);
  if (inode == nullptr) throw DiskError(ENOENT, "rename", from);
  const InodeRef source = disk_.directory_of(from, "rename");
  const InodeRef target = disk_.directory_of(to, "rename");
  const std::string old_name = parts_of(from).back();
  const std::string new_name = parts_of(to).back();
  if (const auto there = target->names.find(new_name); there != target->names.end()) {
    if (there->second == inode) return;
    if (there->second->is_directory && !there->second->names.empty()) throw DiskError(ENOTEMPTY, "rename", from);
    if (there->second->is_directory != inode->is_directory)
      throw DiskError(inode->is_directory ? ENOTDIR : EISDIR, "rename", from);
  }
  disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "rename {} to {}", from, to);
  if (source == target) {
    disk_.change(*source, {{new_name, inode}, {old_name, nullptr}});
  } else {
    disk_.change(*target, {{new_name, inode}});
    disk_.change(*source, {{old_name, nullptr}});
  }
}

void ProcessDisk::remove_file(const std::string& path) {
  if (process_->gone()) return;
  const InodeRef inode = disk_.find(path);
  if (inode == nullptr) return;
  if (inode->is_directory) throw DiskError(EISDIR, "remove", path);
  disk_.check(DiskCall::remove, path);
  disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "remove {}", path);
  disk_.change(*disk_.directory_of(path, "remove"), {{parts_of(path).back(), nullptr}});
}

void ProcessDisk::remove_tree(const std::string& path) {
  if (process_->gone()) return;
  const InodeRef inode = disk_.find(path);
  if (inode != nullptr) remove_tree_of(path, inode);
}

void ProcessDisk::remove_tree_of(const std::string& path, const InodeRef& inode) {
  const Names children = inode->names;
  for (const auto& [name, child] : children) remove_tree_of(path + "/" + name, child);
  disk_.check(DiskCall::remove, path);
  disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "remove {}", path);
  disk_.change(*disk_.directory_of(path, "remove"), {{parts_of(path).back(), nullptr}});
}

void ProcessDisk::sync_directory(const std::string& path) {
  if (process_->gone()) return;
  const InodeRef inode = disk_.find(path);
  if (inode == nullptr) throw DiskError(ENOENT, "open", path);
  if (!inode->is_directory) throw DiskError(ENOTDIR, "open", path);
  const int error = disk_.begin(DiskCall::sync_directory, path);
  if (error != 0) throw DiskError(error, "fsync", path);
  disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "sync_directory {}", path);
  for (const NameChange& change : inode->unsynced) apply_change(inode->kept_names, change);
  inode->unsynced.clear();
}

// A crash in the midst of it leaves some of it done, in the order of the paths.
void ProcessDisk::sync_all() {
  if (process_->gone()) return;
  bool failed = false;
  visit("", disk_.root_, [&](const std::string& path, Inode& inode) {
    const int error = disk_.begin(DiskCall::sync, path);
    failed |= error != 0;
    if (error != 0) {
      inode.lose_dirty();
    } else if (inode.is_directory) {
      for (const NameChange& change : inode.unsynced) apply_change(inode.kept_names, change);
      inode.unsynced.clear();
    } else {
      inode.sync();
    }
  });
  disk_.world_.trace().add(disk_.world_.now(), disk_.host_.name(), "sync_all{}", failed ? " failed" : "");
  if (failed) throw DiskError(EIO, "syncfs", "/");
}

ByteVector ProcessDisk::read_file(const std::string& path, std::uint64_t bytes_max) {
  if (process_->gone()) return {};
  const FileRef file = open(path, OpenMode::read);
  if (file->size() > bytes_max) throw DiskError(EFBIG, "read", path);
  ByteVector content(static_cast<std::size_t>(file->size()));
  content.resize(file->read_at(0, content));
  return content;
}

namespace {

class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(ProcessDisk& disk, ProcessRef process, InodeRef inode)
      : disk_(disk), process_(std::move(process)), inode_(std::move(inode)) {
    inode_->locked = true;
  }
  // A crash has freed it already, and another process may have it since.
  ~SimulatedLock() override {
    if (process_->state == Process::State::alive) inode_->locked = false;
  }
  bool file_system_holds(std::span<const std::string>) override { return true; }
  void sync_file_system() override { disk_.sync_all(); }

 private:
  ProcessDisk& disk_;
  ProcessRef process_;
  InodeRef inode_;
};

}  // namespace

std::unique_ptr<FileLock> ProcessDisk::try_lock(const std::string& path) {
  if (process_->gone()) return nullptr;
  disk_.check(DiskCall::lock, path);
  open(path, OpenMode::create);
  InodeRef inode = disk_.find(path);
  if (inode->locked) return nullptr;
  return std::make_unique<SimulatedLock>(*this, process_, std::move(inode));
}

std::uint64_t ProcessDisk::free_bytes(const std::string&) {
  return process_->gone() ? 0 : disk_.capacity_ - std::min(disk_.capacity_, disk_.used());
}

std::uint64_t ProcessDisk::total_bytes(const std::string&) {
  return disk_.capacity_;
}

std::string ProcessDisk::absolute(const std::string& path) {
  return joined(parts_of(path));
}

}  // namespace klamm::runtime::simulation
