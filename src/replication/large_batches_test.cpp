// Stories of batches that are small on the wire and large when they are opened.
#include "replication/large_batches.h"

#include "replication/partition.h"
#include "storage/test_world.h"

namespace klamm::replication {
namespace {

using records::CompressionType;
using storage::test::LogWorld;
using Validated = std::expected<records::ValidatedBatch, records::ValidationError>;

ByteVector batch_of_zeros(std::size_t value_bytes, CompressionType type = CompressionType::zstd) {
  records::RecordBatchBuilder builder({.compression = {type}});
  const std::string zeros(value_bytes, '\0');
  builder.append({.timestamp = Timestamp(1'700'000'000'000), .value = as_bytes(zeros)});
  records::Compressor compressor;
  return builder.take(compressor);
}

records::ValidationOptions strict() {
  return {.topic = "orders", .partition = PartitionIndex(0), .now = Timestamp(1'700'000'000'000), .strict = true};
}

// Runs until it waits; destroyed, it gives up.
struct Started {
  struct promise_type {
    Started get_return_object() { return Started(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const { std::terminate(); }
  };
  explicit Started(std::coroutine_handle<promise_type> its) : handle(its) {}
  Started(Started&& other) noexcept : handle(std::exchange(other.handle, {})) {}
  Started& operator=(Started&&) = delete;
  ~Started() {
    if (handle) handle.destroy();
  }
  bool done() const { return handle.done(); }
  std::coroutine_handle<promise_type> handle;
};

struct Stage : LogWorld {
  Started validate(runtime::Reactor& reactor, ByteVector bytes, Validated& result) {
    auto validating = large.validate(reactor, bytes, strict());
    result = co_await std::move(validating);
  }
  LargeBatches large{scheduling};
};

TEST(LargeBatches, AReactorDoesNotOpenWhatBecomesLarge) {
  records::ProduceValidator validator(LargeBatches::on_reactor);
  for (const auto type :
       {CompressionType::gzip, CompressionType::snappy, CompressionType::lz4, CompressionType::zstd}) {
    auto small = batch_of_zeros(100'000, type);
    EXPECT_TRUE(validator.validate(small, strict()));
    auto large = batch_of_zeros(1'000'000, type);
    const auto refused = validator.validate(large, strict());
    ASSERT_FALSE(refused) << records::compression_name(type);
    EXPECT_EQ(refused.error().code, ErrorCode::message_too_large);
    EXPECT_TRUE(refused.error().opens_to_too_much);
  }
  // A batch that is itself too large is another matter.
  auto bytes = batch_of_zeros(1000, CompressionType::none);
  auto options = strict();
  options.batch_bytes_max = 100;
  const auto refused = validator.validate(bytes, options);
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().opens_to_too_much);
}

TEST(LargeBatches, WhatIsOpenedAsideOwnsItsBytes) {
  Stage stage;
  Validated result;
  const auto bytes = batch_of_zeros(10'000'000);
  {
    const auto started = stage.validate(stage.first, bytes, result);
    EXPECT_FALSE(started.done()) << "never on the reactor";
    stage.settle();
    ASSERT_TRUE(started.done());
  }
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->opened);
  EXPECT_FALSE(result->rebuilt);
  EXPECT_EQ(ByteVector(result->bytes.begin(), result->bytes.end()), bytes);
  EXPECT_EQ(result->bytes.data(), result->storage.data());
}

TEST(LargeBatches, BeyondTheLimitTheyAreRefused) {
  Stage stage;
  Validated result;
  const auto started = stage.validate(stage.first, batch_of_zeros(33u << 20), result);
  stage.settle();
  ASSERT_TRUE(started.done());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::message_too_large);
}

TEST(LargeBatches, OneAtATimeOfAllReactorsInTheOrderInWhichTheyCame) {
  Stage stage;
  stage.first.hold_blocking = stage.second.hold_blocking = true;
  Validated a, b, c;
  const auto first = stage.validate(stage.first, batch_of_zeros(1'000'000), a);
  const auto second = stage.validate(stage.second, batch_of_zeros(1'000'000), b);
  const auto third = stage.validate(stage.first, batch_of_zeros(1'000'000), c);
  stage.second.hold_blocking = false;
  stage.settle();
  EXPECT_FALSE(second.done()) << "it is not its turn";
  stage.second.hold_blocking = true;
  stage.first.hold_blocking = false;
  stage.settle();
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(second.done());
  EXPECT_FALSE(third.done());
  stage.second.hold_blocking = false;
  stage.settle();
  EXPECT_TRUE(second.done());
  EXPECT_TRUE(third.done());
  EXPECT_TRUE(a && b && c);
}

TEST(LargeBatches, WhoGivesUpHoldsNobodyBack) {
  Stage stage;
  stage.first.hold_blocking = true;
  Validated a, b, c, d;
  std::optional<Started> working(stage.validate(stage.first, batch_of_zeros(1'000'000), a));
  std::optional<Started> waiting(stage.validate(stage.first, batch_of_zeros(1'000'000), b));
  std::optional<Started> chosen(stage.validate(stage.second, batch_of_zeros(1'000'000), c));
  const auto last = stage.validate(stage.second, batch_of_zeros(1'000'000), d);
  waiting.reset();
  working.reset();  // its turn goes to `chosen`, which is told in a moment
  chosen.reset();
  stage.first.hold_blocking = false;
  stage.settle();
  EXPECT_TRUE(last.done());
  EXPECT_TRUE(d);
}

TEST(LargeBatches, AnAppendThatFailsOnTheReactorWorksAside) {
  Stage stage;
  auto log = stage.open_leading(LeaderEpoch(5));
  TopicSettings settings;
  settings.log = std::make_shared<storage::LogSettings>(stage.settings);
  settings.validate_strictly = true;
  const auto partition = std::make_shared<Partition>(TopicPartition{"orders", PartitionIndex(0)}, Uuid{}, BrokerId(1),
                                                     std::make_shared<TopicSettings>(settings), stage.environment);
  partition->apply({.leader = BrokerId(1),
                    .leader_epoch = LeaderEpoch(5),
                    .partition_epoch = PartitionEpoch(1),
                    .replicas = {BrokerId(1)},
                    .isr = {BrokerId(1)}},
                   log);
  records::ProduceValidator validator(LargeBatches::on_reactor);
  auto bytes = batch_of_zeros(20'000'000);
  AppendRequest request{.records = MutableBytes(bytes)};
  const auto refused = stage.run(partition->append_as_leader(stage.first, validator, request));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().opens_to_too_much);
  EXPECT_EQ(log->log_end(), Offset(0));
  request.aside = &stage.large;
  const auto appended = stage.run(partition->append_as_leader(stage.first, validator, request));
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->first_offset, Offset(0));
  EXPECT_EQ(log->log_end(), Offset(1));
  const auto read = stage.read(log, Offset(0));
  ASSERT_TRUE(read);
  const auto stored = stage.bytes_of(*read);
  EXPECT_TRUE(records::RecordBatchView(Bytes(stored)).crc_matches());
  EXPECT_EQ(records::RecordBatchView(Bytes(stored)).partition_leader_epoch(), LeaderEpoch(5));
  partition->close();
}

}  // namespace
}  // namespace klamm::replication
