// The twins that own nothing: they say the same as the messages and take no memory when warm.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"

namespace {
std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace klamm::protocol {
namespace {

FetchRequest some_fetch() {
  FetchRequest request{.max_wait_ms = 500, .min_bytes = 1, .session_id = 3, .session_epoch = 4};
  for (std::uint64_t t = 1; t <= 3; ++t) {
    auto& topic = request.topics.emplace_back();
    topic.topic_id = {t, t};
    for (int p = 0; p < 4; ++p) topic.partitions.push_back({.partition = p, .fetch_offset = 100 * p});
    topic.unknown_tagged_fields = {{5, ByteVector(3)}, {6, {}}};
  }
  request.forgotten_topics_data.push_back({.topic_id = {9, 9}, .partitions = {1, 2, 3}});
  request.rack_id = "a-rack-with-a-name-that-is-too-long-for-a-short-string";
  return request;
}

template <typename T>
ByteVector encoded(const T& message, std::int16_t version) {
  ByteVector bytes;
  Writer writer(bytes);
  message.encode(writer, version);
  EXPECT_TRUE(writer.ok()) << writer.error();
  return bytes;
}

TEST(Views, SayTheSame) {
  const ByteVector bytes = encoded(some_fetch(), 17);
  Arena arena;
  FetchRequestView view;
  Reader reader(bytes);
  view.decode(reader, arena, 17);
  ASSERT_TRUE(reader.ok()) << reader.error();
  EXPECT_EQ(view.rack_id, some_fetch().rack_id);
  EXPECT_EQ(view.topics.size(), 3u);
  EXPECT_EQ(view.topics[2].partitions[3].fetch_offset, 300);
  EXPECT_EQ(view.topics[0].unknown_tagged_fields.size(), 2u);
  EXPECT_EQ(encoded(view, 17), bytes);
}

TEST(Views, ReadARequestWithoutTakingMemory) {
  const ByteVector bytes = encoded(some_fetch(), 17);
  Arena arena;
  for (int round = 0; round < 3; ++round) {
    const std::size_t before = allocations;
    arena.reset();
    FetchRequestView view;
    Reader reader(bytes);
    view.decode(reader, arena, 17);
    EXPECT_TRUE(reader.ok());
    if (round > 0) {
      EXPECT_EQ(allocations, before);
    }
  }
}

TEST(Views, WriteAResponseWithoutTakingMemory) {
  Arena arena;
  ByteVector buffer;
  std::vector<PayloadHole> holes;
  for (int round = 0; round < 3; ++round) {
    const std::size_t before = allocations;
    arena.reset();
    buffer.clear();
    holes.clear();
    FetchResponseView response;
    response.responses = arena.array<FetchResponseView::FetchableTopicResponse>(1);
    response.responses[0].topic_id = {1, 2};
    response.responses[0].partitions = arena.array<FetchResponseView::PartitionData>(2);
    for (auto& partition : response.responses[0].partitions) partition.records = Payload::hole(1 << 20, 1);
    Writer writer(buffer, &holes);
    response.encode(writer, 16);
    EXPECT_TRUE(writer.ok());
    EXPECT_EQ(holes.size(), 2u);
    EXPECT_EQ(writer.wire_size(), response.encoded_size(16));
    if (round > 0) {
      EXPECT_EQ(allocations, before);
    }
  }
}

TEST(Views, RefuseWhatTheArenaMayNotHold) {
  FetchRequest request;
  request.topics.resize(2000);
  const ByteVector bytes = encoded(request, 17);
  Arena arena(4096, 4096);
  FetchRequestView view;
  Reader reader(bytes);
  view.decode(reader, arena, 17);
  EXPECT_FALSE(reader.ok());
}

TEST(Views, CutAnywhereIsRefused) {
  const ByteVector bytes = encoded(some_fetch(), 17);
  Arena arena;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    arena.reset();
    Reader reader(Bytes(bytes).first(size));
    FetchRequestView view;
    view.decode(reader, arena, 17);
    ASSERT_FALSE(reader.ok()) << size;
  }
}

}  // namespace
}  // namespace klamm::protocol
