#include "records/compression.h"

#include <gtest/gtest.h>

#include <random>

#include "records/codecs.h"
#include "records/fixtures_for_tests.h"

namespace klamm::records {
namespace {

using namespace testing;

constexpr CompressionType all_types[] = {CompressionType::none, CompressionType::gzip, CompressionType::snappy,
                                         CompressionType::lz4, CompressionType::zstd};

// Text, noise, nothing, repetition; around the sizes of blocks and pieces.
std::vector<ByteVector> payloads() {
  std::mt19937 random(1);
  std::vector<ByteVector> all;
  for (const std::size_t size : {0u, 1u, 17u, 32767u, 32768u, 32769u, 65535u, 65536u, 65537u, 131072u, 300'000u}) {
    ByteVector noise(size);
    ByteVector text(size);
    for (std::size_t i = 0; i < size; ++i) {
      noise[i] = static_cast<std::byte>(random());
      text[i] = static_cast<std::byte>("the quick brown fox "[(i + i / 1000) % 20]);
    }
    all.push_back(std::move(noise));
    all.push_back(std::move(text));
    all.emplace_back(size);
  }
  return all;
}

TEST(Compression, NamesAndLevelsAreKafkas) {
  for (const auto type : all_types) EXPECT_EQ(compression_of_name(compression_name(type)), type);
  EXPECT_FALSE(compression_of_name("brotli"));
  EXPECT_EQ(compression_name(static_cast<CompressionType>(5)), "unknown");
  EXPECT_TRUE(level_range(CompressionType::gzip).allows(-1));
  EXPECT_FALSE(level_range(CompressionType::gzip).allows(0));
  EXPECT_FALSE(level_range(CompressionType::lz4).allows(18));
  EXPECT_TRUE(level_range(CompressionType::zstd).allows(-131072));
  EXPECT_EQ(level_range(CompressionType::zstd).standard, 3);
}

TEST(Compression, EveryPayloadComesBackFromEveryCodec) {
  Compressor compressor;
  Decompressor decompressor;
  for (const auto& plain : payloads()) {
    for (const auto type : all_types) {
      SCOPED_TRACE(fmt::format("{} {}", compression_name(type), plain.size()));
      ByteVector packed = from_hex("abcd");
      compressor.compress({type}, plain, packed);
      ASSERT_EQ(to_hex(Bytes(packed).first(2)), "abcd") << "what stood there before stays";
      ByteVector again;
      ASSERT_TRUE(decompressor.decompress(type, Bytes(packed).subspan(2), again));
      EXPECT_TRUE(same_bytes(again, plain));
    }
  }
}

TEST(Compression, PayloadsAreReadInPiecesOfAnySize) {
  Compressor compressor;
  Decompressor decompressor;
  ByteVector plain(200'000);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<std::byte>((i * i) >> 7);
  for (const auto type : all_types) {
    ByteVector packed;
    compressor.compress({type}, plain, packed);
    for (const std::size_t piece : {1u, 7u, 1000u, 65536u, 70'000u, 400'000u}) {
      if (piece == 1 && type != CompressionType::zstd && type != CompressionType::lz4) continue;
      ASSERT_TRUE(decompressor.start(type, packed));
      ByteVector again;
      ByteVector room(piece);
      for (;;) {
        const auto got = decompressor.read(room);
        ASSERT_TRUE(got);
        append_bytes(again, Bytes(room).first(*got));
        if (*got < room.size()) break;
      }
      EXPECT_EQ(decompressor.read(room), 0u);
      EXPECT_TRUE(same_bytes(again, plain)) << compression_name(type) << " " << piece;
    }
  }
}

TEST(Compression, TheLimitIsExact) {
  Compressor compressor;
  const ByteVector plain(100'000);
  for (const auto type : all_types) {
    SCOPED_TRACE(compression_name(type));
    ByteVector packed;
    compressor.compress({type}, plain, packed);
    ByteVector again;
    Decompressor exact(DecompressionLimits{.plain_bytes_max = 100'000});
    EXPECT_TRUE(exact.decompress(type, packed, again));
    Decompressor tight(DecompressionLimits{.plain_bytes_max = 99'999});
    EXPECT_EQ(tight.decompress(type, packed, again).error().code, ErrorCode::message_too_large);
  }
}

TEST(Compression, AContextServesAgainAfterABrokenPayload) {
  Compressor compressor;
  Decompressor decompressor;
  const ByteVector plain = from_hex("0011223344556677889900112233445566778899");
  for (const auto type : all_types) {
    if (type == CompressionType::none) continue;
    ByteVector packed;
    compressor.compress({type}, plain, packed);
    ByteVector out;
    EXPECT_EQ(decompressor.decompress(type, Bytes(packed).first(packed.size() / 2), out).error().code,
              ErrorCode::corrupt_message);
    out.clear();
    EXPECT_TRUE(decompressor.decompress(type, packed, out));
    EXPECT_TRUE(same_bytes(out, plain));
  }
  EXPECT_EQ(decompressor.start(static_cast<CompressionType>(6), plain).error().code, ErrorCode::invalid_record);
}

TEST(Compression, GzipMembersFollowOneAnotherAndGarbageBehindThemIsIgnored) {
  Compressor compressor;
  Decompressor decompressor;
  ByteVector packed;
  compressor.compress({CompressionType::gzip}, as_bytes("one "), packed);
  compressor.compress({CompressionType::gzip}, as_bytes("two"), packed);
  append_bytes(packed, from_hex("0000"));
  ByteVector out;
  ASSERT_TRUE(decompressor.decompress(CompressionType::gzip, packed, out));
  EXPECT_EQ(as_text(out), "one two");
}

TEST(Compression, SnappyIsFramedAsJavaDoesAndReadRawToo) {
  Compressor compressor;
  Decompressor decompressor;
  ByteVector framed;
  compressor.compress({CompressionType::snappy}, as_bytes("hello hello hello hello"), framed);
  EXPECT_EQ(to_hex(Bytes(framed).first(16)), "82534e41505059000000000100000001");
  const auto block_size = load_big<std::int32_t>(framed.data() + 16);
  EXPECT_EQ(framed.size(), 20u + static_cast<std::size_t>(block_size));

  const auto raw = to_vector(Bytes(framed).subspan(20));
  ByteVector out;
  ASSERT_TRUE(decompressor.decompress(CompressionType::snappy, raw, out));
  EXPECT_EQ(as_text(out), "hello hello hello hello");

  // Two streams one after the other, as some writers flush.
  auto twice = framed;
  append_bytes(twice, framed);
  out.clear();
  ASSERT_TRUE(decompressor.decompress(CompressionType::snappy, twice, out));
  EXPECT_EQ(out.size(), 46u);
}

TEST(Compression, ASnappyBlockCannotPromiseMoreThanItHolds) {
  Decompressor decompressor;
  ByteVector out;
  // A raw block of 5 bytes that says it becomes 4 GiB - 1.
  EXPECT_EQ(decompressor.decompress(CompressionType::snappy, from_hex("ffffffff0f"), out).error().code,
            ErrorCode::corrupt_message);
  // Framed: a block size beyond the payload, a negative one.
  const std::string header = "82534e41505059000000000100000001";
  EXPECT_EQ(decompressor.decompress(CompressionType::snappy, from_hex(header + "7fffffff00"), out).error().code,
            ErrorCode::corrupt_message);
  EXPECT_EQ(decompressor.decompress(CompressionType::snappy, from_hex(header + "ffffffff00"), out).error().code,
            ErrorCode::corrupt_message);
  EXPECT_LE(out.capacity(), 128u << 10);
}

TEST(Compression, Lz4FramesAreKafkas) {
  Compressor compressor;
  Decompressor decompressor;
  ByteVector packed;
  compressor.compress({CompressionType::lz4}, as_bytes("lz4"), packed);
  // Magic, version 1 with independent blocks, 64 KiB, header checksum; a stored block of 3 bytes; the end mark.
  EXPECT_EQ(to_hex(packed),
            "04224d18604082"
            "03000080"
            "6c7a34"
            "00000000");
  ByteVector broken;
  compressor.compress({CompressionType::lz4}, as_bytes("lz4"), broken, true);
  EXPECT_NE(broken[6], packed[6]);
  ByteVector out;
  EXPECT_EQ(decompressor.decompress(CompressionType::lz4, broken, out).error().message,
            "Failed to decompress record stream: Stream frame descriptor corrupted");
  EXPECT_TRUE(decompressor.decompress(CompressionType::lz4, broken, out, true));
  EXPECT_EQ(as_text(out), "lz4");
}

TEST(Compression, Lz4FramesThatKafkaRefusesAreRefused) {
  Decompressor decompressor;
  const auto frame = [](std::string flags, std::string sizes, std::string rest) {
    auto bytes = from_hex("04224d18" + flags + sizes);
    bytes.push_back(static_cast<std::byte>(xxhash32(Bytes(bytes).subspan(4)) >> 8));
    append_bytes(bytes, from_hex(rest));
    return bytes;
  };
  const auto error = [&](const ByteVector& bytes) {
    ByteVector out;
    const auto done = decompressor.decompress(CompressionType::lz4, bytes, out);
    return done ? "accepted: " + std::string(as_text(out)) : done.error().message.substr(36);
  };
  EXPECT_EQ(error(frame("40", "40", "00000000")), "Dependent block stream is unsupported");
  EXPECT_EQ(error(frame("a0", "40", "00000000")), "Version 2 is unsupported");
  EXPECT_EQ(error(frame("62", "40", "00000000")), "Reserved bits must be 0");
  EXPECT_EQ(error(frame("60", "30", "00000000")), "Block size value must be between 4 and 7");
  EXPECT_EQ(error(frame("60", "c0", "00000000")), "Reserved3 field must be 0");
  EXPECT_EQ(error(frame("60", "40", "01000100")), "Block size 65537 exceeded max: 65536");
  EXPECT_EQ(error(frame("60", "40", "0300008061")), "Stream ended prematurely");
  EXPECT_EQ(error(frame("60", "40", "")), "Stream ended prematurely");
  EXPECT_EQ(error(from_hex("04224d18")), "Stream ended prematurely");
  EXPECT_EQ(error(from_hex("04224d19604082")), "Stream unsupported (invalid magic bytes)");
  // A block checksum, right and wrong; a content size in the header.
  EXPECT_EQ(error(frame("70", "40",
                        "0100008061"
                        "3d6405ec"
                        "00000000")),
            "Block checksum mismatch");
  auto checked = frame("70", "40", "0100008061");
  const auto hash = xxhash32(from_hex("61"));
  for (int i = 0; i < 4; ++i) checked.push_back(static_cast<std::byte>(hash >> (8 * i)));
  append_bytes(checked, from_hex("00000000"));
  EXPECT_EQ(error(checked), "accepted: a");
  EXPECT_EQ(xxhash32({}), 0x02cc5d05u);
  EXPECT_EQ(xxhash32(as_bytes("Nobody inspects the spammish repetition")), 0xe2293b2fu);
}

TEST(Compression, AZstdFrameWithAWindowOfGigabytesIsRefused) {
  // Window descriptor f8: 2^41 bytes; then an empty last block.
  Decompressor decompressor;
  ByteVector out;
  const auto done = decompressor.decompress(CompressionType::zstd, from_hex("28b52ffd00f8010000"), out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::corrupt_message);
}

TEST(Compression, WhatCannotBeIsSeenWithoutOpening) {
  EXPECT_TRUE(begins_like(CompressionType::gzip, from_hex("1f8b0800")));
  EXPECT_FALSE(begins_like(CompressionType::gzip, from_hex("1f8b")));
  EXPECT_FALSE(begins_like(CompressionType::lz4, as_bytes("not lz4 at all")));
  EXPECT_TRUE(begins_like(CompressionType::zstd, from_hex("28b52ffd00")));
  EXPECT_TRUE(begins_like(CompressionType::zstd, from_hex("5a2a4d1800000000")));
  EXPECT_FALSE(begins_like(CompressionType::zstd, from_hex("28b52f")));
  EXPECT_TRUE(can_hold(CompressionType::lz4, 100, 3642));
  EXPECT_FALSE(can_hold(CompressionType::lz4, 100, 3643));
  EXPECT_FALSE(can_hold(CompressionType::zstd, 100, 2147483647));
  EXPECT_FALSE(can_hold(CompressionType::zstd, 100, -1));
}

TEST(Compression, NestedBombsStayClosed) {
  // A bomb inside of a bomb: only the outer one is ever opened.
  Compressor compressor;
  ByteVector inner;
  compressor.compress({CompressionType::gzip}, ByteVector(20'000'000), inner);
  ByteVector outer;
  compressor.compress({CompressionType::gzip}, inner, outer);
  Decompressor decompressor(DecompressionLimits{.plain_bytes_max = 100'000});
  ByteVector out;
  EXPECT_TRUE(decompressor.decompress(CompressionType::gzip, outer, out));
  EXPECT_EQ(out.size(), inner.size());
}

}  // namespace
}  // namespace klamm::records
