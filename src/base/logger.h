// What the program has to say to the people who run it. A Logger is handed to whoever speaks; there is no registry and
// no global: two brokers in one process write to two sinks. The line's form (Kafka's log4j pattern) is the sink's
// business.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace klamm {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, fatal };

// "INFO"
std::string_view log_level_name(LogLevel level);
// Of "INFO", in capitals; nothing for another word.
std::optional<LogLevel> log_level_of(std::string_view name);

// Where lines go. Called from any thread.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual bool enabled(std::string_view logger, LogLevel level) const = 0;
  // `logger` is Kafka's logger name where the component is the same ("kafka.server.BrokerServer").
  virtual void write(std::string_view logger, LogLevel level, std::string_view message) = 0;

  // A Logger of this name was made: its level can be asked for and set from now on.
  virtual void add(std::string_view /*logger*/) {}
  // The levels in force, by name: of every logger there is, and of "root". Empty: this sink has none.
  virtual std::map<std::string, LogLevel> levels() const { return {}; }
  // Of a logger and of all below it ("kafka.server" holds for "kafka.server.KafkaConfig"); nothing: that of the nearest
  // above it. "root" is above all, and always has one.
  virtual void set_level(std::string_view /*logger*/, std::optional<LogLevel> /*level*/) {}
};

// Drops everything: for pure tests.
class NullLogSink final : public LogSink {
 public:
  bool enabled(std::string_view, LogLevel) const override { return false; }
  void write(std::string_view, LogLevel, std::string_view) override {}
};

// Cheap to copy. `prefix` is Kafka's log prefix, brackets and trailing blank included: "[BrokerServer id=1] ".
// The sink outlives every Logger made on it.
class Logger {
 public:
  Logger(LogSink& sink, std::string name, std::string prefix = {})
      : sink_(&sink), name_(std::move(name)), prefix_(std::move(prefix)) {
    sink_->add(name_);
  }

  Logger named(std::string name, std::string prefix = {}) const { return {*sink_, std::move(name), std::move(prefix)}; }

  template <typename... Args>
  void trace(fmt::format_string<Args...> text, Args&&... args) const {
    log(LogLevel::trace, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) const {
    log(LogLevel::debug, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) const {
    log(LogLevel::info, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void warn(fmt::format_string<Args...> text, Args&&... args) const {
    log(LogLevel::warn, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) const {
    log(LogLevel::error, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void fatal(fmt::format_string<Args...> text, Args&&... args) const {
    log(LogLevel::fatal, text, std::forward<Args>(args)...);
  }

  template <typename... Args>
  void log(LogLevel level, fmt::format_string<Args...> text, Args&&... args) const {
    if (!sink_->enabled(name_, level)) return;
    sink_->write(name_, level, prefix_ + fmt::format(text, std::forward<Args>(args)...));
  }

  LogSink& sink() const { return *sink_; }

 private:
  LogSink* sink_;
  std::string name_;
  std::string prefix_;
};

}  // namespace klamm
