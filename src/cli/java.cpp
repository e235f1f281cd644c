#include "cli/java.h"

#include <limits>

#include "config/value.h"

namespace klamm::cli {

JavaException::JavaException(const client::Error& error) : JavaException(error.exception_class(), error.message()) {
  if (error.cause() != nullptr) cause_ = std::make_shared<JavaException>(*error.cause());
}

JavaException JavaException::unchecked(const JavaException& cause) {
  return {"java.lang.RuntimeException", cause.to_string(), cause};
}

std::string JavaException::to_string() const {
  return message_.empty() || message_ == "null" ? type_ : type_ + ": " + message_;
}

JavaException JavaException::execution(const client::Error& error) {
  const JavaException cause(error);
  return {"java.util.concurrent.ExecutionException", error.to_string(), cause};
}

JavaException JavaException::failed_to_create(std::string_view what, const client::Error& error) {
  const JavaException cause(error);
  return {"org.apache.kafka.common.KafkaException", std::string(what), cause};
}

std::string JavaException::stack_trace() const {
  std::string text = to_string() + '\n';
  for (const JavaException* cause = cause_.get(); cause != nullptr; cause = cause->cause_.get()) {
    text += fmt::format("Caused by: {}\n", cause->to_string());
  }
  return text;
}

std::int32_t java_hash(std::string_view text) {
  // Over UTF-16 units; names of topics and keys are ASCII, where these are the bytes.
  std::uint32_t hash = 0;
  for (const char c : text) hash = hash * 31 + static_cast<unsigned char>(c);
  return static_cast<std::int32_t>(hash);
}

std::int32_t java_hash(const TopicPartition& partition) {
  std::uint32_t hash = 31 + static_cast<std::uint32_t>(partition.partition.value);
  hash = 31 * hash + static_cast<std::uint32_t>(java_hash(partition.topic));
  return static_cast<std::int32_t>(hash);
}

std::uint32_t detail::java_buckets(std::size_t count, std::optional<std::size_t> expected) {
  std::size_t buckets = 16;
  if (expected) {
    buckets = 1;
    while (buckets < *expected) buckets *= 2;
  }
  while (static_cast<double>(count) > static_cast<double>(buckets) * 0.75) buckets *= 2;
  return static_cast<std::uint32_t>(buckets);
}

namespace {

std::int64_t number(std::string_view text, std::int64_t min, std::int64_t max) {
  const auto value = config::parse_java_integer(text, min, max);
  if (!value) {
    throw JavaException("java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", text));
  }
  return *value;
}

}  // namespace

std::int32_t java_int(std::string_view text) {
  return static_cast<std::int32_t>(
      number(text, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
}

std::int64_t java_long(std::string_view text) {
  return number(text, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
}

IncludeList::IncludeList(std::string_view raw) {
  std::string text;
  for (const char c : config::java_trim(raw)) {
    if (c == ' ') continue;
    text += c == ',' ? '|' : c;
  }
  const auto is_quote = [](char c) { return c == '"' || c == '\''; };
  while (!text.empty() && is_quote(text.front())) text.erase(0, 1);
  while (!text.empty() && is_quote(text.back())) text.pop_back();
  try {
    pattern_ = std::regex(text, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error&) {
    throw JavaException("java.lang.RuntimeException", text + " is an invalid regex.");
  }
}

bool IncludeList::matches(std::string_view topic) const {
  return std::regex_match(topic.begin(), topic.end(), pattern_);
}

bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state";
}

}  // namespace klamm::cli
