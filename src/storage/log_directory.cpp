#include "storage/log_directory.h"

namespace klamm::storage {

LogDirectory::LogDirectory(runtime::Environment& environment, std::string path, FailureListener on_failure,
                           TouchListener on_touch, UpkeepListener on_upkeep)
    : environment_(environment),
      path_(std::move(path)),
      on_failure_(std::move(on_failure)),
      on_touch_(std::move(on_touch)),
      on_upkeep_(std::move(on_upkeep)),
      sleepers_(environment.scheduling),
      log_(environment.log, "org.apache.kafka.storage.internals.log.LogDirFailureChannel") {}

std::string LogDirectory::file(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

void LogDirectory::sync_names() {
  const auto made = names_made_.load(std::memory_order_acquire);
  auto synced = names_synced_.load(std::memory_order_acquire);
  if (synced >= made) return;
  environment_.disk.sync_directory(path_);
  while (synced < made && !names_synced_.compare_exchange_weak(synced, made, std::memory_order_acq_rel)) {
  }
}

Error LogDirectory::failed(std::string message, const std::exception& cause) {
  if (!offline_.exchange(true, std::memory_order_acq_rel)) {
    log_.error("{}: {}", message, cause.what());
    if (on_failure_) on_failure_(*this);
  }
  return {ErrorCode::kafka_storage_error, std::move(message)};
}

Error LogDirectory::offline_error() const {
  return {ErrorCode::kafka_storage_error,
          fmt::format("The log dir {} is already offline due to a previous IO exception.", path_)};
}

}  // namespace klamm::storage
