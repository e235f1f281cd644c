// The one bounded pool of memory for requests in flight of a process: received bytes, decoded requests, responses that
// are not sent yet. When it is full, sockets are not read. Kafka's counterpart: queued.max.request.bytes.
//
// Bytes that wait for a peer (frames that are not complete, responses that are not taken) are "stalled" and may hold
// half of the pool; beyond that the slowest of these connections is closed (worker.h), so that slow or hostile peers
// cannot keep the others out.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace klamm::server {

// Callable from every reactor.
class RequestPool {
 public:
  // `burst_is_over`: told, by whichever thread finds it, that much was in use and little is.
  explicit RequestPool(std::uint64_t bytes_max, std::function<void()> burst_is_over = {})
      : bytes_max_(bytes_max), burst_is_over_(std::move(burst_is_over)) {}
  RequestPool(const RequestPool&) = delete;
  RequestPool& operator=(const RequestPool&) = delete;

  // For whom the last room is kept: what is large leaves a quarter, what is ordinary an eighth; a small request finds
  // room when many large ones wait for something.
  enum class Want : std::uint8_t { small, ordinary, large };
  // False when there is no room for it.
  bool try_charge(std::uint64_t bytes, Want want = Want::ordinary);
  // Also beyond the limit: for what cannot be refused any more (a response), and for the one large frame.
  void charge(std::uint64_t bytes) { note_peak(used_.fetch_add(bytes, std::memory_order_relaxed) + bytes); }
  void release(std::uint64_t bytes);

  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_max() const { return bytes_max_; }
  bool full() const { return used() >= bytes_max_; }
  // Who has something waiting already reads no further.
  bool crowded() const { return used() > bytes_max_ / 2; }

  void add_stalled(std::uint64_t bytes) { stalled_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove_stalled(std::uint64_t bytes) { stalled_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::uint64_t stalled() const { return stalled_.load(std::memory_order_relaxed); }
  std::uint64_t stalled_max() const { return bytes_max_ / 2; }

  // A frame that is larger than a quarter of the pool is let in one at a time. `owner` is whoever asks.
  bool is_large(std::uint64_t frame_bytes) const { return frame_bytes > bytes_max_ / 4; }
  bool try_own_large(const void* owner);
  void disown_large(const void* owner);
  bool owns_large(const void* owner) const { return large_owner_.load(std::memory_order_relaxed) == owner; }

  // Someone found the pool full (or the large frame's place taken) and wants to hear when it is worth trying again.
  struct Waiter {
    std::function<void()> wake;  // from any thread, at most once per wait_for_room()
    std::atomic<bool> waiting{false};
  };
  // Before the reactors run.
  void add_waiter(Waiter& waiter) { waiters_.push_back(&waiter); }
  void wait_for_room(Waiter& waiter);
  bool anybody_waits() const { return waiting_.load(std::memory_order_relaxed) > 0; }

 private:
  std::uint64_t bytes_max_for(Want want) const;
  // A little room is not worth waking everybody for.
  std::uint64_t room_again_below() const { return bytes_max_ - 3 * (bytes_max_ / 8); }
  void wake_waiters();
  // A burst is what the free lists of the buffers do not keep.
  std::uint64_t burst_from() const { return bytes_max_ / 8; }
  std::uint64_t quiet_below() const { return bytes_max_ / 64; }
  void note_peak(std::uint64_t used) {
    if (used > peak_.load(std::memory_order_relaxed)) peak_.store(used, std::memory_order_relaxed);
  }

  const std::uint64_t bytes_max_;
  const std::function<void()> burst_is_over_;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> peak_{0};  // of what was in use since the last burst
  std::atomic<std::uint64_t> stalled_{0};
  std::atomic<const void*> large_owner_{nullptr};
  std::atomic<int> waiting_{0};
  std::vector<Waiter*> waiters_;
};

// A charge that is given back when it goes.
class PoolCharge {
 public:
  PoolCharge() = default;
  PoolCharge(RequestPool& pool, std::uint64_t bytes) : pool_(&pool), bytes_(bytes) {}
  PoolCharge(PoolCharge&& other) noexcept : pool_(other.pool_), bytes_(std::exchange(other.bytes_, 0)) {}
  PoolCharge& operator=(PoolCharge&& other) noexcept {
    if (this != &other) {
      give_back();
      pool_ = other.pool_;
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  ~PoolCharge() { give_back(); }
  std::uint64_t bytes() const { return bytes_; }
  void give_back() {
    if (bytes_ != 0) pool_->release(std::exchange(bytes_, 0));
  }

 private:
  RequestPool* pool_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace klamm::server
