#include "runtime/simulation/inode.h"

#include <cstring>

#include "runtime/simulation/disk.h"

namespace klamm::runtime::simulation {
namespace {

std::size_t sectors(std::uint64_t bytes) {
  return static_cast<std::size_t>((bytes + sector_bytes - 1) / sector_bytes);
}

// How much of what was not synced had reached the disk.
enum class Survival : std::uint8_t { nothing, everything, first_part, any_sectors };

}  // namespace

void apply_change(Names& names, const NameChange& change) {
  for (const auto& [name, inode] : change) {
    if (inode == nullptr) {
      names.erase(name);
    } else {
      names[name] = inode;
    }
  }
}

void Inode::mark(std::uint64_t from, std::uint64_t to) {
  if (from >= to) return;
  const auto begin = static_cast<std::size_t>(from / sector_bytes);
  const std::size_t end = sectors(to);
  if (dirty.size() < end) dirty.resize(end);
  for (std::size_t i = begin; i < end; ++i) dirty[i] = true;
  dirty_begin = dirty_begin == dirty_end ? begin : std::min(dirty_begin, begin);
  dirty_end = std::max(dirty_end, end);
}

void Inode::clean() {
  for (std::size_t i = dirty_begin; i < std::min(dirty_end, dirty.size()); ++i) dirty[i] = false;
  dirty_begin = dirty_end = 0;
}

void Inode::write(std::uint64_t offset, Bytes bytes) {
  if (bytes.empty()) return;
  const std::uint64_t end = offset + bytes.size();
  if (end > seen.size()) resize(end);
  std::memcpy(seen.data() + offset, bytes.data(), bytes.size());
  mark(offset, end);
}

void Inode::resize(std::uint64_t size) {
  const std::uint64_t before = seen.size();
  seen.resize(static_cast<std::size_t>(size));
  if (size > before) {
    mark(before, size);
    return;
  }
  behind.clear();
  dirty_end = std::min(dirty_end, sectors(size));
  dirty_begin = std::min(dirty_begin, dirty_end);
  dirty.resize(std::min(dirty.size(), sectors(size)));
}

void Inode::sync() {
  kept.resize(seen.size());
  for (std::size_t i = dirty_begin; i < std::min(dirty_end, dirty.size()); ++i) {
    if (!dirty[i]) continue;
    const std::size_t from = i * sector_bytes;
    const std::size_t length = std::min<std::size_t>(sector_bytes, seen.size() - from);
    std::memcpy(kept.data() + from, seen.data() + from, length);
  }
  behind.clear();
  clean();
}

void Inode::lose_dirty() {
  clean();
}

// The file will end at `size`: the bytes behind, up to the end of its block, may have reached the disk though its size
// did not. (Linux does not hold a page still while it is written: what is appended to it meanwhile goes along.)
ByteVector Inode::left_behind(std::uint64_t size, Chance& chance) const {
  const std::uint64_t block_end = (size + block_bytes - 1) / block_bytes * block_bytes;
  const std::uint64_t end = std::min<std::uint64_t>(block_end, seen.size());
  if (end <= size) return size == kept.size() ? behind : ByteVector();
  if (chance.one_in(2)) return {};
  return ByteVector(seen.begin() + static_cast<std::ptrdiff_t>(size), seen.begin() + static_cast<std::ptrdiff_t>(end));
}

void Inode::power_cut(Chance& chance) {
  locked = loaded = false;
  if (is_directory) {
    // The journal kept an unknown part of the changes, in their order.
    const auto survive = static_cast<std::size_t>(chance.between(0, unsynced.size()));
    for (std::size_t i = 0; i < survive; ++i) apply_change(kept_names, unsynced[i]);
    unsynced.clear();
    names = kept_names;
    return;
  }
  if (kept.size() == seen.size() && dirty_begin == dirty_end) {
    seen = kept;
    return;
  }
  const auto survival = static_cast<Survival>(chance.below(4));
  std::uint64_t size = survival == Survival::nothing ? kept.size() : seen.size();
  if (survival == Survival::first_part || survival == Survival::any_sectors) {
    size = chance.between(std::min(kept.size(), seen.size()), std::max(kept.size(), seen.size()));
    // The size may have been kept without the blocks: then the end reads as zeros.
    if (chance.one_in(3)) size = seen.size();
  }
  const ByteVector left = left_behind(size, chance);
  const std::size_t first_part = dirty_begin + static_cast<std::size_t>(chance.below(dirty_end - dirty_begin + 1));
  ByteVector result = std::move(kept);
  const std::size_t kept_end = result.size();
  result.resize(static_cast<std::size_t>(size));
  if (size > kept_end)
    std::ranges::copy(Bytes(behind).first(std::min(behind.size(), size - kept_end)),
                      result.begin() + static_cast<std::ptrdiff_t>(kept_end));
  for (std::size_t i = dirty_begin; i < std::min(dirty_end, dirty.size()); ++i) {
    if (!dirty[i] || i * sector_bytes >= size) continue;
    bool survives = survival == Survival::everything;
    if (survival == Survival::first_part) survives = i < first_part;
    if (survival == Survival::any_sectors) survives = chance.one_in(2);
    if (!survives) continue;
    const std::size_t from = i * sector_bytes;
    const std::size_t length =
        std::min<std::size_t>({sector_bytes, seen.size() - from, static_cast<std::size_t>(size) - from});
    std::memcpy(result.data() + from, seen.data() + from, length);
  }
  clean();
  behind = left;
  kept = result;
  seen = std::move(result);
}

}  // namespace klamm::runtime::simulation
