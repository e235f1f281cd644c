// What client calls give back: a value, or an Error that says what went wrong. No exception crosses the public
// boundary. Not std::expected, because users compile these headers as C++20 against libstdc++ 12, which has none there.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/ensure.h"
#include "base/error_code.h"

namespace klamm::client {

// What went wrong, as Kafka's Java client would name it. `code` is the protocol's code; failures that happen in the
// client itself (a bad configuration, a closed producer) have unknown_server_error and a `kind` of their own.
class Error {
 public:
  Error() = default;
  // An empty message means the code's own text.
  explicit Error(ErrorCode code, std::string message = {}) : code_(code), message_(std::move(message)) {}
  // `kind` is the full name of a Java exception class and lives for ever: a literal.
  static Error of_kind(const char* kind, std::string message);

  ErrorCode code() const { return code_; }
  const std::string& message() const;
  // "org.apache.kafka.common.errors.TimeoutException": tools print it.
  std::string exception_class() const;
  // "org.apache.kafka.common.errors.TimeoutException: <message>"
  std::string to_string() const;

  // Trying again may succeed.
  bool retriable() const;
  // The object that said so is of no use any more: a fenced producer, a missing authorization, a bad configuration.
  bool fatal() const;
  // Only for what is about one partition; empty and -1 otherwise.
  const std::string& topic() const { return topic_; }
  int partition() const { return partition_; }

  Error about(std::string topic, int partition) && {
    topic_ = std::move(topic);
    partition_ = partition;
    return std::move(*this);
  }

  // What led to it, if that was an error of its own: tools print it behind this one.
  const Error* cause() const { return cause_.get(); }
  Error caused_by(Error cause) && {
    cause_ = std::make_shared<const Error>(std::move(cause));
    return std::move(*this);
  }

 private:
  ErrorCode code_ = ErrorCode::unknown_server_error;
  const char* kind_ = nullptr;
  mutable std::string message_;  // filled from the code when it is first asked for
  std::string topic_;
  int partition_ = -1;
  std::shared_ptr<const Error> cause_;
};

namespace kinds {
inline constexpr const char* config = "org.apache.kafka.common.config.ConfigException";
inline constexpr const char* kafka = "org.apache.kafka.common.KafkaException";
inline constexpr const char* timeout = "org.apache.kafka.common.errors.TimeoutException";
inline constexpr const char* disconnect = "org.apache.kafka.common.errors.DisconnectException";
inline constexpr const char* record_too_large = "org.apache.kafka.common.errors.RecordTooLargeException";
inline constexpr const char* schema = "org.apache.kafka.common.protocol.types.SchemaException";
inline constexpr const char* serialization = "org.apache.kafka.common.errors.SerializationException";
inline constexpr const char* illegal_state = "java.lang.IllegalStateException";
inline constexpr const char* illegal_argument = "java.lang.IllegalArgumentException";
inline constexpr const char* no_offset = "org.apache.kafka.clients.consumer.NoOffsetForPartitionException";
inline constexpr const char* offset_out_of_range = "org.apache.kafka.clients.consumer.OffsetOutOfRangeException";
inline constexpr const char* log_truncation = "org.apache.kafka.clients.consumer.LogTruncationException";
inline constexpr const char* record_deserialization = "org.apache.kafka.common.errors.RecordDeserializationException";
}  // namespace kinds

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by intention
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    ENSURE(has_value(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  const T& value() const& {
    ENSURE(has_value(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  T&& value() && {
    ENSURE(has_value(), "value() of a failed Result");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    ENSURE(!has_value(), "error() of a successful Result");
    return std::get<1>(state_);
  }
  Error&& error() && {
    ENSURE(!has_value(), "error() of a successful Result");
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return has_value(); }
  void value() const { ENSURE(!failed_, "value() of a failed Result"); }

  const Error& error() const& {
    ENSURE(failed_, "error() of a successful Result");
    return error_;
  }
  Error&& error() && {
    ENSURE(failed_, "error() of a successful Result");
    return std::move(error_);
  }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace klamm::client
