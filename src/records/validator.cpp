#include "records/validator.h"

#include "base/ensure.h"
#include "records/batch_walker.h"
#include "records/codecs.h"
#include "records/crc_patch.h"
#include "records/record_parser.h"
#include "records/record_reader.h"

namespace klamm::records {

namespace {

// Per-record errors that an answer lists at most. Kafka lists all, so that a megabyte of records without keys makes an
// answer of twenty; the text still counts all.
constexpr std::size_t record_errors_max = 10'000;
// Fields that a stamped timestamp touches, from the first byte the checksum covers on.
constexpr std::size_t stamped_begin = batch_field::attributes;
constexpr std::size_t stamped_bytes = batch_field::max_timestamp + 8 - stamped_begin;
constexpr std::int16_t used_attributes = 0x7f;

using Refusal = std::unexpected<ValidationError>;

// A few hundred nanoseconds: computed where a timestamp will be stamped only.
std::uint32_t shift_factor(Bytes batch) {
  return crc32c_shift_factor(batch.size() - stamped_begin - stamped_bytes);
}

// Sets timestamp type and maximum timestamp and patches the checksum, which was right before.
void restamp(MutableBytes batch, std::uint32_t crc_factor, TimestampType type, Timestamp max) {
  std::byte before[stamped_bytes];
  std::byte* fields = batch.data() + stamped_begin;
  std::memcpy(before, fields, sizeof before);
  auto bits = load_big<std::int16_t>(fields);
  bits = static_cast<std::int16_t>(bits & used_attributes & ~batch_attribute::log_append_time);
  if (type == TimestampType::log_append_time) bits = static_cast<std::int16_t>(bits | batch_attribute::log_append_time);
  store_big(fields, bits);
  store_big(batch.data() + batch_field::max_timestamp, max.value);
  std::byte* crc = batch.data() + batch_field::crc;
  store_big(crc, patch_crc32c(load_big<std::uint32_t>(crc), crc_factor, before, Bytes(fields, stamped_bytes)));
}

}  // namespace

Result<ProduceFlags> produce_flags(Bytes records) {
  ProduceFlags flags;
  for (BatchWalker walker(records);;) {
    const auto step = walker.next();
    // Kafka stops looking at the first transactional batch.
    if (step == BatchWalker::Step::corrupt && !flags.transactional) return std::unexpected(walker.error());
    if (step != BatchWalker::Step::entry) return flags;
    if (!walker.entry().is_batch() || walker.entry().size_bytes() < batch_overhead) continue;
    const auto batch = walker.entry().batch();
    flags.transactional |= batch.is_transactional();
    flags.idempotent |= batch.has_producer_id();
    if (!batch.is_transactional() || !batch.has_producer_id()) continue;
    if (flags.transaction_producer == no_producer_id) {
      flags.transaction_producer = batch.producer_id();
      flags.transaction_epoch = batch.producer_epoch();
    } else if (flags.transaction_producer != batch.producer_id() || flags.transaction_epoch != batch.producer_epoch()) {
      flags.several_transactions = true;
    }
  }
}

// One call of validate().
struct ProduceValidator::Pass {
  ProduceValidator& owner;
  const ValidationOptions& options;
  // The batch that came.
  MutableBytes bytes = {};
  Compression target = {};

  // What a look at the records found.
  struct Found {
    Timestamp max_timestamp = no_timestamp;
    bool offsets_in_order = true;
    std::int64_t error_count = 0;
    bool timestamp_errors = false;
    // Stored as it comes, but not written anew.
    std::optional<Timestamp> negative_timestamp;
    RejectionMetric metric = RejectionMetric::none;
    std::vector<RecordError> errors;
  };

  RecordBatchView batch() const { return RecordBatchView(Bytes(bytes)); }
  std::string partition() const { return fmt::format("{}-{}", options.topic, options.partition); }
  bool by_client() const { return options.origin == AppendOrigin::client; }

  // An answer of the log, which knows its start offset.
  static Refusal refuse(std::string message, RejectionMetric metric = RejectionMetric::none,
                        ErrorCode code = ErrorCode::invalid_record) {
    const bool with_start = code != ErrorCode::corrupt_message && code != ErrorCode::message_too_large;
    return Refusal(ValidationError{
        .code = code, .message = std::move(message), .with_log_start_offset = with_start, .metric = metric});
  }
  // An answer from before the log is asked.
  static Refusal refuse_request(std::string message, ErrorCode code = ErrorCode::invalid_record) {
    return Refusal(ValidationError{.code = code, .message = std::move(message)});
  }
  static Refusal refuse(const Error& error) {
    Refusal refusal = refuse(error.message, RejectionMetric::none, error.code);
    refusal.error().opens_to_too_much = error.code == ErrorCode::message_too_large;
    return refusal;
  }

  std::expected<ValidatedBatch, ValidationError> run(MutableBytes records);
  std::expected<void, ValidationError> find_batch(MutableBytes records);
  std::expected<void, ValidationError> check_header() const;
  std::expected<void, ValidationError> check_counts() const;
  std::expected<void, ValidationError> check_unopened() const;

  bool out_of_range(std::int64_t timestamp) const;
  bool records_must_tell_timestamps() const;
  std::expected<Found, ValidationError> walk() const;
  std::expected<Found, ValidationError> scan(bool rebuild) const;
  void judge(const RecordView& record, std::int32_t index, bool in_place, Found& found) const;
  std::expected<void, ValidationError> verdict(Found& found) const;
  std::expected<ValidatedBatch, ValidationError> rebuild(const Found& found);
  ValidatedBatch facts(MutableBytes result) const;
};

std::expected<ValidatedBatch, ValidationError> ProduceValidator::validate(MutableBytes records,
                                                                          const ValidationOptions& options) {
  return Pass{*this, options}.run(records);
}

std::expected<ValidatedBatch, ValidationError> ProduceValidator::Pass::run(MutableBytes records) {
  // 1. One batch, whole, untouched on its way.
  if (auto found = find_batch(records); !found) return std::unexpected(std::move(found.error()));
  if (auto checked = check_header(); !checked) return std::unexpected(std::move(checked.error()));
  if (auto checked = check_counts(); !checked) return std::unexpected(std::move(checked.error()));

  // 2. Its records, as far as anybody needs them.
  const auto source = batch().compression();
  target = options.target_compression.value_or(Compression{source});
  const bool stays = target.type == source || (source == CompressionType::none && batch().is_control());
  const bool open = source != CompressionType::none &&
                    (options.strict || options.compacted || !stays || records_must_tell_timestamps());
  Found found{.max_timestamp = batch().max_timestamp()};
  if (!stays || open) {
    auto scanned = scan(!stays);
    if (!scanned) return std::unexpected(std::move(scanned.error()));
    found = std::move(*scanned);
  } else if (source == CompressionType::none) {
    auto walked = walk();
    if (!walked) return std::unexpected(std::move(walked.error()));
    found = std::move(*walked);
  } else if (auto plausible = check_unopened(); !plausible) {
    return std::unexpected(std::move(plausible.error()));
  }
  if (auto passed = verdict(found); !passed) return std::unexpected(std::move(passed.error()));

  // 3. What must be written anew: another codec, or offsets that are not consecutive.
  if (stays && !found.offsets_in_order) {
    auto scanned = scan(true);
    if (!scanned) return std::unexpected(std::move(scanned.error()));
    found.negative_timestamp = scanned->negative_timestamp;
  }
  const bool in_place = stays && found.offsets_in_order;
  std::expected<ValidatedBatch, ValidationError> result;
  if (in_place)
    result = facts(bytes);
  else
    result = rebuild(found);
  if (!result) return result;
  result->source_compression = source;
  result->opened = open || (source != CompressionType::none && result->rebuilt);

  // 4. The batch says what its records say.
  result->max_timestamp = options.timestamp_type == TimestampType::log_append_time ? options.now : found.max_timestamp;
  const BatchHeader header(result->bytes.data());
  if (options.timestamp_type == TimestampType::create_time &&
      (header.timestamp_type() != TimestampType::create_time || header.max_timestamp() != found.max_timestamp))
    restamp(result->bytes, shift_factor(result->bytes), TimestampType::create_time, found.max_timestamp);
  return result;
}

std::expected<void, ValidationError> ProduceValidator::Pass::find_batch(MutableBytes records) {
  BatchWalker walker(records);
  const auto first = walker.next();
  if (first == BatchWalker::Step::corrupt) return refuse_request(walker.error().message, walker.error().code);
  if (first != BatchWalker::Step::entry) {
    return refuse_request(fmt::format(
        "Produce requests with version {} must have at least one record batch per partition", options.produce_version));
  }
  if (!walker.entry().is_batch()) {
    return refuse_request(
        fmt::format("Produce requests with version {} are only allowed to contain record batches with magic version 2",
                    options.produce_version));
  }
  bytes = records.first(walker.entry().size_bytes());
  if (options.produce_version < 7 && batch().compression() == CompressionType::zstd) {
    return refuse_request(fmt::format("Produce requests with version {} are not allowed to use ZStandard compression",
                                      options.produce_version),
                          ErrorCode::unsupported_compression_type);
  }
  if (bytes.size() < batch_overhead) {
    return refuse_request(
        fmt::format("Record batch is corrupt (the size {} is smaller than the minimum allowed overhead {})",
                    bytes.size(), batch_overhead),
        ErrorCode::corrupt_message);
  }
  const auto second = walker.next();
  if (second == BatchWalker::Step::corrupt) return refuse_request(walker.error().message, walker.error().code);
  if (second == BatchWalker::Step::entry) {
    return refuse_request(fmt::format(
        "Produce requests with version {} are only allowed to contain exactly one record batch per partition",
        options.produce_version));
  }
  return {};
}

std::expected<void, ValidationError> ProduceValidator::Pass::check_header() const {
  if (by_client() && batch().base_offset() != Offset(0)) {
    return refuse(fmt::format("The baseOffset of the record batch in the append to {} should be 0, but it is {}",
                              partition(), batch().base_offset()));
  }
  if (bytes.size() > static_cast<std::size_t>(options.batch_bytes_max)) {
    return refuse(fmt::format("The record batch size in the append to {} is {} bytes which exceeds the maximum "
                              "configured value of {}).",
                              partition(), bytes.size(), options.batch_bytes_max),
                  RejectionMetric::none, ErrorCode::message_too_large);
  }
  if (!batch().crc_matches()) {
    return refuse(fmt::format("Record is corrupt (stored crc = {}) in topic partition {}.", batch().crc(), partition()),
                  RejectionMetric::checksum, ErrorCode::corrupt_message);
  }
  if (!is_known_compression(batch().compression()))
    return refuse(fmt::format("Unknown compression type id: {}", static_cast<int>(batch().compression())));
  return {};
}

std::expected<void, ValidationError> ProduceValidator::Pass::check_counts() const {
  const auto header = batch();
  if (!by_client()) return {};
  const auto range = [&] { return fmt::format("[{}, {}]", header.base_offset(), header.last_offset()); };
  const std::int64_t count_from_offsets = std::int64_t{header.last_offset_delta()} + 1;
  if (count_from_offsets <= 0) {
    return refuse(fmt::format("Batch has an invalid offset range: {} in topic partition {}", range(), partition()),
                  RejectionMetric::offset);
  }
  if (header.record_count() <= 0) {
    return refuse(fmt::format("Invalid reported count for record batch: {} in topic partition {}",
                              header.record_count(), partition()),
                  RejectionMetric::offset);
  }
  if (count_from_offsets != header.record_count()) {
    return refuse(fmt::format("Inconsistent batch offset range {} and count of records {} in topic partition {}",
                              range(), header.record_count(), partition()),
                  RejectionMetric::offset);
  }
  if (header.is_control()) {
    return refuse("Clients are not allowed to write control records in topic partition " + partition(),
                  RejectionMetric::offset);
  }
  if (header.has_producer_id() && header.base_sequence() < 0) {
    return refuse(fmt::format("Invalid sequence number {} in record batch with producerId {} in topic partition {}",
                              header.base_sequence(), header.producer_id(), partition()),
                  RejectionMetric::sequence);
  }
  return {};
}

// What can be said of a payload without opening it.
std::expected<void, ValidationError> ProduceValidator::Pass::check_unopened() const {
  const auto header = batch();
  if (!begins_like(header.compression(), header.payload())) {
    return refuse(fmt::format("Failed to decompress record stream: the payload is not {} in topic partition {}",
                              compression_name(header.compression()), partition()),
                  RejectionMetric::none, ErrorCode::corrupt_message);
  }
  if (!can_hold(header.compression(), header.payload().size(), header.record_count())) {
    return refuse(fmt::format("A payload of {} bytes cannot hold {} records in topic partition {}",
                              header.payload().size(), header.record_count(), partition()),
                  RejectionMetric::offset);
  }
  return {};
}

bool ProduceValidator::Pass::out_of_range(std::int64_t timestamp) const {
  if (timestamp == no_timestamp.value) return false;
  const std::int64_t age = wrapping_subtract(options.now.value, timestamp);
  return age > options.timestamp_before_max_ms || wrapping_subtract(0, age) > options.timestamp_after_max_ms;
}

// Whether the header of a compressed batch leaves open what its records' timestamps are worth.
bool ProduceValidator::Pass::records_must_tell_timestamps() const {
  const auto header = batch();
  const bool says_append_time = header.timestamp_type() == TimestampType::log_append_time;
  if (options.timestamp_type == TimestampType::log_append_time) return says_append_time;
  const std::int64_t max = header.max_timestamp().value;
  if (says_append_time) return max == no_timestamp.value || out_of_range(max);
  // The oldest timestamp is not in the header: a limit that can refuse one needs them all.
  return options.timestamp_before_max_ms < options.now.value || max < header.base_timestamp().value ||
         out_of_range(max) || out_of_range(header.base_timestamp().value);
}

// All records of an uncompressed batch in a few nanoseconds each, looking for a reason to look closer.
std::expected<ProduceValidator::Pass::Found, ValidationError> ProduceValidator::Pass::walk() const {
  const auto header = batch();
  const Bytes records = header.payload();
  const std::byte* at = records.data();
  const std::byte* const end = at + records.size();
  const std::int32_t count = header.record_count();
  if (count < 0) return refuse(fmt::format("Found invalid record count {} in magic v2 batch", count));
  constexpr auto int64_max = std::numeric_limits<std::int64_t>::max();
  constexpr auto int64_min = std::numeric_limits<std::int64_t>::min();
  const std::int64_t base_timestamp = header.base_timestamp().value;
  std::int64_t min = int64_max;
  std::int64_t max = int64_min;
  bool offsets_in_order = true;
  bool all_have_keys = true;
  for (std::int32_t i = 0; i < count; ++i) {
    // Two variables: the one whose address is not given away stays in registers.
    RawRecord record;
    if (!parse_record_fast(at, end, record)) [[unlikely]] {
      RawRecord careful;
      if (auto fault = parse_record({at, end}, careful)) return refuse(std::move(*fault));
      record = careful;
    }
    at = record.end;
    const std::int64_t timestamp = wrapping_add(base_timestamp, record.timestamp_delta);
    min = std::min(min, timestamp);
    max = std::max(max, timestamp);
    offsets_in_order &= record.offset_delta == i;
    all_have_keys &= record.key_size >= 0;
  }
  if (count > 0 && at != end) return refuse("Incorrect declared batch size, records still remaining in file");
  if (header.timestamp_type() == TimestampType::log_append_time) min = max = header.max_timestamp().value;
  if (count == 0) min = max = no_timestamp.value;

  // Coordinators' batches may begin anywhere and have gaps.
  if (!by_client()) offsets_in_order = true;
  const bool keys_fine = all_have_keys || !options.compacted;
  // Timestamps from -1 on cannot overflow: what holds for the oldest and the newest holds for all between.
  const bool times_fine = options.timestamp_type == TimestampType::log_append_time
                              ? header.timestamp_type() == TimestampType::create_time
                              : header.timestamp_type() == TimestampType::create_time && min >= -1 &&
                                    options.now.value - min <= options.timestamp_before_max_ms &&
                                    max - options.now.value <= options.timestamp_after_max_ms;
  if (!keys_fine || !times_fine) return scan(false);
  return Found{.max_timestamp = Timestamp(std::max(max, no_timestamp.value)), .offsets_in_order = offsets_in_order};
}

// All records of any batch, one by one, with what is wrong with each; for a batch that is to be written anew, into the
// builder.
std::expected<ProduceValidator::Pass::Found, ValidationError> ProduceValidator::Pass::scan(bool rebuild) const {
  const auto header = batch();
  auto& builder = owner.builder_;
  if (rebuild) {
    builder.reset({.compression = target,
                   .timestamp_type = options.timestamp_type,
                   .log_append_time = options.now,
                   .producer_id = header.producer_id(),
                   .producer_epoch = header.producer_epoch(),
                   .base_sequence = header.base_sequence(),
                   .transactional = header.is_transactional(),
                   .control = header.is_control()});
  }
  const bool in_place = header.is_compressed() && !rebuild;
  Found found;
  std::int32_t index = 0;
  RecordReader reader(header, owner.decompressor_, rebuild ? RecordReader::Large::whole : RecordReader::Large::sizes);
  for (; reader.next(); ++index) {
    const auto& record = reader.record();
    judge(record, index, in_place, found);
    if (record.timestamp > found.max_timestamp) found.max_timestamp = record.timestamp;
    if (by_client() && record.offset != Offset(index)) found.offsets_in_order = false;
    if (record.timestamp < no_timestamp && !found.negative_timestamp) found.negative_timestamp = record.timestamp;
    if (!rebuild || found.error_count > 0 || found.negative_timestamp) continue;
    if (builder.plain_bytes() + static_cast<std::size_t>(record.size_bytes) + varlong_bytes_max >
        owner.decompressor_.limits().plain_bytes_max)
      return refuse(decodes_to_too_much().error());
    builder.append_at(Offset(index), record);
  }
  if (!reader.ok()) return refuse(reader.error());
  return found;
}

void ProduceValidator::Pass::judge(const RecordView& record, std::int32_t index, bool in_place, Found& found) const {
  std::string message;
  if (options.compacted && !record.has_key()) {
    found.metric = RejectionMetric::no_key;
    message = "Compacted topic cannot accept message without key in topic partition " + partition();
  } else if (options.timestamp_type == TimestampType::create_time && record.timestamp != no_timestamp) {
    if (!out_of_range(record.timestamp.value)) return;
    found.timestamp_errors = true;
    message = fmt::format(
        "Timestamp {} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
        record.timestamp, record.offset, wrapping_subtract(options.now.value, options.timestamp_before_max_ms),
        wrapping_add(options.now.value, options.timestamp_after_max_ms));
  } else if (batch().timestamp_type() == TimestampType::log_append_time) {
    found.timestamp_errors = true;
    // Kafka names the class of its view: another one where it skips keys and values.
    message = fmt::format(
        "Invalid timestamp type in message {}(offset={}, timestamp={}, key={} bytes, value={} bytes). Producer should "
        "not set timestamp type to LogAppendTime.",
        in_place ? "PartialDefaultRecord" : "DefaultRecord", record.offset, record.timestamp,
        in_place ? record.key_size : std::max(record.key_size, 0),
        in_place ? record.value_size : std::max(record.value_size, 0));
  } else {
    return;
  }
  ++found.error_count;
  if (found.errors.size() < record_errors_max) found.errors.push_back({index, std::move(message)});
}

std::expected<void, ValidationError> ProduceValidator::Pass::verdict(Found& found) const {
  if (found.error_count == 0) return {};
  ValidationError error{.with_log_start_offset = true, .metric = found.metric};
  error.message_for_client = true;
  if (found.timestamp_errors) {
    error.code = ErrorCode::invalid_timestamp;
    error.message = "One or more records have been rejected due to invalid timestamp";
  } else {
    std::string first;
    for (std::size_t i = 0; i < std::min<std::size_t>(found.errors.size(), 3); ++i) {
      first += fmt::format("{}RecordError(batchIndex={}, message='{}')", i == 0 ? "" : ", ",
                           found.errors[i].batch_index, found.errors[i].message);
    }
    error.code = ErrorCode::invalid_record;
    error.message = fmt::format(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three "
        "errors at most: [{}]",
        found.error_count, first);
  }
  error.record_errors = std::move(found.errors);
  return std::unexpected(std::move(error));
}

// The batch that scan(true) left in the builder.
std::expected<ValidatedBatch, ValidationError> ProduceValidator::Pass::rebuild(const Found& found) {
  // What is stored as it comes, whatever the producer says of itself, is not written anew like that.
  const auto header = batch();
  if (found.negative_timestamp) return refuse(fmt::format("Invalid negative timestamp {}", *found.negative_timestamp));
  if (header.is_transactional() && header.producer_id() == no_producer_id)
    return refuse("Cannot write transactional messages without a valid producer ID");
  if (header.producer_id() != no_producer_id && header.producer_epoch() == no_producer_epoch)
    return refuse("Invalid negative producer epoch");
  if (header.producer_id() != no_producer_id && header.base_sequence() < 0 && !header.is_control())
    return refuse("Invalid negative sequence number used");
  if (owner.builder_.empty()) return refuse("A record batch without records cannot be written anew");
  ByteVector rebuilt = owner.builder_.take(owner.compressor_);
  if (rebuilt.size() > static_cast<std::size_t>(options.batch_bytes_max)) {
    return refuse(fmt::format("Message batch size is {} bytes in append to partition {} which exceeds the maximum "
                              "configured size of {}.",
                              rebuilt.size(), partition(), options.batch_bytes_max),
                  RejectionMetric::none, ErrorCode::message_too_large);
  }
  ValidatedBatch result = facts(rebuilt);
  result.storage = std::move(rebuilt);
  result.rebuilt = true;
  return result;
}

ValidatedBatch ProduceValidator::Pass::facts(MutableBytes result) const {
  const RecordBatchView header{Bytes(result)};
  ValidatedBatch batch;
  batch.bytes = result;
  batch.record_count = header.record_count();
  batch.last_offset_delta = header.last_offset_delta();
  batch.timestamp_type = options.timestamp_type;
  batch.producer_id = header.producer_id();
  batch.producer_epoch = header.producer_epoch();
  batch.base_sequence = header.base_sequence();
  batch.last_sequence = header.last_sequence();
  batch.transactional = header.is_transactional();
  batch.control = header.is_control();
  if (options.timestamp_type == TimestampType::log_append_time) batch.crc_factor = shift_factor(result);
  return batch;
}

void stamp(ValidatedBatch& batch, const Stamp& stamp) {
  ENSURE(batch.bytes.size() >= batch_overhead);
  MutableRecordBatch target(batch.bytes);
  target.set_base_offset(stamp.base_offset);
  target.set_partition_leader_epoch(stamp.leader_epoch);
  batch.base_offset = stamp.base_offset;
  batch.last_offset = stamp.base_offset + batch.last_offset_delta;
  if (batch.timestamp_type != TimestampType::log_append_time) return;
  restamp(batch.bytes, batch.crc_factor, TimestampType::log_append_time, stamp.now);
  batch.max_timestamp = stamp.now;
  batch.log_append_time = stamp.now;
}

}  // namespace klamm::records
