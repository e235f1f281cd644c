// A broker as a client sees it: topics in memory, sequence numbers checked as Kafka does. A test tells it what to do
// differently with the next request of a kind. Lives on a host of the simulated runtime.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/topic_partition.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/consumer_group_heartbeat.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/produce.h"
#include "protocol/messages/sync_group.h"
#include "rpc/frame.h"
#include "runtime/simulation/network.h"
#include "runtime/simulation/world.h"
#include "runtime/task_group.h"

namespace klamm::client {

namespace sim = runtime::simulation;

// What happens to one request instead of, or around, the usual answer.
enum class Mishap : std::uint8_t {
  hang_up_before,  // the connection is closed, nothing was done
  hang_up_after,   // it was done, but the answer is lost with the connection
  silence,         // neither done nor answered; the connection stays
  garbage,         // an answer that cannot be decoded
  wrong_number,    // an answer to a request that nobody made
  huge_length,     // an answer of two gigabytes is announced
};

class ModelBroker final : runtime::AcceptEvents {
 public:
  // Listens on port 9092 of the host. Made and destroyed outside of events.
  explicit ModelBroker(sim::World& world, sim::Host& host, std::int32_t id = 1);
  ~ModelBroker() override;

  void add_topic(std::string name, std::int32_t partitions, std::int32_t leader = 1);
  void set_leader(const std::string& topic, std::int32_t partition, std::int32_t leader);
  // Of every broker that this one tells of: itself, and these.
  void add_peer(std::int32_t id, std::string host);

  // The next request of this kind meets the mishap; several queue up.
  void next(protocol::ApiKey key, Mishap mishap) { mishaps_[key].push_back(mishap); }
  // The next request of this kind is answered with this error and not done.
  void next_error(protocol::ApiKey key, ErrorCode code) { errors_[key].push_back(code); }
  // One more kind of request, which the test answers itself: `answer` is given the request and its version.
  template <typename Request, typename Answer>
  void serve(std::int16_t low, std::int16_t high, Answer answer) {
    served_[Request::api_key] = {low, high,
                                 [answer](protocol::Reader& reader, std::int16_t version, protocol::Writer& writer) {
                                   Request request;
                                   request.decode(reader, version);
                                   answer(request, version).encode(writer, version);
                                 },
                                 Request::flexible_from};
  }
  // All of them.
  void always_error(protocol::ApiKey key, ErrorCode code) { standing_errors_[key] = code; }

  // Values of the records of a partition, in the order in which they were appended.
  std::vector<std::string> values(const std::string& topic, std::int32_t partition) const;
  void forget_producers() { producers_.clear(); }
  void forget_fetch_sessions() { sessions_.clear(); }
  // What is below is deleted.
  void set_log_start(const std::string& topic, std::int32_t partition, std::int64_t offset);

  // Of the group; -1 for none.
  std::int64_t committed(const std::string& topic, std::int32_t partition) const;
  void set_committed(const std::string& topic, std::int32_t partition, std::int64_t offset);
  // The member did what tells a group that it goes.
  bool member_left() const { return group_.left; }
  // Its next heartbeat of the consumer protocol brings another assignment: this many partitions of each topic.
  void assign_partitions(std::int32_t of_each_topic) { group_.of_each_topic = of_each_topic, group_.reassign = true; }

  std::size_t count(protocol::ApiKey key) const;
  static Uuid id_of(const std::string& topic) { return {7, std::hash<std::string>{}(topic) | 1}; }
  std::size_t connections_accepted() const { return accepted_; }
  std::size_t in_flight_most() const { return in_flight_most_; }
  // So long between a request and its answer.
  void set_delay(runtime::Duration delay) { delay_ = delay; }
  // Partitions named in each Fetch, in order.
  const std::vector<std::size_t>& fetch_sizes() const { return fetch_sizes_; }
  const std::vector<std::int32_t>& fetch_epochs() const { return fetch_epochs_; }

 private:
  struct Connection;
  struct Partition {
    std::vector<ByteVector> batches;
    std::int64_t log_start = 0;
    std::int64_t end = 0;
    std::int32_t leader = 1;
  };
  struct Served {
    std::int16_t low = 0;
    std::int16_t high = -1;
    std::function<void(protocol::Reader&, std::int16_t, protocol::Writer&)> answer;
    std::int16_t flexible_from = 0;
  };
  struct ProducerState {
    std::int16_t epoch = -1;
    std::int32_t next_sequence = 0;
    std::map<std::int32_t, std::int64_t> recent;  // base sequence -> base offset
  };

  // One group of one member, in either protocol.
  struct Group {
    std::string member;
    std::int32_t generation = 0;
    std::map<TopicPartition, std::int64_t> committed;
    std::vector<std::string> topics;
    std::int32_t of_each_topic = 1 << 20;
    bool reassign = false;
    bool left = false;
  };

  void on_accepted(runtime::SocketRef socket) override;
  void handle(const std::shared_ptr<Connection>& connection, Bytes frame);
  runtime::Task<void> answer_later(std::shared_ptr<Connection> connection, ByteVector frame, runtime::Duration delay);
  ByteVector answer_to(const rpc::RequestStart& start, Bytes body);
  ByteVector served_answer(const rpc::RequestStart& start, Bytes frame);

  protocol::ApiVersionsResponse respond(const protocol::ApiVersionsRequest& request, std::int16_t version);
  protocol::MetadataResponse respond(const protocol::MetadataRequest& request, std::int16_t version);
  protocol::InitProducerIdResponse respond(const protocol::InitProducerIdRequest& request, std::int16_t version);
  protocol::ProduceResponse respond(const protocol::ProduceRequest& request, std::int16_t version);
  protocol::ListOffsetsResponse respond(const protocol::ListOffsetsRequest& request, std::int16_t version);
  protocol::FetchResponse respond(const protocol::FetchRequest& request, std::int16_t version);
  protocol::CreateTopicsResponse respond(const protocol::CreateTopicsRequest& request, std::int16_t version);
  protocol::FindCoordinatorResponse respond(const protocol::FindCoordinatorRequest& request, std::int16_t version);
  protocol::JoinGroupResponse respond(const protocol::JoinGroupRequest& request, std::int16_t version);
  protocol::SyncGroupResponse respond(const protocol::SyncGroupRequest& request, std::int16_t version);
  protocol::HeartbeatResponse respond(const protocol::HeartbeatRequest& request, std::int16_t version);
  protocol::LeaveGroupResponse respond(const protocol::LeaveGroupRequest& request, std::int16_t version);
  protocol::OffsetCommitResponse respond(const protocol::OffsetCommitRequest& request, std::int16_t version);
  protocol::OffsetFetchResponse respond(const protocol::OffsetFetchRequest& request, std::int16_t version);
  protocol::ConsumerGroupHeartbeatResponse respond(const protocol::ConsumerGroupHeartbeatRequest& request,
                                                   std::int16_t version);
  ErrorCode group_error(protocol::ApiKey key, const std::string& member, std::int32_t generation);
  ErrorCode append(Partition& partition, const std::string& key, Bytes batch, std::int64_t& base_offset);
  Partition* find(const std::string& topic, std::int32_t partition);
  ErrorCode error_for(protocol::ApiKey key);

  sim::World& world_;
  sim::Host& host_;
  std::int32_t id_;
  std::map<std::int32_t, std::string> brokers_;
  std::map<std::string, std::vector<Partition>> topics_;
  std::map<protocol::ApiKey, Served> served_;
  std::map<protocol::ApiKey, std::deque<Mishap>> mishaps_;
  std::map<protocol::ApiKey, std::deque<ErrorCode>> errors_;
  std::map<protocol::ApiKey, ErrorCode> standing_errors_;
  std::map<protocol::ApiKey, std::size_t> counts_;
  Group group_;
  std::map<std::string, ProducerState> producers_;  // "id/topic-partition"
  std::map<std::int32_t, std::map<std::pair<std::string, std::int32_t>, std::int64_t>> sessions_;
  std::int32_t last_session_ = 0;
  std::int64_t last_producer_ = 1000;
  std::size_t accepted_ = 0;
  std::size_t in_flight_most_ = 0;
  runtime::Duration delay_{};
  runtime::Duration long_poll_{};  // of the Fetch that is being answered: it found nothing
  std::vector<std::size_t> fetch_sizes_;
  std::vector<std::int32_t> fetch_epochs_;
  std::unique_ptr<runtime::Listener> listener_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::unique_ptr<runtime::TaskGroup> tasks_;
};

}  // namespace klamm::client
