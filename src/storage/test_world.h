// What the stories of this room run in: a disk in memory that can be looked at as a crash would leave it before any of
// its operations, reactors that run step by step, a clock that is set.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "base/ensure.h"
#include "records/batch_walker.h"
#include "records/record_batch_builder.h"
#include "records/validator.h"
#include "runtime/queues.h"
#include "runtime/task_group.h"
#include "storage/log.h"
#include "storage/log_directory.h"

namespace klamm::storage::test {

// What is on the disk: names, and for every file what was written and what of it was synced.
class DiskState {
 public:
  struct Node {
    ByteVector content;
    ByteVector synced;
  };
  using NodeRef = std::shared_ptr<Node>;

  std::map<std::string, NodeRef> names;
  std::map<std::string, NodeRef> synced_names;
  std::set<std::string> directories{"/"};
  std::set<std::string> synced_directories{"/"};

  // As a killed process leaves it: the page cache survives. With `power_cut`: only what was synced does.
  DiskState after_crash(bool power_cut) const {
    DiskState left;
    const auto keep = [&](const std::map<std::string, NodeRef>& from) {
      for (const auto& [name, node] : from) {
        auto copy = std::make_shared<Node>();
        copy->content = copy->synced = power_cut ? node->synced : node->content;
        left.names[name] = left.synced_names[name] = copy;
      }
    };
    keep(power_cut ? synced_names : names);
    left.directories = left.synced_directories = power_cut ? synced_directories : directories;
    return left;
  }
};

class MemoryDisk final : public runtime::Disk {
 public:
  DiskState state;
  bool all_resident = true;
  std::uint64_t free = std::uint64_t{1} << 40;
  std::map<std::string, std::size_t> calls;  // "write_at" -> how often
  std::vector<std::size_t> sync_groups;      // how many files went to the disk together
  std::set<std::string> elsewhere;           // directories on other file systems
  // Called before each operation that changes something.
  std::function<void(std::string_view operation, const std::string& path)> before;

  runtime::FileRef open(const std::string& path, runtime::OpenMode mode) override {
    const auto found = state.names.find(path);
    if (found != state.names.end()) {
      if (mode == runtime::OpenMode::create_new) throw runtime::DiskError(EEXIST, "open", path);
      return std::make_shared<MemoryFile>(*this, path, found->second);
    }
    if (mode == runtime::OpenMode::read || mode == runtime::OpenMode::write)
      throw runtime::DiskError(ENOENT, "open", path);
    if (!state.directories.contains(parent(path))) throw runtime::DiskError(ENOENT, "open", path);
    change("create", path);
    auto node = std::make_shared<DiskState::Node>();
    state.names[path] = node;
    return std::make_shared<MemoryFile>(*this, path, node);
  }
  bool exists(const std::string& path) override {
    return state.names.contains(path) || state.directories.contains(path);
  }
  bool is_directory(const std::string& path) override { return state.directories.contains(path); }
  std::uint64_t file_size(const std::string& path) override { return node(path)->content.size(); }
  std::vector<runtime::DirectoryEntry> list(const std::string& directory) override {
    if (!is_directory(directory)) throw runtime::DiskError(ENOENT, "list", directory);
    std::vector<runtime::DirectoryEntry> entries;
    for (const auto& [name, ignored] : state.names) {
      if (parent(name) == directory) entries.push_back({leaf(name), false});
    }
    for (const auto& name : state.directories) {
      if (name != "/" && parent(name) == directory) entries.push_back({leaf(name), true});
    }
    std::ranges::sort(entries, {}, &runtime::DirectoryEntry::name);
    return entries;
  }
  void make_directories(const std::string& path) override {
    if (state.directories.contains(path)) return;
    make_directories(parent(path));
    change("make_directory", path);
    state.directories.insert(path);
  }
  void rename(const std::string& from, const std::string& to) override {
    change("rename", from);
    if (state.directories.contains(from)) {
      move_tree(state.names, from, to);
      std::set<std::string> moved;
      for (const auto& name : state.directories)
        moved.insert(inside(name, from) ? to + name.substr(from.size()) : name);
      state.directories = std::move(moved);
      return;
    }
    auto entry = state.names.extract(from);
    if (entry.empty()) throw runtime::DiskError(ENOENT, "rename", from);
    state.names.erase(to);
    entry.key() = to;
    state.names.insert(std::move(entry));
  }
  void remove_file(const std::string& path) override {
    if (!state.names.contains(path)) return;
    change("remove_file", path);
    state.names.erase(path);
  }
  void remove_tree(const std::string& path) override {
    change("remove_tree", path);
    std::erase_if(state.names, [&](const auto& entry) { return inside(entry.first, path); });
    std::erase_if(state.directories, [&](const auto& name) { return inside(name, path); });
  }
  std::vector<std::exception_ptr> sync_files(std::span<const runtime::FileRef> files) override {
    sync_groups.push_back(files.size());
    return Disk::sync_files(files);
  }
  void sync_directory(const std::string& path) override {
    change("sync_directory", path);
    std::erase_if(state.synced_names, [&](const auto& entry) { return parent(entry.first) == path; });
    for (const auto& [name, each] : state.names) {
      if (parent(name) == path) state.synced_names[name] = each;
    }
    std::set<std::string> now;
    for (const auto& name : state.directories) {
      if (name != "/" && parent(name) == path) now.insert(name);
    }
    // What was below a directory whose name is gone is gone with it; what is below a new one came there by a rename.
    std::erase_if(state.synced_directories,
                  [&](const auto& name) { return name != "/" && parent(name) == path && !now.contains(name); });
    state.synced_directories.insert(now.begin(), now.end());
    if (path != "/") state.synced_directories.insert(path);
  }
  ByteVector read_file(const std::string& path, std::uint64_t bytes_max) override {
    const auto& content = node(path)->content;
    if (content.size() > bytes_max) throw runtime::DiskError(EFBIG, "read", path);
    return content;
  }
  std::unique_ptr<runtime::FileLock> try_lock(const std::string& path) override {
    if (!locked_.insert(path).second) return nullptr;
    return std::make_unique<MemoryLock>(*this, path);
  }
  std::uint64_t free_bytes(const std::string&) override { return free; }
  std::uint64_t total_bytes(const std::string&) override { return std::uint64_t{1} << 41; }
  std::string absolute(const std::string& path) override { return path.starts_with('/') ? path : "/" + path; }

  ByteVector& content(const std::string& path) { return node(path)->content; }

 private:
  class MemoryLock final : public runtime::FileLock {
   public:
    MemoryLock(MemoryDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
    ~MemoryLock() override { disk_.locked_.erase(path_); }
    bool file_system_holds(std::span<const std::string> directories) override {
      return std::ranges::none_of(directories, [&](const auto& each) { return disk_.elsewhere.contains(each); });
    }
    void sync_file_system() override {
      disk_.change("sync_file_system", path_);
      for (const auto& [name, node] : disk_.state.names) node->synced = node->content;
      disk_.state.synced_names = disk_.state.names;
      disk_.state.synced_directories = disk_.state.directories;
    }

   private:
    MemoryDisk& disk_;
    std::string path_;
  };

  class MemoryFile final : public runtime::File {
   public:
    MemoryFile(MemoryDisk& disk, std::string path, DiskState::NodeRef node)
        : disk_(disk), path_(std::move(path)), node_(std::move(node)) {}

    const std::string& path() const override { return path_; }
    std::uint64_t size() override { return node_->content.size(); }
    std::size_t read_at(std::uint64_t offset, MutableBytes to) override {
      ++disk_.calls["read_at"];
      if (offset >= node_->content.size()) return 0;
      const auto bytes = std::min<std::size_t>(to.size(), node_->content.size() - offset);
      std::memcpy(to.data(), node_->content.data() + offset, bytes);
      return bytes;
    }
    void write_at(std::uint64_t offset, std::span<const Bytes> parts) override {
      disk_.change("write_at", path_);
      for (const auto part : parts) {
        if (node_->content.size() < offset + part.size()) node_->content.resize(offset + part.size());
        if (!part.empty()) std::memcpy(node_->content.data() + offset, part.data(), part.size());
        offset += part.size();
      }
    }
    void truncate(std::uint64_t size) override {
      disk_.change("truncate", path_);
      node_->content.resize(size);
    }
    void reserve(std::uint64_t, std::uint64_t) override { ++disk_.calls["reserve"]; }
    void sync_data() override {
      disk_.change("sync_data", path_);
      node_->synced = node_->content;
    }
    void start_write_back(std::uint64_t, std::uint64_t) override { ++disk_.calls["start_write_back"]; }
    bool resident(std::uint64_t, std::uint64_t) override { return disk_.all_resident; }
    void load(std::uint64_t, std::uint64_t) override { ++disk_.calls["load"]; }
    void forget(std::uint64_t, std::uint64_t) override {}
    void renamed(std::string path) override { path_ = std::move(path); }
    void close() override {}

   private:
    MemoryDisk& disk_;
    std::string path_;
    DiskState::NodeRef node_;
  };

  static std::string parent(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  }
  static std::string leaf(const std::string& path) { return path.substr(path.rfind('/') + 1); }
  static bool inside(const std::string& name, const std::string& directory) {
    return name == directory || name.starts_with(directory + "/");
  }
  static void move_tree(std::map<std::string, DiskState::NodeRef>& names, const std::string& from,
                        const std::string& to) {
    std::map<std::string, DiskState::NodeRef> moved;
    for (const auto& [name, node] : names) moved[inside(name, from) ? to + name.substr(from.size()) : name] = node;
    names = std::move(moved);
  }
  DiskState::NodeRef node(const std::string& path) {
    const auto found = state.names.find(path);
    if (found == state.names.end()) throw runtime::DiskError(ENOENT, "open", path);
    return found->second;
  }
  void change(std::string_view operation, const std::string& path) {
    ++calls[std::string(operation)];
    if (before) before(operation, path);
  }

  std::set<std::string> locked_;
};

class SetClock final : public runtime::Clock {
 public:
  runtime::MonoTime now() const override { return mono; }
  Timestamp wall() const override { return time; }
  void pass(std::chrono::milliseconds by) {
    mono += by;
    time = time + by.count();
  }

  runtime::MonoTime mono{std::chrono::seconds(1)};
  Timestamp time{1'700'000'000'000};
};

class StepReactor final : public runtime::Reactor {
 public:
  StepReactor(unsigned number, SetClock& clock, StepReactor*& running)
      : number_(number), clock_(clock), running_(running) {}

  unsigned index() const override { return number_; }
  runtime::MonoTime now() const override { return clock_.now(); }
  runtime::Clock& clock() override { return clock_; }
  void post(runtime::Work& work) override { work_.push(work); }
  bool withdraw(runtime::Work& work) override { return work_.withdraw(work); }
  void arm(runtime::Timer& timer, runtime::MonoTime at) override { timers_.arm(*this, timer, at); }
  void disarm(runtime::Timer& timer) override { timers_.disarm(timer); }
  void at_turn_end(runtime::TurnEnd& hook) override { hooks_.add(hook); }
  void offload(runtime::BlockingWork& work) override { blocking_.push_back(&work); }
  bool is_current() const override { return running_ == this; }

  // One turn. False when there was nothing to do.
  bool turn() {
    StepReactor* const before = std::exchange(running_, this);
    bool did = work_.run();
    if (timers_.next() <= clock_.now()) {
      timers_.fire(clock_.now());
      did = true;
    }
    if (!hold_blocking && !blocking_.empty()) {
      auto* const work = blocking_.front();
      blocking_.pop_front();
      try {
        work->block();
      } catch (...) {
        work->failure = std::current_exception();
      }
      work->done();
      did = true;
    }
    if (!hooks_.empty()) {
      hooks_.run();
      did = true;
    }
    running_ = before;
    return did;
  }
  runtime::MonoTime next_timer() const { return timers_.next(); }

  bool hold_blocking = false;  // I/O threads do not get to it

 private:
  unsigned number_;
  SetClock& clock_;
  StepReactor*& running_;
  runtime::WorkQueue work_;
  runtime::TimerQueue timers_;
  runtime::TurnEndList hooks_;
  std::deque<runtime::BlockingWork*> blocking_;
};

class LinesSink final : public LogSink {
 public:
  bool enabled(std::string_view, LogLevel level) const override { return level >= LogLevel::info; }
  void write(std::string_view, LogLevel, std::string_view message) override { lines.emplace_back(message); }
  bool has(std::string_view part) const {
    return std::ranges::any_of(lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }
  std::vector<std::string> lines;
};

class CountedRandom final : public runtime::Random {
 public:
  std::uint64_t next() override { return value_ = value_ * 6364136223846793005ull + 1442695040888963407ull; }

 private:
  std::uint64_t value_ = 42;
};

class NoNetwork final : public runtime::Network {
 public:
  std::unique_ptr<runtime::Listener> listen(const runtime::SocketAddress&, const runtime::SocketOptions&) override {
    ENSURE(false);
  }
  runtime::Task<runtime::SocketRef> connect(runtime::Reactor&, runtime::SocketAddress, runtime::SocketOptions,
                                            runtime::MonoTime) override {
    ENSURE(false);
  }
  std::vector<std::string> resolve(const std::string&) override { ENSURE(false); }
  std::string canonical_host_name() override { ENSURE(false); }
};

class Refusing final : public runtime::Scheduling {
 public:
  bool refuse_try_lock() override { return refuse && (random.next() >> 40) % 3 == 0; }
  bool refuse = false;
  CountedRandom random;
};

class World {
 public:
  World() : World(DiskState{}) {}
  explicit World(DiskState disk_state) { disk.state = std::move(disk_state); }

  // Runs turns until nothing is left to do now.
  void settle() {
    for (bool did = true; did;) {
      did = first.turn();
      did |= second.turn();
    }
  }
  // Lets time pass, timer by timer.
  void pass(std::chrono::milliseconds by) {
    const auto until = clock.mono + by;
    settle();
    while (std::min(first.next_timer(), second.next_timer()) <= until) {
      const auto at = std::max(std::min(first.next_timer(), second.next_timer()), clock.mono);
      clock.pass(std::chrono::ceil<std::chrono::milliseconds>(at - clock.mono));
      settle();
    }
    if (until > clock.mono) clock.pass(std::chrono::ceil<std::chrono::milliseconds>(until - clock.mono));
    settle();
  }
  template <typename T>
  T run(runtime::Task<T> task) {
    std::optional<T> value;
    auto root = [&](runtime::Task<T> inner) -> runtime::Task<void> { value.emplace(co_await std::move(inner)); };
    runtime::TaskGroup group(first);
    group.start(root(std::move(task)));
    settle();
    if (group.failure()) std::rethrow_exception(group.failure());
    ENSURE(value.has_value(), "the task waits for something that does not come");
    return std::move(*value);
  }
  void run(runtime::Task<void> task) {
    auto root = [](runtime::Task<void> inner) -> runtime::Task<bool> {
      co_await std::move(inner);
      co_return true;
    };
    run(root(std::move(task)));
  }

  MemoryDisk disk;
  SetClock clock;
  CountedRandom random;
  NoNetwork network;
  Refusing scheduling;
  LinesSink lines;
  StepReactor* running = nullptr;
  StepReactor first{0, clock, running};
  StepReactor second{1, clock, running};
  runtime::Environment environment{clock, random, disk, network, scheduling, {&first, &second}, lines};
};

struct Produce {
  int count = 1;
  std::size_t value_bytes = 20;
  Timestamp timestamp = no_timestamp;  // of the first; the others follow by a millisecond
  ProducerId producer = no_producer_id;
  ProducerEpoch producer_epoch{0};
  std::int32_t sequence = 0;
  bool transactional = false;
};

// A log with its directory in a world, and batches to fill it with.
class LogWorld : public World {
 public:
  explicit LogWorld(LogSettings its = {}, DiskState disk_state = {})
      : World(std::move(disk_state)), settings(std::move(its)) {
    disk.state.directories.insert("/data");
    disk.state.synced_directories.insert("/data");
    directory = std::make_unique<LogDirectory>(environment, "/data", LogDirectory::FailureListener(),
                                               LogDirectory::TouchListener(), [this](Log&) { ++upkeep_calls; });
  }

  ~LogWorld() {
    // What is on its way to the disk keeps its log until it is there.
    disk.before = {};
    settle();
  }

  LogRef open(bool clean = true, Offset recovery_point = Offset(0), Offset log_start = Offset(0)) {
    return Log::open(*directory, {.name = {"orders", PartitionIndex(0)},
                                  .directory_name = "orders-0",
                                  .settings = std::make_shared<LogSettings>(settings),
                                  .topic_id = {},
                                  .clean = clean,
                                  .recovery_point = recovery_point,
                                  .log_start = log_start,
                                  .high_watermark = {}});
  }
  LogRef open_leading(LeaderEpoch epoch = LeaderEpoch(0)) {
    auto log = open();
    lead(log, epoch);
    return log;
  }
  void lead(const LogRef& log, LeaderEpoch epoch = LeaderEpoch(0)) {
    ASSERT_TRUE(run(log->set_writer_epoch(first, epoch, true)));
    current = epoch;
  }

  ByteVector batch(const Produce& what) {
    records::RecordBatchBuilder builder(
        {.producer_id = what.producer,
         .producer_epoch = what.producer == no_producer_id ? no_producer_epoch : what.producer_epoch,
         .base_sequence = what.producer == no_producer_id ? records::no_sequence : what.sequence,
         .transactional = what.transactional});
    const auto at = what.timestamp == no_timestamp ? clock.time : what.timestamp;
    const std::string value(what.value_bytes, 'v');
    for (int i = 0; i < what.count; ++i) builder.append({.timestamp = at + i, .key = {}, .value = as_bytes(value)});
    return builder.take();
  }
  // As a client's produce request does it.
  runtime::Task<Result<AppendResult>> producing(LogRef log, runtime::Reactor& reactor, Produce what) {
    ByteVector bytes = batch(what);
    records::ProduceValidator validator;
    auto validated = validator.validate(bytes, {.topic = "orders",
                                                .partition = PartitionIndex(0),
                                                .now = clock.time,
                                                .timestamp_after_max_ms = std::numeric_limits<std::int64_t>::max()});
    ENSURE(validated.has_value(), validated ? "" : validated.error().message);
    auto appending = log->append_as_leader(reactor, *validated, {.epoch = current, .now = clock.time});
    co_return co_await std::move(appending);
  }
  Result<AppendResult> produce(const LogRef& log, const Produce& what = {}) { return run(producing(log, first, what)); }
  Offset produced(const LogRef& log, const Produce& what = {}) {
    const auto result = produce(log, what);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? result->first_offset : no_offset;
  }
  Result<AppendResult> append(const LogRef& log, ByteVector bytes, LeaderAppend how = {}) {
    how.epoch = current;
    how.now = clock.time;
    how.origin = records::AppendOrigin::coordinator;
    return run(log->append_as_leader(first, MutableBytes(bytes), how));
  }
  Result<AppendResult> follow(const LogRef& log, const ByteVector& bytes) {
    return run(log->append_as_follower(first, bytes, current));
  }
  // A batch as a leader would have stamped it.
  ByteVector stamped(const Produce& what, Offset base, LeaderEpoch epoch) {
    auto bytes = batch(what);
    records::MutableRecordBatch stamp{MutableBytes(bytes)};
    stamp.set_base_offset(base);
    stamp.set_partition_leader_epoch(epoch);
    return bytes;
  }
  Result<ReadResult> read(const LogRef& log, Offset from, std::size_t bytes_max = 1 << 20, bool at_least_one = true,
                          ReadIsolation isolation = ReadIsolation::log_end) {
    return run(log->read(
        first, {.from = from, .bytes_max = bytes_max, .at_least_one_batch = at_least_one, .isolation = isolation}));
  }
  ByteVector bytes_of(const ReadResult& result) {
    ByteVector bytes(result.data.length);
    if (result.data.file) bytes.resize(result.data.file->read_at(result.data.offset, bytes));
    return bytes;
  }
  // Base offsets of all batches from `from` to the end, read as a follower does.
  std::vector<std::int64_t> offsets_from(const LogRef& log, Offset from, std::size_t bytes_max = 1 << 20) {
    std::vector<std::int64_t> offsets;
    while (from < log->log_end()) {
      const auto result = read(log, from, bytes_max);
      EXPECT_TRUE(result) << (result ? "" : result.error().message);
      if (!result || result->bytes() == 0) break;
      const auto bytes = bytes_of(*result);
      records::BatchWalker walker(bytes);
      const auto before = from;
      while (walker.next() == records::BatchWalker::Step::entry) {
        EXPECT_TRUE(walker.entry().check());
        if (walker.entry().last_offset() < from) continue;
        offsets.push_back(walker.entry().first_known_offset().value);
        from = walker.entry().last_offset() + 1;
      }
      EXPECT_GT(from, before) << "a read gave nothing new";
      if (from == before) break;
    }
    return offsets;
  }
  std::string file(std::string_view name) const { return "/data/orders-0/" + std::string(name); }
  std::set<std::string> files() {
    std::set<std::string> names;
    for (const auto& entry : disk.list("/data/orders-0")) names.insert(entry.name);
    return names;
  }

  LogSettings settings;
  std::unique_ptr<LogDirectory> directory;
  LeaderEpoch current{0};
  int upkeep_calls = 0;
};

}  // namespace klamm::storage::test
