// What the shards of one kind hold in memory in this broker, and how much that may be. Counted is what containers take,
// not only the bytes that a client sent: a thousand sets of one number cost more than their numbers. What could grow
// asks has_room() first; what was loaded from the log is counted and never refused.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <string_view>

namespace klamm::coordination {

// Of the whole broker; any thread. Shards that ask at the same time may go over the bound by one call each.
class Memory {
 public:
  explicit Memory(std::size_t bytes_max = std::numeric_limits<std::size_t>::max()) : bytes_max_(bytes_max) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  bool has_room(std::size_t bytes) const {
    const std::size_t now = used();
    return bytes == 0 || (now <= bytes_max_ && bytes <= bytes_max_ - now);
  }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  friend class Held;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_{0};
};

// The part of one shard, given back as a whole when the shard goes.
class Held {
 public:
  explicit Held(Memory& memory) : memory_(memory) {}
  ~Held() { memory_.used_.fetch_sub(bytes_, std::memory_order_relaxed); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  bool has_room(std::size_t bytes) const { return memory_.has_room(bytes); }
  void add(std::size_t bytes) {
    bytes_ += bytes;
    memory_.used_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void remove(std::size_t bytes) {
    bytes_ -= bytes;
    memory_.used_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  Memory& memory_;
  std::size_t bytes_ = 0;
};

// A node of a std::map or std::set: three pointers, a colour, what malloc keeps.
inline constexpr std::size_t node_bytes = 48;
// What malloc keeps and rounds up.
inline constexpr std::size_t allocation_bytes = 24;
// A string in a node.
constexpr std::size_t string_bytes(std::string_view text) {
  return sizeof(void*) * 4 + allocation_bytes + text.size();
}

}  // namespace klamm::coordination
