// The broker as a whole, its role in the cluster, and the metadata log.
#include "config/key_table.h"

namespace klamm::config {
namespace {

constexpr std::string_view broker_compressions[] = {"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"};
constexpr std::string_view process_roles[] = {"broker", "controller"};

constexpr Key server[] = {
    {"broker.id", Type::int32, "-1", any, high, read_only, active,
     "Number of this broker in the cluster; older name of node.id."},
    {"message.max.bytes", Type::int32, "1048588", at_least(0), high, cluster_wide, active,
     "Largest record batch, in bytes, as compressed by the producer, that a topic accepts unless it sets "
     "max.message.bytes."},
    {"num.io.threads", Type::int32, "8", at_least(1), high, cluster_wide, none,
     "Threads that Apache Kafka handles requests with; here requests run on the reactors."},
    {"num.replica.alter.log.dirs.threads", Type::int32, null_default, any, high, read_only, none,
     "Threads that move replicas between log directories; one a directory when it is not set."},
    {"background.threads", Type::int32, "10", at_least(1), high, cluster_wide, none,
     "Threads for background work in Apache Kafka; here background work runs on the reactors and the I/O threads."},
    {"request.timeout.ms", Type::int32, "30000", any, high, read_only, none,
     "How long a client request of this broker may stay unanswered, in milliseconds."},
    {"socket.connection.setup.timeout.ms", Type::int64, "10000", any, medium, read_only, none,
     "First time limit for this broker's own outgoing connections, in milliseconds."},
    {"socket.connection.setup.timeout.max.ms", Type::int64, "30000", any, medium, read_only, none,
     "Largest time limit for this broker's own outgoing connections after failures, in milliseconds."},
    {"config.providers", Type::list, "", any_list, low, cluster_wide, refused,
     "Names of providers that resolve variables inside configuration values."},
    {"authorizer.class.name", Type::string, "", non_null, low, read_only, refused,
     "Class that decides who may do what; empty allows everything."},
    {"early.start.listeners", Type::list, null_default, any_list_or_null, high, read_only, none,
     "Listeners that are opened before the authorizer is ready; the controller listeners when it is not set."},
    {"broker.rack", Type::string, null_default, any, medium, read_only, active,
     "Rack or zone of this broker; replicas are spread over racks, and consumers may fetch from their own."},
    {"controlled.shutdown.enable", Type::boolean, "true", any, medium, read_only, none,
     "Whether leaderships are handed over before this broker stops."},
    {"delete.topic.enable", Type::boolean, "true", any, high, read_only, active, "Whether topics can be deleted."},
    {"compression.type", Type::string, "producer", one_of(broker_compressions), high, cluster_wide, active,
     "Codec in which a topic's batches are stored; producer leaves them as they came."},
    {"compression.gzip.level", Type::int32, "-1", gzip_level, medium, cluster_wide, active,
     "Level for compression.type=gzip; -1 is the library's own choice."},
    {"compression.lz4.level", Type::int32, "9", between(1, 17), medium, cluster_wide, active,
     "Level for compression.type=lz4."},
    {"compression.zstd.level", Type::int32, "3", between(-131072, 22), medium, cluster_wide, active,
     "Level for compression.type=zstd."},
    {"max.incremental.fetch.session.cache.slots", Type::int32, "1000", at_least(0), medium, read_only, active,
     "Fetch sessions this broker remembers at most."},
    {"fetch.max.bytes", Type::int32, "57671680", at_least(1024), medium, read_only, active,
     "Most bytes in the answer to one fetch; a first batch that is larger is sent all the same."},
    {"max.request.partition.size.limit", Type::int32, "2000", at_least(1), medium, read_only, active,
     "Most partitions in the answer to one DescribeTopicPartitions request."},
    {"unstable.api.versions.enable", Type::boolean, "false", any, high, read_only, none,
     "Whether API versions still under development are served.", internal},
    {"unstable.feature.versions.enable", Type::boolean, "false", any, high, read_only, none,
     "Whether feature levels still under development can be finalized.", internal},
};

constexpr Key kraft[] = {
    {"process.roles", Type::list, required, list_of(process_roles, false), high, read_only, active,
     "What this process is: broker, controller or both. Left out together with zookeeper.connect, Klamm runs embedded: "
     "one node that keeps its metadata itself."},
    {"node.id", Type::int32, required, at_least(0), high, read_only, active, "Number of this node in the cluster."},
    {"initial.broker.registration.timeout.ms", Type::int32, "60000", any, medium, read_only, none,
     "How long the first registration with the controller may take before the start is given up, in milliseconds."},
    {"broker.heartbeat.interval.ms", Type::int32, "2000", any, medium, read_only, none,
     "Time between a broker's heartbeats to the controller, in milliseconds."},
    {"broker.session.timeout.ms", Type::int32, "9000", any, medium, read_only, none,
     "How long the controller waits for a heartbeat before a broker is fenced, in milliseconds."},
    {"controller.listener.names", Type::list, required, some_list, high, read_only, active,
     "Names of the listeners that controllers use; the first one is used for connecting to them."},
    {"sasl.mechanism.controller.protocol", Type::string, "GSSAPI", any, high, read_only, none,
     "SASL mechanism for connections to controllers."},
    {"controller.performance.sample.period.ms", Type::int64, "60000", at_least(100), medium, read_only, none,
     "Length of the period over which slow controller events are counted, in milliseconds.", internal},
    {"controller.performance.always.log.threshold.ms", Type::int64, "2000", at_least(0), medium, read_only, none,
     "Duration from which a controller event is always logged, in milliseconds.", internal},
    {"server.max.startup.time.ms", Type::int64, "9223372036854775807", at_least(0), medium, read_only, none,
     "How long the start may take before it is given up, in milliseconds.", internal},
    {"metadata.log.max.record.bytes.between.snapshots", Type::int64, "20971520", at_least(1), high, read_only, active,
     "Bytes of new metadata records after which a snapshot is written."},
    {"metadata.log.max.snapshot.interval.ms", Type::int64, "3600000", at_least(0), high, read_only, active,
     "Time after which a snapshot of changed metadata is written, in milliseconds; 0 leaves it to the size."},
    {"metadata.log.dir", Type::string, null_default, any, high, read_only, active,
     "Directory of the metadata log; the first log directory when it is not set."},
    {"metadata.log.segment.bytes", Type::int32, "1073741824", at_least(8388608), high, read_only, active,
     "Size, in bytes, at which a segment of the metadata log is closed."},
    {"metadata.log.segment.ms", Type::int64, "604800000", any, high, read_only, active,
     "Age, in milliseconds, at which a segment of the metadata log is closed."},
    {"metadata.max.retention.bytes", Type::int64, "104857600", any, high, read_only, active,
     "Size, in bytes, to which metadata log and snapshots together are kept."},
    {"metadata.max.retention.ms", Type::int64, "604800000", any, high, read_only, active,
     "Age, in milliseconds, up to which metadata snapshots and log are kept."},
    {"metadata.max.idle.interval.ms", Type::int32, "500", at_least(0), low, read_only, none,
     "How often a quorum writes no-op records while nothing happens, in milliseconds; 0 never."},
    {"internal.metadata.log.segment.bytes", Type::int32, null_default, any, low, read_only, active,
     "Segment size of the metadata log for tests, without a lower bound.", internal},
    {"internal.metadata.max.batch.size.in.bytes", Type::int32, "8388608", any, low, read_only, none,
     "Largest batch written to the metadata log.", internal},
    {"internal.metadata.delete.delay.millis", Type::int64, "60000", any, low, read_only, none,
     "How long deleted files of the metadata log stay on disk, in milliseconds.", internal},
};

constexpr Key quorum[] = {
    {"controller.quorum.voters", Type::list, "", quorum_voters, high, read_only, active,
     "The controllers: id@host:port, separated by commas. For a quorum whose members never change."},
    {"controller.quorum.bootstrap.servers", Type::list, "", quorum_servers, high, read_only, active,
     "Controllers through which the quorum is found: host:port, separated by commas."},
    {"controller.quorum.election.timeout.ms", Type::int32, "1000", at_least(0), high, read_only, none,
     "How long a voter waits for a leader before it holds an election, in milliseconds."},
    {"controller.quorum.fetch.timeout.ms", Type::int32, "2000", at_least(0), high, read_only, none,
     "How long a follower of the quorum goes without an answer of the leader before it looks for another, in "
     "milliseconds."},
    {"controller.quorum.election.backoff.max.ms", Type::int32, "1000", at_least(0), high, read_only, none,
     "Longest pause between two elections, in milliseconds."},
    {"controller.quorum.append.linger.ms", Type::int32, "25", at_least(0), medium, read_only, none,
     "How long the leader of the quorum gathers writes, in milliseconds."},
    {"controller.quorum.request.timeout.ms", Type::int32, "2000", at_least(0), medium, read_only, none,
     "How long a request to the quorum waits for an answer, in milliseconds."},
    {"controller.quorum.retry.backoff.ms", Type::int32, "20", at_least(0), low, read_only, none,
     "Pause before a failed request to the quorum is sent again, in milliseconds."},
    {"controller.quorum.auto.join.enable", Type::boolean, "false", any, low, read_only, none,
     "Whether this controller joins the voters by itself."},
    {"controller.quorum.fetch.snapshot.max.bytes", Type::int32, "1048576", at_least(1), low, read_only, none,
     "Bytes of a metadata snapshot in one answer at most."},
    {"controller.quorum.fetch.max.bytes", Type::int32, "1048576", at_least(1), low, read_only, none,
     "Bytes of the metadata log in one answer at most."},
};

}  // namespace

std::span<const Key> server_keys() {
  return server;
}
std::span<const Key> kraft_keys() {
  return kraft;
}
std::span<const Key> quorum_keys() {
  return quorum;
}

}  // namespace klamm::config
