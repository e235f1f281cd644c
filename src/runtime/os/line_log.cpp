#include "runtime/os/line_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>

namespace klamm::runtime::os {
namespace {

constexpr std::string_view root = "root";

void put(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody left to tell
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

LineLog::LineLog(Options options)
    : options_(std::move(options)), levels_{{std::string(root), options_.level}}, lowest_(options_.level) {
  if (!options_.directory.empty()) open_file();
}

LineLog::~LineLog() {
  if (file_ >= 0) ::close(file_);
}

bool LineLog::enabled(std::string_view logger, LogLevel level) const {
  if (level < lowest_.load(std::memory_order_relaxed)) return false;
  const std::scoped_lock guard(mutex_);
  return level >= level_of(logger);
}

LogLevel LineLog::level_of(std::string_view logger) const {
  for (std::string_view name = logger; !name.empty();) {
    if (const auto found = levels_.find(name); found != levels_.end()) return found->second;
    const auto dot = name.rfind('.');
    name = dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
  }
  return levels_.find(root)->second;
}

void LineLog::add(std::string_view logger) {
  const std::scoped_lock guard(mutex_);
  if (!loggers_.contains(logger)) loggers_.emplace(logger);
}

std::map<std::string, LogLevel> LineLog::levels() const {
  const std::scoped_lock guard(mutex_);
  std::map<std::string, LogLevel> in_force(levels_.begin(), levels_.end());
  for (const std::string& logger : loggers_) in_force[logger] = level_of(logger);
  return in_force;
}

void LineLog::set_level(std::string_view logger, std::optional<LogLevel> level) {
  const std::scoped_lock guard(mutex_);
  if (level) {
    levels_.insert_or_assign(std::string(logger), *level);
  } else if (logger != root) {
    if (const auto found = levels_.find(logger); found != levels_.end()) levels_.erase(found);
  }
  LogLevel lowest = LogLevel::fatal;
  for (const auto& [name, its] : levels_) lowest = std::min(lowest, its);
  lowest_.store(lowest, std::memory_order_relaxed);
}

void LineLog::write(std::string_view logger, LogLevel level, std::string_view message) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm local{};
  ::localtime_r(&now.tv_sec, &local);
  const auto split = message.find('\f');
  const std::string_view said = message.substr(0, split);
  std::string line = fmt::format("[{:04}-{:02}-{:02} {:02}:{:02}:{:02},{:03}] {} {} ({})\n", local.tm_year + 1900,
                                 local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                                 now.tv_nsec / 1'000'000, log_level_name(level), said, logger);
  if (split != std::string_view::npos) line.append(message.substr(split + 1)).push_back('\n');

  const std::scoped_lock guard(mutex_);
  if (options_.descriptor >= 0) put(options_.descriptor, line);
  if (file_ < 0) return;
  const std::int64_t hour = now.tv_sec / 3600;
  if (hour != file_hour_) {
    roll(hour,
         fmt::format("{:04}-{:02}-{:02}-{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour));
  }
  put(file_, line);
}

// The finished hour's file is named by that hour; a name that is taken gets the lines appended by being kept open.
void LineLog::roll(std::int64_t hour, const std::string& stamp) {
  const bool first = file_stamp_.empty();
  const std::string finished = std::exchange(file_stamp_, stamp);
  file_hour_ = hour;
  if (first) return;
  const std::string path = options_.directory + "/" + options_.file_name;
  if (::rename(path.c_str(), (path + "." + finished).c_str()) != 0) return;
  ::close(file_);
  file_ = -1;
  try {
    open_file();
  } catch (const std::system_error& error) {
    put(2, fmt::format("{}\n", error.what()));
  }
}

void LineLog::open_file() {
  std::string parent;
  for (std::size_t at = 1; at != std::string::npos;) {
    at = options_.directory.find('/', at);
    parent = options_.directory.substr(0, at);
    if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      throw std::system_error(errno, std::generic_category(), "mkdir " + parent);
    }
    if (at != std::string::npos) ++at;
  }
  const std::string path = options_.directory + "/" + options_.file_name;
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) throw std::system_error(errno, std::generic_category(), "open " + path);
}

}  // namespace klamm::runtime::os
