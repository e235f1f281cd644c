// Records of a produce request, of every magic: the questions of the pipeline, the walk, decompression, every record,
// and the leader's validation in both manners. What validation lets pass strictly must be readable as a whole.
#include "batches.h"
#include "records/control_record.h"
#include "records/record_reader.h"
#include "records/validator.h"

namespace klamm::fuzz {
namespace {

constexpr records::DecompressionLimits limits{.plain_bytes_max = 4 << 20};

// Header and plain payload: compressed here, because mutations do not come out of a compressor.
ByteVector compressed_batch(Bytes input) {
  ByteVector batch = exact_copy(input.first(records::batch_overhead));
  const auto type = records::RecordBatchView(batch).compression();
  records::Compressor compressor;
  const auto known = records::is_known_compression(type) ? type : records::CompressionType::none;
  compressor.compress({.type = known}, input.subspan(records::batch_overhead), batch);
  store_big(batch.data() + records::batch_field::length,
            static_cast<std::int32_t>(batch.size() - records::log_overhead));
  store_big<std::int8_t>(batch.data() + records::batch_field::magic, 2);
  return batch;
}

void use(const records::RecordView& record, bool is_control) {
  touch(record.key());
  touch(record.value());
  for (const auto& header : record.headers) {
    touch(as_bytes(header.key));
    if (header.value) touch(*header.value);
  }
  if (!is_control) return;
  (void)records::control_record_type(record);
  (void)records::parse_end_transaction_marker(record);
}

// How many records there are; nothing when one of them cannot be read.
std::optional<std::int64_t> read_records(const records::EntryView& entry, records::Decompressor& decompressor) {
  std::int64_t count = 0;
  records::RecordReader reader(entry, decompressor);
  while (reader.next()) {
    use(reader.record(), entry.is_control());
    ++count;
  }
  if (!reader.ok()) return std::nullopt;
  return count;
}

void walk(Bytes range) {
  records::Decompressor decompressor(limits);
  records::BatchWalker walker(range);
  while (walker.next() == records::BatchWalker::Step::entry) {
    const records::EntryView& entry = walker.entry();
    if (!entry.check()) continue;
    (void)entry.last_offset();
    (void)entry.max_timestamp();
    (void)entry.producer_id();
    if (entry.is_batch()) (void)entry.batch().to_string();
    (void)read_records(entry, decompressor);
  }
}

records::ValidationOptions options_of(std::uint16_t bits) {
  records::ValidationOptions options{
      .topic = "orders", .partition = PartitionIndex(0), .now = Timestamp(1'700'000'000'000)};
  options.strict = bits & 1;
  options.compacted = bits & 2;
  if (bits & 4) options.timestamp_type = records::TimestampType::log_append_time;
  if (bits & 8) options.origin = records::AppendOrigin::coordinator;
  if (bits & 16) options.timestamp_before_max_ms = options.timestamp_after_max_ms = 3'600'000;
  if (bits & 32) options.batch_bytes_max = 1 << 10;
  options.produce_version = static_cast<std::int16_t>(3 + ((bits >> 6) & 15) % 11);
  if (const unsigned codec = (bits >> 10) & 7; codec < 5)
    options.target_compression = records::Compression{.type = static_cast<records::CompressionType>(codec)};
  return options;
}

void validate(MutableBytes range, const records::ValidationOptions& options) {
  records::ProduceValidator validator(limits);
  auto validated = validator.validate(range, options);
  if (!validated) return;
  records::stamp(*validated, {.base_offset = Offset(7), .leader_epoch = LeaderEpoch(3), .now = options.now});
  records::BatchWalker walker(validated->bytes);
  ENSURE(walker.next() == records::BatchWalker::Step::entry, "what passed is no batch");
  ENSURE(walker.next_position() == validated->bytes.size(), "what passed is more than a batch");
  const records::EntryView entry = walker.entry();
  ENSURE(entry.is_batch() && entry.check().has_value(), "the stamped batch has another checksum");
  ENSURE(entry.last_offset() == validated->last_offset, "the stamped batch ends elsewhere");
  records::Decompressor decompressor(limits);
  const auto count = read_records(entry, decompressor);
  if (options.strict || !entry.batch().is_compressed()) {
    ENSURE(count && *count == validated->record_count, "records passed that cannot be read");
  }
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace klamm;
  using namespace klamm::fuzz;
  Input input(data, size);
  const auto how = input.take<std::uint8_t>();
  const auto options = options_of(input.take<std::uint16_t>());
  const bool compress = (how & 2) && input.size() >= records::batch_overhead;
  ByteVector range = compress ? compressed_batch(input.rest()) : exact_copy(input.rest());
  if (how & 1) repair_checksums(range);
  (void)records::produce_flags(range);
  walk(range);
  validate(range, options);
  return 0;
}
