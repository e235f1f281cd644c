// Publishes records: batches them per partition, sends them in order, again when that can help, and tells of each
// record where it went. Idempotent unless told otherwise: no record is written twice or out of order, whatever happens
// to connections and leaders, as long as the producer lives.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "client/client.h"
#include "client/offsets.h"
#include "client/record.h"
#include "client/result.h"
#include "runtime/clock.h"
#include "runtime/task.h"

namespace klamm::client {

class Consumer;
class Sender;
class TransactionSession;

// A transaction that is open: what the producer is given goes into it. Destroyed before its end it is aborted. The end
// of a transaction is waited for max.block.ms; an error for lack of time leaves it open, to be asked for again.
//
//   auto transaction = co_await out.begin();
//   ... co_await out.send(...), co_await transaction->add_offsets(in) ...
//   if (!co_await transaction->commit()) co_await transaction->abort();
class Transaction {
 public:
  Transaction(Transaction&&) noexcept = default;
  Transaction& operator=(Transaction&& other) noexcept;
  ~Transaction();

  // The group has read so far when this transaction is committed (KIP-447). `group`: Consumer::group_metadata().
  runtime::Task<Result<void>> send_offsets(Offsets offsets, GroupMetadata group);
  // What the consumer's polls have given so far.
  runtime::Task<Result<void>> add_offsets(const Consumer& consumer);
  // Sends what is left, waits for every record; an error means that it is not committed unless it is one of time. After
  // one of a record or of the transaction abort() leads on, unless Producer::fatal().
  runtime::Task<Result<void>> commit();
  // Drops what was not sent.
  runtime::Task<Result<void>> abort();

 private:
  friend class Producer;
  explicit Transaction(std::weak_ptr<TransactionSession> session) : session_(std::move(session)) {}

  std::weak_ptr<TransactionSession> session_;  // none once it has ended
};

class Producer {
 public:
  // The client's properties with `properties` over them. One that cannot be used makes every call fail with
  // configuration_error().
  explicit Producer(Client& client, const Properties& properties = {});
  // What has no answer yet fails. To have it delivered: close() first.
  ~Producer();
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;

  const std::optional<Error>& configuration_error() const { return configuration_error_; }

  // Waits for the topic to be known and for room, max.block.ms at most; then until the record is acknowledged, or
  // failed for good after delivery.timeout.ms.
  runtime::Task<Result<Produced>> send(RecordView record);

  // For hot loops: takes the record without waiting, and `delivered` is called once, in the order of the records of a
  // partition; it must not destroy the producer. False when it was not taken, because its topic is not known yet or
  // buffer.memory is full: wait for ready() and post it again.
  bool post(const RecordView& record, std::function<void(const Result<Produced>&)> delivered);
  runtime::Task<Result<void>> ready(RecordView record);

  // Everything given so far is sent now and has its answer.
  runtime::Task<Result<void>> flush();
  // --- with transactional.id: records are taken inside of transactions only ---
  // Takes the id: whoever had it before is fenced, and what it left open is aborted. begin() does it when it must; who
  // reads from a group does it before the first poll, which offsets in an open transaction would hold up.
  runtime::Task<Result<void>> init_transactions();
  runtime::Task<Result<Transaction>> begin();
  // Why nothing can be sent any more: another producer has the id, an authorization is missing.
  std::optional<Error> fatal() const;

  // Sends what is left, at most so long; takes nothing any more. An open transaction is aborted.
  runtime::Task<Result<void>> close(runtime::Duration timeout = std::chrono::hours(24));

 private:
  std::optional<Error> configuration_error_;
  std::unique_ptr<Sender> sender_;
};

}  // namespace klamm::client
