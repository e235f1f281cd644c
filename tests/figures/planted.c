// Preloaded: every recv() costs a system call or an allocation more, as PLANT says ("call", "allocation"), or what recv() and
// pread() brought is copied once more ("copy").
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { nothing, call, allocation, copying };
static int plant = nothing;

__attribute__((constructor)) static void choose(void) {
  const char* name = getenv("PLANT");
  if (!name) return;
  plant = strcmp(name, "call") == 0 ? call : strcmp(name, "allocation") == 0 ? allocation : strcmp(name, "copy") == 0 ? copying : nothing;
}

static void copy(const void* from, ssize_t size) {
  static char elsewhere[1 << 20];
  if (size > 0 && plant == copying) {
    memcpy(elsewhere, from, (size_t)size < sizeof elsewhere ? (size_t)size : sizeof elsewhere);
    __asm__ volatile("" : : "r"(elsewhere) : "memory");  // or nobody would see that it was copied
  }
}

ssize_t recv(int descriptor, void* to, size_t size, int flags) {
  static ssize_t (*real)(int, void*, size_t, int);
  if (!real) real = (ssize_t(*)(int, void*, size_t, int))dlsym(RTLD_NEXT, "recv");
  if (plant == call) syscall(SYS_getppid);
  if (plant == allocation) {
    void* volatile block = malloc(100);
    free(block);
  }
  const ssize_t got = real(descriptor, to, size, flags);
  copy(to, got);
  return got;
}

ssize_t pread64(int descriptor, void* to, size_t size, off64_t offset) {
  static ssize_t (*real)(int, void*, size_t, off64_t);
  if (!real) real = (ssize_t(*)(int, void*, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
  const ssize_t got = real(descriptor, to, size, offset);
  copy(to, got);
  return got;
}
ssize_t pread(int descriptor, void* to, size_t size, off_t offset) { return pread64(descriptor, to, size, offset); }
