// The clients of a story: producers of several kinds, readers, and somebody who makes and deletes topics. All run on
// client hosts, against a broker that comes and goes, and tell the history what they asked and saw.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "client/admin.h"
#include "client/client.h"
#include "history.h"
#include "runtime/simulation/world.h"
#include "runtime/task_group.h"

namespace klamm::simulation {

namespace sim = runtime::simulation;

struct TopicPlan {
  std::string name;
  std::int32_t partitions = 1;
  bool lazy = false;     // no flush.messages=1
  bool shrinks = false;  // records are deleted, by retention and by request
  std::map<std::string, std::string> configs;
};

struct ProducerPlan {
  client::Properties properties;
  bool idempotent = true;
  bool promised = true;
  bool one_in_flight = false;
  int records = 100;
  int burst_max = 10;             // records given at once
  runtime::Duration pause_max{};  // between bursts
  std::size_t value_bytes_max = 1000;
  int records_per_life = 1000;  // then it is closed, and another one goes on
};

class Clients {
 public:
  Clients(sim::Host& host, History& history, sim::Chance chance, std::vector<TopicPlan> topics);
  ~Clients();

  // Makes the topics; again and again, until all are there.
  runtime::Task<void> make_topics();
  void start_producer(ProducerPlan plan);
  void start_reader(client::Properties properties);
  // Makes and deletes topics of its own, adds partitions to them, deletes records of topics that shrink.
  void start_admin(int rounds);
  // Producers and the admin have done what they had to.
  bool done() const { return running_ == 0; }
  // Readers stop after that.
  void stop() { stopping_ = true; }
  bool stopped() const { return tasks_.running() == 0; }
  std::size_t operations() const { return operations_; }

  // Every partition, from its start to its end.
  runtime::Task<std::map<PartitionName, History::FinalLog>> read_all();
  // R8.
  runtime::Task<void> check_topics();

 private:
  runtime::Task<void> counted(runtime::Task<void> task);
  runtime::Task<void> produce(ProducerPlan plan, sim::Chance chance);
  runtime::Task<void> produce_life(const ProducerPlan& plan, sim::Chance& chance, int producer, int count);
  runtime::Task<void> read(client::Properties properties, sim::Chance chance);
  runtime::Task<void> read_life(client::Client& client, sim::Chance& chance);
  runtime::Task<void> administrate(int rounds, sim::Chance chance);
  runtime::Task<void> delete_records(client::Admin& admin, sim::Chance& chance);
  runtime::Task<void> check_partitions(client::Admin& admin, std::vector<Uuid> ids);
  runtime::Task<void> read_partition(client::Client& client, PartitionName partition, History::FinalLog& log);
  runtime::Task<void> pause(runtime::Duration max, sim::Chance& chance);
  client::Properties with_servers(client::Properties properties) const;
  std::vector<PartitionName> partitions() const;

  unsigned host_;
  runtime::Environment& environment_;
  runtime::Reactor& home_;
  History& history_;
  sim::Chance chance_;
  std::vector<TopicPlan> topics_;
  int admins_ = 0;
  std::size_t running_ = 0;
  std::size_t operations_ = 0;
  bool stopping_ = false;
  struct Made {
    Uuid id;
    bool there = true;  // else deleted
    std::int32_t partitions = 0;
  };
  std::map<std::string, Made> made_;  // the admin's topics, where their state is known
  runtime::TaskGroup tasks_;
};

}  // namespace klamm::simulation
