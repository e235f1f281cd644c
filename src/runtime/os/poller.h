// Readiness of descriptors for one reactor, by epoll. A registration may be destroyed in the middle of the events it is
// part of: what is left of them is then dropped.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

namespace klamm::runtime::os {

class Poller {
 public:
  // Whoever has a descriptor. `events`: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR.
  class Target {
   public:
    virtual ~Target() = default;
    virtual void ready(std::uint32_t events) = 0;
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // A handle for the calls below. Nothing is asked for yet.
  std::uint32_t add(int descriptor, Target& target);
  // EPOLLIN | EPOLLOUT of what is wanted; 0 is nothing at all, hang-ups included.
  void want(std::uint32_t handle, std::uint32_t events);
  void remove(std::uint32_t handle);

  // Waits for at most the time (-1: for ever).
  void wait(int timeout_ms);
  // The same to the nanosecond, where the kernel can (5.11); else to the next millisecond.
  void wait_precisely(std::chrono::nanoseconds timeout);
  // Calls the targets of the events that the wait brought.
  void dispatch();

 private:
  struct Entry {
    Target* target = nullptr;
    int descriptor = -1;
    std::uint32_t wanted = 0;
    std::uint32_t generation = 0;
  };

  int epoll_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::array<epoll_event, 256> events_{};
  int count_ = 0;
  bool precise_ = true;  // the kernel has not said that it cannot
};

}  // namespace klamm::runtime::os
