// For tests: a coordinator with a clock that is told the time, a log that is kept as bytes, somebody who works for it,
// and calls that read like a story.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transactions/add_partitions.h"
#include "transactions/transaction_coordinator.h"

namespace klamm::transactions::testing {

// What a producer has.
struct Producer {
  std::int64_t id = -1;
  std::int16_t epoch = -1;

  bool operator==(const Producer&) const = default;
  friend void PrintTo(const Producer& p, std::ostream* to) { *to << p.id << "/" << p.epoch; }
};

struct Told {
  ErrorCode code = ErrorCode::none;
  Producer producer;

  bool operator==(const Told&) const = default;
  friend void PrintTo(const Told& t, std::ostream* to) {
    *to << error_name(t.code) << " " << t.producer.id << "/" << t.producer.epoch;
  }
};

inline ErrorCode code(std::int16_t wire) {
  return static_cast<ErrorCode>(wire);
}

class TransactionStory {
 public:
  TransactionStory() { start(); }

  using Ticket = std::uint64_t;

  // Asks and applies; who is answered now, or later, stands in `answers`.
  Ticket ask(Call call) {
    const Ticket ticket = ++last_ticket_;
    carry_out(coordinator->decide({ticket}, moment(), call));
    return ticket;
  }
  bool is_answered(Ticket ticket) const { return answers.contains(ticket); }
  // The answer to a call, which must be there; each is given once.
  template <typename Response>
  Response take(Ticket ticket) {
    const auto found = answers.find(ticket);
    EXPECT_NE(found, answers.end()) << "nobody answered";
    if (found == answers.end()) return {};
    EXPECT_TRUE(std::holds_alternative<Response>(found->second)) << "another answer: " << found->second.index();
    Response response = std::get<Response>(std::move(found->second));
    answers.erase(found);
    return response;
  }
  // As a handler asks: once more, with a producer id, when one is wanted.
  template <typename Request>
  Ticket ask_with_id(Asked<Request> asked) {
    const Ticket ticket = ask(Call(asked));
    const auto found = answers.find(ticket);
    if (found == answers.end() || !std::holds_alternative<ProducerIdWanted>(found->second)) return ticket;
    answers.erase(found);
    asked.fresh_id = ProducerId(next_id++);
    return ask(Call(asked));
  }

  Told init(const std::string& id, Producer known = {}, std::int32_t timeout_ms = 60'000, int version = 5) {
    Asked<protocol::InitProducerIdRequest> asked;
    asked.request.transactional_id = id;
    asked.request.transaction_timeout_ms = timeout_ms;
    asked.request.producer_id = known.id;
    asked.request.producer_epoch = known.epoch;
    asked.api_version = static_cast<std::int16_t>(version);
    const auto response = take<protocol::InitProducerIdResponse>(ask_with_id(asked));
    return {code(response.error_code), {response.producer_id, response.producer_epoch}};
  }
  // One producer that may begin a transaction.
  Producer producer(const std::string& id, std::int32_t timeout_ms = 60'000) {
    const Told told = init(id, {}, timeout_ms);
    EXPECT_EQ(told.code, ErrorCode::none);
    return told.producer;
  }
  ErrorCode add(const std::string& id, Producer producer, const Partitions& partitions = {{"t", {0}}}, int version = 5,
                bool verify_only = false) {
    AddPartitions call;
    call.api_version = static_cast<std::int16_t>(version);
    call.transaction.transactional_id = id;
    call.transaction.producer_id = producer.id;
    call.transaction.producer_epoch = producer.epoch;
    call.transaction.verify_only = verify_only;
    for (const auto& [topic, numbers] : partitions) {
      call.transaction.topics.push_back({topic, {numbers.begin(), numbers.end()}, {}});
    }
    const auto result = take<AddedPartitions>(ask(Call(call)));
    EXPECT_EQ(result.transactional_id, id);
    return code(result.topic_results.at(0).results_by_partition.at(0).partition_error_code);
  }
  ErrorCode verify(const std::string& id, Producer producer, const Partitions& partitions = {{"t", {0}}}) {
    return add(id, producer, partitions, 5, true);
  }
  Ticket ask_end(const std::string& id, Producer producer, bool commit, int version = 5) {
    Asked<protocol::EndTxnRequest> asked;
    asked.request.transactional_id = id;
    asked.request.producer_id = producer.id;
    asked.request.producer_epoch = producer.epoch;
    asked.request.committed = commit;
    asked.api_version = static_cast<std::int16_t>(version);
    return ask_with_id(asked);
  }
  Told end(const std::string& id, Producer producer, bool commit, int version = 5) {
    const auto response = take<protocol::EndTxnResponse>(ask_end(id, producer, commit, version));
    return {code(response.error_code), {response.producer_id, response.producer_epoch}};
  }
  Told commit(const std::string& id, Producer producer, int version = 5) { return end(id, producer, true, version); }
  Told abort(const std::string& id, Producer producer, int version = 5) { return end(id, producer, false, version); }

  // What is to be done now; nothing is handed out twice.
  Work work() {
    if (!worker_) worker_ = ask(Call(NextWork{}));
    if (!is_answered(*worker_)) return {};
    return take<Work>(*std::exchange(worker_, std::nullopt));
  }
  void report(const Marker& marker, MarkerOutcome outcome = MarkerOutcome::written) {
    MarkerReport report{marker.transactional_id, marker.producer_id, marker.producer_epoch, {}};
    for (const auto& [topic, partitions] : marker.partitions) {
      for (const std::int32_t partition : partitions) report.partitions.push_back({topic, partition, outcome});
    }
    take<Done>(ask(Call(MarkersWritten{{report}})));
  }
  // Until nothing is to be done any more.
  std::vector<Marker> write_markers() {
    std::vector<Marker> written;
    for (Work todo = work(); !todo.markers.empty() || todo.producer_id_wanted; todo = work()) {
      if (todo.producer_id_wanted) take<Done>(ask(Call(ProducerIdGiven{ProducerId(next_id++)})));
      for (const Marker& marker : todo.markers) {
        report(marker);
        written.push_back(marker);
      }
    }
    return written;
  }

  // Time goes by; what becomes due is done.
  void pass(std::chrono::nanoseconds time) {
    const auto end = now + time;
    while (true) {
      const auto due = std::ranges::min_element(timers, {}, [](const auto& t) { return t.second; });
      if (due == timers.end() || due->second > end) break;
      now = std::max(now, due->second);
      const std::string name = due->first;
      timers.erase(due);
      carry_out(coordinator->timer_fired(moment(), name));
    }
    now = end;
  }

  // Another node takes over: only what was logged is known.
  void restart() {
    answers.clear();
    timers.clear();
    worker_.reset();
    start();
  }

  const Transaction& known(const std::string& id) const { return coordinator->state().transactions.at(id); }
  TransactionState state_of(const std::string& id) const { return known(id).state; }
  bool knows(const std::string& id) const { return coordinator->state().find(id) != nullptr; }
  Timestamp wall() const {
    return Timestamp(wall_ms + std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  }
  coordination::Moment moment() { return {wall(), now, ++seed_, Offset(static_cast<std::int64_t>(log.size()))}; }
  // As if the log had it: to begin a story in the middle.
  void given(const std::string& id, Transaction transaction) {
    const Record record{id, std::move(transaction), value_version(level)};
    log.push_back(encode(record));
    coordinator->apply(Offset(0), LeaderEpoch(1), Timestamp(0), {&record, 1});
  }

  NullLogSink sink;
  Settings settings;
  std::unique_ptr<coordination::Memory> memory = std::make_unique<coordination::Memory>();
  TransactionVersion level = 2;  // transaction.version of the cluster
  std::unique_ptr<TransactionCoordinator> coordinator;
  std::map<Ticket, Answer> answers;
  std::vector<Record> decided;  // by the last call or timer
  std::vector<Encoded> log;
  std::map<std::string, std::chrono::nanoseconds> timers;
  std::chrono::nanoseconds now = std::chrono::hours(1);
  std::int64_t wall_ms = 1'700'000'000'000;
  std::int64_t next_id = 1000;

 private:
  void start() {
    coordinator = std::make_unique<TransactionCoordinator>(settings, *memory, Logger(sink, "test"));
    for (const Encoded& each : log) {
      std::optional<Bytes> value;
      if (each.value) value = *each.value;
      auto record = decode(each.key, value);
      ASSERT_TRUE(record && *record);
      coordinator->apply(Offset(0), LeaderEpoch(1), Timestamp(0), {&**record, 1});
    }
    EXPECT_TRUE(is_answered(ask(Call(Loaded{level}))));
    answers.clear();
  }
  void carry_out(Decision decision) {
    decided = decision.records;
    for (const Record& record : decision.records) log.push_back(encode(record));
    coordinator->apply(Offset(0), LeaderEpoch(1), Timestamp(0), decision.records);
    for (auto& change : decision.timers) timers[change.name] = now + *change.after;
    for (auto& reply : decision.replies) {
      EXPECT_TRUE(answers.emplace(reply.to.value, std::move(reply.body)).second) << "answered twice";
    }
  }

  Ticket last_ticket_ = 0;
  std::uint64_t seed_ = 0;
  std::optional<Ticket> worker_;
};

}  // namespace klamm::transactions::testing
