#include "groups/metadata_hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "coordination/placement.h"

namespace klamm::groups {
namespace {

constexpr std::uint64_t prime32_1 = 0x9E3779B1u;
constexpr std::uint64_t prime32_2 = 0x85EBCA77u;
constexpr std::uint64_t prime32_3 = 0xC2B2AE3Du;
constexpr std::uint64_t prime64_1 = 0x9E3779B185EBCA87u;
constexpr std::uint64_t prime64_2 = 0xC2B2AE3D27D4EB4Fu;
constexpr std::uint64_t prime64_3 = 0x165667B19E3779F9u;
constexpr std::uint64_t prime64_4 = 0x85EBCA77C2B2AE63u;
constexpr std::uint64_t prime64_5 = 0x27D4EB2F165667C5u;

// Of the algorithm, for hashes without a seed.
constexpr std::array<std::uint8_t, 192> secret_bytes{
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4,
    0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e,
    0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43,
    0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
    0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19,
    0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7,
    0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78,
    0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16,
    0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
    0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};
constexpr std::size_t secret_least = 136;  // the smallest secret that the algorithm takes

template <typename T>
T little(const void* from) {
  T raw;
  std::memcpy(&raw, from, sizeof raw);
  if constexpr (std::endian::native == std::endian::big) raw = std::byteswap(raw);
  return raw;
}
template <typename T = std::uint64_t>
T secret(std::size_t at) {
  return little<T>(secret_bytes.data() + at);
}
std::uint64_t read64(Bytes from, std::size_t at) {
  return little<std::uint64_t>(from.data() + at);
}

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
std::uint64_t avalanche(std::uint64_t h) {
  h = (h ^ (h >> 37)) * 0x165667919E3779F9u;
  return h ^ (h >> 32);
}
std::uint64_t avalanche_of_xxh64(std::uint64_t h) {
  h = (h ^ (h >> 33)) * prime64_2;
  h = (h ^ (h >> 29)) * prime64_3;
  return h ^ (h >> 32);
}

std::uint64_t of_at_most_16(Bytes bytes) {
  const std::size_t size = bytes.size();
  if (size > 8) {
    const std::uint64_t low = read64(bytes, 0) ^ secret(24) ^ secret(32);
    const std::uint64_t high = read64(bytes, size - 8) ^ secret(40) ^ secret(48);
    return avalanche(size + std::byteswap(low) + high + fold(low, high));
  }
  if (size >= 4) {
    const std::uint64_t first = little<std::uint32_t>(bytes.data());
    const std::uint64_t last = little<std::uint32_t>(bytes.data() + size - 4);
    std::uint64_t h = (last + (first << 32)) ^ secret(8) ^ secret(16);
    h = (h ^ std::rotl(h, 49) ^ std::rotl(h, 24)) * 0x9FB21C651E98DF25u;
    h = (h ^ ((h >> 35) + size)) * 0x9FB21C651E98DF25u;
    return h ^ (h >> 28);
  }
  if (size == 0) return avalanche_of_xxh64(secret(56) ^ secret(64));
  const auto at = [&](std::size_t i) { return static_cast<std::uint64_t>(bytes[i]); };
  const std::uint64_t all = at(0) << 16 | at(size / 2) << 24 | at(size - 1) | size << 8;
  return avalanche_of_xxh64(all ^ secret<std::uint32_t>(0) ^ secret<std::uint32_t>(4));
}

std::uint64_t mix(Bytes bytes, std::size_t at, std::size_t secret_at) {
  return fold(read64(bytes, at) ^ secret(secret_at), read64(bytes, at + 8) ^ secret(secret_at + 8));
}

std::uint64_t of_at_most_128(Bytes bytes) {
  const std::size_t size = bytes.size();
  std::uint64_t sum = size * prime64_1;
  for (std::size_t i = (size - 1) / 32 + 1; i-- > 0;) {
    sum += mix(bytes, 16 * i, 32 * i);
    sum += mix(bytes, size - 16 * (i + 1), 32 * i + 16);
  }
  return avalanche(sum);
}

std::uint64_t of_at_most_240(Bytes bytes) {
  const std::size_t size = bytes.size();
  std::uint64_t sum = size * prime64_1;
  for (std::size_t i = 0; i < 8; ++i) sum += mix(bytes, 16 * i, 16 * i);
  sum = avalanche(sum);
  for (std::size_t i = 8; i < size / 16; ++i) sum += mix(bytes, 16 * i, 16 * (i - 8) + 3);
  return avalanche(sum + mix(bytes, size - 16, secret_least - 17));
}

constexpr std::size_t stripe = 64;
constexpr std::size_t stripes_of_block = (secret_bytes.size() - stripe) / 8;
using Lanes = std::array<std::uint64_t, 8>;

void accumulate(Lanes& lanes, Bytes bytes, std::size_t at, std::size_t secret_at) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const std::uint64_t value = read64(bytes, at + 8 * i);
    const std::uint64_t key = value ^ secret(secret_at + 8 * i);
    lanes[i ^ 1] += value;
    lanes[i] += (key & 0xFFFFFFFFu) * (key >> 32);
  }
}
void scramble(Lanes& lanes) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    std::uint64_t& lane = lanes[i];
    lane = ((lane ^ (lane >> 47)) ^ secret(secret_bytes.size() - stripe + 8 * i)) * prime32_1;
  }
}

std::uint64_t of_more(Bytes bytes) {
  const std::size_t size = bytes.size();
  Lanes lanes{prime32_3, prime64_1, prime64_2, prime64_3, prime64_4, prime32_2, prime64_5, prime32_1};
  const std::size_t stripes = (size - 1) / stripe;
  for (std::size_t i = 0; i < stripes; ++i) {
    accumulate(lanes, bytes, i * stripe, 8 * (i % stripes_of_block));
    if (i % stripes_of_block == stripes_of_block - 1) scramble(lanes);
  }
  accumulate(lanes, bytes, size - stripe, secret_bytes.size() - stripe - 7);
  std::uint64_t sum = size * prime64_1;
  for (std::size_t i = 0; i < 4; ++i) {
    sum += fold(lanes[2 * i] ^ secret(11 + 16 * i), lanes[2 * i + 1] ^ secret(19 + 16 * i));
  }
  return avalanche(sum);
}

// What goes into a hash, as hash4j's streams lay it out: little endian, a text as its UTF-16 units and their number.
class Input {
 public:
  template <typename T>
  void put(T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  void put(std::string_view utf8) {
    const std::u16string units = coordination::java_text(utf8);
    for (const char16_t unit : units) put(static_cast<std::uint16_t>(unit));
    put(static_cast<std::uint32_t>(units.size()));
  }
  std::int64_t hash() const { return static_cast<std::int64_t>(xxh3(bytes_)); }

 private:
  ByteVector bytes_;
};

}  // namespace

std::uint64_t xxh3(Bytes bytes) {
  if (bytes.size() <= 16) return of_at_most_16(bytes);
  if (bytes.size() <= 128) return of_at_most_128(bytes);
  if (bytes.size() <= 240) return of_at_most_240(bytes);
  return of_more(bytes);
}

std::int64_t topic_hash(const metadata::Image& image, const metadata::Topic& topic) {
  constexpr std::uint8_t magic = 0;
  Input input;
  input.put(magic);
  input.put(topic.id.high);
  input.put(topic.id.low);
  input.put(std::string_view(topic.name));
  const auto count = static_cast<std::uint32_t>(topic.partition_count());
  input.put(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    input.put(i);
    const auto* partition = topic.partition(static_cast<std::int32_t>(i));
    if (!partition) continue;
    std::vector<std::u16string> racks;
    for (const std::int32_t replica : partition->replicas) {
      const auto* broker = image.broker(BrokerId(replica));
      if (broker && broker->rack) racks.push_back(coordination::java_text(*broker->rack));
    }
    std::ranges::sort(racks);
    for (const std::u16string& rack : racks) {
      input.put(static_cast<std::uint32_t>(rack.size()));
      for (const char16_t unit : rack) input.put(static_cast<std::uint16_t>(unit));
      input.put(static_cast<std::uint32_t>(rack.size()));
    }
  }
  return input.hash();
}

std::int64_t metadata_hash(const metadata::Image& image, const std::vector<std::string_view>& topics) {
  Input input;
  bool any = false;
  for (const std::string_view name : topics) {
    const metadata::Topic* topic = image.topic(name);
    if (!topic) continue;
    any = true;
    input.put(static_cast<std::uint64_t>(topic_hash(image, *topic)));
  }
  return any ? input.hash() : 0;
}

}  // namespace klamm::groups
