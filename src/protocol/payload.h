// A field of type `records`: the codec never copies or looks into it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace klamm::protocol {

// One of three: null; a view of bytes that someone else keeps alive (the frame it was decoded from, a buffer of the
// sender); or, on the way out, a hole: so many bytes that the transport puts in later, from memory or from a file.
class Payload {
 public:
  Payload() = default;
  static Payload view(Bytes bytes) {
    Payload payload;
    payload.kind_ = Kind::view;
    payload.bytes_ = bytes;
    return payload;
  }
  // `id` tells the transport what belongs there; see PayloadHole.
  static Payload hole(std::size_t size, std::uint64_t id) {
    Payload payload;
    payload.kind_ = Kind::hole;
    payload.bytes_ = {static_cast<const std::byte*>(nullptr), size};
    payload.id_ = id;
    return payload;
  }

  bool is_null() const { return kind_ == Kind::null; }
  bool is_hole() const { return kind_ == Kind::hole; }
  std::size_t size() const { return bytes_.size(); }
  // The bytes of a view; empty for null and for a hole.
  Bytes bytes() const { return kind_ == Kind::view ? bytes_ : Bytes{}; }
  std::uint64_t hole_id() const { return id_; }

  bool operator==(const Payload& other) const {
    if (kind_ != other.kind_ || size() != other.size() || id_ != other.id_) return false;
    return kind_ != Kind::view || same_bytes(bytes_, other.bytes_);
  }

 private:
  enum class Kind : std::uint8_t { null, view, hole };

  Bytes bytes_;
  std::uint64_t id_ = 0;
  Kind kind_ = Kind::null;
};

// Where a hole lies: `size` bytes belong at `position` of the buffer, which does not contain them.
struct PayloadHole {
  std::size_t position;
  std::size_t size;
  std::uint64_t id;

  bool operator==(const PayloadHole&) const = default;
};

}  // namespace klamm::protocol
