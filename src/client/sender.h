// Sends a producer's batches and hears the answers: which may be sent now, to whom, what to do with those that failed.
// Source of the rules: org.apache.kafka.clients.producer.internals.Sender. Belongs to one reactor.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/accumulator.h"
#include "client/core.h"
#include "client/sequences.h"
#include "client/settings.h"
#include "client/signal.h"
#include "client/transaction_session.h"

namespace klamm::protocol {
struct ProduceResponse;
}

namespace klamm::client {

class Sender final : runtime::Timer {
 public:
  Sender(Core& core, ProducerSettings settings);
  ~Sender() override;

  // Takes a record whose topic's partitions are known: true, and `delivered` will be called once, or was already with
  // an error of the record itself. False: first wait for room or for the topic.
  bool take(const RecordView& record, Delivered delivered);
  // Waits until a record of the topic (and partition, unless -1) can be taken, max.block.ms at most.
  runtime::Task<Result<void>> wait_for_topic(std::string topic, std::int32_t partition, runtime::MonoTime deadline);
  runtime::Task<Result<void>> wait_for_room(std::size_t bytes, runtime::MonoTime deadline);
  bool knows_topic(std::string_view topic, std::int32_t partition) const;

  // Everything that was taken so far has its answer.
  runtime::Task<Result<void>> flush();
  // Sends what is left; what has no answer at the deadline fails.
  runtime::Task<void> close(runtime::MonoTime deadline);
  // Nothing can be sent any more.
  const std::optional<Error>& fatal() const { return fatal_; }
  // A record could not be taken: without it the transaction is not whole.
  void not_taken(const Error& error);
  // Of a producer with a transactional.id, else null. Who keeps it must ask whether the producer still lives.
  const std::shared_ptr<TransactionSession>& transactions() const { return transactions_; }

  const ProducerSettings& settings() const { return settings_; }
  Core& core() { return core_; }

 private:
  // A produce request that is on its way.
  struct Request final : AnswerWaiter {
    Request(Sender& owner, std::int32_t to) : sender(owner), node(to) {}
    void answered(Result<Answer> answer) override { sender.answered(*this, std::move(answer)); }

    Sender& sender;
    std::int32_t node;
    std::int16_t version = 0;
    std::uint64_t connection = 0;  // Link::connection_number()
    std::vector<ProducerBatchRef> batches;
    std::map<Uuid, std::string> names;  // of the topics by id, as they were when it was sent
    std::list<std::unique_ptr<Request>>::iterator self;
  };
  struct PartitionAnswer {
    ErrorCode code = ErrorCode::none;
    std::string message;
    std::int64_t base_offset = -1;
    std::int64_t log_append_time = -1;
    std::int64_t log_start_offset = -1;
    std::vector<std::pair<std::int32_t, std::string>> record_errors;  // index in the batch, message
  };

  void fired() override { run(); }
  void run_soon();
  void transaction_changed();
  void run_at(runtime::MonoTime at);
  void run();
  runtime::MonoTime run_transactions();
  std::optional<Error> refusal(const RecordView& record);
  const std::vector<LeaderOf>& leaders_of(std::string_view topic);
  void send_to(std::int32_t node, runtime::MonoTime& next_look);
  void send(Link& link, std::vector<ProducerBatchRef> batches);
  LeaderOf leader_of(const TopicPartition& partition) const;

  void answered(Request& request, Result<Answer> answer);
  void read_response(Request& request, const protocol::ProduceResponse& response);
  void complete(const ProducerBatchRef& batch, PartitionAnswer answer);
  bool may_retry(const ProducerBatch& batch, const PartitionAnswer& answer);
  void succeed(ProducerBatch& batch, const PartitionAnswer& answer);
  void fail(ProducerBatch& batch, const PartitionAnswer& answer, bool never_appended);
  void finish(ProducerBatch& batch);
  void split(const ProducerBatchRef& batch);
  void expire(runtime::MonoTime now);
  void expire(ProducerBatch& batch, runtime::MonoTime now);
  void fail_everything(const Error& error);
  runtime::MonoTime next_expiry() const;

  runtime::Task<void> obtain_producer_id();

  Core& core_;
  ProducerSettings settings_;
  Logger log_;
  Accumulator accumulator_;
  Sequences sequences_;
  std::map<std::int32_t, std::int32_t> requests_in_flight_;  // by node
  std::list<std::unique_ptr<Request>> requests_;
  std::optional<Error> fatal_;
  bool guarded_ = false;  // not every record may be taken: look at fatal_ and transactions_
  bool obtaining_id_ = false;
  int waiting_for_room_ = 0;
  int on_change_ = -1;
  Signal room_;
  Signal finished_;
  struct Leaders {
    std::uint64_t version = 0;
    std::vector<LeaderOf> by_partition;
  };
  std::map<std::string, Leaders, std::less<>> leaders_;
  std::shared_ptr<TransactionSession> transactions_;
  bool look_again_ = false;  // the transaction changed, perhaps in the middle of a run()
  bool completing_ = false;  // a transaction ends: nothing lingers
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::client
