// Reads the types of the protocol out of one frame. Nothing here trusts the frame: every length is compared with what
// is left before memory is taken, and the first error ends the reading.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "protocol/payload.h"
#include "protocol/tagged_field.h"

namespace klamm::protocol {

struct ReaderLimits {
  std::size_t array_elements_max = 1'000'000;
  std::size_t tagged_fields_max = 10'000;
  // What all arrays of a frame together may take in memory. A frame of 100 MiB with nothing but empty structs would
  // otherwise ask for many times its size.
  std::size_t array_bytes_max = std::size_t{1} << 30;
};

// The error is sticky: after the first one every read gives zero or nothing, so a decoder looks at ok() once, at its
// end. The texts are those of Kafka's codec. `flexible` chooses the compact encoding of strings, bytes and arrays
// (KIP-482). What is read as a view points into the frame.
class Reader {
 public:
  explicit Reader(Bytes frame, ReaderLimits limits = {})
      : begin_(frame.data()), at_(begin_), end_(begin_ + frame.size()), limits_(limits) {}

  bool ok() const { return ok_; }
  // Empty while ok().
  const std::string& error() const { return error_; }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }

  bool read_bool() { return read_int8() != 0; }
  std::int8_t read_int8() { return read_integer<std::int8_t>(); }
  std::int16_t read_int16() { return read_integer<std::int16_t>(); }
  std::uint16_t read_uint16() { return read_integer<std::uint16_t>(); }
  std::int32_t read_int32() { return read_integer<std::int32_t>(); }
  std::uint32_t read_uint32() { return read_integer<std::uint32_t>(); }
  std::int64_t read_int64() { return read_integer<std::int64_t>(); }
  double read_float64();
  Uuid read_uuid();
  std::uint32_t read_unsigned_varint();
  std::int32_t read_varint();
  std::int64_t read_varlong();
  // The next `size` bytes, as a view.
  Bytes read_raw(std::size_t size);

  std::string read_string(const char* field, bool flexible) { return std::string(read_string_view(field, flexible)); }
  std::optional<std::string> read_nullable_string(const char* field, bool flexible, bool null_allowed);
  std::string_view read_string_view(const char* field, bool flexible);
  std::optional<std::string_view> read_nullable_string_view(const char* field, bool flexible, bool null_allowed);
  ByteVector read_bytes(const char* field, bool flexible) { return to_vector(read_bytes_view(field, flexible)); }
  std::optional<ByteVector> read_nullable_bytes(const char* field, bool flexible, bool null_allowed);
  Bytes read_bytes_view(const char* field, bool flexible);
  std::optional<Bytes> read_nullable_bytes_view(const char* field, bool flexible, bool null_allowed);
  Payload read_records(const char* field, bool flexible, bool null_allowed);

  template <typename Array>
  void read_array(Array& out, const char* field, bool flexible, bool null_allowed);
  template <typename Array>
  void read_array(Arena& arena, Array& out, const char* field, bool flexible, bool null_allowed);

  void read_unknown_tagged_fields(std::vector<RawTaggedField>& out);
  void read_unknown_tagged_fields(Arena& arena, std::span<RawTaggedFieldView>& out);

  // The number of elements of an array, -1 for an allowed null; 0 after an error. An element takes at least
  // `element_wire_bytes_min` bytes of the frame and `element_bytes` bytes of memory, both of which are checked.
  std::int32_t read_array_length(const char* field, bool flexible, bool null_allowed,
                                 std::size_t element_wire_bytes_min, std::size_t element_bytes);
  std::size_t read_tagged_field_count();
  // Counts memory against the limit for arrays; fails beyond it.
  bool charge(std::size_t bytes);

  void fail(std::string error);
  void fail_tag(int tag, std::int16_t version);
  void fail_memory();
  // Fails unless the version lies in [low, high].
  bool version_is_known(const char* message, std::int16_t version, std::int16_t low, std::int16_t high);

 private:
  template <typename T>
  T read_integer() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail_underflow();
      return 0;
    }
    const T value = load_big<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  void fail_underflow();
  void fail_null(const char* field);
  // Length of a string (16 bits), of bytes or of an array (32 bits); negative is null.
  std::int32_t read_length(bool flexible, bool is_string);
  // Length and bytes of something that may not be null / that may.
  std::optional<Bytes> read_sized(const char* field, bool flexible, bool null_allowed, bool is_string);
  template <typename T>
  void read_element(T& out, const char* field, bool flexible);

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  bool ok_ = true;
  std::size_t array_bytes_ = 0;
  ReaderLimits limits_;
  std::string error_;
};

// Walks over the tagged fields at the end of a struct:
//   for (TaggedFieldReader tags(r); tags.next();) switch (tags.tag()) { case 0: …; default: tags.keep(unknown); }
class TaggedFieldReader {
 public:
  explicit TaggedFieldReader(Reader& reader) : reader_(reader), left_(reader.read_tagged_field_count()) {}

  bool next();
  std::uint32_t tag() const { return tag_; }
  // Keeps a field that the schema does not know.
  void keep(std::vector<RawTaggedField>& unknown);
  void keep(Arena& arena, std::span<RawTaggedFieldView>& unknown);

 private:
  Reader& reader_;
  std::size_t left_;
  std::uint32_t tag_ = 0;
  std::uint32_t size_ = 0;
};

namespace detail {
// How many elements are reserved before the first is read; more come as the frame delivers them.
template <typename T>
std::size_t reserved_elements(std::int32_t count) {
  constexpr std::size_t most = std::max<std::size_t>(1, (std::size_t{64} << 10) / sizeof(T));
  return std::min(static_cast<std::size_t>(count), most);
}
}  // namespace detail

// Arrays of structs. `wire_bytes_min` is the least that an element takes in the frame.
template <typename T>
void read_structs(Reader& r, std::vector<T>& out, const char* field, bool flexible, bool null_allowed,
                  std::size_t wire_bytes_min, std::int16_t version) {
  const std::int32_t count = r.read_array_length(field, flexible, null_allowed, wire_bytes_min, sizeof(T));
  out.clear();  // a tag may come twice: the last one counts
  if (count <= 0) return;
  out.reserve(detail::reserved_elements<T>(count));
  for (std::int32_t i = 0; i < count && r.ok(); ++i) out.emplace_back().decode(r, version);
}
template <typename T>
void read_structs(Reader& r, std::optional<std::vector<T>>& out, const char* field, bool flexible, bool null_allowed,
                  std::size_t wire_bytes_min, std::int16_t version) {
  const std::int32_t count = r.read_array_length(field, flexible, null_allowed, wire_bytes_min, sizeof(T));
  if (count < 0) return out.reset();
  auto& elements = out.emplace();
  elements.reserve(detail::reserved_elements<T>(count));
  for (std::int32_t i = 0; i < count && r.ok(); ++i) elements.emplace_back().decode(r, version);
}
template <typename T>
void read_structs(Reader& r, Arena& arena, std::span<T>& out, const char* field, bool flexible, bool null_allowed,
                  std::size_t wire_bytes_min, std::int16_t version) {
  const std::int32_t count = r.read_array_length(field, flexible, null_allowed, wire_bytes_min, sizeof(T));
  out = {};
  if (count <= 0) return;
  out = arena.try_array<T>(static_cast<std::size_t>(count));
  if (out.empty()) return r.fail_memory();
  for (T& element : out) {
    if (!r.ok()) return;
    element.decode(r, arena, version);
  }
}
template <typename T>
void read_structs(Reader& r, Arena& arena, std::optional<std::span<T>>& out, const char* field, bool flexible,
                  bool null_allowed, std::size_t wire_bytes_min, std::int16_t version) {
  const std::int32_t count = r.read_array_length(field, flexible, null_allowed, wire_bytes_min, sizeof(T));
  if (count < 0) return out.reset();
  out.emplace();
  if (count == 0) return;
  *out = arena.try_array<T>(static_cast<std::size_t>(count));
  if (out->empty()) return r.fail_memory();
  for (T& element : *out) {
    if (!r.ok()) return;
    element.decode(r, arena, version);
  }
}

}  // namespace klamm::protocol
