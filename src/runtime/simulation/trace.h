// What happened in a simulation, a line each, with the virtual time: "     1.203402118 broker-1 disk write
// /data/t-0/0.log 4096+612". Two runs of one seed have the same trace; the hash says so without keeping the text.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>

#include "runtime/simulation/chance.h"

namespace klamm::runtime::simulation {

class Trace {
 public:
  // The text is kept (or handed on) only when somebody wants to read it.
  void keep() { keep_ = true; }
  void hand_to(std::function<void(std::string_view)> reader) { reader_ = std::move(reader); }

  template <typename... Args>
  void add(MonoTime now, std::string_view who, fmt::format_string<Args...> text, Args&&... args) {
    line_.clear();
    const std::int64_t ns = now.time_since_epoch().count();
    fmt::format_to(std::back_inserter(line_), "{:6}.{:09} {} ", ns / 1'000'000'000, ns % 1'000'000'000, who);
    fmt::format_to(std::back_inserter(line_), text, std::forward<Args>(args)...);
    line_.push_back('\n');
    added();
  }

  const std::string& text() const { return text_; }
  std::uint64_t hash() const { return hash_.value(); }
  std::uint64_t lines() const { return lines_; }

 private:
  void added();

  Hash hash_;
  std::uint64_t lines_ = 0;
  fmt::memory_buffer line_;
  std::string text_;
  bool keep_ = false;
  std::function<void(std::string_view)> reader_;
};

}  // namespace klamm::runtime::simulation
