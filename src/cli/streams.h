// The three streams of a tool. Standard output is buffered and remembers when nobody reads it any more; standard error
// is written at once, after what was printed before.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace klamm::cli {

class Streams {
 public:
  Streams(int in, int out, int err) : in_(in), out_(out), err_(err) {}
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  ~Streams() { flush(); }

  void print(std::string_view text);
  void print_error(std::string_view text);
  template <typename... Args>
  void line(fmt::format_string<Args...> text, Args&&... args) {
    print(fmt::format(text, std::forward<Args>(args)...) + "\n");
  }
  template <typename... Args>
  void error_line(fmt::format_string<Args...> text, Args&&... args) {
    print_error(fmt::format(text, std::forward<Args>(args)...) + "\n");
  }
  void flush();
  // A write to standard output failed: its reader is gone.
  bool broken() const { return broken_; }

  int in() const { return in_; }
  bool input_is_terminal() const;
  // What is there, at least one byte unless the input has ended; blocks.
  std::string read_some();

 private:
  int in_;
  int out_;
  int err_;
  std::string buffer_;
  bool broken_ = false;
};

}  // namespace klamm::cli
