#include "client/producer.h"

#include <coroutine>

#include "client/consumer.h"
#include "client/core.h"
#include "client/sender.h"

namespace klamm::client {

using runtime::MonoTime;
using runtime::Task;

namespace {

// Holds the outcome of one record for the coroutine that waits for it, and outlives whichever of the two goes first.
struct Outcome {
  std::optional<Result<Produced>> result;
  Signal* arrived = nullptr;  // while somebody waits
};

std::size_t size_bound(const RecordView& record) {
  std::size_t size = 128 + record.key.value_or("").size() + record.value.value_or("").size();
  for (const Header& header : record.headers) size += header.key.size() + header.value.value_or("").size() + 16;
  return size;
}

}  // namespace

Producer::Producer(Client& client, const Properties& properties) {
  Properties all = client.properties();
  for (const auto& [key, value] : properties) all.insert_or_assign(key, value);
  const Result<ProducerSettings> settings = producer_settings(all, client.core().log());
  if (client.configuration_error()) {
    configuration_error_ = client.configuration_error();
  } else if (!settings) {
    configuration_error_ = settings.error();
  } else {
    sender_ = std::make_unique<Sender>(client.core(), *settings);
  }
}

Producer::~Producer() = default;
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;

Task<Result<Produced>> Producer::send(RecordView record) {
  if (configuration_error_) co_return *configuration_error_;
  const auto outcome = std::make_shared<Outcome>();
  const auto delivered = [outcome](const Result<Produced>& result) {
    outcome->result.emplace(result);
    if (outcome->arrived != nullptr) outcome->arrived->notify();
  };
  if (!post(record, delivered)) {
    // The caller's bytes are only promised until here: keep them while waiting.
    const std::string topic(record.topic);
    const std::optional<std::string> key = record.key ? std::optional<std::string>(*record.key) : std::nullopt;
    const std::optional<std::string> value = record.value ? std::optional<std::string>(*record.value) : std::nullopt;
    std::vector<std::pair<std::string, std::optional<std::string>>> owned_headers;
    for (const Header& header : record.headers) owned_headers.emplace_back(header.key, header.value);
    std::vector<Header> headers;
    for (const auto& [name, text] : owned_headers) headers.push_back({name, text});
    const RecordView kept{topic, key, value, headers, record.partition, record.timestamp};
    do {
      const Result<void> can = co_await ready(kept);
      if (!can) co_return can.error();
    } while (!post(kept, delivered));
  }
  Signal arrived(sender_->core().reactor());
  outcome->arrived = &arrived;
  struct Leave {
    Outcome& of;
    ~Leave() { of.arrived = nullptr; }
  } leave{*outcome};
  while (!outcome->result) co_await arrived.wait(runtime::never);
  co_return *std::move(outcome->result);
}

bool Producer::post(const RecordView& record, std::function<void(const Result<Produced>&)> delivered) {
  if (configuration_error_) {
    if (delivered) delivered(*configuration_error_);
    return true;
  }
  return sender_->take(record, std::move(delivered));
}

Task<Result<void>> Producer::ready(RecordView record) {
  if (configuration_error_) co_return *configuration_error_;
  const MonoTime deadline = sender_->core().now() + sender_->settings().max_block;
  std::string topic(record.topic);
  const std::size_t bytes = size_bound(record);
  const Result<void> known = co_await sender_->wait_for_topic(std::move(topic), record.partition, deadline);
  if (!known) {
    sender_->not_taken(known.error());
    co_return known.error();
  }
  const Result<void> room = co_await sender_->wait_for_room(bytes, deadline);
  if (!room) sender_->not_taken(room.error());
  co_return room;
}

Task<Result<void>> Producer::flush() {
  if (configuration_error_) co_return *configuration_error_;
  const Result<void> flushed = co_await sender_->flush();
  co_return flushed;
}

// --- transactions ----------------------------------------------------------------------------------------------------

namespace {

Error not_transactional() {
  return Error::of_kind(kinds::illegal_state,
                        "Cannot use transactional methods without enabling transactions by setting the "
                        "transactional.id configuration property");
}
Error ended() {
  return Error::of_kind(kinds::illegal_state, "The transaction has ended, or its producer is closed.");
}
// As KafkaProducer.throwIfInvalidGroupMetadata.
std::optional<Error> invalid(const GroupMetadata& group) {
  if (group.generation_id <= 0 || !group.member_id.empty()) return std::nullopt;
  return Error::of_kind(
      kinds::illegal_argument,
      fmt::format("Passed in group metadata GroupMetadata(groupId = {}, generationId = {}, memberId = {}, "
                  "groupInstanceId = {}) has generationId > 0 but the member.id is unknown",
                  group.group_id, group.generation_id, group.member_id, group.group_instance_id.value_or("")));
}

}  // namespace

Task<Result<void>> Producer::init_transactions() {
  if (configuration_error_) co_return *configuration_error_;
  const auto session = sender_->transactions();
  if (!session) co_return not_transactional();
  const Result<void> done = co_await session->initialize();
  co_return done;
}

Task<Result<Transaction>> Producer::begin() {
  if (configuration_error_) co_return *configuration_error_;
  const auto session = sender_->transactions();
  if (!session) co_return not_transactional();
  const Result<void> begun = co_await session->begin();
  if (!begun) co_return begun.error();
  co_return Transaction(session);
}

std::optional<Error> Producer::fatal() const {
  if (configuration_error_) return configuration_error_;
  if (const auto& session = sender_->transactions()) {
    const Error* why = session->machine().fatal();
    if (why != nullptr) return *why;
  }
  return sender_->fatal();
}

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  std::swap(session_, other.session_);
  return *this;
}

Transaction::~Transaction() {
  if (const auto session = session_.lock()) session->abandon();
}

Task<Result<void>> Transaction::send_offsets(Offsets offsets, GroupMetadata group) {
  const auto session = session_.lock();
  if (!session) co_return ended();
  if (auto wrong = invalid(group)) co_return *std::move(wrong);
  OffsetsForGroup positions{{}, group.group_id, {group.generation_id, group.member_id, group.group_instance_id}};
  for (const auto& [name, each] : offsets) {
    positions.offsets[{name.topic, PartitionIndex(name.partition)}] = {each.offset, each.leader_epoch, each.metadata};
  }
  const Result<void> done = co_await session->send_offsets(std::move(positions));
  co_return done;
}

Task<Result<void>> Transaction::add_offsets(const Consumer& consumer) {
  Result<GroupMetadata> group = consumer.group_metadata();
  if (!group) co_return group.error();
  const Result<void> done = co_await send_offsets(consumer.positions(), *std::move(group));
  co_return done;
}

Task<Result<void>> Transaction::commit() {
  const auto session = session_.lock();
  if (!session) co_return ended();
  const Result<void> done = co_await session->commit();
  if (done) session_.reset();
  co_return done;
}

Task<Result<void>> Transaction::abort() {
  const auto session = session_.lock();
  if (!session) co_return ended();
  const Result<void> done = co_await session->abort();
  if (done) session_.reset();
  co_return done;
}

Task<Result<void>> Producer::close(runtime::Duration timeout) {
  if (configuration_error_) co_return *configuration_error_;
  co_await sender_->close(sender_->core().now() + timeout);
  co_return Result<void>();
}

}  // namespace klamm::client
