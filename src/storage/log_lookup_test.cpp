// Stories of looking for a time in batches that open to more than anybody wants to hold.
#include "storage/test_world.h"

namespace klamm::storage {
namespace {

using records::CompressionType;
using test::LogWorld;

constexpr Timestamp early{1'700'000'000'000};

// One record of zeros between two small ones, a second apart.
ByteVector packed(CompressionType type, std::size_t value_bytes) {
  records::RecordBatchBuilder builder({.compression = {type}});
  const std::string zeros(value_bytes, '\0');
  builder.append({.timestamp = early, .value = as_bytes(std::string_view("first"))});
  builder.append({.timestamp = early + 1000, .value = as_bytes(zeros)});
  builder.append({.timestamp = early + 2000, .value = as_bytes(std::string_view("last"))});
  records::Compressor compressor;
  return builder.take(compressor);
}

TEST(LogLookup, ARecordBehindALargeOneIsFound) {
  LogWorld world;
  const auto log = world.open_leading();
  for (const auto type : {CompressionType::gzip, CompressionType::zstd})
    ASSERT_TRUE(world.append(log, packed(type, 10'000'000)));
  const auto found = world.run(log->find_timestamp(world.first, early + 1500));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->offset, Offset(2));
  EXPECT_EQ((*found)->timestamp, early + 2000);
}

TEST(LogLookup, InABatchThatOpensToTooMuchTheAnswerIsItsBeginning) {
  LogWorld world;
  const auto log = world.open_leading();
  ASSERT_TRUE(world.append(log, packed(CompressionType::zstd, 100)));
  ASSERT_TRUE(world.append(log, packed(CompressionType::zstd, 40'000'000)));
  const auto before = world.run(log->find_timestamp(world.first, early + 1500));
  ASSERT_TRUE(before && *before);
  EXPECT_EQ((*before)->offset, Offset(2)) << "in the first batch";
  LogWorld other;
  const auto large = other.open_leading();
  ASSERT_TRUE(other.append(large, packed(CompressionType::zstd, 40'000'000)));
  const auto found = other.run(large->find_timestamp(other.first, early + 1500));
  ASSERT_TRUE(found && *found) << "an answer, no error";
  EXPECT_EQ((*found)->offset, Offset(0));
  const auto early_one = other.run(large->find_timestamp(other.first, early));
  ASSERT_TRUE(early_one && *early_one);
  EXPECT_EQ((*early_one)->offset, Offset(0));
  EXPECT_EQ((*early_one)->timestamp, early);
}

}  // namespace
}  // namespace klamm::storage
