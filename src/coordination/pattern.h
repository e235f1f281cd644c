// A regular expression that a whole name has to match. Clients write them, so neither the memory of one nor the time of
// a match may grow with anything but the lengths of the pattern and of the text: RE2. What Java's syntax has beyond
// RE2's (references, looking around, possessive repetition, classes inside classes) is refused. Source of behaviour:
// Matcher.matches() of com.google.re2j and of java.util.regex.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace re2 {
class RE2;
}

namespace klamm::coordination {

class Pattern {
 public:
  static constexpr std::int64_t memory_max = 1 << 20;  // bytes of one pattern, and of what is kept to match it quickly

  // The error's message says what is wrong with the text.
  static Result<Pattern> parse(std::string_view text);

  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  bool matches(std::string_view text) const;

 private:
  explicit Pattern(std::unique_ptr<re2::RE2> compiled);

  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace klamm::coordination
