#include "client/group_assignment.h"

#include <algorithm>

#include "protocol/message.h"
#include "protocol/records/consumer_protocol_assignment.h"
#include "protocol/records/consumer_protocol_subscription.h"

namespace klamm::client {

namespace {

constexpr std::pair<Assignor, std::string_view> names[] = {{Assignor::range, "range"},
                                                           {Assignor::round_robin, "roundrobin"},
                                                           {Assignor::sticky, "sticky"},
                                                           {Assignor::cooperative_sticky, "cooperative-sticky"}};
constexpr std::pair<Assignor, std::string_view> classes[] = {
    {Assignor::range, "RangeAssignor"},
    {Assignor::round_robin, "RoundRobinAssignor"},
    {Assignor::sticky, "StickyAssignor"},
    {Assignor::cooperative_sticky, "CooperativeStickyAssignor"}};
constexpr std::string_view package = "org.apache.kafka.clients.consumer.";

template <typename Topic>
std::vector<Topic> by_topic(const PartitionSet& partitions) {
  std::vector<Topic> topics;
  for (const TopicPartition& each : partitions) {
    if (topics.empty() || topics.back().topic != each.topic) topics.emplace_back().topic = each.topic;
    topics.back().partitions.push_back(each.partition.value);
  }
  return topics;
}

template <typename Topic>
PartitionSet flat(const std::vector<Topic>& topics) {
  PartitionSet partitions;
  for (const Topic& topic : topics) {
    for (const std::int32_t partition : topic.partitions) partitions.insert({topic.topic, PartitionIndex(partition)});
  }
  return partitions;
}

template <typename Message>
ByteVector versioned(const Message& message) {
  ByteVector out;
  protocol::Writer writer(out);
  writer.write_int16(Message::max_version);
  message.encode(writer, Message::max_version);
  ENSURE(writer.ok(), writer.error());
  return out;
}

// A version number, then the message; versions of the future begin as the newest known one.
template <typename Message>
std::optional<Message> read_versioned(Bytes bytes) {
  protocol::Reader reader(bytes);
  const std::int16_t version = reader.read_int16();
  if (!reader.ok() || version < Message::min_version) return std::nullopt;
  Message message;
  message.decode(reader, std::min(version, Message::max_version));
  if (!reader.ok()) return std::nullopt;
  return message;
}

// The sticky assignor's own data: what the member had, as an assignment of the version 0 without its version number and
// user data, then the generation since its second form.
ByteVector sticky_data(const Subscription& subscription) {
  ByteVector out;
  protocol::Writer writer(out);
  const auto topics = by_topic<protocol::ConsumerProtocolAssignment::TopicPartition>(subscription.owned);
  writer.write_int32(static_cast<std::int32_t>(topics.size()));
  for (const auto& topic : topics) topic.encode(writer, 0);
  writer.write_int32(subscription.generation);
  ENSURE(writer.ok(), writer.error());
  return out;
}

void read_sticky_data(Bytes data, Subscription& subscription) {
  protocol::Reader reader(data);
  const std::int32_t count = reader.read_int32();
  PartitionSet owned;
  for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
    protocol::ConsumerProtocolAssignment::TopicPartition topic;
    topic.decode(reader, 0);
    for (const std::int32_t partition : topic.partitions) owned.insert({topic.topic, PartitionIndex(partition)});
  }
  if (!reader.ok()) return;  // what nobody can read says nothing
  subscription.owned = std::move(owned);
  const std::int32_t generation = reader.read_int32();
  subscription.generation = reader.ok() ? generation : -1;
}

}  // namespace

std::string to_string(const PartitionSet& partitions) {
  std::string text = "[";
  for (const TopicPartition& each : partitions) {
    if (text.size() > 1) text += ", ";
    text += each.to_string();
  }
  return text + "]";
}

std::string_view assignor_name(Assignor assignor) {
  return std::ranges::find(names, assignor, &std::pair<Assignor, std::string_view>::first)->second;
}

std::optional<Assignor> assignor_of_name(std::string_view name) {
  for (const auto& [assignor, its] : names) {
    if (its == name) return assignor;
  }
  return std::nullopt;
}

std::optional<Assignor> assignor_of_class(std::string_view class_name) {
  if (const auto named = assignor_of_name(class_name)) return named;
  if (!class_name.starts_with(package)) return std::nullopt;
  class_name.remove_prefix(package.size());
  for (const auto& [assignor, its] : classes) {
    if (its == class_name) return assignor;
  }
  return std::nullopt;
}

bool is_cooperative(const std::vector<Assignor>& assignors) {
  return !assignors.empty() &&
         std::ranges::all_of(assignors, [](Assignor each) { return each == Assignor::cooperative_sticky; });
}

ByteVector encode_subscription(const Subscription& subscription, Assignor assignor) {
  protocol::ConsumerProtocolSubscription message;
  message.topics.assign(subscription.topics.begin(), subscription.topics.end());
  message.generation_id = subscription.generation;
  message.rack_id = subscription.rack;
  if (assignor == Assignor::cooperative_sticky) {
    message.owned_partitions = by_topic<protocol::ConsumerProtocolSubscription::TopicPartition>(subscription.owned);
    ByteVector generation;
    protocol::Writer(generation).write_int32(subscription.generation);
    message.user_data = std::move(generation);
  } else if (assignor == Assignor::sticky && subscription.generation >= 0) {
    message.user_data = sticky_data(subscription);
  }
  return versioned(message);
}

std::optional<Subscription> decode_subscription(Bytes metadata, Assignor assignor) {
  const auto message = read_versioned<protocol::ConsumerProtocolSubscription>(metadata);
  if (!message) return std::nullopt;
  Subscription subscription;
  subscription.topics.insert(message->topics.begin(), message->topics.end());
  subscription.rack = message->rack_id;
  if (assignor == Assignor::sticky) {
    if (message->user_data) read_sticky_data(Bytes(*message->user_data), subscription);
    return subscription;
  }
  subscription.owned = flat(message->owned_partitions);
  subscription.generation = message->generation_id;
  if (assignor == Assignor::cooperative_sticky && subscription.generation < 0 && message->user_data) {
    protocol::Reader reader{Bytes(*message->user_data)};
    const std::int32_t generation = reader.read_int32();
    if (reader.ok()) subscription.generation = generation;
  }
  return subscription;
}

ByteVector encode_assignment(const PartitionSet& partitions) {
  protocol::ConsumerProtocolAssignment message;
  message.assigned_partitions = by_topic<protocol::ConsumerProtocolAssignment::TopicPartition>(partitions);
  return versioned(message);
}

std::optional<PartitionSet> decode_assignment(Bytes assignment) {
  if (assignment.empty()) return PartitionSet{};
  const auto message = read_versioned<protocol::ConsumerProtocolAssignment>(assignment);
  if (!message) return std::nullopt;
  return flat(message->assigned_partitions);
}

}  // namespace klamm::client
