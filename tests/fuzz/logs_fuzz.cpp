// The directory of a partition with anything in its files: segments, indexes, producer snapshots, epochs, leftovers of
// compaction. It is opened after a clean stop or a crash, read from end to end, searched, written to, closed and opened
// again. Nothing may throw, and:
//   after a crash whatever is readable was checked; what a producer was told is there; a second start finds the same.
#include "base/crc32c.h"
#include "batches.h"
#include "storage/log_file_names.h"
#include "storage/test_world.h"

namespace klamm::fuzz {
namespace {

using storage::Log;
using storage::LogRef;
using storage::test::LogWorld;

constexpr std::int64_t bases[] = {0, 18, 36, 46, 5, 1'000'000, 0x7fffffff, 0x7ffffffffffffff0};
constexpr std::string_view suffixes[] = {".log",
                                         ".index",
                                         ".timeindex",
                                         ".txnindex",
                                         ".snapshot",
                                         ".log.swap",
                                         ".index.deleted",
                                         ".log.cleaned",
                                         ".log.deleted",
                                         ".index.swap",
                                         ".timeindex.swap",
                                         ".txnindex.swap",
                                         ".snapshot.deleted"};
constexpr std::size_t reads_max = 64;

struct Plan {
  bool clean = false;
  bool repair = false;
  Offset recovery_point{0};
  Offset log_start{0};
  storage::LogSettings settings;
};

Plan take_plan(Input& input) {
  Plan plan;
  const auto bits = input.take<std::uint8_t>();
  plan.clean = bits & 1;
  plan.repair = bits & 2;
  if (bits & 4) plan.settings.segment_bytes = 200;
  if (bits & 8) plan.settings.index_interval_bytes = 1;
  if (bits & 16) plan.settings.compact = true;
  if (bits & 32) plan.settings.retention_ms = std::chrono::milliseconds(1);
  plan.recovery_point = Offset(input.take<std::uint8_t>());
  plan.log_start = Offset(input.take<std::uint8_t>());
  return plan;
}

void repair_snapshot(MutableBytes content) {
  constexpr std::size_t behind_crc = 6;
  if (content.size() < behind_crc) return;
  store_big(content.data() + 2, crc32c(content.subspan(behind_crc)));
}

void put_files(LogWorld& world, Input& input, bool repair) {
  world.disk.state.directories.insert("/data/orders-0");
  world.disk.state.synced_directories.insert("/data/orders-0");
  for (int left = 12; input.size() > 0 && left > 0; --left) {
    const auto kind = input.take<std::uint8_t>();
    const Offset base(bases[(kind >> 5) & 7]);
    std::string name;
    if ((kind & 31) == 31)
      name = "leader-epoch-checkpoint";
    else if ((kind & 31) == 30)
      name = "partition.metadata";
    else
      name = storage::segment_file_name(base, suffixes[(kind & 31) % std::size(suffixes)]);
    auto node = std::make_shared<storage::test::DiskState::Node>();
    node->content = exact_copy(input.take_sized());
    if (repair && name.find(".log") != std::string::npos) repair_checksums(node->content);
    if (repair && name.ends_with(".snapshot")) repair_snapshot(node->content);
    node->synced = node->content;
    world.disk.state.names[world.file(name)] = world.disk.state.synced_names[world.file(name)] = node;
  }
}

// Reads on as long as it works. `checked`: everything there is was checked when the log was opened.
void read_all(LogWorld& world, const LogRef& log, bool checked, storage::ReadIsolation isolation) {
  Offset from = log->log_start();
  for (std::size_t i = 0; i < reads_max && from < log->log_end(); ++i) {
    const auto result = world.read(log, from, 300, true, isolation);
    if (!result) {
      ENSURE(!checked, "a checked log cannot be read: " + result.error().message);
      return;
    }
    if (result->bytes() == 0) return;
    const auto bytes = world.bytes_of(*result);
    records::BatchWalker walker(bytes);
    const Offset before = from;
    while (walker.next() == records::BatchWalker::Step::entry) {
      const auto& entry = walker.entry();
      if (checked) ENSURE(entry.check().has_value(), "a batch of a checked log has another checksum");
      if (entry.check() && entry.last_offset() >= from) from = entry.last_offset() + 1;
    }
    if (from == before) {
      ENSURE(!checked, "a read of a checked log gives nothing new");
      return;
    }
  }
}

void look_up(LogWorld& world, const LogRef& log) {
  for (const std::int64_t at :
       {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1'700'000'000'202}, std::int64_t{1} << 62})
    (void)world.run(log->find_timestamp(world.first, Timestamp(at)));
  (void)world.run(log->find_max_timestamp(world.first));
  for (const int epoch : {0, 1, 3, 1000}) (void)log->end_offset_of_epoch(LeaderEpoch(epoch));
  (void)log->earliest();
  (void)log->latest();
  (void)log->epochs();
  (void)log->active_producers();
  (void)log->last_stable_offset();
}

// A producer's batch is there when it was told so. Behind damage in what was trusted after a clean stop it may not be
// found.
void write(LogWorld& world, const LogRef& log, bool checked) {
  const LeaderEpoch epoch(log->latest_epoch().value_or(LeaderEpoch(0)).value);
  if (!world.run(log->set_writer_epoch(world.first, epoch, true))) return;
  world.current = epoch;
  const auto appended = world.produce(log, {.count = 2});
  if (!appended) return;
  const auto result = world.read(log, appended->first_offset);
  ENSURE(!checked || (result && result->bytes() > 0 && result->data_offset == appended->first_offset),
         fmt::format("what was written at {} is not there: {} bytes at {}, {}; log {} to {}", appended->first_offset,
                     result ? result->bytes() : 0, result ? result->data_offset : no_offset,
                     result ? "" : result.error().message, log->log_start(), log->log_end()));
  (void)world.produce(log, {.count = 1, .producer = ProducerId(1), .sequence = 6});
  (void)world.run(log->roll(world.first));
  log->update_high_watermark(log->log_end());
  (void)world.run(log->delete_old_segments(world.first));
}

LogRef open(LogWorld& world, const Plan& plan, bool clean) {
  return world.open(clean, plan.recovery_point, plan.log_start);
}

void live(Input input) {
  const Plan plan = take_plan(input);
  const bool truncate = input.take_bit();
  LogWorld world(plan.settings);
  put_files(world, input, plan.repair);
  Offset end;
  Offset start;
  {
    const LogRef log = open(world, plan, plan.clean);
    ENSURE(log->log_start() <= log->log_end() && log->high_watermark() <= log->log_end());
    const bool checked = !plan.clean && plan.recovery_point.value == 0;
    read_all(world, log, checked, storage::ReadIsolation::log_end);
    read_all(world, log, false, storage::ReadIsolation::last_stable);
    look_up(world, log);
    if (truncate) (void)world.run(log->truncate_to(world.first, Offset(37)));
    write(world, log, checked);
    end = log->log_end();
    start = log->log_start();
    if (!world.run(log->close(world.first, true))) return;
  }
  const LogRef again = world.open(true, end, start);
  ENSURE(again->log_end() == end,
         fmt::format("a clean stop moved the end of the log from {} to {}", end, again->log_end()));
  (void)world.run(again->close(world.first, true));
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::GTEST_FLAG(throw_on_failure) = true;
  klamm::fuzz::live(klamm::fuzz::Input(data, size));
  return 0;
}
