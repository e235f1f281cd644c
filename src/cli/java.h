// What of Java shows through in the output of Kafka's tools: the names of exceptions, the order of hash maps, the way
// numbers are read. Scripts compare that output, so ours has it too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/topic_partition.h"
#include "client/result.h"

namespace klamm::cli {

// An exception with the name it has in Java, on its way to a tool's last line of defence.
class JavaException : public std::exception {
 public:
  JavaException(std::string type, std::string message) : type_(std::move(type)), message_(std::move(message)) {}
  JavaException(std::string type, std::string message, const JavaException& cause)
      : type_(std::move(type)), message_(std::move(message)), cause_(std::make_shared<JavaException>(cause)) {}
  explicit JavaException(const client::Error& error);
  // As a future's get() throws it.
  static JavaException execution(const client::Error& error);
  // A RuntimeException around an exception that has to be caught.
  static JavaException unchecked(const JavaException& cause);
  // As Admin.create throws what is wrong with the configuration.
  static JavaException failed_to_create(std::string_view what, const client::Error& error);

  const std::string& type() const { return type_; }
  // "null" when there is none.
  const std::string& message() const { return message_; }
  const std::shared_ptr<JavaException>& cause() const { return cause_; }
  // "type: message", as Throwable.toString().
  std::string to_string() const;
  // "type: message", lines of "Caused by: …" after it, and a line break: a stack trace without its frames.
  std::string stack_trace() const;
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string type_;
  std::string message_;
  std::shared_ptr<JavaException> cause_;
};

// What a tool prints and ends with exit code 1, without a trace.
class TerseException : public JavaException {
 public:
  explicit TerseException(std::string message)
      : JavaException("org.apache.kafka.server.common.TerseException", std::move(message)) {}
};

// Hashes of keys, as String.hashCode and TopicPartition.hashCode give them.
std::int32_t java_hash(std::string_view text);
std::int32_t java_hash(const TopicPartition& partition);
inline std::int32_t java_hash(std::int32_t number) {
  return number;
}

namespace detail {
// The number of buckets of a java.util.HashMap after `count` insertions into one made for `expected` (16 when not
// said).
std::uint32_t java_buckets(std::size_t count, std::optional<std::size_t> expected);
}  // namespace detail

// Sorts as a java.util.HashMap gives its entries back that were inserted in the present order.
template <typename T, typename KeyOf>
void order_as_java_map(std::vector<T>& items, KeyOf key_of, std::optional<std::size_t> expected = {}) {
  const std::uint32_t buckets = detail::java_buckets(items.size(), expected);
  std::vector<std::pair<std::uint32_t, std::size_t>> order;
  for (const T& item : items) {
    const auto hash = static_cast<std::uint32_t>(java_hash(key_of(item)));
    order.emplace_back((hash ^ (hash >> 16)) & (buckets - 1), order.size());
  }
  std::ranges::sort(order);
  std::vector<T> ordered;
  for (const auto& [bucket, index] : order) ordered.push_back(std::move(items[index]));
  items = std::move(ordered);
}

// Integer.parseInt, Long.parseLong; throw NumberFormatException.
std::int32_t java_int(std::string_view text);
std::int64_t java_long(std::string_view text);

// java.util.regex as far as std::regex goes, for a whole match. Throws JavaException(RuntimeException, "<it> is an
// invalid regex.").
class IncludeList {
 public:
  // Commas mean "or", blanks and surrounding quotes are dropped: org.apache.kafka.tools.filter.TopicFilter.
  explicit IncludeList(std::string_view raw);
  bool matches(std::string_view topic) const;

 private:
  std::regex pattern_;
};

// Topics that only the brokers write.
bool is_internal_topic(std::string_view name);

}  // namespace klamm::cli
