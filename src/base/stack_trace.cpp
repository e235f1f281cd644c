#include "base/stack_trace.h"

#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <unistd.h>

#include <cstring>

namespace klamm {
namespace {

struct BuildId {
  const unsigned char* bytes = nullptr;
  unsigned size = 0;
};

// The first object that dl_iterate_phdr names is the program itself.
int find_build_id(struct dl_phdr_info* info, std::size_t, void* out) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const auto* at = reinterpret_cast<const unsigned char*>(info->dlpi_addr + header.p_vaddr);
    const auto* end = at + header.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const auto* name = at + sizeof note;
      const auto* description = name + ((note.n_namesz + 3u) & ~3u);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        *static_cast<BuildId*>(out) = {description, note.n_descsz};
        return 1;
      }
      at = description + ((note.n_descsz + 3u) & ~3u);
    }
  }
  return 1;
}

void put(int fd, const char* text, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, text, size);
    if (written <= 0) return;
    text += written;
    size -= static_cast<std::size_t>(written);
  }
}

}  // namespace

void print_stack_trace(int fd) {
  BuildId id;
  dl_iterate_phdr(find_build_id, &id);
  constexpr char digits[] = "0123456789abcdef";
  char text[96] = "build id ";
  std::size_t size = 9;
  for (unsigned i = 0; i < id.size && size + 3 < sizeof text; ++i) {
    text[size++] = digits[id.bytes[i] >> 4];
    text[size++] = digits[id.bytes[i] & 15];
  }
  text[size++] = '\n';
  put(fd, text, size);

  void* frames[64];
  const int count = ::backtrace(frames, 64);
  ::backtrace_symbols_fd(frames, count, fd);
}

}  // namespace klamm
