#include "server/marker_writer.h"

#include <array>
#include <utility>

#include "records/control_record.h"
#include "server/gather.h"

namespace klamm::server {

using transactions::MarkerOutcome;
using transactions::MarkerReport;

namespace {

// Markers of one transaction that are on their way at the same time.
constexpr std::size_t at_a_time = 64;

// Whoever sent the marker does not know of coordinators of groups.
ErrorCode told_of_groups(ErrorCode code) {
  switch (code) {
    case ErrorCode::coordinator_not_available:
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::not_coordinator:
      return ErrorCode::not_leader_or_follower;
    default:
      return code;
  }
}

}  // namespace

runtime::Task<MarkerReport> MarkerWriter::write(runtime::Reactor& reactor, transactions::Marker marker,
                                                LeaderEpoch coordinator_epoch, runtime::MonoTime deadline) {
  MarkerReport report{marker.transactional_id, marker.producer_id, marker.producer_epoch, {}};
  for (const auto& [topic, numbers] : marker.partitions) {
    for (const std::int32_t number : numbers) report.partitions.push_back({topic, number, MarkerOutcome::again});
  }
  const Ending ending{
      marker.producer_id, marker.producer_epoch, {marker.commit, coordinator_epoch.value, marker.version}};
  for (std::size_t at = 0; at < report.partitions.size(); at += at_a_time) {
    std::array<std::coroutine_handle<>, at_a_time> room{};
    Gather gather(room);
    for (std::size_t i = at; i < std::min(at + at_a_time, report.partitions.size()); ++i) {
      gather.add(write_one(reactor, report.partitions[i], ending, deadline));
    }
    co_await gather;
  }
  co_return report;
}

runtime::Task<void> MarkerWriter::write_one(runtime::Reactor& reactor, MarkerReport::Partition& partition,
                                            Ending ending, runtime::MonoTime deadline) {
  auto ended = end(reactor, TopicPartition{partition.topic, PartitionIndex(partition.partition)}, ending, deadline);
  const ErrorCode code = co_await std::move(ended);
  if (code == ErrorCode::unknown_topic_or_partition) {
    partition.outcome = is_gone(partition.topic, partition.partition) ? MarkerOutcome::written : MarkerOutcome::again;
  } else {
    partition.outcome = transactions::outcome_of(code);
  }
}

bool MarkerWriter::is_gone(const std::string& name, std::int32_t partition) const {
  const metadata::ImageRef image = metadata_.latest();
  if (image == nullptr) return false;
  const metadata::Topic* topic = image->topic(name);
  return topic == nullptr || topic->partition(partition) == nullptr;
}

runtime::Task<ErrorCode> MarkerWriter::end(runtime::Reactor& reactor, TopicPartition name, Ending ending,
                                           runtime::MonoTime deadline) {
  const replication::PartitionRef partition = partitions_.find(name.topic, name.partition);
  if (partition == nullptr) co_return ErrorCode::unknown_topic_or_partition;
  // Such a batch would be nobody's, and end nothing.
  if (ending.producer_id.value < 0 || ending.producer_epoch.value < 0) co_return ErrorCode::unknown_server_error;
  if (name.topic == offsets_topic) {
    auto telling = end_of_group_offsets(reactor, name.partition, ending);
    co_return co_await std::move(telling);
  }
  const auto type = ending.end.commit ? records::ControlRecordType::commit : records::ControlRecordType::abort;
  ByteVector batch = records::end_transaction_batch({.timestamp = environment_.clock.wall()}, ending.producer_id,
                                                    ending.producer_epoch, {type, ending.end.coordinator_epoch});
  auto appending = partition->append_marker(reactor, batch, ending.end.transaction_version);
  const auto appended = co_await std::move(appending);
  if (!appended) co_return appended.error().code;
  auto waiting = partition->wait_replicated(reactor, appended->last_offset, deadline);
  const auto replicated = co_await std::move(waiting);
  co_return replicated ? ErrorCode::none : replicated.error().code;
}

runtime::Task<ErrorCode> MarkerWriter::end_of_group_offsets(runtime::Reactor& reactor, PartitionIndex partition,
                                                            Ending ending) {
  groups::EndTransaction call{ending.producer_id,
                              ending.producer_epoch,
                              {ending.end.commit, ending.end.coordinator_epoch, ending.end.transaction_version}};
  auto asking = groups_.ask(reactor, partition, groups::Call(std::move(call)));
  const groups::Answer answer = co_await std::move(asking);
  co_return told_of_groups(std::get<groups::EndedTransaction>(answer).code);
}

}  // namespace klamm::server
