#include "groups/consumer_regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <memory>
#include <string_view>

namespace klamm::groups {
namespace {

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

// In the words of the library that Kafka uses.
std::string_view words_for(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    default:
      return "regexp/syntax: internal error";
  }
}

}  // namespace

std::optional<std::string_view> regex_fault(const std::string& regex) {
  const RE2 compiled(regex, options());
  return compiled.ok() ? std::nullopt : std::optional(words_for(compiled.error_code()));
}

Result<void> check_regex(const std::string& regex) {
  const auto fault = regex_fault(regex);
  if (!fault) return {};
  return fail(ErrorCode::invalid_regular_expression,
              fmt::format("SubscribedTopicRegex `{}` is not a valid regular expression: {}.", regex, *fault));
}

std::vector<std::set<std::string, std::less<>>> resolve_regexes(const metadata::Image& image,
                                                                const std::vector<std::string>& regexes) {
  std::vector<std::unique_ptr<RE2>> compiled;
  for (const std::string& regex : regexes) compiled.push_back(std::make_unique<RE2>(regex, options()));
  std::vector<std::set<std::string, std::less<>>> out(regexes.size());
  for (const metadata::TopicRef& topic : image.topics()) {
    for (std::size_t i = 0; i < compiled.size(); ++i) {
      if (compiled[i]->ok() && RE2::FullMatch(topic->name, *compiled[i])) out[i].insert(topic->name);
    }
  }
  return out;
}

}  // namespace klamm::groups
