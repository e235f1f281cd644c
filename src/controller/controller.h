// The controller of a cluster: a deterministic machine over the records of __cluster_metadata. It decides about topics,
// brokers, configurations and producer ids; it does nothing itself. One instance leads at a time; it is called by one
// thread. Source of behaviour: org.apache.kafka.controller.QuorumController.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "controller/call.h"
#include "controller/config_rules.h"
#include "controller/state.h"
#include "coordination/decision.h"
#include "metadata/delta.h"

namespace klamm::controller {

class Controller {
 public:
  using Record = metadata::Record;
  using Call = controller::Call;
  using Answer = controller::Answer;
  using Decision = coordination::Decision<Record, Answer>;

  // Both outlive it.
  Controller(const ControllerSettings& settings, const ConfigRules& rules, Logger log);

  // Takes over what snapshot and log say, before the first call.
  void load(metadata::ImageRef image);

  Decision decide(coordination::Ticket ticket, const coordination::Moment& moment, const Call& call);
  Decision timer_fired(const coordination::Moment& moment, std::string_view name);
  // The call could not be served (the log failed, the decision was too large): what its caller is told.
  static Answer refuse(const Call& call, const Error& error);

  // In the order of the log: `base` is the offset of the first, and they are one batch.
  void apply(Offset base, LeaderEpoch epoch, Timestamp appended, std::span<const Record> records);
  // What apply() made since the last call, one delta a batch, for those who wait until it is committed.
  std::vector<std::shared_ptr<const metadata::Delta>> take_deltas() { return std::exchange(deltas_, {}); }

  // With everything applied, committed or not.
  const metadata::ImageRef& image() const { return state_.image; }

 private:
  template <typename Request, typename Decide>
  Decision answer(coordination::Ticket ticket, const Request& request, Decide decide);
  Decision activate(coordination::Ticket ticket, const coordination::Moment& moment, const Activate& call);
  void watch_sessions(const coordination::Moment& moment, Decision& decision) const;
  void note_names(const metadata::Delta& delta);
  void note_name(const std::string& name);

  State state_;
  std::vector<std::shared_ptr<const metadata::Delta>> deltas_;
};

}  // namespace klamm::controller
