#include "cli/dump_log.h"

#include <gtest/gtest.h>

#include "storage/index_entries.h"
#include "storage/test_world.h"

namespace klamm::cli {
namespace {

TEST(LogDumper, AnIndexThatPointsAtABatchWithoutRoomForAHeaderIsToldAbout) {
  storage::test::World world;
  const auto put = [&](std::string_view name, ByteVector content) {
    auto node = std::make_shared<storage::test::DiskState::Node>();
    node->content = std::move(content);
    world.disk.state.names[std::string(name)] = node;
  };
  // Offset 0, 40 bytes, magic 2: smaller than the header of a batch, larger than a record of magic 0.
  ByteVector log(records::log_overhead + 40);
  store_big(log.data() + 8, std::int32_t{40});
  log[records::magic_position] = std::byte{2};
  put("/00000000000000000000.log", log);
  put("/00000000000000000000.index", ByteVector(storage::OffsetEntry::bytes));
  put("/00000000000000000000.timeindex", ByteVector(storage::TimeEntry::bytes));

  for (const auto name :
       {"/00000000000000000000.log", "/00000000000000000000.index", "/00000000000000000000.timeindex"}) {
    LogDumper dumper(world.disk, {}, [](std::string_view) {}, [](std::string_view) {});
    try {
      dumper.dump(name);
      ADD_FAILURE() << name;
    } catch (const DumpFailure& failure) {
      EXPECT_TRUE(std::string_view(failure.what())
                      .starts_with("org.apache.kafka.common.errors.CorruptRecordException: "
                                   "Record batch is corrupted (the size 52"))
          << name << ": " << failure.what();
    }
  }
}

}  // namespace
}  // namespace klamm::cli
