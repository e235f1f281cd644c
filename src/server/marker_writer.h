// Ends transactions in the partitions that this broker leads: a control batch behind what was written in them. Those of
// __consumer_offsets get theirs from the shard of groups that the partition belongs to.
// Source of behaviour: kafka.coordinator.transaction.TransactionMarkerChannelManager, KafkaApis.handleWriteTxnMarkers.
#pragma once

#include <cstdint>
#include <string>

#include "hosting/metadata_publisher.h"
#include "hosting/partition_writer.h"
#include "replication/partition_table.h"
#include "runtime/environment.h"
#include "server/group_shards.h"
#include "transactions/markers.h"

namespace klamm::server {

class MarkerWriter {
 public:
  // The references outlive this.
  MarkerWriter(runtime::Environment& environment, const hosting::MetadataPublisher& metadata,
               const replication::PartitionTable& partitions, GroupShards& groups)
      : environment_(environment), metadata_(metadata), partitions_(partitions), groups_(groups) {}

  struct Ending {
    ProducerId producer_id;
    ProducerEpoch producer_epoch;
    hosting::TransactionEnd end;
  };
  // Into one partition; any reactor. Errors: UNKNOWN_TOPIC_OR_PARTITION when this broker does not have it, those of
  // Partition::append_marker and wait_replicated; NOT_LEADER_OR_FOLLOWER when its shard of groups does not serve;
  // UNKNOWN_SERVER_ERROR for a negative producer id or epoch.
  runtime::Task<ErrorCode> end(runtime::Reactor& reactor, TopicPartition name, Ending ending,
                               runtime::MonoTime deadline);

  // Into every partition of the marker, some at a time, and what became of it. A partition that there is none of any
  // more counts as written; one that is led elsewhere, or whose log fails or is not replicated before the deadline, is
  // to be tried again.
  runtime::Task<transactions::MarkerReport> write(runtime::Reactor& reactor, transactions::Marker marker,
                                                  LeaderEpoch coordinator_epoch, runtime::MonoTime deadline);

 private:
  runtime::Task<void> write_one(runtime::Reactor& reactor, transactions::MarkerReport::Partition& partition,
                                Ending ending, runtime::MonoTime deadline);
  runtime::Task<ErrorCode> end_of_group_offsets(runtime::Reactor& reactor, PartitionIndex partition, Ending ending);
  bool is_gone(const std::string& topic, std::int32_t partition) const;

  runtime::Environment& environment_;
  const hosting::MetadataPublisher& metadata_;
  const replication::PartitionTable& partitions_;
  GroupShards& groups_;
};

}  // namespace klamm::server
