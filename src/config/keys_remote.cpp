// Tiered storage.
#include "config/key_table.h"

namespace klamm::config {
namespace {

constexpr Key remote_storage[] = {
    {"remote.log.storage.system.enable", Type::boolean, "false", any, medium, read_only, refused,
     "Switches tiered storage on for this broker."},
    {"remote.log.storage.manager.impl.prefix", Type::string, "rsm.config.", non_empty, medium, read_only, none,
     "Keys with this prefix are handed to the remote storage plug-in."},
    {"remote.log.metadata.manager.impl.prefix", Type::string, "rlmm.config.", non_empty, medium, read_only, none,
     "Keys with this prefix are handed to the remote log metadata plug-in."},
    {"remote.log.storage.manager.class.name", Type::string, null_default, non_empty, medium, read_only, none,
     "Class that copies segments to remote storage and reads them back."},
    {"remote.log.storage.manager.class.path", Type::string, null_default, any, medium, read_only, none,
     "Where the remote storage plug-in's classes are looked for."},
    {"remote.log.metadata.manager.class.name", Type::string,
     "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", non_empty, medium,
     read_only, none, "Class that keeps track of which segments are stored remotely."},
    {"remote.log.metadata.manager.class.path", Type::string, null_default, any, medium, read_only, none,
     "Where the remote log metadata plug-in's classes are looked for."},
    {"remote.log.metadata.manager.listener.name", Type::string, null_default, non_empty, medium, read_only, none,
     "Listener through which the remote log metadata plug-in reaches this cluster."},
    {"remote.log.metadata.custom.metadata.max.bytes", Type::int32, "128", at_least(0), low, read_only, none,
     "Largest piece of metadata, in bytes, that a remote storage plug-in may attach to a segment."},
    {"remote.log.index.file.cache.total.size.bytes", Type::int64, "1073741824", at_least(1), low, cluster_wide, none,
     "Room for index files fetched from remote storage, in bytes."},
    {"remote.log.index.file.cache.ttl.ms", Type::int64, "900000", at_least(-1), low, read_only, none,
     "How long a cached remote index file stays after its last use, in milliseconds; -1 keeps it.", internal},
    {"remote.log.manager.thread.pool.size", Type::int32, "2", at_least(1), medium, read_only, none,
     "Threads that carry out remote storage tasks."},
    {"remote.log.manager.copier.thread.pool.size", Type::int32, "10", at_least(1), medium, cluster_wide, none,
     "Threads that copy segments to remote storage."},
    {"remote.log.manager.expiration.thread.pool.size", Type::int32, "10", at_least(1), medium, cluster_wide, none,
     "Threads that delete expired segments from remote storage."},
    {"remote.log.manager.follower.thread.pool.size", Type::int32, "2", at_least(1), medium, cluster_wide, none,
     "Threads that follow the remote log for partitions led elsewhere."},
    {"remote.log.manager.task.interval.ms", Type::int64, "30000", at_least(1), low, read_only, none,
     "Pause between two runs of the remote storage tasks, in milliseconds."},
    {"remote.log.manager.task.retry.backoff.ms", Type::int64, "500", at_least(1), low, read_only, none,
     "First pause before a failed remote storage request is tried again, in milliseconds.", internal},
    {"remote.log.manager.task.retry.backoff.max.ms", Type::int64, "30000", at_least(1), low, read_only, none,
     "Longest pause between tries of a remote storage request, in milliseconds.", internal},
    {"remote.log.manager.task.retry.jitter", Type::float64, "0.2", between(0, 0.5), low, read_only, none,
     "How much of the pause between tries is random, as a fraction.", internal},
    {"remote.log.reader.threads", Type::int32, "10", at_least(1), medium, cluster_wide, none,
     "Threads that read from remote storage for consumers."},
    {"remote.log.reader.max.pending.tasks", Type::int32, "100", at_least(1), medium, read_only, none,
     "Remote reads that may wait; beyond that, fetches are told to come again."},
    {"log.local.retention.ms", Type::int64, "-2", at_least(-2), medium, cluster_wide, none,
     "Age, in milliseconds, at which a segment that is stored remotely leaves the local disk; -2 takes the value of "
     "log.retention.ms."},
    {"log.local.retention.bytes", Type::int64, "-2", at_least(-2), medium, cluster_wide, none,
     "Size, in bytes, to which the local part of a tiered partition is kept; -2 takes the value of "
     "log.retention.bytes."},
    {"remote.log.manager.copy.max.bytes.per.second", Type::int64, "9223372036854775807", at_least(1), medium,
     cluster_wide, none, "Bytes a second this broker copies to remote storage at most."},
    {"remote.log.manager.copy.quota.window.num", Type::int32, "11", at_least(1), medium, read_only, none,
     "Samples kept for the remote copy quota."},
    {"remote.log.manager.copy.quota.window.size.seconds", Type::int32, "1", at_least(1), medium, read_only, none,
     "Length of one sample of the remote copy quota, in seconds."},
    {"remote.log.manager.fetch.max.bytes.per.second", Type::int64, "9223372036854775807", at_least(1), medium,
     cluster_wide, none, "Bytes a second this broker reads from remote storage at most."},
    {"remote.log.manager.fetch.quota.window.num", Type::int32, "11", at_least(1), medium, read_only, none,
     "Samples kept for the remote fetch quota."},
    {"remote.log.manager.fetch.quota.window.size.seconds", Type::int32, "1", at_least(1), medium, read_only, none,
     "Length of one sample of the remote fetch quota, in seconds."},
    {"remote.fetch.max.wait.ms", Type::int32, "500", at_least(1), medium, cluster_wide, none,
     "How long a fetch waits for remote storage before it is answered without it, in milliseconds."},
    {"remote.list.offsets.request.timeout.ms", Type::int64, "30000", at_least(1), medium, cluster_wide, none,
     "How long an offset look-up waits for remote storage, in milliseconds."},
};

}  // namespace

std::span<const Key> remote_storage_keys() {
  return remote_storage;
}

}  // namespace klamm::config
