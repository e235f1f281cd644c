// Writes the types of the protocol behind one another into a buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "protocol/payload.h"
#include "protocol/tagged_field.h"

namespace klamm::protocol {

// Appends to a buffer of the caller, or, without one, only counts. The error is sticky: encoding goes on after it and
// what was written is of no use, so an encoder looks at ok() once, at its end.
// `flexible` chooses the compact encoding of strings, bytes and arrays (KIP-482).
class Writer {
 public:
  // Counts only: wire_size() is what encoding would take.
  Writer() = default;
  // Holes are appended to `holes`, so that both vectors can be used again without taking memory. Without `holes` a
  // payload must not be one.
  explicit Writer(ByteVector& buffer, std::vector<PayloadHole>* holes = nullptr)
      : buffer_(&buffer), holes_(holes), start_(buffer.size()) {}

  bool ok() const { return error_.empty(); }
  // Empty while ok(). The text of Kafka's UnsupportedVersionException where a field does not exist in the version.
  const std::string& error() const { return error_; }
  // Bytes on the wire since construction, holes included.
  std::size_t wire_size() const { return (buffer_ ? buffer_->size() - start_ : counted_) + hole_bytes_; }

  void write_bool(bool value) { write_int8(value ? 1 : 0); }
  void write_int8(std::int8_t value) { write_integer(value); }
  void write_int16(std::int16_t value) { write_integer(value); }
  void write_uint16(std::uint16_t value) { write_integer(value); }
  void write_int32(std::int32_t value) { write_integer(value); }
  void write_uint32(std::uint32_t value) { write_integer(value); }
  void write_int64(std::int64_t value) { write_integer(value); }
  void write_float64(double value);
  void write_uuid(const Uuid& value);
  void write_unsigned_varint(std::uint32_t value);
  void write_varint(std::int32_t value);
  void write_varlong(std::int64_t value);
  void write_raw(Bytes bytes);

  void write_string(std::string_view value, const char* field, bool flexible);
  void write_bytes(Bytes value, const char* field, bool flexible);
  template <typename T>
  void write_nullable_string(const std::optional<T>& value, const char* field, bool flexible, bool null_allowed) {
    if (value) return write_string(*value, field, flexible);
    write_null(field, flexible, null_allowed, true);
  }
  template <typename T>
  void write_nullable_bytes(const std::optional<T>& value, const char* field, bool flexible, bool null_allowed) {
    if (value) return write_bytes(*value, field, flexible);
    write_null(field, flexible, null_allowed, false);
  }
  // A hole leaves no bytes in the buffer: its place is noted in `holes`.
  void write_records(const Payload& value, const char* field, bool flexible, bool null_allowed);

  template <typename T>
  void write_array(const std::vector<T>& values, const char* field, bool flexible) {
    write_elements(std::span<const T>(values), field, flexible);
  }
  template <typename T>
  void write_array(std::span<T> values, const char* field, bool flexible) {
    write_elements(std::span<const T>(values), field, flexible);
  }
  template <typename Array>
  void write_array(const std::optional<Array>& values, const char* field, bool flexible, bool null_allowed) {
    if (values) return write_array(*values, field, flexible);
    write_null(field, flexible, null_allowed, false);
  }
  void write_array_length(std::size_t count, bool flexible);
  // The null of a string, of bytes or of an array.
  void write_null(const char* field, bool flexible, bool null_allowed, bool is_string);

  void write_unknown_tagged_fields(std::span<const RawTaggedField> fields) { write_unknown_tags(fields); }
  void write_unknown_tagged_fields(std::span<const RawTaggedFieldView> fields) { write_unknown_tags(fields); }

  void fail(std::string error);
  // A field that is set has no place in this version and may not be dropped.
  void fail_absent(const char* field, std::int16_t version);
  void fail_null(const char* field);
  // Unknown tagged fields have no place in a version that is not flexible.
  void fail_tagged(std::int16_t version);
  // Fails unless the version lies in [low, high].
  bool version_is_known(const char* message, std::int16_t version, std::int16_t low, std::int16_t high);

 private:
  friend class TaggedFieldWriterBase;

  // Room for `size` bytes more, or nullptr when only counting.
  std::byte* extend(std::size_t size);
  template <typename T>
  void write_integer(T value) {
    if (std::byte* to = extend(sizeof value)) store_big(to, value);
  }
  template <typename T>
  void write_elements(std::span<const T> values, const char* field, bool flexible);
  template <typename T>
  void write_unknown_tags(std::span<const T> fields);

  ByteVector* buffer_ = nullptr;
  std::vector<PayloadHole>* holes_ = nullptr;
  std::size_t start_ = 0;
  std::size_t counted_ = 0;
  std::size_t hole_bytes_ = 0;
  std::string error_;
};

// The tagged fields at the end of a struct, known and unknown ones in the order of their tags:
//   TaggedFieldWriter tags(w, unknown, known_count);
//   const auto start = tags.begin(0); w.write_…; tags.end(start);
//   tags.finish();
class TaggedFieldWriterBase {
 protected:
  struct Start {
    std::size_t wire_size;
    std::size_t position;
    std::size_t holes;
  };

  explicit TaggedFieldWriterBase(Writer& writer) : writer_(writer) {}
  Start start(std::uint32_t tag);
  // Puts the size of what was written since `start` before it.
  void insert_size(const Start& start);
  void write_raw(std::uint32_t tag, Bytes data);

  Writer& writer_;
  std::int64_t previous_tag_ = -1;
};

template <typename Raw>
class TaggedFieldWriter : TaggedFieldWriterBase {
 public:
  TaggedFieldWriter(Writer& writer, std::span<const Raw> unknown, std::size_t known)
      : TaggedFieldWriterBase(writer), unknown_(unknown) {
    writer.write_unsigned_varint(static_cast<std::uint32_t>(known + unknown.size()));
  }

  Start begin(std::uint32_t tag) {
    write_unknown_below(tag);
    return start(tag);
  }
  void end(const Start& start) { insert_size(start); }
  void finish() { write_unknown_below(std::uint64_t{1} << 32); }

 private:
  void write_unknown_below(std::uint64_t tag) {
    for (; !unknown_.empty() && unknown_.front().tag < tag; unknown_ = unknown_.subspan(1)) {
      write_raw(unknown_.front().tag, unknown_.front().data);
    }
  }

  std::span<const Raw> unknown_;
};
TaggedFieldWriter(Writer&, const std::vector<RawTaggedField>&, std::size_t) -> TaggedFieldWriter<RawTaggedField>;
TaggedFieldWriter(Writer&, std::span<RawTaggedFieldView>, std::size_t) -> TaggedFieldWriter<RawTaggedFieldView>;

template <typename Array>
void write_structs(Writer& w, const Array& values, const char*, bool flexible, std::int16_t version) {
  w.write_array_length(values.size(), flexible);
  for (const auto& value : values) value.encode(w, version);
}
template <typename Array>
void write_structs(Writer& w, const std::optional<Array>& values, const char* field, bool flexible, bool null_allowed,
                   std::int16_t version) {
  if (values) return write_structs(w, *values, field, flexible, version);
  w.write_null(field, flexible, null_allowed, false);
}

}  // namespace klamm::protocol
