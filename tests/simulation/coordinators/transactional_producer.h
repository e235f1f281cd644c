// One life of a transactional producer, by the protocol of transaction.version 1 or of 2. What is asked and answered is
// told to the histories. As Kafka's: one request at a time, batches in sequence, what was not answered is asked again.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinators/caller.h"
#include "coordinators/membership.h"
#include "coordinators/offsets.h"
#include "coordinators/transaction_history.h"

namespace klamm::simulation {

struct ProducerSetup {
  std::string id;  // transactional
  bool second_version = true;
  std::chrono::milliseconds timeout{5000};
  // With the first version a request that nobody answered may come late and hit the next transaction of the same epoch
  // (KAFKA-17754). Who is careful takes a new epoch then, as Kafka's clients do not; who is not may do harm to its own
  // transactions and to what it shares.
  bool careful = true;
  std::vector<std::string> shares = {};
};

// A value for a partition, and where it is a copy from.
struct ToWrite {
  std::int32_t partition = 0;
  std::optional<Source> source = {};
  std::size_t bytes_min = 0;
};

class TransactionalProducer {
 public:
  // `tainted`: what a late request of the first version may have harmed is told here.
  TransactionalProducer(Caller& caller, TransactionHistory& transactions, GroupHistory& groups, sim::Chance chance,
                        ProducerSetup setup, std::set<std::string>& tainted)
      : caller_(caller),
        transactions_(transactions),
        groups_(groups),
        chance_(chance),
        setup_(std::move(setup)),
        tainted_(tainted) {}

  // Takes the id over. False: not now.
  Task<bool> come();
  bool usable() const { return usable_; }

  void begin();
  // False: the transaction can only be aborted.
  Task<bool> write(std::string topic, std::vector<ToWrite> records);
  Task<bool> send_offsets(const Membership& member, std::map<std::int32_t, std::int64_t> offsets);
  // What became of it. After anything but `committed` and `aborted` it is of no use any more.
  Task<Ending> end(bool commit);
  // Goes without a word, as if it were killed.
  void vanish();

 private:
  enum class Step : std::uint8_t { done, again, abort, over };
  Step step_of(ErrorCode code) const;
  template <typename Response, typename Request, typename CodeOf>
  Task<Step> insist(Request request, std::int16_t version_max, bool harmful, CodeOf code_of, bool* uncertain,
                    std::shared_ptr<const void> owner = {});
  Task<Step> add(const std::string& topic, std::set<std::int32_t> partitions);
  Task<Step> produce(std::string topic, std::int32_t partition, std::vector<std::size_t> writes,
                     std::vector<std::string> values);
  Task<Step> add_offsets(std::string group);
  Task<Step> commit_in_transaction(const Membership& member, std::map<std::int32_t, std::int64_t> offsets);
  bool went(Step step);

  Caller& caller_;
  TransactionHistory& transactions_;
  GroupHistory& groups_;
  sim::Chance chance_;
  ProducerSetup setup_;
  std::set<std::string>& tainted_;

  bool usable_ = false;
  std::size_t producer_ = 0;  // of the history
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::map<PartitionName, std::int32_t> sequences_;
  std::optional<std::size_t> transaction_;
  std::set<PartitionName> added_;
  bool wrote_ = false;       // there is something to end
  bool doubtful_ = false;    // a batch was not taken, or nobody knows: there is a hole in the sequence
  bool harmful_ = false;     // something that was not answered would do harm to another transaction
  std::uint64_t begun_ = 0;  // of the last request
};

}  // namespace klamm::simulation
