// Listeners, sockets, connections, and replication between brokers.
#include "config/key_table.h"

namespace klamm::config {
namespace {

constexpr std::string_view security_protocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

constexpr Key network[] = {
    {"listeners", Type::list, "PLAINTEXT://:9092", some_list, high, per_broker, active,
     "Addresses to listen on: NAME://host:port, separated by commas. No host or 0.0.0.0 means every address; IPv6 "
     "addresses stand in brackets."},
    {"advertised.listeners", Type::list, null_default, some_list_or_null, high, read_only, active,
     "Addresses told to clients, in the form of listeners; when it is not set, those of listeners, with the canonical "
     "host name where no host is given."},
    {"listener.security.protocol.map", Type::string,
     "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", any, low, per_broker, active,
     "Security protocol of each listener name: NAME:PROTOCOL, separated by commas."},
    {"socket.send.buffer.bytes", Type::int32, "102400", any, high, read_only, active,
     "Kernel send buffer of accepted connections, in bytes; -1 leaves it to the system."},
    {"socket.receive.buffer.bytes", Type::int32, "102400", any, high, read_only, active,
     "Kernel receive buffer of accepted connections, in bytes; -1 leaves it to the system."},
    {"socket.request.max.bytes", Type::int32, "104857600", at_least(1), high, read_only, active,
     "Largest request, in bytes; a connection that announces a larger one is closed."},
    {"socket.listen.backlog.size", Type::int32, "50", at_least(1), medium, read_only, active,
     "Connections that may wait to be accepted."},
    {"max.connections.per.ip", Type::int32, "2147483647", at_least(0), medium, cluster_wide, active,
     "Connections from one address at most."},
    {"max.connections.per.ip.overrides", Type::string, "", any, medium, cluster_wide, active,
     "Other limits for some hosts or addresses: host:limit, separated by commas."},
    {"max.connections", Type::int32, "2147483647", at_least(0), medium, cluster_wide, active,
     "Connections at most, over all listeners; a listener's own limit is set with its prefix."},
    {"max.connection.creation.rate", Type::int32, "2147483647", at_least(0), medium, cluster_wide, active,
     "New connections a second at most, over all listeners; a listener's own rate is set with its prefix."},
    {"connections.max.idle.ms", Type::int64, "600000", any, medium, read_only, active,
     "Time after which an idle connection is closed, in milliseconds; a negative value never."},
    {"connection.failed.authentication.delay.ms", Type::int32, "100", at_least(0), low, read_only, none,
     "How long a connection that failed to authenticate is kept before it is closed, in milliseconds."},
    {"queued.max.requests", Type::int32, "500", at_least(1), high, read_only, none,
     "Requests that may wait for Apache Kafka's handler threads; here klamm.request.pool.bytes bounds what is in "
     "flight."},
    {"queued.max.request.bytes", Type::int64, "-1", any, medium, read_only, active,
     "Most bytes of requests in flight before sockets are no longer read; -1 takes klamm.request.pool.bytes."},
    {"num.network.threads", Type::int32, "3", at_least(1), high, cluster_wide, none,
     "Threads that serve one listener's sockets in Apache Kafka; here klamm.reactors says how many there are."},
};

constexpr Key replication[] = {
    {"controller.socket.timeout.ms", Type::int32, "30000", any, medium, read_only, none,
     "Time limit for requests from the controller to brokers, in milliseconds."},
    {"default.replication.factor", Type::int32, "1", any, medium, read_only, active,
     "Replicas of a topic that is created without saying how many."},
    {"replica.lag.time.max.ms", Type::int64, "30000", any, high, read_only, none,
     "How long a follower may be behind before it leaves the in-sync set, in milliseconds."},
    {"replica.socket.timeout.ms", Type::int32, "30000", any, high, read_only, none,
     "Time limit for a follower's network requests, in milliseconds."},
    {"replica.socket.receive.buffer.bytes", Type::int32, "65536", any, high, read_only, none,
     "Kernel receive buffer of a follower's connection, in bytes."},
    {"replica.fetch.max.bytes", Type::int32, "1048576", at_least(0), medium, read_only, none,
     "Bytes of one partition in a follower's fetch; a larger batch is fetched all the same."},
    {"replica.fetch.wait.max.ms", Type::int32, "500", any, high, read_only, none,
     "How long a follower's fetch waits for new records, in milliseconds."},
    {"replica.fetch.backoff.ms", Type::int32, "1000", at_least(0), medium, read_only, none,
     "Pause of a follower after a failed fetch, in milliseconds."},
    {"replica.fetch.min.bytes", Type::int32, "1", any, high, read_only, none, "Bytes a follower's fetch waits for."},
    {"replica.fetch.response.max.bytes", Type::int32, "10485760", at_least(0), medium, read_only, none,
     "Bytes in the answer to a follower's fetch; a larger first batch is sent all the same."},
    {"num.replica.fetchers", Type::int32, "1", at_least(1), high, cluster_wide, none,
     "Connections with which a follower fetches from one leader."},
    {"replica.high.watermark.checkpoint.interval.ms", Type::int64, "5000", any, high, read_only, active,
     "How often the high watermarks are written to disk, in milliseconds."},
    {"fetch.purgatory.purge.interval.requests", Type::int32, "1000", any, medium, read_only, none,
     "When Apache Kafka purges its waiting fetches; there is no purgatory here."},
    {"producer.purgatory.purge.interval.requests", Type::int32, "1000", any, medium, read_only, none,
     "When Apache Kafka purges its waiting produce requests; there is no purgatory here."},
    {"delete.records.purgatory.purge.interval.requests", Type::int32, "1", any, medium, read_only, none,
     "When Apache Kafka purges its waiting DeleteRecords requests; there is no purgatory here."},
    {"auto.leader.rebalance.enable", Type::boolean, "true", any, high, read_only, none,
     "Whether leadership returns to the preferred replica by itself."},
    {"leader.imbalance.check.interval.seconds", Type::int64, "300", at_least(1), high, read_only, none,
     "How often it is checked whether leaderships should return, in seconds."},
    {"unclean.leader.election.interval.ms", Type::int64, "300000", at_least(1), medium, read_only, none,
     "How often the controller looks for partitions that may be given an unclean leader, in milliseconds.", internal},
    {"unclean.leader.election.enable", Type::boolean, "false", any, high, cluster_wide, none,
     "Whether a replica outside the in-sync set may become leader when nobody else is left; records may be lost."},
    {"security.inter.broker.protocol", Type::string, "PLAINTEXT", one_of(security_protocols), medium, read_only, active,
     "Security protocol between brokers; inter.broker.listener.name is set instead when listeners have names of their "
     "own."},
    {"inter.broker.listener.name", Type::string, null_default, any, medium, read_only, active,
     "Listener that brokers use among themselves."},
    {"replica.selector.class", Type::string, null_default, any, medium, read_only, refused,
     "Class that picks the replica a consumer should fetch from."},
    {"follower.fetch.last.tiered.offset.enable", Type::boolean, "false", any, medium, cluster_wide, none,
     "Whether a new follower of a tiered partition begins after what is stored remotely."},
};

}  // namespace

std::span<const Key> network_keys() {
  return network;
}
std::span<const Key> replication_keys() {
  return replication;
}

}  // namespace klamm::config
