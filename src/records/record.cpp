#include "records/record.h"

#include "base/varint.h"
#include "records/record_parser.h"

namespace klamm::records {

std::string_view timestamp_type_name(TimestampType type) {
  switch (type) {
    case TimestampType::create_time:
      return "CreateTime";
    case TimestampType::log_append_time:
      return "LogAppendTime";
    case TimestampType::none:
      break;
  }
  return "NoTimestampType";
}

std::optional<TimestampType> timestamp_type_of_name(std::string_view name) {
  for (const auto type : {TimestampType::none, TimestampType::create_time, TimestampType::log_append_time})
    if (timestamp_type_name(type) == name) return type;
  return std::nullopt;
}

void Headers::Iterator::load() {
  if (left_ <= 0) return;
  const auto key_size = load_varint(rest_);
  header_.key = as_text(rest_.subspan(key_size.size, static_cast<std::size_t>(key_size.value)));
  rest_ = rest_.subspan(key_size.size + header_.key.size());
  const auto value_size = load_varint(rest_);
  rest_ = rest_.subspan(value_size.size);
  header_.value.reset();
  if (value_size.value < 0) return;
  header_.value = rest_.first(static_cast<std::size_t>(value_size.value));
  rest_ = rest_.subspan(header_.value->size());
}

namespace {

constexpr std::string_view broken = "Found invalid record structure";

// A cursor over the bytes of one record.
class Fields {
 public:
  explicit Fields(Bytes from) : rest_(from) {}

  bool skip(std::int32_t bytes) {
    if (bytes <= 0) return true;
    if (static_cast<std::size_t>(bytes) > rest_.size()) return false;
    rest_ = rest_.subspan(static_cast<std::size_t>(bytes));
    return true;
  }
  bool varint(std::int32_t& value) {
    const auto read = load_varint(rest_);
    value = read.value;
    rest_ = rest_.subspan(read.size);
    return static_cast<bool>(read);
  }
  bool varlong(std::int64_t& value) {
    const auto read = load_varlong(rest_);
    value = read.value;
    rest_ = rest_.subspan(read.size);
    return static_cast<bool>(read);
  }
  const std::byte* at() const { return rest_.data(); }
  std::size_t left() const { return rest_.size(); }

 private:
  Bytes rest_;
};

std::optional<std::string> check_headers(Fields& fields, std::int32_t count) {
  if (count < 0) return fmt::format("Found invalid number of record headers {}", count);
  if (static_cast<std::size_t>(count) > fields.left())
    return fmt::format("Found invalid number of record headers. {} is larger than the remaining size of the buffer",
                       count);
  for (std::int32_t i = 0; i < count; ++i) {
    std::int32_t key_size = 0;
    std::int32_t value_size = 0;
    if (!fields.varint(key_size)) return std::string(broken);
    if (key_size < 0) return fmt::format("Invalid negative header key size {}", key_size);
    if (!fields.skip(key_size) || !fields.varint(value_size) || !fields.skip(value_size)) return std::string(broken);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> parse_record(Bytes from, RawRecord& record) {
  const auto size = load_varint(from);
  if (!size) {
    // Java tells an end from a varint that is too long.
    return from.size() < varint_bytes_max ? "Incorrect declared batch size, premature EOF reached"
                                          : std::string(broken);
  }
  from = from.subspan(size.size);
  if (size.value < 0) return std::string(broken);
  if (static_cast<std::size_t>(size.value) > from.size()) {
    return fmt::format(
        "Invalid record size: expected {} bytes in record payload, but instead the buffer has only {} remaining bytes.",
        size.value, from.size());
  }
  const Bytes body = from.first(static_cast<std::size_t>(size.value));
  if (body.empty()) return std::string(broken);
  record.attributes = static_cast<std::int8_t>(body[0]);
  Fields fields(body.subspan(1));
  if (!fields.varlong(record.timestamp_delta) || !fields.varint(record.offset_delta) || !fields.varint(record.key_size))
    return std::string(broken);
  record.key = fields.at();
  if (!fields.skip(record.key_size) || !fields.varint(record.value_size)) return std::string(broken);
  record.value = fields.at();
  if (!fields.skip(record.value_size) || !fields.varint(record.header_count)) return std::string(broken);
  record.headers = fields.at();
  if (auto fault = check_headers(fields, record.header_count)) return fault;
  if (fields.left() != 0) {
    return fmt::format("Invalid record size: expected to read {} bytes in record payload, but instead read {}",
                       size.value, body.size() - fields.left());
  }
  record.end = body.data() + body.size();
  return std::nullopt;
}

}  // namespace klamm::records
