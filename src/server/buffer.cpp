#include "server/buffer.h"

#include <bit>
#include <cstdlib>
#include <new>

namespace klamm::server {

namespace {

struct SizeClass {
  int index;  // -1 for what is larger than every class
  std::size_t bytes;
};

// Four classes between each two powers of two, so that at most a fifth of a buffer is of no use.
SizeClass class_of(std::size_t capacity) {
  if (capacity > BufferPool::class_bytes_max) return {-1, capacity};
  if (capacity <= BufferPool::class_bytes_min) return {0, BufferPool::class_bytes_min};
  const std::size_t last = capacity - 1;
  const int width = static_cast<int>(std::bit_width(last));  // 9 … 21
  const int shift = width - 3;
  const std::size_t steps = last >> shift;  // 4 … 7
  return {(width - 9) * 4 + static_cast<int>(steps - 4) + 1, (steps + 1) << shift};
}

}  // namespace

BufferPool::~BufferPool() {
  trim();
}

std::size_t BufferPool::charge_of(std::size_t capacity) {
  return class_of(capacity).bytes;
}

BufferRef BufferPool::take(std::size_t capacity, WhenFull when_full) {
  const auto [size_class, bytes] = class_of(capacity);
  using Want = RequestPool::Want;
  const auto want = bytes <= small_bytes ? Want::small : bytes <= ordinary_bytes ? Want::ordinary : Want::large;
  if (when_full == WhenFull::exceed) {
    requests_.charge(charged(bytes));
  } else if (!requests_.try_charge(charged(bytes), want)) {
    return {};
  }

  Buffer* buffer = size_class < 0 ? nullptr : free_[static_cast<std::size_t>(size_class)];
  if (buffer) {
    free_[static_cast<std::size_t>(size_class)] = buffer->next_free_;
    cached_bytes_ -= bytes;
  } else {
    void* memory = std::malloc(sizeof(Buffer) + bytes);
    if (!memory) {
      requests_.release(charged(bytes));
      throw std::bad_alloc();
    }
    buffer = new (memory) Buffer;
    buffer->pool_ = this;
    buffer->capacity_ = bytes;
    buffer->size_class_ = size_class;
  }
  buffer->next_free_ = nullptr;
  buffer->references_ = 1;
  return BufferRef(buffer);
}

void BufferPool::give_back(Buffer* buffer) {
  const std::size_t bytes = buffer->capacity_;
  if (buffer->size_class_ < 0 || cached_bytes_ + bytes > cached_bytes_max) {
    std::free(buffer);
  } else {
    Buffer*& first = free_[static_cast<std::size_t>(buffer->size_class_)];
    buffer->next_free_ = first;
    first = buffer;
    cached_bytes_ += bytes;
  }
  requests_.release(charged(bytes));
}

void BufferPool::trim() {
  for (Buffer*& first : free_) {
    while (first) {
      Buffer* buffer = first;
      first = buffer->next_free_;
      std::free(buffer);
    }
  }
  cached_bytes_ = 0;
}

}  // namespace klamm::server
