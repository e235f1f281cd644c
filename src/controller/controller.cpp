#include "controller/controller.h"

#include <fmt/format.h>

#include <utility>

#include "base/ensure.h"
#include "controller/activation.h"
#include "controller/brokers.h"
#include "controller/configs.h"
#include "controller/topics.h"
#include "metadata/topic_name.h"

namespace klamm::controller {
namespace {

using coordination::Moment;
using coordination::Ticket;

// Source of the bound: ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE.
constexpr std::int64_t producer_ids_per_block = 1000;

constexpr std::string_view session_timer = "maybeFenceStaleBroker";

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

Result<Outcome<protocol::AllocateProducerIdsResponse>> allocate_producer_ids(
    const State& state, const protocol::AllocateProducerIdsRequest& request) {
  if (auto current = state.check_broker_epoch(request.broker_id, request.broker_epoch); !current) {
    return std::unexpected(current.error());
  }
  const std::int64_t first = state.image->next_producer_id().value;
  if (first > std::numeric_limits<std::int64_t>::max() - producer_ids_per_block) {
    return fail(ErrorCode::unknown_server_error,
                "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit");
  }
  Outcome<protocol::AllocateProducerIdsResponse> outcome;
  protocol::ProducerIdsRecord record;
  record.broker_id = request.broker_id;
  record.broker_epoch = request.broker_epoch;
  record.next_producer_id = first + producer_ids_per_block;
  outcome.records.push_back({std::move(record), 0});
  outcome.response.producer_id_start = first;
  outcome.response.producer_id_len = producer_ids_per_block;
  return outcome;
}

}  // namespace

Controller::Controller(const ControllerSettings& settings, const ConfigRules& rules, Logger log)
    : state_(settings, rules, std::move(log)) {}

void Controller::load(metadata::ImageRef image) {
  state_.image = std::move(image);
  state_.collisions.clear();
  for (const metadata::TopicRef& topic : state_.image->topics()) note_name(topic->name);
  for (const auto& [id, broker] : state_.image->brokers()) {
    state_.registered_at.try_emplace(id, state_.image->provenance().offset);
  }
}

template <typename Request, typename Decide>
Controller::Decision Controller::answer(Ticket ticket, const Request& request, Decide decide) {
  auto outcome = decide();
  if (!outcome) return Decision::answer(ticket, failed(request, outcome.error()));
  Decision decision = Decision::answer(ticket, std::move(outcome->response));
  decision.records = std::move(outcome->records);
  decision.atomic = outcome->atomic;
  return decision;
}

Controller::Decision Controller::decide(Ticket ticket, const Moment& moment, const Call& call) {
  return std::visit(
      Overloaded{
          [&](const Activate& asked) { return activate(ticket, moment, asked); },
          [&](const Asked<protocol::CreateTopicsRequest>& asked) {
            return answer(ticket, asked.request, [&] { return create_topics(state_, moment, asked.request); });
          },
          [&](const Asked<protocol::DeleteTopicsRequest>& asked) {
            return answer(ticket, asked.request, [&] { return delete_topics(state_, asked); });
          },
          [&](const Asked<protocol::CreatePartitionsRequest>& asked) {
            return answer(ticket, asked.request, [&] { return create_partitions(state_, moment, asked.request); });
          },
          [&](const Asked<protocol::IncrementalAlterConfigsRequest>& asked) {
            return answer(ticket, asked.request, [&] { return incremental_alter_configs(state_, asked.request); });
          },
          [&](const Asked<protocol::AlterConfigsRequest>& asked) {
            return answer(ticket, asked.request, [&] { return alter_configs(state_, asked.request); });
          },
          [&](const Asked<protocol::AllocateProducerIdsRequest>& asked) {
            return answer(ticket, asked.request, [&] { return allocate_producer_ids(state_, asked.request); });
          },
          [&](const Asked<protocol::BrokerRegistrationRequest>& asked) {
            return answer(ticket, asked.request, [&] { return register_broker(state_, moment, asked); });
          },
          [&](const Asked<protocol::BrokerHeartbeatRequest>& asked) {
            Decision decision =
                answer(ticket, asked.request, [&] { return broker_heartbeat(state_, moment, asked.request); });
            watch_sessions(moment, decision);
            return decision;
          },
          [&](const Asked<protocol::UnregisterBrokerRequest>& asked) {
            return answer(ticket, asked.request, [&] { return unregister_broker(state_, asked.request); });
          },
          [&](const Asked<protocol::AssignReplicasToDirsRequest>& asked) {
            return answer(ticket, asked.request, [&] { return assign_replicas_to_dirs(state_, asked.request); });
          },
          [&](const Asked<protocol::ControllerRegistrationRequest>& asked) {
            return answer(ticket, asked.request, [&] { return register_controller(state_, asked.request); });
          },
      },
      call);
}

Answer Controller::refuse(const Call& call, const Error& error) {
  return std::visit(Overloaded{
                        [](const Activate&) -> Answer { return Activated{}; },
                        [&](const auto& asked) -> Answer { return failed(asked.request, error); },
                    },
                    call);
}

Controller::Decision Controller::activate(Ticket ticket, const Moment& moment, const Activate& call) {
  begin_sessions(state_, moment);
  Decision decision = Decision::answer(ticket, Activated{});
  Activation activation = activation_records(state_, call);
  state_.log.warn("{}", activation.message);
  decision.records = std::move(activation.records);
  decision.atomic = activation.atomic;
  watch_sessions(moment, decision);
  return decision;
}

Controller::Decision Controller::timer_fired(const Moment& moment, std::string_view name) {
  ENSURE(name == session_timer);
  Decision decision;
  decision.records = fence_expired_broker(state_, moment);
  decision.atomic = false;
  watch_sessions(moment, decision);
  return decision;
}

void Controller::watch_sessions(const Moment& moment, Decision& decision) const {
  const auto end = next_session_end(state_);
  if (!end) return;
  const auto left = std::max(*end - moment.now, std::chrono::nanoseconds(0)) + std::chrono::milliseconds(1);
  decision.timers.push_back({std::string(session_timer), left});
}

void Controller::apply(Offset base, LeaderEpoch epoch, Timestamp appended, std::span<const Record> records) {
  auto delta = std::make_shared<metadata::Delta>(state_.image);
  for (std::size_t i = 0; i < records.size(); ++i) {
    delta->replay(records[i]);
    if (const auto* registered = std::get_if<protocol::RegisterBrokerRecord>(&records[i].message)) {
      state_.registered_at[BrokerId(registered->broker_id)] = base + static_cast<std::int64_t>(i);
    }
  }
  const Offset last = base + (static_cast<std::int64_t>(records.size()) - 1);
  state_.image = delta->finish({last, epoch, appended});
  note_names(*delta);
  for (const BrokerId id : delta->brokers()) {
    if (state_.image->broker(id)) continue;
    state_.registered_at.erase(id);
    state_.heartbeats.erase(id);
  }
  deltas_.push_back(std::move(delta));
}

void Controller::note_names(const metadata::Delta& delta) {
  for (const auto& [id, change] : delta.topics()) {
    if (!change.before && change.after) note_name(change.after->name);
    if (!change.before || change.after) continue;
    const auto found = state_.collisions.find(metadata::unified_topic_name(change.before->name));
    if (found == state_.collisions.end()) continue;
    found->second.erase(change.before->name);
    if (found->second.empty()) state_.collisions.erase(found);
  }
}

void Controller::note_name(const std::string& name) {
  if (metadata::has_collision_characters(name)) state_.collisions[metadata::unified_topic_name(name)].insert(name);
}

}  // namespace klamm::controller
