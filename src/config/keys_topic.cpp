// What topics, groups, client metrics subscriptions, users, clients and addresses can be given of their own.
#include "config/key_table.h"

namespace klamm::config {
namespace {

constexpr std::string_view cleanup_policies[] = {"compact", "delete"};
constexpr std::string_view broker_compressions[] = {"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"};
constexpr std::string_view timestamp_types[] = {"CreateTime", "LogAppendTime"};
constexpr std::string_view isolation_levels[] = {"read_committed", "read_uncommitted"};

constexpr Key topics[] = {
    {"segment.bytes", Type::int32, "1073741824", at_least(1048576), medium, read_only, active,
     "Size, in bytes, at which a segment is closed and the next one begun."},
    {"segment.ms", Type::int64, "604800000", at_least(1), medium, read_only, active,
     "Age, in milliseconds, at which a segment is closed even when it is small."},
    {"segment.jitter.ms", Type::int64, "0", at_least(0), medium, read_only, active,
     "Up to how much earlier, in milliseconds and at random, a segment is closed."},
    {"segment.index.bytes", Type::int32, "10485760", at_least(4), medium, read_only, active,
     "Largest size of an offset or time index, in bytes."},
    {"flush.messages", Type::int64, "9223372036854775807", at_least(1), medium, read_only, active,
     "Records after which the log is forced to disk before they are acknowledged."},
    {"flush.ms", Type::int64, "9223372036854775807", at_least(0), medium, read_only, active,
     "Time after which records are forced to disk, in milliseconds."},
    {"retention.bytes", Type::int64, "-1", any, medium, read_only, active,
     "Size, in bytes, to which a partition is kept; -1 without limit."},
    {"retention.ms", Type::int64, "604800000", at_least(-1), medium, read_only, active,
     "Age, in milliseconds, at which a segment is deleted; -1 never."},
    {"max.message.bytes", Type::int32, "1048588", at_least(0), medium, read_only, active,
     "Largest record batch the topic accepts, in bytes, as compressed by the producer."},
    {"index.interval.bytes", Type::int32, "4096", at_least(0), medium, read_only, active,
     "Bytes of records between two entries of an index."},
    {"delete.retention.ms", Type::int64, "86400000", at_least(0), medium, read_only, none,
     "How long tombstones and transaction markers stay after compaction, in milliseconds."},
    {"min.compaction.lag.ms", Type::int64, "0", at_least(0), medium, read_only, none,
     "Age, in milliseconds, below which records are not compacted."},
    {"max.compaction.lag.ms", Type::int64, "9223372036854775807", at_least(1), medium, read_only, active,
     "Age, in milliseconds, at which records are compacted at the latest."},
    {"file.delete.delay.ms", Type::int64, "60000", at_least(0), medium, read_only, active,
     "How long a deleted segment's files stay on disk, in milliseconds."},
    {"min.cleanable.dirty.ratio", Type::float64, "0.5", between(0, 1), medium, read_only, none,
     "Share of the log that must not have been compacted yet before it is compacted."},
    {"cleanup.policy", Type::list, "delete", list_of(cleanup_policies), medium, read_only, active,
     "What becomes of old segments: delete, compact, both, or nothing."},
    {"unclean.leader.election.enable", Type::boolean, "false", any, medium, read_only, none,
     "Whether a replica outside the in-sync set may become leader when nobody else is left; records may be lost."},
    {"min.insync.replicas", Type::int32, "1", at_least(1), medium, read_only, active,
     "Replicas that must have a record before acks=all is answered; below it such records are refused."},
    {"compression.type", Type::string, "producer", one_of(broker_compressions), medium, read_only, active,
     "Codec in which batches are stored; producer leaves them as they came."},
    {"compression.gzip.level", Type::int32, "-1", gzip_level, medium, read_only, active,
     "Level for compression.type=gzip; -1 is the library's own choice."},
    {"compression.lz4.level", Type::int32, "9", between(1, 17), medium, read_only, active,
     "Level for compression.type=lz4."},
    {"compression.zstd.level", Type::int32, "3", between(-131072, 22), medium, read_only, active,
     "Level for compression.type=zstd."},
    {"preallocate", Type::boolean, "false", any, medium, read_only, active,
     "Whether a segment's whole size is reserved when it is begun."},
    {"message.timestamp.type", Type::string, "CreateTime", one_of(timestamp_types), medium, read_only, active,
     "Whose time a record carries: CreateTime is the producer's, LogAppendTime the broker's."},
    {"message.timestamp.before.max.ms", Type::int64, "9223372036854775807", at_least(0), medium, read_only, active,
     "How far in the past a record's timestamp may be, in milliseconds."},
    {"message.timestamp.after.max.ms", Type::int64, "3600000", at_least(0), medium, read_only, active,
     "How far in the future a record's timestamp may be, in milliseconds."},
    {"leader.replication.throttled.replicas", Type::list, "", throttled_replicas, medium, read_only, none,
     "Replicas whose replication is throttled at the leader: partition:broker, separated by commas, or *."},
    {"follower.replication.throttled.replicas", Type::list, "", throttled_replicas, medium, read_only, none,
     "Replicas whose replication is throttled at the follower: partition:broker, separated by commas, or *."},
    {"remote.storage.enable", Type::boolean, "false", any, medium, read_only, refused,
     "Whether the topic's segments are copied to remote storage."},
    {"local.retention.ms", Type::int64, "-2", at_least(-2), medium, read_only, none,
     "Age, in milliseconds, at which a segment that is stored remotely leaves the local disk; -2 takes the value of "
     "retention.ms."},
    {"local.retention.bytes", Type::int64, "-2", at_least(-2), medium, read_only, none,
     "Size, in bytes, to which the local part of a tiered partition is kept; -2 takes the value of retention.bytes."},
    {"remote.log.copy.disable", Type::boolean, "false", any, medium, read_only, none,
     "Whether no more segments are copied to remote storage, what is there staying readable."},
    {"remote.log.delete.on.disable", Type::boolean, "false", any, medium, read_only, none,
     "Whether the remote data is deleted when remote storage is switched off."},
    {"internal.segment.bytes", Type::int32, null_default, any, medium, read_only, active,
     "Segment size for tests, without a lower bound.", internal},
};

constexpr Key group_overrides[] = {
    {"consumer.assignment.interval.ms", Type::int32, "1000", at_least(0), medium, read_only, active,
     "Shortest time between two assignments, in milliseconds."},
    {"consumer.heartbeat.interval.ms", Type::int32, "5000", at_least(1), medium, read_only, active,
     "Time between heartbeats, in milliseconds."},
    {"consumer.session.timeout.ms", Type::int32, "45000", at_least(1), medium, read_only, active,
     "Time without a heartbeat after which a member is removed, in milliseconds."},
    {"share.assignment.interval.ms", Type::int32, "1000", at_least(0), medium, read_only, none,
     "Shortest time between two assignments of the share group, in milliseconds."},
    {"share.auto.offset.reset", Type::string, "latest", share_offset_reset, medium, read_only, none,
     "Where the share group begins in a partition it has not read: latest, earliest, or a duration ago."},
    {"share.delivery.count.limit", Type::int32, "5", at_least(2), medium, read_only, none,
     "How often a record is delivered at most."},
    {"share.heartbeat.interval.ms", Type::int32, "5000", at_least(1), medium, read_only, none,
     "Time between heartbeats of the share group's members, in milliseconds."},
    {"share.isolation.level", Type::string, "read_uncommitted", one_of(isolation_levels), medium, read_only, none,
     "Whether the share group sees records of transactions that are not committed."},
    {"share.partition.max.record.locks", Type::int32, "2000", at_least(100), medium, read_only, none,
     "Records of a partition that may be held at once."},
    {"share.record.lock.duration.ms", Type::int32, "30000", at_least(1000), medium, read_only, none,
     "How long a record belongs to the consumer that got it, in milliseconds."},
    {"share.renew.acknowledge.enable", Type::boolean, "true", any, medium, read_only, none,
     "Whether consumers may ask to hold a record longer."},
    {"share.session.timeout.ms", Type::int32, "45000", at_least(1), medium, read_only, none,
     "Time without a heartbeat after which a member of the share group is removed, in milliseconds."},
    {"streams.assignment.interval.ms", Type::int32, "1000", at_least(0), medium, read_only, none,
     "Shortest time between two assignments of the streams group, in milliseconds."},
    {"streams.heartbeat.interval.ms", Type::int32, "5000", at_least(1), medium, read_only, none,
     "Time between heartbeats of the streams group's members, in milliseconds."},
    {"streams.initial.rebalance.delay.ms", Type::int32, "3000", at_least(0), medium, read_only, none,
     "How long the new group waits for more members before its first assignment, in milliseconds."},
    {"streams.num.standby.replicas", Type::int32, "0", at_least(0), medium, read_only, none,
     "Standby tasks kept of each stateful task."},
    {"streams.session.timeout.ms", Type::int32, "45000", at_least(1), medium, read_only, none,
     "Time without a heartbeat after which a member of the streams group is removed, in milliseconds."},
};

constexpr Key client_metrics[] = {
    {"interval.ms", Type::int32, "300000", any, medium, read_only, none,
     "How often clients push what is subscribed to, in milliseconds."},
    {"match", Type::list, "", any_list, medium, read_only, none,
     "Which clients are meant: property=pattern, separated by commas; all when empty."},
    {"metrics", Type::list, "", any_list, medium, read_only, none, "Prefixes of the metrics' names; * for all."},
};

constexpr Key client_quotas[] = {
    {"producer_byte_rate", Type::int64, "9223372036854775807", any, medium, read_only, none,
     "Bytes a second that may be produced."},
    {"consumer_byte_rate", Type::int64, "9223372036854775807", any, medium, read_only, none,
     "Bytes a second that may be fetched."},
    {"request_percentage", Type::float64, "2.147483647E9", any, medium, read_only, none,
     "Share of a thread's time that requests may take, in percent."},
    {"controller_mutation_rate", Type::float64, "2.147483647E9", any, medium, read_only, none,
     "Partitions a second that may be created or deleted."},
    {"SCRAM-SHA-256", Type::string, null_default, any, medium, read_only, none,
     "Credentials of a user for this mechanism: set, never shown."},
    {"SCRAM-SHA-512", Type::string, null_default, any, medium, read_only, none,
     "Credentials of a user for this mechanism: set, never shown."},
};

constexpr Key ip_quotas[] = {
    {"connection_creation_rate", Type::int32, "2147483647", at_least(0), medium, read_only, none,
     "Connections a second from this address at most."},
};

}  // namespace

std::span<const Key> topic_table() {
  return topics;
}
std::span<const Key> group_override_table() {
  return group_overrides;
}
std::span<const Key> client_metrics_table() {
  return client_metrics;
}
std::span<const Key> client_quota_table() {
  return client_quotas;
}
std::span<const Key> ip_quota_table() {
  return ip_quotas;
}

}  // namespace klamm::config
