// Logs and their cleaner.
#include "config/key_table.h"

namespace klamm::config {
namespace {

constexpr std::string_view cleanup_policies[] = {"compact", "delete"};
constexpr std::string_view timestamp_types[] = {"CreateTime", "LogAppendTime"};

constexpr Key logs[] = {
    {"log.cleaner.threads", Type::int32, "1", at_least(0), medium, cluster_wide, none, "Threads that compact logs."},
    {"log.cleaner.io.max.bytes.per.second", Type::float64, "1.7976931348623157E308", any, medium, cluster_wide, none,
     "Bytes a second that compaction reads and writes at most."},
    {"log.cleaner.dedupe.buffer.size", Type::int64, "134217728", any, medium, cluster_wide, none,
     "Memory for the keys of all compaction threads together, in bytes."},
    {"log.cleaner.io.buffer.size", Type::int32, "524288", at_least(0), medium, cluster_wide, none,
     "Memory for reading and writing of all compaction threads together, in bytes."},
    {"log.cleaner.io.buffer.load.factor", Type::float64, "0.9", any, medium, cluster_wide, none,
     "How full the table of keys may get, as a fraction."},
    {"log.cleaner.backoff.ms", Type::int64, "15000", at_least(0), medium, cluster_wide, none,
     "Pause of the cleaner when there is nothing to compact, in milliseconds."},
    {"log.cleaner.min.cleanable.ratio", Type::float64, "0.5", between(0, 1), medium, cluster_wide, none,
     "Share of a log that must not have been compacted yet before it is compacted."},
    {"log.cleaner.enable", Type::boolean, "true", any, medium, read_only, none, "Whether logs are compacted at all."},
    {"log.cleaner.delete.retention.ms", Type::int64, "86400000", at_least(0), medium, cluster_wide, none,
     "How long tombstones and transaction markers stay in a compacted log, in milliseconds."},
    {"log.cleaner.min.compaction.lag.ms", Type::int64, "0", at_least(0), medium, cluster_wide, none,
     "Age, in milliseconds, below which records are not compacted."},
    {"log.cleaner.max.compaction.lag.ms", Type::int64, "9223372036854775807", at_least(1), medium, cluster_wide, active,
     "Age, in milliseconds, at which records are compacted at the latest."},
    {"num.partitions", Type::int32, "1", at_least(1), medium, read_only, active,
     "Partitions of a topic that is created without saying how many."},
    {"log.dir", Type::list, "/tmp/kafka-logs", some_list, high, read_only, active,
     "Directory for the logs, when log.dirs is not set."},
    {"log.dirs", Type::list, null_default, some_list_or_null, high, read_only, active,
     "Directories for the logs, separated by commas; log.dir when it is not set."},
    {"cordoned.log.dirs", Type::list, "", any_list_or_null, medium, per_broker, none,
     "Log directories that get no new partitions; * for all."},
    {"log.segment.bytes", Type::int32, "1073741824", at_least(1048576), high, cluster_wide, active,
     "Size, in bytes, at which a segment is closed and the next one begun."},
    {"log.roll.ms", Type::int64, null_default, any, high, cluster_wide, active,
     "Age, in milliseconds, at which a segment is closed; log.roll.hours when it is not set."},
    {"log.roll.hours", Type::int32, "168", at_least(1), high, read_only, active,
     "Age, in hours, at which a segment is closed."},
    {"log.roll.jitter.ms", Type::int64, null_default, any, high, cluster_wide, active,
     "Up to how much earlier, in milliseconds and at random, a segment is closed; log.roll.jitter.hours when it is not "
     "set."},
    {"log.roll.jitter.hours", Type::int32, "0", at_least(0), high, read_only, active,
     "Up to how much earlier, in hours and at random, a segment is closed."},
    {"log.retention.ms", Type::int64, null_default, any, high, cluster_wide, active,
     "Age, in milliseconds, at which a segment is deleted; -1 never; log.retention.minutes when it is not set."},
    {"log.retention.minutes", Type::int32, null_default, any, high, read_only, active,
     "Age, in minutes, at which a segment is deleted; log.retention.hours when it is not set."},
    {"log.retention.hours", Type::int32, "168", any, high, read_only, active,
     "Age, in hours, at which a segment is deleted."},
    {"log.retention.bytes", Type::int64, "-1", any, high, cluster_wide, active,
     "Size, in bytes, to which a partition is kept; -1 without limit."},
    {"log.retention.check.interval.ms", Type::int64, "300000", at_least(1), medium, read_only, active,
     "How often it is checked for segments to delete, in milliseconds."},
    {"log.cleanup.policy", Type::list, "delete", list_of(cleanup_policies), medium, cluster_wide, active,
     "What becomes of old segments: delete, compact, both, or nothing."},
    {"log.index.size.max.bytes", Type::int32, "10485760", at_least(4), medium, cluster_wide, active,
     "Largest size of an offset or time index, in bytes."},
    {"log.index.interval.bytes", Type::int32, "4096", at_least(0), medium, cluster_wide, active,
     "Bytes of records between two entries of an index."},
    {"log.flush.interval.messages", Type::int64, "9223372036854775807", at_least(1), high, cluster_wide, active,
     "Records after which a log is forced to disk before they are acknowledged."},
    {"log.segment.delete.delay.ms", Type::int64, "60000", at_least(0), high, cluster_wide, active,
     "How long a deleted segment's files stay on disk, in milliseconds."},
    {"log.flush.scheduler.interval.ms", Type::int64, "9223372036854775807", any, high, read_only, active,
     "How often it is checked for logs to force to disk, in milliseconds; stands for log.flush.interval.ms when that "
     "is not set."},
    {"log.flush.interval.ms", Type::int64, null_default, any, high, cluster_wide, active,
     "Time after which records are forced to disk, in milliseconds."},
    {"log.flush.offset.checkpoint.interval.ms", Type::int32, "60000", at_least(0), high, read_only, active,
     "How often the recovery points are written to disk, in milliseconds."},
    {"log.flush.start.offset.checkpoint.interval.ms", Type::int32, "60000", at_least(0), high, read_only, active,
     "How often the log start offsets are written to disk, in milliseconds."},
    {"log.preallocate", Type::boolean, "false", any, medium, cluster_wide, active,
     "Whether a segment's whole size is reserved when it is begun."},
    {"num.recovery.threads.per.data.dir", Type::int32, "2", at_least(1), high, cluster_wide, active,
     "Logs of one directory that are recovered or closed at the same time."},
    {"auto.create.topics.enable", Type::boolean, "true", any, high, read_only, active,
     "Whether a topic is created when a client asks for one that does not exist."},
    {"min.insync.replicas", Type::int32, "1", at_least(1), high, cluster_wide, active,
     "Replicas that must have a record before acks=all is answered; below it such records are refused."},
    {"log.message.timestamp.type", Type::string, "CreateTime", one_of(timestamp_types), medium, cluster_wide, active,
     "Whose time a record carries: CreateTime is the producer's, LogAppendTime the broker's."},
    {"log.message.timestamp.before.max.ms", Type::int64, "9223372036854775807", at_least(0), medium, cluster_wide,
     active, "How far in the past a record's timestamp may be, in milliseconds."},
    {"log.message.timestamp.after.max.ms", Type::int64, "3600000", at_least(0), medium, cluster_wide, active,
     "How far in the future a record's timestamp may be, in milliseconds."},
    {"create.topic.policy.class.name", Type::class_name, null_default, any, low, read_only, refused,
     "Class that may refuse the creation of topics."},
    {"alter.config.policy.class.name", Type::class_name, null_default, any, low, read_only, refused,
     "Class that may refuse changes of configuration."},
    {"log.dir.failure.timeout.ms", Type::int64, "30000", at_least(1), low, read_only, none,
     "How long a broker that cannot tell the controller of a failed directory goes on, in milliseconds."},
    {"log.initial.task.delay.ms", Type::int64, "30000", at_least(0), low, read_only, active,
     "How long after the start the periodic tasks of the logs begin, in milliseconds.", internal},
};

}  // namespace

std::span<const Key> log_keys() {
  return logs;
}

}  // namespace klamm::config
