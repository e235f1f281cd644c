// What the allocator says is in use, for tests that compare it with what was counted.
#pragma once
#include <malloc.h>

#include <cstddef>

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

namespace klamm {

// Bytes that the whole process has allocated and not freed: with the allocator's rounding, and without it under a
// sanitizer, whose allocator mallinfo2() does not see.
inline std::size_t heap_bytes() {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return __sanitizer_get_current_allocated_bytes();
#else
  return mallinfo2().uordblks;
#endif
}

}  // namespace klamm
