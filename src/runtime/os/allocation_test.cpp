// Warm paths take nothing from the global allocator. The counter stands in for operator new of this whole program.
#include <gtest/gtest.h>
#include <sanitizer/allocator_interface.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/logger.h"
#include "runtime/os/system.h"
#include "runtime/task_group.h"
#include "runtime/waiting.h"

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KLAMM_SANITIZED
#endif
#endif

#ifdef KLAMM_SANITIZED

// The sanitizer has an operator new of its own, and tells who asks.
namespace {

void taken(const volatile void*, std::size_t) {
  allocations.fetch_add(1, std::memory_order_relaxed);
}
void given_back(const volatile void*) {}
[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(taken, given_back);

}  // namespace

#else

namespace {

void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

#endif

namespace klamm::runtime::os {
namespace {

using namespace std::chrono_literals;

class AllocationTest : public testing::Test {
 protected:
  Reactor& home() { return *system_.environment().reactors[0]; }
  Reactor& other() { return *system_.environment().reactors[1]; }
  Scheduling& scheduling() { return system_.environment().scheduling; }

  // What `count` rounds cost after as many that warmed the pools.
  template <typename Round>
  std::uint64_t cost_of(Round round) {
    constexpr int count = 1000;
    std::uint64_t taken = 0;
    auto story = [&]() -> Task<void> {
      for (int i = 0; i < count; ++i) co_await round();
      const std::uint64_t before = allocations.load();
      for (int i = 0; i < count; ++i) co_await round();
      taken = allocations.load() - before;
    };
    system_.run_until_done(story());
    return taken;
  }

  NullLogSink log_;
  // One thread for blocking work: a second one would start when it is needed first, warm or not.
  System system_{{.reactors = 2, .io_threads = 1}, log_};
};

Task<int> deep(int depth) {
  if (depth == 0) co_return 0;
  auto inner = deep(depth - 1);
  const int below = co_await std::move(inner);
  co_return below + 1;
}

TEST_F(AllocationTest, TheCounterCounts) {
  const std::uint64_t before = allocations.load();
  const auto text = std::make_unique<std::string>(100, 'x');
  EXPECT_GT(allocations.load(), before);
}

TEST_F(AllocationTest, TasksCallingTasks) {
  EXPECT_EQ(cost_of([]() -> Task<void> {
              auto calling = deep(5);
              EXPECT_EQ(co_await std::move(calling), 5);
            }),
            0u);
}

TEST_F(AllocationTest, AReactorsOwnWatermark) {
  Watermark watermark(scheduling(), Offset(0));
  TaskGroup tasks(home());
  auto waiter = [&](Offset offset) -> Task<void> {
    auto waiting = watermark.wait(home(), offset, home().now() + 1h);
    EXPECT_EQ(co_await std::move(waiting), WaitResult::reached);
  };
  EXPECT_EQ(cost_of([&]() -> Task<void> {
              const Offset next = watermark.value() + 1;
              tasks.start(waiter(next));
              watermark.advance(next);
              auto all = tasks.wait();
              co_await std::move(all);
            }),
            0u);
}

// The waiter on one reactor, the writer always on the other: nothing may pile up on either side.
TEST_F(AllocationTest, AWatermarkAcrossReactors) {
  Watermark there(scheduling(), Offset(0));
  Watermark back(scheduling(), Offset(0));
  TaskGroup answering(other());
  auto answers = [&]() -> Task<void> {
    for (Offset next(1);; next = next + 1) {
      auto waiting = there.wait(other(), next, never);
      if (co_await std::move(waiting) != WaitResult::reached) co_return;
      back.advance(next);
    }
  };
  auto begin = [&]() -> Task<void> {
    auto moving = move_to(other());
    co_await std::move(moving);
    answering.start(answers());
    auto returning = move_to(home());
    co_await std::move(returning);
  };
  system_.run_until_done(begin());
  EXPECT_EQ(cost_of([&]() -> Task<void> {
              const Offset next = there.value() + 1;
              there.advance(next);
              auto waiting = back.wait(home(), next, home().now() + 1h);
              EXPECT_EQ(co_await std::move(waiting), WaitResult::reached);
            }),
            0u);
  auto end = [&]() -> Task<void> {
    there.close();
    auto moving = move_to(other());
    co_await std::move(moving);
    auto all = answering.wait();
    co_await std::move(all);
    auto returning = move_to(home());
    co_await std::move(returning);
  };
  system_.run_until_done(end());
}

TEST_F(AllocationTest, TimersAndYields) {
  TaskGroup tasks(home());
  EXPECT_EQ(cost_of([&]() -> Task<void> {
              auto later = yield(home());
              co_await std::move(later);
              auto sleeping = sleep_until(home(), home().now(), tasks.token());
              co_await std::move(sleeping);
            }),
            0u);
}

TEST_F(AllocationTest, JobsOnIoThreads) {
  EXPECT_EQ(cost_of([&]() -> Task<void> {
              auto job = blocking(home(), [] { return 7; });
              EXPECT_EQ(co_await std::move(job), 7);
            }),
            0u);
}

}  // namespace
}  // namespace klamm::runtime::os
