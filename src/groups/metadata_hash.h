// The hash by which a consumer group notices that something about its topics changed: ids, names, numbers of
// partitions, racks of replicas. It is stored with the epoch of the group, so that it is Kafka's, bit for bit.
// Source: org.apache.kafka.coordinator.group.Utils.computeTopicHash and computeGroupHash; XXH3 (64 bits, no seed).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "metadata/image.h"

namespace klamm::groups {

std::uint64_t xxh3(Bytes bytes);

std::int64_t topic_hash(const metadata::Image& image, const metadata::Topic& topic);
// Over the topics of these names that exist; 0 when none does. Names ascending, none twice.
std::int64_t metadata_hash(const metadata::Image& image, const std::vector<std::string_view>& topics);

}  // namespace klamm::groups
