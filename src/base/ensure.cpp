#include "base/ensure.h"

#include <cstdio>
#include <cstdlib>

#include "base/stack_trace.h"

namespace klamm {

void ensure_failed(const char* condition, const char* file, int line, std::string_view detail) {
  std::fprintf(stderr, "ENSURE failed: %s at %s:%d%s%.*s\n", condition, file, line, detail.empty() ? "" : ": ",
               static_cast<int>(detail.size()), detail.data());
  print_stack_trace(2);
  std::abort();
}

}  // namespace klamm
