// Transactions, metrics, quota windows, and the rates that are only set dynamically.
#include "config/key_table.h"

namespace klamm::config {
namespace {

constexpr Key transactions[] = {
    {"transaction.state.log.min.isr", Type::int32, "2", at_least(1), high, read_only, active,
     "min.insync.replicas of the transaction state topic. Embedded, the default is 1."},
    {"transaction.state.log.load.buffer.size", Type::int32, "5242880", at_least(1), high, read_only, active,
     "Bytes read at once while transaction state is loaded."},
    {"transaction.state.log.replication.factor", Type::int16, "3", at_least(1), high, read_only, active,
     "Replicas of the transaction state topic. Embedded, the default is 1."},
    {"transaction.state.log.num.partitions", Type::int32, "50", at_least(1), high, read_only, active,
     "Partitions of the transaction state topic; not to be changed once it exists."},
    {"transaction.state.log.segment.bytes", Type::int32, "104857600", at_least(1), high, read_only, active,
     "Segment size of the transaction state topic, in bytes."},
    {"transaction.partition.verification.enable", Type::boolean, "true", any, low, cluster_wide, active,
     "Whether a batch's transaction is verified with its coordinator before it is appended."},
    {"producer.id.expiration.ms", Type::int32, "86400000", at_least(1), low, cluster_wide, active,
     "How long a partition remembers a producer that does not write any more, in milliseconds."},
    {"producer.id.expiration.check.interval.ms", Type::int32, "600000", at_least(1), low, read_only, active,
     "How often it is checked for producers to forget, in milliseconds.", internal},
    {"transactional.id.expiration.ms", Type::int32, "604800000", at_least(1), high, read_only, active,
     "How long a transactional id that is not used is remembered, in milliseconds."},
    {"transaction.max.timeout.ms", Type::int32, "900000", at_least(1), high, read_only, active,
     "Longest transaction timeout a producer may ask for, in milliseconds."},
    {"transaction.abort.timed.out.transaction.cleanup.interval.ms", Type::int32, "10000", at_least(1), low, read_only,
     active, "How often it is checked for transactions to abort, in milliseconds."},
    {"transaction.remove.expired.transaction.cleanup.interval.ms", Type::int32, "3600000", at_least(1), low, read_only,
     active, "How often it is checked for transactional ids to forget, in milliseconds."},
    {"transaction.two.phase.commit.enable", Type::boolean, "false", any, low, read_only, none,
     "Whether producers may take part in transactions that somebody else coordinates."},
};

constexpr Key metrics[] = {
    {"metrics.num.samples", Type::int32, "2", at_least(1), low, read_only, none, "Samples kept for a metric."},
    {"metrics.sample.window.ms", Type::int64, "30000", at_least(1), low, read_only, none,
     "Length of one sample of a metric, in milliseconds."},
    {"metric.reporters", Type::list, "org.apache.kafka.common.metrics.JmxReporter", any_list, low, cluster_wide,
     refused, "Classes that metrics are handed to."},
    {"metrics.recording.level", Type::string, "INFO", any, low, read_only, none,
     "Up to which level of detail metrics are recorded."},
    {"kafka.metrics.reporters", Type::list, "", any_list, low, read_only, refused,
     "Classes that the older kind of metrics is handed to."},
    {"kafka.metrics.polling.interval.secs", Type::int32, "10", at_least(1), low, read_only, none,
     "How often those reporters poll, in seconds."},
    {"telemetry.max.bytes", Type::int32, "1048576", at_least(1), low, read_only, none,
     "Largest telemetry a client may push at once, in bytes."},
    {"quota.window.num", Type::int32, "11", at_least(1), low, read_only, none, "Samples kept for client quotas."},
    {"replication.quota.window.num", Type::int32, "11", at_least(1), low, read_only, none,
     "Samples kept for replication quotas."},
    {"alter.log.dirs.replication.quota.window.num", Type::int32, "11", at_least(1), low, read_only, none,
     "Samples kept for the quota of moves between log directories."},
    {"controller.quota.window.num", Type::int32, "11", at_least(1), low, read_only, none,
     "Samples kept for the quota of changes to the cluster."},
    {"quota.window.size.seconds", Type::int32, "1", at_least(1), low, read_only, none,
     "Length of one sample of client quotas, in seconds."},
    {"replication.quota.window.size.seconds", Type::int32, "1", at_least(1), low, read_only, none,
     "Length of one sample of replication quotas, in seconds."},
    {"alter.log.dirs.replication.quota.window.size.seconds", Type::int32, "1", at_least(1), low, read_only, none,
     "Length of one sample of the quota of moves between log directories, in seconds."},
    {"controller.quota.window.size.seconds", Type::int32, "1", at_least(1), low, read_only, none,
     "Length of one sample of the quota of changes to the cluster, in seconds."},
    {"client.quota.callback.class", Type::class_name, null_default, any, low, read_only, refused,
     "Class that decides which quota a client has."},
};

constexpr Key dynamic_only[] = {
    {"leader.replication.throttled.rate", Type::int64, "9223372036854775807", at_least(0), medium, cluster_wide, none,
     "Bytes a second this broker sends at most for throttled replicas it leads."},
    {"follower.replication.throttled.rate", Type::int64, "9223372036854775807", at_least(0), medium, cluster_wide, none,
     "Bytes a second this broker fetches at most for throttled replicas it follows."},
    {"replica.alter.log.dirs.io.max.bytes.per.second", Type::int64, "9223372036854775807", at_least(0), medium,
     cluster_wide, none, "Bytes a second that moves between this broker's log directories take at most."},
};

}  // namespace

std::span<const Key> transaction_keys() {
  return transactions;
}
std::span<const Key> metrics_keys() {
  return metrics;
}
std::span<const Key> dynamic_only_keys() {
  return dynamic_only;
}

}  // namespace klamm::config
