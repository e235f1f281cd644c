// What OffsetCommit and TxnOffsetCommit have in common: which of the topics that a client names are passed on to the
// group's shard, and the answer that is put together of what was refused here and what the shard said.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/uuid.h"
#include "metadata/image.h"
#include "security/authorizer.h"
#include "server/exchange.h"

namespace klamm::server {

template <typename Request, typename Response>
class OffsetTopics {
 public:
  using Asked = typename decltype(Request::topics)::value_type;
  using Answered = typename decltype(Response::topics)::value_type;

  // What may be committed is put into `accepted`; only partitions that exist take an offset.
  void sort(const RequestContext& context, const metadata::Image& image, const security::Authorizer& authorizer,
            bool by_id, Asked topic, Request& accepted) {
    const metadata::Topic* known = by_id ? image.topic(topic.topic_id) : image.topic(topic.name);
    if (by_id && !known) return refuse(topic, topic.topic_id, ErrorCode::unknown_topic_id);
    if (by_id) topic.name = known->name;
    if (!authorizer.allows(context.identity, security::Operation::read, {security::ResourceType::topic, topic.name})) {
      return refuse(topic, topic.topic_id, ErrorCode::topic_authorization_failed);
    }
    if (!known) return refuse(topic, zero_uuid, ErrorCode::unknown_topic_or_partition);

    topic.topic_id = known->id;
    decltype(topic.partitions) there;
    for (auto& partition : topic.partitions) {
      if (known->partition(partition.partition_index)) {
        there.push_back(std::move(partition));
      } else {
        add(of(topic.name, topic.topic_id), partition.partition_index, ErrorCode::unknown_topic_or_partition);
      }
    }
    if (there.empty()) return;
    topic.partitions = std::move(there);
    accepted.topics.push_back(std::move(topic));
  }

  void refuse(const Asked& topic, Uuid id, ErrorCode code) {
    Answered& to = of(topic.name, id);
    for (const auto& partition : topic.partitions) add(to, partition.partition_index, code);
  }
  // Together with what the shard said of the others; each topic once.
  Response with(Response committed) {
    if (response_.topics.empty()) return committed;
    for (const auto& topic : committed.topics) {
      auto& to = of(topic.name, topic.topic_id);
      to.partitions.insert(to.partitions.end(), topic.partitions.begin(), topic.partitions.end());
    }
    return std::move(response_);
  }
  Response take() { return std::move(response_); }

  // Every partition of a request.
  static Response all(const Request& request, ErrorCode code) {
    Response response;
    for (const auto& topic : request.topics) {
      auto& to = response.topics.emplace_back();
      to.name = topic.name;
      to.topic_id = topic.topic_id;
      for (const auto& partition : topic.partitions) add(to, partition.partition_index, code);
    }
    return response;
  }

 private:
  Answered& of(const std::string& name, Uuid id) {
    const auto [found, is_new] = index_.try_emplace(std::pair(id, name), response_.topics.size());
    if (is_new) {
      Answered& topic = response_.topics.emplace_back();
      topic.name = name;
      topic.topic_id = id;
    }
    return response_.topics[found->second];
  }
  static void add(Answered& to, std::int32_t partition, ErrorCode code) {
    auto& result = to.partitions.emplace_back();
    result.partition_index = partition;
    result.error_code = wire_of(code);
  }

  Response response_;
  std::map<std::pair<Uuid, std::string>, std::size_t> index_;
};

}  // namespace klamm::server
