// A LogSink that writes Kafka's log4j pattern, "[%d] %p %m (%c)%n": "[2026-01-31 03:33:01,123] INFO text
// (kafka.server.Server)". Lines go to stdout (or stderr) and, when a directory is given, to a file that is renamed to
// NAME.yyyy-MM-dd-HH when the hour changes, as Kafka's rolling appender does. What stands in a message behind a form
// feed is an exception: it follows the line on lines of its own.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/logger.h"

namespace klamm::runtime::os {

class LineLog final : public LogSink {
 public:
  struct Options {
    int descriptor = 1;          // where lines go beside the file; -1: nowhere
    std::string directory = {};  // "" : no file
    std::string file_name = "server.log";
    LogLevel level = LogLevel::info;
  };

  // Throws std::system_error when the directory or the file cannot be made.
  explicit LineLog(Options options);
  ~LineLog() override;
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  bool enabled(std::string_view logger, LogLevel level) const override;
  void write(std::string_view logger, LogLevel level, std::string_view message) override;

  void add(std::string_view logger) override;
  std::map<std::string, LogLevel> levels() const override;
  void set_level(std::string_view logger, std::optional<LogLevel> level) override;

 private:
  LogLevel level_of(std::string_view logger) const;  // under mutex_
  void roll(std::int64_t hour, const std::string& stamp);
  void open_file();

  Options options_;
  std::map<std::string, LogLevel, std::less<>> levels_;  // that were set; "root" always; guarded by mutex_
  std::set<std::string, std::less<>> loggers_;           // guarded by mutex_
  std::atomic<LogLevel> lowest_;
  mutable std::mutex mutex_;
  int file_ = -1;
  std::int64_t file_hour_ = 0;
  std::string file_stamp_;
};

}  // namespace klamm::runtime::os
