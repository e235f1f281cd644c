// What the floor server says beside the hot path: enough of the control plane for `klamm bench`, and the two answers of
// the hot path as bytes.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace klamm::benchmarks {

// A whole frame. `ends` are the partitions' end offsets, for ListOffsets.
ByteVector control_answer(std::int16_t key, std::int16_t version, std::int32_t correlation, Bytes rest,
                          std::uint16_t port, int partitions, std::span<const std::int64_t> ends);

// Produce, version 13.
void append_produced(ByteVector& out, std::int32_t correlation, std::int32_t partition, std::int64_t base_offset);
// Fetch, version 17: what stands before and behind the records.
void append_fetched_head(ByteVector& out, std::int32_t correlation, std::int32_t partition, std::int64_t end,
                         std::size_t records_bytes);
void append_fetched_tail(ByteVector& out);

}  // namespace klamm::benchmarks
