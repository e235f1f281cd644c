// The same log under real threads and real files: two reactors append, read and sync at once. For the thread sanitizer.
#include <gtest/gtest.h>

#include "base/temporary_directory_test.h"
#include "records/batch_walker.h"
#include "records/record_batch_builder.h"
#include "runtime/os/system.h"
#include "runtime/task_group.h"
#include "storage/log.h"
#include "storage/log_directory.h"

namespace klamm::storage {
namespace {

using runtime::Reactor;
using runtime::Task;

class LogThreads : public testing::Test {
 protected:
  void SetUp() override { place_ = std::make_unique<LogDirectory>(system_.environment(), directory_.path()); }

  LogRef open(bool clean = true, Offset recovery_point = Offset(0)) {
    LogSettings settings{.segment_bytes = 64 << 10, .flush_messages = 50};
    return Log::open(*place_, {.name = {"t", PartitionIndex(0)},
                               .directory_name = "t-0",
                               .settings = std::make_shared<LogSettings>(settings),
                               .topic_id = {},
                               .clean = clean,
                               .recovery_point = recovery_point,
                               .high_watermark = {}});
  }
  Reactor& reactor(unsigned i) { return *system_.environment().reactors[i % 2]; }

  Task<void> write(LogRef log, Reactor& home, int producer, int count) {
    auto there = runtime::move_to(home);
    co_await std::move(there);
    records::ProduceValidator validator;
    const auto now = system_.environment().clock.wall();  // old producers are forgotten when the log is opened
    for (int i = 0; i < count; ++i) {
      records::RecordBatchBuilder builder(
          {.producer_id = ProducerId(producer), .producer_epoch = ProducerEpoch(0), .base_sequence = i});
      builder.append({.timestamp = now, .key = {}, .value = as_bytes(std::string(100, 'x'))});
      auto bytes = builder.take();
      auto batch = validator.validate(bytes, {.topic = "t", .partition = PartitionIndex(0), .now = now});
      EXPECT_TRUE(batch);
      auto appending = log->append_as_leader(home, *batch, {.epoch = LeaderEpoch(0), .now = now});
      const auto appended = co_await std::move(appending);
      EXPECT_TRUE(appended) << appended.error().message;
      log->advance_high_watermark(appended->last_offset + 1);
      if (!appended->needs_sync) continue;
      auto syncing = log->synced(home, appended->last_offset + 1);
      EXPECT_TRUE(co_await std::move(syncing));
    }
    auto back = runtime::move_to(reactor(0));
    co_await std::move(back);
  }
  Task<void> read_all(LogRef log, Reactor& home, Offset end, std::size_t bytes_max) {
    auto there = runtime::move_to(home);
    co_await std::move(there);
    ByteVector bytes;
    for (Offset next(0); next < end;) {
      auto reading = log->read(home, {.from = next,
                                      .bytes_max = bytes_max,
                                      .at_least_one_batch = true,
                                      .isolation = ReadIsolation::high_watermark});
      const auto read = co_await std::move(reading);
      EXPECT_TRUE(read) << read.error().message;
      if (!read) break;
      bytes.resize(read->bytes());
      if (read->data.file) bytes.resize(read->data.file->read_at(read->data.offset, bytes));
      records::BatchWalker walker(bytes);
      while (walker.next() == records::BatchWalker::Step::entry) {
        EXPECT_TRUE(walker.entry().check());
        if (walker.entry().last_offset() < next) continue;
        EXPECT_EQ(walker.entry().first_known_offset(), next);
        next = walker.entry().last_offset() + 1;
      }
      auto resting = runtime::yield(home);
      co_await std::move(resting);
    }
    auto back = runtime::move_to(reactor(0));
    co_await std::move(back);
  }

  NullLogSink sink_;
  TemporaryDirectory directory_{"klamm-log"};
  runtime::os::System system_{{.reactors = 2}, sink_};
  std::unique_ptr<LogDirectory> place_;
};

TEST_F(LogThreads, WritersReadersAndSyncsOnTwoReactorsAgree) {
  constexpr int writers = 6;
  constexpr int each = 400;
  auto story = [&]() -> Task<void> {
    const auto log = open();
    auto leading = log->set_writer_epoch(reactor(0), LeaderEpoch(0), true);
    EXPECT_TRUE(co_await std::move(leading));
    runtime::TaskGroup group(reactor(0));
    for (int i = 0; i < writers; ++i) group.start(write(log, reactor(static_cast<unsigned>(i)), i, each));
    for (unsigned i = 0; i < 4; ++i)
      group.start(read_all(log, reactor(i), Offset(writers * each), i < 2 ? 500 : 20000));
    auto all = group.wait();
    co_await std::move(all);
    EXPECT_EQ(log->log_end(), Offset(writers * each));
    EXPECT_GT(log->segment_count(), 3u);
    for (const auto& producer : log->active_producers()) EXPECT_EQ(producer.last_sequence, each - 1);
    auto closing = log->close(reactor(0), true);
    EXPECT_TRUE(co_await std::move(closing));
  };
  system_.run_until_done(story());
  for (const bool clean : {true, false}) {
    const auto again = open(clean, clean ? Offset(writers * each) : Offset(0));
    EXPECT_EQ(again->log_end(), Offset(writers * each));
    EXPECT_EQ(again->active_producers().size(), static_cast<std::size_t>(writers));
  }
}

}  // namespace
}  // namespace klamm::storage
