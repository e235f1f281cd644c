#include "protocol/reader.h"

#include <fmt/format.h>

#include <bit>

#include "base/varint.h"

namespace klamm::protocol {

namespace {
constexpr std::int32_t string_bytes_max = 0x7fff;

template <typename T>
constexpr std::size_t wire_bytes_min_of(bool flexible) {
  if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) return flexible ? 1 : 2;
  if constexpr (std::is_same_v<T, Uuid>) return 16;
  return sizeof(T);
}
}  // namespace

void Reader::fail(std::string error) {
  if (!ok_) return;
  ok_ = false;
  error_ = std::move(error);
  end_ = at_;  // nothing is left: every later read fails at once
}

void Reader::fail_underflow() {
  fail("java.nio.BufferUnderflowException");
}

void Reader::fail_null(const char* field) {
  fail(fmt::format("non-nullable field {} was serialized as null", field));
}

void Reader::fail_tag(int tag, std::int16_t version) {
  fail(fmt::format("Tag {} is not valid for version {}", tag, version));
}

void Reader::fail_memory() {
  fail("The arrays of the message need more memory than one request may take.");
}

bool Reader::version_is_known(const char* message, std::int16_t version, std::int16_t low, std::int16_t high) {
  if (version >= low && version <= high) [[likely]]
    return true;
  fail(fmt::format("Can't read version {} of {}", version, message));
  return false;
}

double Reader::read_float64() {
  return std::bit_cast<double>(read_int64());
}

Uuid Reader::read_uuid() {
  const auto high = static_cast<std::uint64_t>(read_int64());
  const auto low = static_cast<std::uint64_t>(read_int64());
  return {high, low};
}

std::uint32_t Reader::read_unsigned_varint() {
  const auto raw = load_unsigned_varint({at_, remaining()});
  if (!raw) [[unlikely]] {
    if (remaining() < varint_bytes_max) {
      fail_underflow();
    } else {
      fail("Varint is too long, the most significant bit in the 5th byte is set");
    }
    return 0;
  }
  at_ += raw.size;
  return raw.value;
}

std::int32_t Reader::read_varint() {
  return unzigzag(read_unsigned_varint());
}

std::int64_t Reader::read_varlong() {
  const auto raw = load_varlong({at_, remaining()});
  if (!raw) [[unlikely]] {
    if (remaining() < varlong_bytes_max) {
      fail_underflow();
    } else {
      fail("Varlong is too long, most significant bit in the 10th byte is set");
    }
    return 0;
  }
  at_ += raw.size;
  return raw.value;
}

Bytes Reader::read_raw(std::size_t size) {
  if (size > remaining()) [[unlikely]] {
    fail(fmt::format("Error reading byte array of {} byte(s): only {} byte(s) available", size, remaining()));
    return {};
  }
  const Bytes bytes(at_, size);
  at_ += size;
  return bytes;
}

std::int32_t Reader::read_length(bool flexible, bool is_string) {
  // A compact length is one more than the length; like Kafka, what overflows is negative and so is null.
  if (flexible) return static_cast<std::int32_t>(read_unsigned_varint() - 1);
  return is_string ? read_int16() : read_int32();
}

std::optional<Bytes> Reader::read_sized(const char* field, bool flexible, bool null_allowed, bool is_string) {
  const std::int32_t length = read_length(flexible, is_string);
  if (length < 0) {
    if (!null_allowed) fail_null(field);
    return {};
  }
  if (is_string && length > string_bytes_max) {
    fail(fmt::format("string field {} had invalid length {}", field, length));
    return {};
  }
  const Bytes bytes = read_raw(static_cast<std::size_t>(length));
  if (!ok_) return {};
  return bytes;
}

std::string_view Reader::read_string_view(const char* field, bool flexible) {
  return as_text(read_sized(field, flexible, false, true).value_or(Bytes{}));
}

std::optional<std::string_view> Reader::read_nullable_string_view(const char* field, bool flexible, bool null_allowed) {
  const auto bytes = read_sized(field, flexible, null_allowed, true);
  if (!bytes) return {};
  return as_text(*bytes);
}

std::optional<std::string> Reader::read_nullable_string(const char* field, bool flexible, bool null_allowed) {
  const auto bytes = read_sized(field, flexible, null_allowed, true);
  if (!bytes) return {};
  return std::string(as_text(*bytes));
}

Bytes Reader::read_bytes_view(const char* field, bool flexible) {
  return read_sized(field, flexible, false, false).value_or(Bytes{});
}

std::optional<Bytes> Reader::read_nullable_bytes_view(const char* field, bool flexible, bool null_allowed) {
  return read_sized(field, flexible, null_allowed, false);
}

std::optional<ByteVector> Reader::read_nullable_bytes(const char* field, bool flexible, bool null_allowed) {
  const auto bytes = read_sized(field, flexible, null_allowed, false);
  if (!bytes) return {};
  return to_vector(*bytes);
}

Payload Reader::read_records(const char* field, bool flexible, bool null_allowed) {
  const auto bytes = read_sized(field, flexible, null_allowed, false);
  return bytes ? Payload::view(*bytes) : Payload();
}

std::int32_t Reader::read_array_length(const char* field, bool flexible, bool null_allowed,
                                       std::size_t element_wire_bytes_min, std::size_t element_bytes) {
  const std::int32_t length = read_length(flexible, false);
  if (!ok_) return 0;
  if (length < 0) {
    if (null_allowed) return -1;
    fail_null(field);
    return 0;
  }
  const auto count = static_cast<std::size_t>(length);
  if (count > remaining() / element_wire_bytes_min || count > limits_.array_elements_max) {
    fail(fmt::format("Tried to allocate a collection of size {}, but there are only {} bytes remaining.", count,
                     remaining()));
    return 0;
  }
  return charge(count * element_bytes) ? length : 0;
}

bool Reader::charge(std::size_t bytes) {
  array_bytes_ += bytes;
  if (array_bytes_ <= limits_.array_bytes_max) [[likely]]
    return true;
  fail_memory();
  return false;
}

template <typename T>
void Reader::read_element(T& out, const char* field, bool flexible) {
  if constexpr (std::is_same_v<T, std::string>) {
    out = read_string_view(field, flexible);
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    out = read_string_view(field, flexible);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    out = read_uuid();
  } else {
    out = read_integer<T>();
  }
}

namespace {
template <typename T>
struct ArrayOf {
  using Element = typename T::value_type;
  static constexpr bool nullable = false;
};
template <typename T>
struct ArrayOf<std::optional<T>> {
  using Element = typename T::value_type;
  static constexpr bool nullable = true;
};
}  // namespace

template <typename Array>
void Reader::read_array(Array& out, const char* field, bool flexible, bool null_allowed) {
  using T = typename ArrayOf<Array>::Element;
  const std::int32_t count =
      read_array_length(field, flexible, null_allowed, wire_bytes_min_of<T>(flexible), sizeof(T));
  std::vector<T>* elements = nullptr;
  if constexpr (ArrayOf<Array>::nullable) {
    if (count < 0) return out.reset();
    elements = &out.emplace();
  } else {
    elements = &out;
    elements->clear();
  }
  const std::string element_field = std::is_same_v<T, std::string> ? fmt::format("{} element", field) : std::string();
  elements->reserve(detail::reserved_elements<T>(count));
  for (std::int32_t i = 0; i < count && ok_; ++i)
    read_element(elements->emplace_back(), element_field.c_str(), flexible);
}

template <typename Array>
void Reader::read_array(Arena& arena, Array& out, const char* field, bool flexible, bool null_allowed) {
  using T = typename ArrayOf<Array>::Element;
  const std::int32_t count =
      read_array_length(field, flexible, null_allowed, wire_bytes_min_of<T>(flexible), sizeof(T));
  std::span<T> elements;
  if (count > 0) {
    elements = arena.try_array<T>(static_cast<std::size_t>(count));
    if (elements.empty()) return fail_memory();
  }
  for (T& element : elements) read_element(element, field, flexible);
  if constexpr (ArrayOf<Array>::nullable) {
    if (count < 0) return out.reset();
  }
  out = elements;
}

#define KLAMM_READ_ARRAY(T)                                                                  \
  template void Reader::read_array(std::vector<T>&, const char*, bool, bool);                \
  template void Reader::read_array(std::optional<std::vector<T>>&, const char*, bool, bool); \
  template void Reader::read_array(Arena&, std::span<T>&, const char*, bool, bool);          \
  template void Reader::read_array(Arena&, std::optional<std::span<T>>&, const char*, bool, bool);
KLAMM_READ_ARRAY(std::int8_t)
KLAMM_READ_ARRAY(std::int16_t)
KLAMM_READ_ARRAY(std::int32_t)
KLAMM_READ_ARRAY(std::int64_t)
KLAMM_READ_ARRAY(Uuid)
#undef KLAMM_READ_ARRAY
template void Reader::read_array(std::vector<std::string>&, const char*, bool, bool);
template void Reader::read_array(std::optional<std::vector<std::string>>&, const char*, bool, bool);
template void Reader::read_array(Arena&, std::span<std::string_view>&, const char*, bool, bool);
template void Reader::read_array(Arena&, std::optional<std::span<std::string_view>>&, const char*, bool, bool);

std::size_t Reader::read_tagged_field_count() {
  const std::uint32_t count = read_unsigned_varint();
  // Each takes at least a byte for its tag and one for its size.
  if (count > limits_.tagged_fields_max || count > remaining() / 2) {
    fail(fmt::format("Tried to read {} tagged fields, but there are only {} bytes remaining.", count, remaining()));
    return 0;
  }
  return count;
}

void Reader::read_unknown_tagged_fields(std::vector<RawTaggedField>& out) {
  for (TaggedFieldReader tags(*this); tags.next();) tags.keep(out);
}

void Reader::read_unknown_tagged_fields(Arena& arena, std::span<RawTaggedFieldView>& out) {
  for (TaggedFieldReader tags(*this); tags.next();) tags.keep(arena, out);
}

bool TaggedFieldReader::next() {
  if (left_ == 0 || !reader_.ok()) return false;
  --left_;
  tag_ = reader_.read_unsigned_varint();
  size_ = reader_.read_unsigned_varint();
  return reader_.ok();
}

void TaggedFieldReader::keep(std::vector<RawTaggedField>& unknown) {
  const Bytes data = reader_.read_raw(size_);
  if (reader_.ok() && reader_.charge(sizeof(RawTaggedField))) unknown.push_back({tag_, to_vector(data)});
}

void TaggedFieldReader::keep(Arena& arena, std::span<RawTaggedFieldView>& unknown) {
  const Bytes data = reader_.read_raw(size_);
  if (!reader_.ok()) return;
  // Room for all that can still follow is taken with the first one, so that the array grows in place.
  if (unknown.empty()) {
    const auto all = arena.try_array<RawTaggedFieldView>(left_ + 1);
    if (all.empty()) return reader_.fail_memory();
    unknown = all.first(0);
  }
  unknown = {unknown.data(), unknown.size() + 1};
  unknown.back() = {tag_, data};
}

}  // namespace klamm::protocol
