#include "runtime/os/clock.h"

#include <sys/random.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace klamm::runtime::os {

MonoTime SystemClock::now() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return MonoTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

Timestamp SystemClock::wall() const {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return Timestamp(static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000);
}

std::uint64_t SystemRandom::next() {
  thread_local std::array<std::uint64_t, 32> block;
  thread_local std::size_t left = 0;
  if (left == 0) {
    auto* at = reinterpret_cast<char*>(block.data());
    std::size_t missing = sizeof block;
    while (missing > 0) {
      const ssize_t got = ::getrandom(at, missing, 0);
      if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
      if (got > 0) {
        at += got;
        missing -= static_cast<std::size_t>(got);
      }
    }
    left = block.size();
  }
  return block[--left];
}

}  // namespace klamm::runtime::os
