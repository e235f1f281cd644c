// Buffers for received bytes: taken from free lists of the reactor, charged to the request pool while in use, shared by
// the requests that lie in them. A buffer is used on its reactor only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "server/request_pool.h"

namespace klamm::server {

class BufferPool;

class Buffer {
 public:
  MutableBytes bytes() { return {reinterpret_cast<std::byte*>(this + 1), capacity_}; }
  std::size_t capacity() const { return capacity_; }
  bool shared() const { return references_ > 1; }

 private:
  friend class BufferPool;
  friend class BufferRef;
  BufferPool* pool_;
  Buffer* next_free_;
  std::size_t capacity_;
  std::uint32_t references_;
  std::int32_t size_class_;
};
static_assert(sizeof(Buffer) % alignof(std::max_align_t) == 0, "the bytes after it are aligned for everything");

class BufferRef {
 public:
  BufferRef() = default;
  BufferRef(const BufferRef& other) : buffer_(other.buffer_) {
    if (buffer_) ++buffer_->references_;
  }
  BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferRef() { reset(); }

  void reset();
  explicit operator bool() const { return buffer_ != nullptr; }
  Buffer* operator->() const { return buffer_; }
  bool operator==(const BufferRef&) const = default;

 private:
  friend class BufferPool;
  explicit BufferRef(Buffer* buffer) : buffer_(buffer) {}
  Buffer* buffer_ = nullptr;
};

class BufferPool {
 public:
  // What a frame is read into at first, and at first when memory is short.
  static constexpr std::size_t ordinary_bytes = std::size_t{64} << 10;
  static constexpr std::size_t small_bytes = std::size_t{4} << 10;
  // What free lists keep for later uses, together.
  static constexpr std::size_t cached_bytes_max = std::size_t{4} << 20;
  static constexpr std::size_t class_bytes_min = 256;
  static constexpr std::size_t class_bytes_max = std::size_t{2} << 20;

  explicit BufferPool(RequestPool& requests) : requests_(requests) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  enum class WhenFull : std::uint8_t { refuse, exceed };
  // At least `capacity` bytes. Empty when the request pool is full and `when_full` says so.
  BufferRef take(std::size_t capacity, WhenFull when_full = WhenFull::refuse);
  // What a buffer of at least `capacity` bytes is charged.
  static std::size_t charge_of(std::size_t capacity);
  // Gives the memory of all free lists back.
  void trim();
  std::size_t cached_bytes() const { return cached_bytes_; }

 private:
  friend class BufferRef;
  static constexpr int class_count = 53;  // 256 B … 2 MiB
  void give_back(Buffer* buffer);
  // The one frame that is larger than that takes no more from the others.
  std::size_t charged(std::size_t bytes) const { return std::min<std::size_t>(bytes, requests_.stalled_max()); }

  RequestPool& requests_;
  std::array<Buffer*, class_count> free_{};
  std::size_t cached_bytes_ = 0;
};

inline void BufferRef::reset() {
  if (buffer_ && --buffer_->references_ == 0) buffer_->pool_->give_back(buffer_);
  buffer_ = nullptr;
}

}  // namespace klamm::server
