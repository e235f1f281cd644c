#include "runtime/os/poller.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/ensure.h"

namespace klamm::runtime::os {

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Poller::~Poller() {
  ::close(epoll_);
}

std::uint32_t Poller::add(int descriptor, Target& target) {
  std::uint32_t handle;
  if (!free_.empty()) {
    handle = free_.back();
    free_.pop_back();
  } else {
    handle = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  }
  Entry& entry = entries_[handle];
  entry.target = &target;
  entry.descriptor = descriptor;
  entry.wanted = 0;
  return handle;
}

void Poller::want(std::uint32_t handle, std::uint32_t events) {
  Entry& entry = entries_[handle];
  if (entry.wanted == events) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = (static_cast<std::uint64_t>(entry.generation) << 32) | handle;
  const int operation = entry.wanted == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  const int result = ::epoll_ctl(epoll_, operation, entry.descriptor, &event);
  ENSURE(result == 0 || errno == ENOMEM || errno == ENOSPC);
  if (result != 0) throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  entry.wanted = events;
}

void Poller::remove(std::uint32_t handle) {
  Entry& entry = entries_[handle];
  if (entry.wanted != 0) {
    epoll_event unused{};
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, entry.descriptor, &unused);
  }
  entry.target = nullptr;
  entry.descriptor = -1;
  entry.wanted = 0;
  ++entry.generation;
  free_.push_back(handle);
}

void Poller::wait(int timeout_ms) {
  count_ = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
  if (count_ >= 0) return;
  ENSURE(errno == EINTR);
  count_ = 0;
}

void Poller::wait_precisely(std::chrono::nanoseconds timeout) {
  if (precise_) {
    const timespec left{.tv_sec = timeout.count() / 1'000'000'000, .tv_nsec = timeout.count() % 1'000'000'000};
    count_ = ::epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &left, nullptr);
    if (count_ >= 0) return;
    count_ = 0;
    if (errno == EINTR) return;
    ENSURE(errno == ENOSYS || errno == EPERM);  // EPERM: a container's filter does not know the call
    precise_ = false;
  }
  wait(static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(timeout).count()));
}

void Poller::dispatch() {
  for (int i = 0; i < count_; ++i) {
    const std::uint64_t data = events_[static_cast<std::size_t>(i)].data.u64;
    const Entry& entry = entries_[static_cast<std::uint32_t>(data)];
    if (entry.target == nullptr || entry.generation != static_cast<std::uint32_t>(data >> 32)) continue;
    entry.target->ready(events_[static_cast<std::size_t>(i)].events);
  }
  count_ = 0;
}

}  // namespace klamm::runtime::os
