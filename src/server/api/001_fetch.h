// Fetch, versions 4 to 18. From 7: sessions; from 9: the leader epoch the client knows; from 12: where histories part;
// from 13: topics by id; from 15: the replica in a tagged field; from 16: who leads instead.
// Source of behaviour: KafkaApis.handleFetchRequest, ReplicaManager.fetchMessages and readFromLog, DelayedFetch.
#pragma once

#include <memory>
#include <vector>

#include "hosting/metadata_publisher.h"
#include "protocol/messages/fetch.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "security/authorizer.h"
#include "server/fetch_poll.h"
#include "server/fetch_sessions.h"
#include "server/handler.h"

namespace klamm::server {

struct FetchSettings {
  std::int32_t response_bytes_max = 55 << 20;  // fetch.max.bytes
  std::size_t sessions_max = 1000;             // max.incremental.fetch.session.cache.slots
};

class FetchHandler final : public ApiHandler {
 public:
  FetchHandler(runtime::Environment& environment, const hosting::MetadataPublisher& metadata,
               const replication::PartitionTable& partitions, const security::Authorizer& authorizer,
               FetchSettings settings);

  runtime::Task<void> answer(Exchange& exchange) override;

 private:
  using Request = protocol::FetchRequestView;
  using Response = protocol::FetchResponseView;
  // How a request wants to be read.
  struct Terms {
    BrokerId replica = no_broker;
    storage::ReadIsolation isolation = storage::ReadIsolation::high_watermark;
    std::int64_t bytes_max = 0;
    std::int64_t bytes_min = 0;
    runtime::MonoTime deadline{};
    bool follower() const { return replica.value >= 0; }
  };
  // What one look at all partitions came to.
  struct Progress {
    std::int64_t bytes = 0;
    bool must_answer = false;
  };

  void list(Exchange& exchange, const Request& request, const FetchSessions::Opened& opened,
            std::vector<FetchEntry>& entries) const;
  void resolve(const RequestContext& context, bool follower, FetchEntry& entry) const;
  Terms terms_of(const RequestContext& context, const Request& request) const;
  runtime::Task<void> read_until_enough(Exchange& exchange, FetchPoll& poll, Terms terms);
  runtime::Task<Progress> read_all(const RequestContext& context, FetchPoll& poll, Terms terms);

  void fail(Exchange& exchange, const Request& request, ErrorCode code, std::int32_t session_id) const;
  void respond(Exchange& exchange, const Request& request, const FetchSessions::Opened& opened, FetchPoll& poll,
               bool follower);
  protocol::FetchResponseView::PartitionData describe(Exchange& exchange, FetchEntry& entry) const;
  void add_leader_hints(Exchange& exchange, std::vector<FetchEntry>& entries,
                        std::span<Response::PartitionData* const> answers, Response& response) const;

  runtime::Clock& clock_;
  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  const security::Authorizer& authorizer_;
  FetchSettings settings_;
  FetchSessions sessions_;
  std::vector<std::unique_ptr<FetchPolls>> polls_;  // one a reactor
};

}  // namespace klamm::server
