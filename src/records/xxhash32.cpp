#include "records/codecs.h"

namespace klamm::records {

namespace {

constexpr std::uint32_t prime1 = 2654435761u;
constexpr std::uint32_t prime2 = 2246822519u;
constexpr std::uint32_t prime3 = 3266489917u;
constexpr std::uint32_t prime4 = 668265263u;
constexpr std::uint32_t prime5 = 374761393u;

std::uint32_t load_little(const std::byte* from) {
  std::uint32_t raw;
  std::memcpy(&raw, from, sizeof raw);
  if constexpr (std::endian::native == std::endian::big) raw = std::byteswap(raw);
  return raw;
}

std::uint32_t round(std::uint32_t accumulator, std::uint32_t lane) {
  return std::rotl(accumulator + lane * prime2, 13) * prime1;
}

}  // namespace

std::uint32_t xxhash32(Bytes bytes) {
  const std::byte* at = bytes.data();
  const std::byte* end = at + bytes.size();
  std::uint32_t hash = prime5;
  if (bytes.size() >= 16) {
    std::uint32_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
    for (; end - at >= 16; at += 16)
      for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], load_little(at + 4 * i));
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  }
  hash += static_cast<std::uint32_t>(bytes.size());
  for (; end - at >= 4; at += 4) hash = std::rotl(hash + load_little(at) * prime3, 17) * prime4;
  for (; at != end; ++at) hash = std::rotl(hash + static_cast<std::uint32_t>(*at) * prime5, 11) * prime1;
  hash = (hash ^ (hash >> 15)) * prime2;
  hash = (hash ^ (hash >> 13)) * prime3;
  return hash ^ (hash >> 16);
}

}  // namespace klamm::records
