// The way to one broker: connects when asked, learns which versions the broker speaks, connects again after failures
// with growing pauses, closes what is idle. Source of the rules:
// org.apache.kafka.clients.{NetworkClient,ClusterConnectionStates}.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "client/connection.h"
#include "client/encoding.h"
#include "client/settings.h"
#include "client/signal.h"
#include "rpc/peer_versions.h"
#include "runtime/environment.h"
#include "runtime/task.h"
#include "runtime/task_group.h"

namespace klamm::client {

// Shared by all links of a client; outlives them.
struct LinkContext {
  runtime::Environment& environment;
  runtime::Reactor& reactor;
  const ConnectionSettings& settings;
  runtime::TaskGroup& tasks;
  Logger log;
  Signal& links_changed;  // some link became ready or failed
};

class Link {
 public:
  // `id` is negative for a bootstrap server.
  Link(LinkContext& context, std::int32_t id, HostPort address);

  std::int32_t id() const { return id_; }
  const HostPort& address() const { return address_; }
  // The broker moved: a connection to the old address is dropped.
  void set_address(HostPort address);
  // What was a bootstrap server turns out to be this broker.
  void adopt_id(std::int32_t id) { id_ = id; }

  bool ready() const { return state_ == State::ready; }
  bool connecting() const { return state_ == State::connecting; }
  // Starts to connect, unless it does already or the pause after a failure is not over.
  void connect();
  bool may_connect() const { return state_ == State::idle && context_.reactor.now() >= retry_at_; }
  runtime::MonoTime retry_at() const { return retry_at_; }
  // Of the last failure; nothing after a success.
  const std::optional<Error>& last_failure() const { return last_failure_; }

  // Waits until ready(); timeout or the failure that cannot be repaired by trying again (UNSUPPORTED_VERSION).
  runtime::Task<Result<void>> wait_ready(runtime::MonoTime deadline);

  // Only while ready().
  Connection& connection() { return *connection_; }
  const rpc::PeerVersions& versions() const { return versions_; }
  // Tells connections apart: of the one that connection() is.
  std::uint64_t connection_number() const { return connections_made_; }
  // An answer that came over that connection cannot be read. If it is still the present one it ends, since what follows
  // would be as wrong.
  void not_understood(std::uint64_t connection_number, const Error& why);
  std::size_t in_flight() const { return connection_ ? connection_->in_flight() : 0; }
  // Closes when nothing was sent for connections.max.idle.ms.
  void close_if_idle(runtime::MonoTime now);

 private:
  enum class State : std::uint8_t { idle, connecting, ready };

  runtime::Task<void> run_connect(int generation);
  runtime::Task<Result<runtime::SocketRef>> open_socket(runtime::MonoTime deadline);
  runtime::Task<Result<void>> negotiate(runtime::MonoTime deadline);
  void failed(const Error& error);

  LinkContext& context_;
  std::int32_t id_;
  HostPort address_;
  State state_ = State::idle;
  int generation_ = 0;  // of the address: an attempt at an old one is dropped
  int failures_ = 0;
  std::uint64_t connections_made_ = 0;
  runtime::MonoTime retry_at_{};
  std::optional<Error> last_failure_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Connection> dropped_;  // failed; destroyed when it is no longer on the stack
  rpc::PeerVersions versions_;
};

}  // namespace klamm::client
