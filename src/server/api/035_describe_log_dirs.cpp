#include "server/api/035_describe_log_dirs.h"

#include <algorithm>
#include <map>
#include <set>

#include "runtime/waiting.h"

namespace klamm::server {

namespace {
// "orders-0.<32 hex>-future": the directory of a replica that is being moved to here.
bool is_future(const storage::Log& log) {
  return log.path().ends_with("-future");
}
}  // namespace

runtime::Task<DescribeLogDirsHandler::Response> DescribeLogDirsHandler::handle(const RequestContext& context,
                                                                               const Request& request) {
  Response response;
  if (!authorizer_.allows(context.identity, security::Operation::describe,
                          {security::ResourceType::cluster, security::cluster_resource})) {
    response.error_code = wire_of(ErrorCode::cluster_authorization_failed);
    co_return response;
  }
  const metadata::ImageRef image = metadata_.image(context.reactor);
  const auto* self = image->broker(node_id_);
  const auto logs = directories_.logs();
  for (const auto* directory : directories_.directories()) {
    auto& result = response.results.emplace_back(describe(request, *directory, logs));
    if (self && self->cordoned_directories)
      result.is_cordoned =
          std::ranges::find(*self->cordoned_directories, directory->id()) != self->cordoned_directories->end();
    if (result.error_code != 0) continue;
    // Asking the file system may wait for it.
    try {
      auto asking = runtime::blocking(context.reactor, [&disk = environment_.disk, path = directory->path()] {
        return std::pair(disk.total_bytes(path), disk.free_bytes(path));
      });
      const auto [total, free] = co_await std::move(asking);
      result.total_bytes = static_cast<std::int64_t>(std::min<std::uint64_t>(total, INT64_MAX));
      result.usable_bytes = static_cast<std::int64_t>(std::min<std::uint64_t>(free, INT64_MAX));
    } catch (const runtime::DiskError&) {
      result = {.error_code = wire_of(ErrorCode::kafka_storage_error), .log_dir = directory->path()};
    }
  }
  co_return response;
}

DescribeLogDirsHandler::Response::DescribeLogDirsResult DescribeLogDirsHandler::describe(
    const Request& request, const storage::LogDirectory& directory, const std::vector<storage::LogRef>& logs) const {
  Response::DescribeLogDirsResult result;
  result.log_dir = directory.path();
  if (directory.offline()) {
    result.error_code = wire_of(ErrorCode::kafka_storage_error);
    return result;
  }
  std::map<std::string_view, std::set<std::int32_t>> wanted;
  if (request.topics)
    for (const auto& topic : *request.topics)
      wanted[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());

  std::map<std::string, Response::DescribeLogDirsTopic> topics;
  for (const auto& log : logs) {
    if (&log->directory() != &directory) continue;
    const auto& name = log->name();
    if (request.topics) {
      const auto topic = wanted.find(name.topic);
      if (topic == wanted.end() || !topic->second.contains(name.partition.value)) continue;
    }
    auto& topic = topics[name.topic];
    topic.name = name.topic;
    const storage::LogOffsets offsets = log->offsets();
    topic.partitions.push_back({.partition_index = name.partition.value,
                                .partition_size = static_cast<std::int64_t>(log->size_bytes()),
                                .offset_lag = std::max<std::int64_t>(0, offsets.high_watermark - offsets.log_end),
                                .is_future_key = is_future(*log)});
  }
  for (auto& [name, topic] : topics) result.topics.push_back(std::move(topic));
  return result;
}

DescribeLogDirsHandler::Response DescribeLogDirsHandler::failed(const RequestContext&, const Request&,
                                                                const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
