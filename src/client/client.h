// A client of a cluster: what producers, consumers and admins of one program share.
//
//   Client client(environment, reactor, {{"bootstrap.servers", "localhost:9092"}});
//   Producer out(client, {{"linger.ms", "5"}});
//   const Result<Produced> at = co_await out.send({.topic = "orders", .key = "42", .value = "..."});
//
// Everything belongs to the reactor it was made for and is used on that one only. Property names and defaults are those
// of Kafka's Java clients and of librdkafka. What is given as a RecordView is read before the call suspends.
#pragma once

#include <memory>
#include <optional>

#include "client/result.h"
#include "client/settings.h"
#include "runtime/environment.h"
#include "runtime/task.h"

namespace klamm::client {

class Core;

class Client {
 public:
  // Connects when first needed. A property that cannot be used makes every call fail with configuration_error().
  Client(runtime::Environment& environment, runtime::Reactor& reactor, const Properties& properties);
  // Ends all connections. What was made with this client is destroyed before it.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::optional<Error>& configuration_error() const { return configuration_error_; }
  const Properties& properties() const { return properties_; }

  // ConfigException when no bootstrap server's name leads to an address, as Kafka's clients find out when they are
  // made.
  runtime::Task<Result<void>> resolve_bootstrap();

  // For the other classes of this library.
  Core& core() { return *core_; }

 private:
  Properties properties_;
  std::optional<Error> configuration_error_;
  std::unique_ptr<Core> core_;
};

}  // namespace klamm::client
