#include "server/api/002_list_offsets.h"

#include <algorithm>
#include <set>
#include <utility>

#include "server/metadata_view.h"

namespace klamm::server {

namespace {

// Instead of a time. Source: org.apache.kafka.common.requests.ListOffsetsRequest.
namespace special {
constexpr std::int64_t latest = -1;
constexpr std::int64_t earliest = -2;
constexpr std::int64_t max_timestamp = -3;
constexpr std::int64_t earliest_local = -4;
constexpr std::int64_t latest_tiered = -5;
constexpr std::int64_t earliest_pending_upload = -6;
}  // namespace special

constexpr std::int16_t leader_epochs_from = 4;
constexpr std::int32_t debugging_replica = -2;
constexpr std::int32_t consumer_replica = -1;

bool is_supported(std::int64_t timestamp, std::int16_t version) {
  switch (timestamp) {
    case special::latest:
    case special::earliest:
      return true;
    case special::max_timestamp:
      return version >= 7;
    case special::earliest_local:
      return version >= 8;
    case special::latest_tiered:
      return version >= 9;
    case special::earliest_pending_upload:
      return version >= 11;
    default:
      return timestamp >= 0;
  }
}

std::set<std::pair<std::string_view, std::int32_t>> duplicates(const protocol::ListOffsetsRequest& request) {
  std::set<std::pair<std::string_view, std::int32_t>> once;
  std::set<std::pair<std::string_view, std::int32_t>> more;
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions)
      if (!once.emplace(topic.name, partition.partition_index).second)
        more.emplace(topic.name, partition.partition_index);
  return more;
}

}  // namespace

runtime::Task<ListOffsetsHandler::Response> ListOffsetsHandler::handle(const RequestContext& context,
                                                                       const Request& request) {
  if (request.isolation_level < 0 || request.isolation_level > 1) throw RequestFailed(ErrorCode::unknown_server_error);
  const auto repeated = duplicates(request);
  Response response;
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    const bool allowed = authorizer_.allows(context.identity, security::Operation::describe,
                                            {security::ResourceType::topic, topic.name});
    for (const auto& asked : topic.partitions) {
      // A partition that was named twice is answered once.
      const bool again = repeated.contains({topic.name, asked.partition_index});
      if (again && std::ranges::find(answered.partitions, asked.partition_index, &Answer::partition_index) !=
                       answered.partitions.end())
        continue;
      Answer answer;
      answer.partition_index = asked.partition_index;
      if (!allowed) {
        answer.error_code = wire_of(ErrorCode::topic_authorization_failed);
      } else if (again) {
        answer.error_code = wire_of(ErrorCode::invalid_request);
      } else if (!is_supported(asked.timestamp, context.version)) {
        answer.error_code = wire_of(ErrorCode::unsupported_version);
      } else {
        auto looking = look_up(context, request, topic.name, asked);
        const auto found = co_await std::move(looking);
        if (found) {
          answer.timestamp = found->timestamp.value;
          answer.offset = found->offset.value;
          if (context.version >= leader_epochs_from) answer.leader_epoch = found->leader_epoch.value;
        } else {
          answer.error_code = wire_of(found.error().code);
        }
      }
      answered.partitions.push_back(std::move(answer));
    }
  }
  co_return response;
}

// Everything -1 when there is no such record.
runtime::Task<Result<storage::TimestampOffset>> ListOffsetsHandler::look_up(const RequestContext& context,
                                                                            const Request& request,
                                                                            std::string_view topic,
                                                                            const Asked& asked) {
  const auto partition =
      find_partition(*metadata_.image(context.reactor), partitions_, topic, PartitionIndex(asked.partition_index));
  if (!partition) co_return std::unexpected(partition.error());
  const bool leader_only = request.replica_id != debugging_replica;
  const auto found = (*partition)->log_for(LeaderEpoch(asked.current_leader_epoch), leader_only);
  if (!found) co_return std::unexpected(found.error());
  const storage::LogRef log = *found;

  // Nothing beyond it is shown to whoever asks.
  const storage::LogOffsets offsets = log->offsets();
  const Offset end = request.replica_id != consumer_replica ? offsets.log_end
                     : request.isolation_level == 1         ? offsets.last_stable
                                                            : offsets.high_watermark;
  std::optional<storage::TimestampOffset> at;
  switch (asked.timestamp) {
    case special::latest:
      co_return storage::TimestampOffset{
          .timestamp = no_timestamp, .offset = end, .leader_epoch = (*partition)->state().leader_epoch};
    case special::earliest:
      co_return log->earliest();
    case special::earliest_local:
      co_return log->earliest_local();
    case special::latest_tiered:
    case special::earliest_pending_upload:
      co_return storage::TimestampOffset{};  // nothing is tiered
    case special::max_timestamp: {
      auto finding = log->find_max_timestamp(context.reactor);
      auto result = co_await std::move(finding);
      if (!result) co_return std::unexpected(result.error());
      at = *result;
      break;
    }
    default: {
      auto finding = log->find_timestamp(context.reactor, Timestamp(asked.timestamp));
      auto result = co_await std::move(finding);
      if (!result) co_return std::unexpected(result.error());
      at = *result;
      break;
    }
  }
  co_return at && at->offset < end ? *at : storage::TimestampOffset{};
}

ListOffsetsHandler::Response ListOffsetsHandler::failed(const RequestContext&, const Request& request,
                                                        const Error& error) const {
  Response response;
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      answer.error_code = wire_of(error.code);
    }
  }
  return response;
}

}  // namespace klamm::server
