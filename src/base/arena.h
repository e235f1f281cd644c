// A bump allocator for what lives exactly as long as one request: arrays of decoded requests and of answers under way.
// Chunks are kept across reset(), so a warm arena takes nothing from the global allocator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/ensure.h"

namespace klamm {

// Not thread-safe. Nothing in it is ever destroyed, so only trivially destructible types go in.
class Arena {
 public:
  static constexpr std::size_t default_bytes_max = 64u << 20;

  // `bytes_max` bounds what all chunks together may take; `chunk_bytes` is the size of an ordinary chunk.
  explicit Arena(std::size_t bytes_max = default_bytes_max, std::size_t chunk_bytes = 16u << 10)
      : bytes_max_(bytes_max), chunk_bytes_(chunk_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised memory, or nullptr when the bound would be passed.
  void* try_allocate(std::size_t size, std::size_t alignment) {
    const std::size_t start = (used_ + alignment - 1) & ~(alignment - 1);
    if (chunk_ < chunks_.size() && start <= chunks_[chunk_].size && size <= chunks_[chunk_].size - start) [[likely]] {
      used_ = start + size;
      return chunks_[chunk_].memory.get() + start;
    }
    return allocate_elsewhere(size);
  }
  void* allocate(std::size_t size, std::size_t alignment) {
    void* memory = try_allocate(size, alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }

  // `count` value-initialised elements; throws std::bad_alloc beyond the bound.
  template <typename T>
  std::span<T> array(std::size_t count) {
    return construct<T>(allocate(bytes_of<T>(count), alignof(T)), count);
  }
  // The same, with no elements (and a null data pointer) beyond the bound.
  template <typename T>
  std::span<T> try_array(std::size_t count) {
    void* memory = count > bytes_max_ / sizeof(T) ? nullptr : try_allocate(count * sizeof(T), alignof(T));
    return memory == nullptr ? std::span<T>() : construct<T>(memory, count);
  }
  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    auto* memory = static_cast<char*>(allocate(text.size(), 1));
    std::memcpy(memory, text.data(), text.size());
    return {memory, text.size()};
  }

  // Forgets everything that was handed out and keeps the chunks.
  void reset() { chunk_ = used_ = 0; }
  // Gives the chunks beyond `bytes` back, after reset().
  void shrink(std::size_t bytes) {
    ENSURE(chunk_ == 0 && used_ == 0);
    while (!chunks_.empty() && reserved_ > bytes) {
      reserved_ -= chunks_.back().size;
      chunks_.pop_back();
    }
  }
  std::size_t reserved_bytes() const { return reserved_; }

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> memory;
    std::size_t size;
  };

  template <typename T>
  std::size_t bytes_of(std::size_t count) const {
    if (count > bytes_max_ / sizeof(T)) throw std::bad_alloc();
    return count * sizeof(T);
  }
  template <typename T>
  static std::span<T> construct(void* memory, std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>, "nothing in an arena is destroyed");
    static_assert(alignof(T) <= alignof(std::max_align_t), "chunks are aligned for ordinary types");
    auto* first = static_cast<T*>(memory);
    std::uninitialized_value_construct_n(first, count);
    return {first, count};
  }

  // The next chunk that is big enough, or a new one. What is skipped is free again after reset().
  void* allocate_elsewhere(std::size_t size) {
    for (std::size_t i = chunk_ + 1; i < chunks_.size(); ++i) {
      if (chunks_[i].size >= size) return take(i, size);
    }
    const std::size_t bytes = size > chunk_bytes_ ? size : chunk_bytes_;
    if (bytes > bytes_max_ - reserved_) return nullptr;
    chunks_.push_back({std::make_unique_for_overwrite<std::byte[]>(bytes), bytes});
    reserved_ += bytes;
    return take(chunks_.size() - 1, size);
  }
  void* take(std::size_t index, std::size_t size) {
    chunk_ = index;
    used_ = size;
    return chunks_[index].memory.get();
  }

  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0;
  std::size_t used_ = 0;
  std::size_t reserved_ = 0;
  std::size_t bytes_max_;
  std::size_t chunk_bytes_;
};

}  // namespace klamm
