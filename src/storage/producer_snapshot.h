// <offset>.snapshot: the producer state of a log up to an offset, so that a start need not read the log for it.
// int16 version (1), uint32 CRC-32C of what follows, int32 count, entries of 46 bytes.
// Source of the format: ProducerSnapshot.json, ProducerStateManager.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/producer_state.h"

namespace klamm::storage {

// Sorted by producer id.
ByteVector encode_producer_snapshot(std::span<const ProducerEntry> producers);
// Error::message in Kafka's words when the bytes are not a snapshot. Of each producer the last batch is known.
Result<std::vector<ProducerEntry>> decode_producer_snapshot(Bytes content);

}  // namespace klamm::storage
