#include "server/api/047_offset_delete.h"

#include <map>
#include <string>

#include "server/group_calls.h"

namespace klamm::server {
namespace {

using Answer = protocol::OffsetDeleteResponse;

// Each topic once.
class Topics {
 public:
  void add(const std::string& topic, std::int32_t partition, std::int16_t code) {
    const auto [found, is_new] = index_.try_emplace(topic, answer_.topics.size());
    if (is_new) answer_.topics.emplace_back().name = topic;
    auto& result = answer_.topics[found->second].partitions.emplace_back();
    result.partition_index = partition;
    result.error_code = code;
  }
  Answer take() { return std::move(answer_); }

 private:
  Answer answer_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace

runtime::Task<OffsetDeleteHandler::Response> OffsetDeleteHandler::handle(const RequestContext& context,
                                                                         const Request& request) {
  if (!authorizer_.allows(context.identity, security::Operation::remove,
                          {security::ResourceType::group, request.group_id})) {
    throw RequestFailed(ErrorCode::group_authorization_failed);
  }
  const metadata::ImageRef image = metadata_.image(context.reactor);
  Topics answers;
  Request accepted;
  accepted.group_id = request.group_id;
  for (const auto& topic : request.topics) {
    const metadata::Topic* known = image->topic(topic.name);
    const bool allowed =
        authorizer_.allows(context.identity, security::Operation::read, {security::ResourceType::topic, topic.name});
    Request::OffsetDeleteRequestTopic there;
    there.name = topic.name;
    for (const auto& partition : topic.partitions) {
      if (allowed && known && known->partition(partition.partition_index)) {
        there.partitions.push_back(partition);
        continue;
      }
      answers.add(topic.name, partition.partition_index,
                  wire_of(allowed ? ErrorCode::unknown_topic_or_partition : ErrorCode::topic_authorization_failed));
    }
    if (!there.partitions.empty()) accepted.topics.push_back(std::move(there));
  }

  auto asking =
      groups_.ask(context.reactor, groups_.partition_of(request.group_id), asked(context, std::move(accepted)));
  groups::Answer answer = co_await std::move(asking);
  auto& deleted = std::get<Response>(answer);
  if (deleted.error_code != 0) co_return std::move(deleted);
  for (const auto& topic : deleted.topics) {
    for (const auto& partition : topic.partitions) {
      answers.add(topic.name, partition.partition_index, partition.error_code);
    }
  }
  co_return answers.take();
}

OffsetDeleteHandler::Response OffsetDeleteHandler::failed(const RequestContext&, const Request&,
                                                          const Error& error) const {
  Response response;
  response.error_code = wire_of(error.code);
  return response;
}

}  // namespace klamm::server
