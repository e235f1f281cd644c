// Publishes records: batches them per partition, sends them in order, again when that can help, and tells of each
// record where it went. Idempotent unless told otherwise: no record is written twice or out of order, whatever happens
// to connections and leaders, as long as the producer lives.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "client/client.h"
#include "client/record.h"
#include "client/result.h"
#include "runtime/clock.h"
#include "runtime/task.h"

namespace klamm::client {

class Sender;

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
  // Sends what is left, at most so long; takes nothing any more.
  runtime::Task<Result<void>> close(runtime::Duration timeout = std::chrono::hours(24));

 private:
  std::optional<Error> configuration_error_;
  std::unique_ptr<Sender> sender_;
};

}  // namespace klamm::client
