// Producers, zombies, a coordinator whose log commits when it likes and that crashes at any step, partitions, and
// markers that are late, lost or written twice: a walk through all of it, under a seed. After every step the promises
// hold; at the end of a walk, when everybody who failed is left alone, every transaction ends.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "transactions/testing.h"

namespace klamm::transactions {
namespace {

using testing::code;
using testing::Producer;

// --- partitions ------------------------------------------------------------------------------------------------------

// What was written of one transaction of one client, and how the client was told that it ended.
struct Written {
  std::optional<bool> told;    // committed
  std::optional<bool> marked;  // the same, as the markers have it
};

class Partition {
 public:
  explicit Partition(std::map<int, Written>& all) : all_(all) {}

  // A producer writes; false when it is fenced.
  bool write(Producer by, int transaction) {
    Its& its = producers_[by.id];
    if (by.epoch < its.epoch) return false;
    its.epoch = by.epoch;
    if (its.open && *its.open != transaction) {
      ADD_FAILURE() << "the transaction before is still open";
      return true;
    }
    its.open = transaction;
    return true;
  }

  ErrorCode mark(const Marker& marker, int coordinator_epoch) {
    Its& its = producers_[marker.producer_id.value];
    if (coordinator_epoch < its.coordinator_epoch) return ErrorCode::transaction_coordinator_fenced;
    if (marker.producer_epoch.value < its.epoch) {
      EXPECT_FALSE(its.open) << "nobody can end it any more";
      return ErrorCode::invalid_producer_epoch;
    }
    its.coordinator_epoch = coordinator_epoch;
    its.epoch = marker.producer_epoch.value;
    if (!its.open) return ErrorCode::none;
    Written& written = all_[*its.open];
    EXPECT_EQ(written.marked.value_or(marker.commit), marker.commit) << "committed here, aborted there";
    EXPECT_EQ(written.told.value_or(marker.commit), marker.commit) << "not what the client was told";
    written.marked = marker.commit;
    its.open.reset();
    return ErrorCode::none;
  }

  bool has_open() const {
    for (const auto& [id, its] : producers_) {
      if (its.open) return true;
    }
    return false;
  }

 private:
  struct Its {
    std::int16_t epoch = -1;
    int coordinator_epoch = -1;
    std::optional<int> open;
  };
  std::map<int, Written>& all_;
  std::map<std::int64_t, Its> producers_;
};

// --- the coordinator's node ------------------------------------------------------------------------------------------

// A machine over a log that is committed bit by bit. What a decision rests on is committed before its replies leave.
class Node {
 public:
  explicit Node(TransactionVersion level) : level_(level) { load(); }

  using Ticket = std::uint64_t;

  Ticket ask(Call call) {
    const Ticket ticket = ++last_ticket_;
    carry_out(machine_->decide({ticket}, moment(), call));
    return ticket;
  }
  std::optional<Answer> take(Ticket ticket) {
    const auto found = answers_.find(ticket);
    if (found == answers_.end()) return std::nullopt;
    Answer answer = std::move(found->second);
    answers_.erase(found);
    return answer;
  }
  // Whether an answer can still come.
  bool is_waiting(Ticket ticket) const { return ticket > first_of_term_; }

  void commit_some(std::size_t units) {
    while (units-- > 0 && committed_ < log_.size()) {
      for (const Encoded& each : log_[committed_++]) apply_to(durable_, each);
    }
    while (!held_.empty() && held_.front().rests_on <= committed_) {
      check_handed_out(held_.front().answer);
      answers_.emplace(held_.front().ticket, std::move(held_.front().answer));
      held_.pop_front();
    }
  }
  void commit_all() { commit_some(log_.size()); }

  // Of what is not committed, some may be there all the same afterwards.
  void crash(std::size_t survivors) {
    log_.resize(std::min(log_.size(), committed_ + survivors));
    ++term_;
    load();
  }
  // As another node that has only the first part of the log.
  void crash_back_to(std::size_t units) {
    log_.resize(units);
    committed_ = std::min(committed_, units);
    durable_.clear();
    for (std::size_t i = 0; i < committed_; ++i) {
      for (const Encoded& each : log_[i]) apply_to(durable_, each);
    }
    ++term_;
    load();
  }

  void pass(std::chrono::nanoseconds time) {
    now_ += time;
    for (bool fired = true; fired;) {
      fired = false;
      for (const auto& [name, at] : timers_) {
        if (at > now_) continue;
        const std::string its = name;
        timers_.erase(its);
        carry_out(machine_->timer_fired(moment(), its));
        fired = true;
        break;
      }
    }
  }

  void change_level(TransactionVersion level) {
    level_ = level;
    ask(Call(VersionChanged{level}));
  }
  TransactionVersion level() const { return level_; }
  int term() const { return term_; }
  std::size_t units() const { return log_.size(); }
  const State& state() const { return machine_->state(); }

  // As if the log had begun with it.
  void given(const std::string& id, const Transaction& transaction) {
    log_.push_back({encode({id, transaction, value_version(level_)})});
    commit_all();
    load();
  }

 private:
  struct Held {
    Ticket ticket;
    std::size_t rests_on;
    Answer answer;
  };
  using Known = std::map<std::string, Transaction, std::less<>>;

  coordination::Moment moment() {
    return {Timestamp(1'700'000'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(now_).count()), now_, 1,
            Offset(0)};
  }

  static void apply_to(Known& known, const Encoded& each) {
    std::optional<Bytes> value;
    if (each.value) value = *each.value;
    const auto record = decode(each.key, value);
    ASSERT_TRUE(record && *record);
    if (!(*record)->transaction) {
      known.erase((*record)->transactional_id);
    } else {
      known[(*record)->transactional_id] = *(*record)->transaction;
    }
  }

  void load() {
    machine_ = std::make_unique<TransactionCoordinator>(settings_, memory_, Logger(sink_, "test"));
    timers_.clear();
    held_.clear();
    answers_.clear();
    first_of_term_ = last_ticket_;
    for (const auto& unit : log_) {
      for (const Encoded& each : unit) {
        std::optional<Bytes> value;
        if (each.value) value = *each.value;
        const auto record = decode(each.key, value);
        ASSERT_TRUE(record && *record);
        machine_->apply(Offset(0), LeaderEpoch(term_), Timestamp(0), {&**record, 1});
      }
    }
    ask(Call(Loaded{level_}));
  }

  void carry_out(Decision decision) {
    for (const Record& record : decision.records) check_follows(record);
    if (decision.atomic && !decision.records.empty()) {
      auto& unit = log_.emplace_back();
      for (const Record& record : decision.records) unit.push_back(encode(record));
    } else {
      for (const Record& record : decision.records) log_.push_back({encode(record)});
    }
    machine_->apply(Offset(0), LeaderEpoch(term_), Timestamp(0), decision.records);
    seen_.clear();
    for (auto& change : decision.timers) timers_[change.name] = now_ + *change.after;
    for (auto& reply : decision.replies) held_.push_back({reply.to.value, log_.size(), std::move(reply.body)});
    commit_some(0);
  }

  // What is logged is one step after what was logged before, and no epoch goes back.
  void check_follows(const Record& record) {
    const Transaction* before = machine_->state().find(record.transactional_id);
    if (const auto decided = seen_.find(record.transactional_id); decided != seen_.end()) before = &decided->second;
    if (!record.transaction) {
      EXPECT_TRUE(before != nullptr && is_settled(before->state));
      return;
    }
    const Transaction& after = *record.transaction;
    if (before != nullptr) {
      EXPECT_TRUE(may_follow(before->state, after.state)) << name_of(before->state) << " " << name_of(after.state);
      EXPECT_TRUE(after.producer_id != before->producer_id || after.producer_epoch >= before->producer_epoch);
      EXPECT_EQ(after.previous_producer_id, before->producer_id);
    }
    EXPECT_GE(after.producer_epoch.value, 0);
    const auto [owner, fresh] = owners_.try_emplace(after.producer_id.value, record.transactional_id);
    EXPECT_EQ(owner->second, record.transactional_id) << "two ids with one producer id";
    seen_[record.transactional_id] = after;
  }

  // A marker leaves when its decision will never be lost.
  void check_handed_out(const Answer& answer) {
    const auto* work = std::get_if<Work>(&answer);
    if (work == nullptr) return;
    for (const Marker& marker : work->markers) {
      const auto found = durable_.find(marker.transactional_id);
      ASSERT_NE(found, durable_.end());
      EXPECT_EQ(found->second.state,
                marker.commit ? TransactionState::prepare_commit : TransactionState::prepare_abort);
      EXPECT_EQ(found->second.producer_id, marker.producer_id);
      EXPECT_EQ(found->second.producer_epoch, marker.producer_epoch);
      EXPECT_TRUE(contains_all(found->second.partitions, marker.partitions));
    }
  }

  NullLogSink sink_;
  Settings settings_;
  coordination::Memory memory_;
  TransactionVersion level_;
  std::unique_ptr<TransactionCoordinator> machine_;
  std::vector<std::vector<Encoded>> log_;  // units that are there whole or not at all
  std::size_t committed_ = 0;
  Known durable_;  // what the committed part of the log says
  Known seen_;     // of the decision that is looked at
  std::map<std::int64_t, std::string> owners_;
  std::deque<Held> held_;
  std::map<Ticket, Answer> answers_;
  std::map<std::string, std::chrono::nanoseconds> timers_;
  std::chrono::nanoseconds now_ = std::chrono::hours(1);
  int term_ = 0;
  Ticket last_ticket_ = 0;
  Ticket first_of_term_ = 0;
};

// --- clients ---------------------------------------------------------------------------------------------------------

struct Client {
  enum class Step : std::uint8_t { initialize, idle, open, end };
  enum class Asked : std::uint8_t { nothing, init, add, end };

  std::string id;
  bool is_new = true;  // speaks transaction.version 2
  Step step = Step::initialize;
  Producer has;
  int transaction = 0;
  bool commits = false;
  Asked asked = Asked::nothing;
  std::int32_t partition = 0;  // that it asked for
  Node::Ticket ticket = 0;
};

class Walk {
 public:
  static constexpr int partition_count = 3;

  explicit Walk(std::uint64_t seed, bool crashes) : chance_(seed), crashes_(crashes), node_(first_level()) {
    for (int i = 0; i < partition_count; ++i) partitions_.emplace_back(written_);
    for (const std::string id : {"a", "b", "c"}) {
      if (one_in(2)) continue;
      Transaction worn = fresh_transaction(ProducerId(next_id_++), 5000, Timestamp(0));
      worn.updated_at = Timestamp(1'700'000'000'000);
      worn.producer_epoch = ProducerEpoch(static_cast<std::int16_t>(epoch_max - 2 - chance_.below(4)));
      node_.given(id, worn);
    }
    for (int i = 0; i < 4; ++i) clients_.push_back(fresh_client());
  }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) step();
  }

  // Everybody who failed is left alone: all that is open ends.
  void drain() {
    for (int i = 0; i < 200; ++i) {
      node_.commit_all();
      work(0);
      while (!in_flight_.empty()) deliver(0, 0);
      node_.pass(std::chrono::seconds(2));
    }
    for (const auto& [id, transaction] : node_.state().transactions) {
      EXPECT_TRUE(is_settled(transaction.state)) << id << " hangs in " << name_of(transaction.state);
    }
    for (const Partition& partition : partitions_) EXPECT_FALSE(partition.has_open());
    for (const auto& [number, written] : written_) {
      if (written.told && written.marked) EXPECT_EQ(*written.told, *written.marked);
    }
  }

  Node& node() { return node_; }
  void forget_what_is_in_flight() { in_flight_.clear(); }
  int committed() const {
    int sum = 0;
    for (const auto& [number, written] : written_) sum += written.marked == true;
    return sum;
  }
  int aborted() const {
    int sum = 0;
    for (const auto& [number, written] : written_) sum += written.marked == false;
    return sum;
  }

 private:
  struct InFlight {
    int term;
    Marker marker;
  };

  bool one_in(std::uint32_t n) { return chance_.below(n) == 0; }
  TransactionVersion first_level() { return static_cast<TransactionVersion>(1 + chance_.below(2)); }

  Client fresh_client() {
    Client client;
    client.id = std::array{"a", "b", "c"}[chance_.below(3)];
    client.is_new = !one_in(3);
    return client;
  }

  void step() {
    switch (chance_.below(12)) {
      case 0:
        if (crashes_ && one_in(6)) node_.crash(chance_.below(3));
        break;
      case 1:
        node_.pass(std::chrono::milliseconds(chance_.below(2000)));
        break;
      case 2:
        work(5);
        break;
      case 3:
      case 4:
        if (!in_flight_.empty()) deliver(chance_.below(static_cast<std::uint32_t>(in_flight_.size())), 4);
        break;
      case 5:
        if (one_in(40)) clients_[chance_.below(4)] = fresh_client();  // its predecessor died, or is a zombie
        if (one_in(40)) node_.change_level(2);
        break;
      case 6:
        late_end();
        break;
      case 7:
      case 8:
        node_.commit_some(1 + chance_.below(3));
        break;
      default:
        act(clients_[chance_.below(4)]);
    }
  }

  // --- markers ---

  void work(std::uint32_t refuses_one_in) {
    if (worker_ && !node_.is_waiting(*worker_)) worker_.reset();
    if (!worker_) worker_ = node_.ask(Call(NextWork{}));
    const auto answer = node_.take(*worker_);
    if (!answer) return;
    worker_.reset();
    const Work& todo = std::get<Work>(*answer);
    for (const Marker& marker : todo.markers) in_flight_.push_back({node_.term(), marker});
    if (!todo.producer_id_wanted) return;
    const bool none = refuses_one_in > 0 && one_in(refuses_one_in);
    node_.ask(Call(ProducerIdGiven{none ? no_producer_id : ProducerId(next_id_++)}));
  }

  // One partition of a marker is written, or fails; sometimes nobody hears of it.
  void deliver(std::size_t which, std::uint32_t fails_one_in) {
    InFlight& flight = in_flight_[which];
    auto topic = flight.marker.partitions.begin();
    const std::int32_t number = *topic->second.begin();
    MarkerOutcome outcome = MarkerOutcome::again;
    if (fails_one_in == 0 || !one_in(fails_one_in)) {
      outcome = outcome_of(partitions_.at(static_cast<std::size_t>(number)).mark(flight.marker, flight.term));
    }
    if (flight.term == node_.term()) {
      const Marker& marker = flight.marker;
      node_.ask(Call(MarkersWritten{
          {{marker.transactional_id, marker.producer_id, marker.producer_epoch, {{topic->first, number, outcome}}}}}));
    }
    remove(flight.marker.partitions, std::string(topic->first), number);
    if (flight.marker.partitions.empty()) in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  // --- clients ---

  void act(Client& client) {
    if (client.asked == Client::Asked::nothing) return ask(client);
    if (const auto answer = node_.take(client.ticket)) {
      const auto asked = std::exchange(client.asked, Client::Asked::nothing);
      if (std::holds_alternative<ProducerIdWanted>(*answer)) return ask(client, ProducerId(next_id_++));
      if (asked == Client::Asked::init) return initialized(client, std::get<protocol::InitProducerIdResponse>(*answer));
      if (asked == Client::Asked::add) return added(client, std::get<AddedPartitions>(*answer));
      return ended(client, std::get<protocol::EndTxnResponse>(*answer));
    }
    if (!node_.is_waiting(client.ticket)) client.asked = Client::Asked::nothing;  // asks again
  }

  void ask(Client& client, ProducerId fresh = no_producer_id) {
    if (client.step == Client::Step::open && one_in(2)) {
      client.step = Client::Step::end;
      client.commits = !one_in(3);
    }
    switch (client.step) {
      case Client::Step::initialize: {
        transactions::Asked<protocol::InitProducerIdRequest> call;
        call.request.transactional_id = client.id;
        call.request.transaction_timeout_ms = 5000;
        call.request.producer_id = client.has.id;
        call.request.producer_epoch = client.has.epoch;
        call.fresh_id = fresh;
        client.asked = Client::Asked::init;
        client.ticket = node_.ask(Call(call));
        return;
      }
      case Client::Step::idle:
      case Client::Step::open: {
        AddPartitions call;
        client.partition = static_cast<std::int32_t>(chance_.below(partition_count));
        call.transaction.transactional_id = client.id;
        call.transaction.producer_id = client.has.id;
        call.transaction.producer_epoch = client.has.epoch;
        call.transaction.topics.push_back({"t", {client.partition}, {}});
        call.api_version = client.is_new ? 5 : 3;
        client.asked = Client::Asked::add;
        client.ticket = node_.ask(Call(call));
        return;
      }
      case Client::Step::end:
        client.asked = Client::Asked::end;
        client.ticket = ask_end(client, fresh);
        return;
    }
  }

  Node::Ticket ask_end(const Client& client, ProducerId fresh) {
    transactions::Asked<protocol::EndTxnRequest> call;
    call.request.transactional_id = client.id;
    call.request.producer_id = client.has.id;
    call.request.producer_epoch = client.has.epoch;
    call.request.committed = client.commits;
    call.api_version = client.is_new ? 5 : 4;
    call.fresh_id = fresh;
    return node_.ask(Call(call));
  }

  void initialized(Client& client, const protocol::InitProducerIdResponse& answer) {
    if (answer.error_code == 0) {
      client.has = {answer.producer_id, answer.producer_epoch};
      client.step = Client::Step::idle;
    } else if (code(answer.error_code) != ErrorCode::concurrent_transactions) {
      client = fresh_client();
    }
  }

  void added(Client& client, const AddedPartitions& answer) {
    const ErrorCode result = code(answer.topic_results.at(0).results_by_partition.at(0).partition_error_code);
    if (result == ErrorCode::concurrent_transactions) return;
    if (result != ErrorCode::none) return fail(client);
    if (client.step == Client::Step::idle) client.transaction = ++last_transaction_;
    client.step = Client::Step::open;
    written_.try_emplace(client.transaction);
    if (!partitions_.at(static_cast<std::size_t>(client.partition)).write(client.has, client.transaction)) fail(client);
  }

  void ended(Client& client, const protocol::EndTxnResponse& answer) {
    const ErrorCode result = code(answer.error_code);
    if (result == ErrorCode::concurrent_transactions) return;
    if (result != ErrorCode::none) return fail(client);
    Written& its = written_.at(client.transaction);
    EXPECT_EQ(its.marked.value_or(client.commits), client.commits) << "told otherwise than it was";
    its.told = client.commits;
    if (client.is_new) {
      old_ends_.push_back(client);
      client.has = {answer.producer_id, answer.producer_epoch};
    }
    client.step = one_in(10) ? Client::Step::initialize : Client::Step::idle;
  }

  // A fenced producer is closed; another one takes its place, or it goes on with what it has.
  void fail(Client& client) {
    const Client before = client;
    client = fresh_client();
    if (!one_in(2)) return;
    client.id = before.id;
    client.has = before.has;
  }

  // A copy of an end that was answered long ago (KAFKA-17754). It may be told what it was told then; it ends nothing.
  void late_end() {
    if (old_ends_.empty()) return;
    const Client& old = old_ends_[chance_.below(static_cast<std::uint32_t>(old_ends_.size()))];
    const Transaction* now = node_.state().find(old.id);
    if (now == nullptr || (now->producer_id.value == old.has.id && now->producer_epoch.value == old.has.epoch)) return;
    const std::size_t units = node_.units();
    ask_end(old, no_producer_id);
    EXPECT_EQ(node_.units(), units) << "a late end changed something";
  }

  coordination::FreshIds chance_;
  bool crashes_;
  Node node_;
  std::map<int, Written> written_;
  std::vector<Partition> partitions_;
  std::vector<Client> clients_;
  std::vector<Client> old_ends_;
  std::vector<InFlight> in_flight_;
  std::optional<Node::Ticket> worker_;
  std::int64_t next_id_ = 1;
  int last_transaction_ = 0;
};

TEST(RandomWalkTest, NoTransactionHangsAndNoneIsTornWhateverCrashes) {
  int committed = 0;
  int aborted = 0;
  for (std::uint64_t seed = 1; seed <= 300 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(seed, true);
    walk.run(1500);
    walk.drain();
    committed += walk.committed();
    aborted += walk.aborted();
  }
  // The walk goes where transactions end both ways.
  EXPECT_GT(committed, 1000);
  EXPECT_GT(aborted, 1000);
}

TEST(RandomWalkTest, FromEveryPrefixOfTheLogEveryTransactionEnds) {
  for (std::uint64_t seed = 1; seed <= 5 && !::testing::Test::HasFailure(); ++seed) {
    std::size_t units = 1;
    for (std::size_t prefix = 0; prefix < units && !::testing::Test::HasFailure(); ++prefix) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", units " + std::to_string(prefix));
      Walk walk(seed, false);
      walk.run(300);
      units = walk.node().units();
      walk.forget_what_is_in_flight();
      walk.node().crash_back_to(prefix);
      auto worker = walk.node().ask(Call(NextWork{}));
      for (int i = 0; i < 30; ++i) {
        walk.node().pass(std::chrono::seconds(2));
        walk.node().commit_all();
        const auto answer = walk.node().take(worker);
        if (!answer) continue;
        const Work& todo = std::get<Work>(*answer);
        if (todo.producer_id_wanted) walk.node().ask(Call(ProducerIdGiven{ProducerId(1'000'000 + i)}));
        for (const Marker& marker : todo.markers) {
          MarkerReport report{marker.transactional_id, marker.producer_id, marker.producer_epoch, {}};
          for (const auto& [topic, numbers] : marker.partitions) {
            for (const std::int32_t number : numbers) {
              report.partitions.push_back({topic, number, MarkerOutcome::written});
            }
          }
          walk.node().ask(Call(MarkersWritten{{report}}));
        }
        worker = walk.node().ask(Call(NextWork{}));
      }
      for (const auto& [id, transaction] : walk.node().state().transactions) {
        EXPECT_TRUE(is_settled(transaction.state)) << id << " hangs in " << name_of(transaction.state);
      }
    }
  }
}

}  // namespace
}  // namespace klamm::transactions
