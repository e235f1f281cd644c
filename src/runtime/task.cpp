#include "runtime/task.h"

#include <array>

namespace klamm::runtime::detail {
namespace {

constexpr std::size_t class_bytes = 64;
constexpr std::size_t class_count = 64;        // up to 4 KiB; larger frames are rare and go to the global allocator
constexpr std::size_t kept_bytes_max = 65536;  // per class: what a burst left behind beyond it is given back

struct FreeFrame {
  FreeFrame* next;
};

struct FrameLists {
  struct List {
    FreeFrame* first = nullptr;
    std::size_t count = 0;
  };
  std::array<List, class_count> lists;

  ~FrameLists() {
    for (List& list : lists) {
      while (list.first != nullptr) ::operator delete(std::exchange(list.first, list.first->next));
    }
  }
};

// A frame may be freed on another thread than it was made on: it then serves that one.
thread_local FrameLists frames;

std::size_t class_of(std::size_t size) {
  return (size + class_bytes - 1) / class_bytes - 1;
}

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t its_class = class_of(size);
  if (its_class >= class_count) return ::operator new(size);
  auto& list = frames.lists[its_class];
  if (list.first == nullptr) return ::operator new((its_class + 1) * class_bytes);
  --list.count;
  return std::exchange(list.first, list.first->next);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t its_class = class_of(size);
  if (its_class >= class_count) {
    ::operator delete(frame);
    return;
  }
  auto& list = frames.lists[its_class];
  if (list.count * (its_class + 1) * class_bytes >= kept_bytes_max) {
    ::operator delete(frame);
    return;
  }
  list.first = new (frame) FreeFrame{list.first};
  ++list.count;
}

}  // namespace klamm::runtime::detail
