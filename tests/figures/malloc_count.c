/* Preloaded into the broker: counts calls of the global allocator in a file that the test maps. COUNT_FILE names it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static unsigned long fallback;
static unsigned long* counter = &fallback;

__attribute__((constructor)) static void attach(void) {
  const char* path = getenv("COUNT_FILE");
  if (!path) return;
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void* page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) counter = page;
}

static void count(void) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

void* malloc(size_t size) { count(); return __libc_malloc(size); }
void* calloc(size_t n, size_t size) { count(); return __libc_calloc(n, size); }
void* realloc(void* old, size_t size) { count(); return __libc_realloc(old, size); }
void* memalign(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
void* aligned_alloc(size_t alignment, size_t size) { count(); return __libc_memalign(alignment, size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  count();
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : 12;
}
