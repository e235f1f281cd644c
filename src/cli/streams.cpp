#include "cli/streams.h"

#include <unistd.h>

#include <cerrno>

namespace klamm::cli {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

void Streams::print(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= buffer_bytes) flush();
}

void Streams::print_error(std::string_view text) {
  flush();
  write_all(err_, text);
}

void Streams::flush() {
  if (!buffer_.empty() && !broken_ && !write_all(out_, buffer_)) broken_ = true;
  buffer_.clear();
}

bool Streams::input_is_terminal() const {
  return ::isatty(in_) == 1;
}

std::string Streams::read_some() {
  std::string chunk(buffer_bytes, '\0');
  ssize_t got = 0;
  do {
    got = ::read(in_, chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  chunk.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return chunk;
}

}  // namespace klamm::cli
