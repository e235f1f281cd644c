// Producers of transactions, each with connections of its own, one transaction after the other.
#pragma once

#include <memory>
#include <vector>

#include "bench/channel.h"
#include "bench/plan.h"
#include "bench/transactional_producer.h"
#include "runtime/environment.h"
#include "runtime/task.h"
#include "runtime/waiting.h"

namespace klamm::bench {

class TransactionLoad final : ChannelEvents {
 public:
  TransactionLoad(runtime::Reactor& reactor, const Plan& plan, Report& report);

  void add(TransactionSettings settings, runtime::SocketRef coordinator, runtime::SocketRef leader);
  // A report's request is a transaction, a record one in it. Those that are open at the end are ended.
  runtime::Task<void> run(Moments moments);
  // Of all that were committed, warm-up included: what partitions grow by, with a marker in each.
  std::uint64_t offsets_taken() const { return offsets_taken_; }

 private:
  // Waits before it asks again; a new transaction begins at once.
  struct Seat final : runtime::Timer {
    Seat(TransactionLoad& its, TransactionSettings settings) : load(its), producer(std::move(settings)) {}
    void fired() override { load.ask(*this); }

    TransactionLoad& load;
    TransactionalProducer producer;
    std::unique_ptr<Channel> coordinator, leader;
    runtime::MonoTime begun{};
    bool idle = false;  // over, and nothing open
  };
  void answered(Channel& channel, const Sent& sent, Bytes answer, runtime::MonoTime at) override;
  void lost(Channel& channel, std::string why) override;
  void ask(Seat& seat);
  void failed(std::string why);
  void committed(Seat& seat, runtime::MonoTime at);
  runtime::Task<void> wait_until(runtime::MonoTime at);

  runtime::Reactor& reactor_;
  const Plan& plan_;
  Report& report_;
  runtime::Notice changed_;
  std::vector<std::unique_ptr<Seat>> seats_;
  runtime::MonoTime from_ = runtime::never, to_ = runtime::never;
  bool over_ = false;
  std::uint64_t offsets_taken_ = 0;
};

// Transactions, then looks whether the partitions grew by what was committed.
runtime::Task<client::Result<void>> run_transactions(runtime::Environment& environment, client::Client& client,
                                                     const Plan& plan, const Target& target, Report& report,
                                                     Moments moments, std::string run);

}  // namespace klamm::bench
