// Tagged fields that the schema does not know (KIP-482): kept as they came and written back in order.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace klamm::protocol {

struct RawTaggedField {
  std::uint32_t tag = 0;
  ByteVector data = {};

  bool operator==(const RawTaggedField&) const = default;
};

// The same inside a frame that someone else keeps alive.
struct RawTaggedFieldView {
  std::uint32_t tag = 0;
  Bytes data = {};

  bool operator==(const RawTaggedFieldView& other) const { return tag == other.tag && same_bytes(data, other.data); }
};

}  // namespace klamm::protocol
