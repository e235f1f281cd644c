#include "protocol/writer.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

#include "base/ensure.h"
#include "base/varint.h"

namespace klamm::protocol {

namespace {
constexpr std::size_t string_bytes_max = 0x7fff;
}

std::byte* Writer::extend(std::size_t size) {
  if (buffer_ == nullptr) {
    counted_ += size;
    return nullptr;
  }
  const std::size_t at = buffer_->size();
  buffer_->resize(at + size);
  return buffer_->data() + at;
}

void Writer::write_float64(double value) {
  write_integer(std::bit_cast<std::int64_t>(value));
}

void Writer::write_uuid(const Uuid& value) {
  write_integer(value.high);
  write_integer(value.low);
}

void Writer::write_unsigned_varint(std::uint32_t value) {
  if (std::byte* to = extend(unsigned_varint_size(value))) store_unsigned_varint(to, value);
}

void Writer::write_varint(std::int32_t value) {
  write_unsigned_varint(zigzag(value));
}

void Writer::write_varlong(std::int64_t value) {
  if (std::byte* to = extend(varlong_size(value))) store_varlong(to, value);
}

void Writer::write_raw(Bytes bytes) {
  if (bytes.empty()) return;
  if (std::byte* to = extend(bytes.size())) std::memcpy(to, bytes.data(), bytes.size());
}

void Writer::write_string(std::string_view value, const char* field, bool flexible) {
  if (value.size() > string_bytes_max) {
    return fail(fmt::format("'{}' field is too long to be serialized", field));
  }
  if (flexible) {
    write_unsigned_varint(static_cast<std::uint32_t>(value.size() + 1));
  } else {
    write_int16(static_cast<std::int16_t>(value.size()));
  }
  write_raw(as_bytes(value));
}

void Writer::write_bytes(Bytes value, const char* field, bool flexible) {
  if (value.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max() - 1)) {
    return fail(fmt::format("'{}' field is too long to be serialized", field));
  }
  write_array_length(value.size(), flexible);
  write_raw(value);
}

void Writer::write_records(const Payload& value, const char* field, bool flexible, bool null_allowed) {
  if (value.is_null()) return write_null(field, flexible, null_allowed, false);
  if (!value.is_hole()) return write_bytes(value.bytes(), field, flexible);
  write_array_length(value.size(), flexible);
  hole_bytes_ += value.size();
  if (buffer_ == nullptr) return;
  ENSURE(holes_ != nullptr, "a payload with a hole needs a place to note it");
  holes_->push_back({buffer_->size(), value.size(), value.hole_id()});
}

void Writer::write_array_length(std::size_t count, bool flexible) {
  if (flexible) {
    write_unsigned_varint(static_cast<std::uint32_t>(count + 1));
  } else {
    write_int32(static_cast<std::int32_t>(count));
  }
}

void Writer::write_null(const char* field, bool flexible, bool null_allowed, bool is_string) {
  if (!null_allowed) fail_null(field);
  if (flexible) {
    write_unsigned_varint(0);
  } else if (is_string) {
    write_int16(-1);
  } else {
    write_int32(-1);
  }
}

template <typename T>
void Writer::write_elements(std::span<const T> values, const char* field, bool flexible) {
  write_array_length(values.size(), flexible);
  for (const T& value : values) {
    if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      write_string(value, field, flexible);
    } else if constexpr (std::is_same_v<T, Uuid>) {
      write_uuid(value);
    } else {
      write_integer(value);
    }
  }
}
template void Writer::write_elements(std::span<const std::int8_t>, const char*, bool);
template void Writer::write_elements(std::span<const std::int16_t>, const char*, bool);
template void Writer::write_elements(std::span<const std::int32_t>, const char*, bool);
template void Writer::write_elements(std::span<const std::int64_t>, const char*, bool);
template void Writer::write_elements(std::span<const Uuid>, const char*, bool);
template void Writer::write_elements(std::span<const std::string>, const char*, bool);
template void Writer::write_elements(std::span<const std::string_view>, const char*, bool);

template <typename T>
void Writer::write_unknown_tags(std::span<const T> fields) {
  TaggedFieldWriter<T> tags(*this, fields, 0);
  tags.finish();
}
template void Writer::write_unknown_tags(std::span<const RawTaggedField>);
template void Writer::write_unknown_tags(std::span<const RawTaggedFieldView>);

void Writer::fail(std::string error) {
  if (ok()) error_ = std::move(error);
}

void Writer::fail_absent(const char* field, std::int16_t version) {
  fail(fmt::format("Attempted to write a non-default {} at version {}", field, version));
}

void Writer::fail_null(const char* field) {
  fail(fmt::format("non-nullable field {} was null", field));
}

void Writer::fail_tagged(std::int16_t version) {
  fail(fmt::format("Tagged fields were set, but version {} of this message does not support them.", version));
}

bool Writer::version_is_known(const char* message, std::int16_t version, std::int16_t low, std::int16_t high) {
  if (version >= low && version <= high) [[likely]]
    return true;
  fail(fmt::format("Can't write version {} of {}", version, message));
  return false;
}

TaggedFieldWriterBase::Start TaggedFieldWriterBase::start(std::uint32_t tag) {
  if (static_cast<std::int64_t>(tag) <= previous_tag_) {
    writer_.fail(fmt::format("Attempted to use tag {} as an undefined tag.", tag));
  }
  previous_tag_ = tag;
  writer_.write_unsigned_varint(tag);
  return {writer_.wire_size(), writer_.buffer_ ? writer_.buffer_->size() : 0,
          writer_.holes_ ? writer_.holes_->size() : 0};
}

void TaggedFieldWriterBase::insert_size(const Start& start) {
  const auto size = static_cast<std::uint32_t>(writer_.wire_size() - start.wire_size);
  const std::size_t shift = unsigned_varint_size(size);
  if (writer_.extend(shift) == nullptr) return;
  std::byte* at = writer_.buffer_->data() + start.position;
  std::memmove(at + shift, at, writer_.buffer_->size() - start.position - shift);
  store_unsigned_varint(at, size);
  if (writer_.holes_ == nullptr) return;
  for (std::size_t i = start.holes; i < writer_.holes_->size(); ++i) (*writer_.holes_)[i].position += shift;
}

void TaggedFieldWriterBase::write_raw(std::uint32_t tag, Bytes data) {
  if (static_cast<std::int64_t>(tag) <= previous_tag_) {
    writer_.fail(fmt::format("Invalid raw tag field list: tag {} comes after tag {}, but is not higher than it.", tag,
                             previous_tag_));
  }
  previous_tag_ = tag;
  writer_.write_unsigned_varint(tag);
  writer_.write_unsigned_varint(static_cast<std::uint32_t>(data.size()));
  writer_.write_raw(data);
}

}  // namespace klamm::protocol
