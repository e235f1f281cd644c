// What a tool needs to speak to a cluster: one reactor on the tool's own thread, and a client on it.
#pragma once

#include <memory>
#include <string_view>

#include "cli/java.h"
#include "client/admin.h"
#include "client/client.h"
#include "runtime/os/line_log.h"
#include "runtime/os/system.h"
#include "runtime/waiting.h"

namespace klamm::cli {

class ToolSystem {
 public:
  // Warnings and worse go to standard error, as Kafka's tools have it.
  ToolSystem()
      : log_({.descriptor = 2, .level = LogLevel::warn}),
        system_({.reactors = 1, .io_threads = 1, .io_uring = false}, log_) {}

  // What escapes from the task escapes from here.
  template <typename T>
  T run(runtime::Task<T> task) {
    return system_.run_until_done(std::move(task));
  }

  runtime::Environment& environment() { return system_.environment(); }
  runtime::os::EpollReactor& reactor() { return system_.reactor(0); }
  LogSink& log() { return log_; }

 private:
  runtime::os::LineLog log_;
  runtime::os::System system_;
};

// A client whose configuration is sound and whose bootstrap servers have addresses. Throws what Java throws when a
// client cannot be made: KafkaException with `what` and the cause.
runtime::Task<std::unique_ptr<client::Client>> open_client(ToolSystem& system, client::Properties properties,
                                                           std::string_view what);
inline runtime::Task<std::unique_ptr<client::Client>> open_admin(ToolSystem& system, client::Properties properties) {
  return open_client(system, std::move(properties), "Failed to create new KafkaAdminClient");
}

// The value, or what a Java future would throw.
template <typename T>
T value_or_throw(client::Result<T> result) {
  if (!result) throw JavaException::execution(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// The value, or the error itself as the exception.
template <typename T>
T value_or_throw_cause(client::Result<T> result) {
  if (!result) throw JavaException(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace klamm::cli
