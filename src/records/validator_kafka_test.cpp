// Our validator in strict mode beside Kafka's own: testdata/validations.txt holds what Kafka said.
#include <gtest/gtest.h>

#include <cstdlib>

#include "records/fixtures_for_tests.h"
#include "records/record_reader.h"
#include "records/validator.h"

namespace klamm::records {
namespace {

using namespace testing;

ValidationOptions options_of(const std::string& text) {
  ValidationOptions options{.topic = "orders", .partition = PartitionIndex(3), .now = Timestamp(fixture_time)};
  options.strict = true;
  for (const auto& pair : split(text, ',')) {
    const auto parts = split(pair, '=');
    const auto& key = parts.at(0);
    const auto& value = parts.at(1);
    if (key == "type") options.timestamp_type = timestamp_type_of_name(value).value();
    if (key == "before") options.timestamp_before_max_ms = std::stoll(value);
    if (key == "after") options.timestamp_after_max_ms = std::stoll(value);
    if (key == "compacted") options.compacted = value == "true";
    if (key == "target" && value != "-1")
      options.target_compression = Compression{static_cast<CompressionType>(std::stoi(value))};
    if (key == "max") options.batch_bytes_max = std::stoi(value);
    if (key == "version") options.produce_version = static_cast<std::int16_t>(std::stoi(value));
    if (key == "origin" && value == "COORDINATOR") options.origin = AppendOrigin::coordinator;
  }
  return options;
}

struct Stored {
  std::string header;
  std::vector<OwnedRecord> records;
  std::vector<std::int32_t> sequences;
  bool operator==(const Stored&) const = default;
};

// A batch without what another compressor may do otherwise: size, checksum, payload.
Stored stored(Bytes bytes, Decompressor& decompressor) {
  const RecordBatchView batch(bytes);
  EXPECT_TRUE(batch.check());
  Stored result;
  result.header = fmt::format("{} {} {} {} {} {} {} {} {} {} {}", batch.base_offset(), batch.partition_leader_epoch(),
                              batch.magic(), batch.attributes(), batch.last_offset_delta(), batch.base_timestamp(),
                              batch.max_timestamp(), batch.producer_id(), batch.producer_epoch(), batch.base_sequence(),
                              batch.record_count());
  RecordReader reader(batch, decompressor);
  while (reader.next()) {
    result.records.push_back(own(reader.record()));
    result.sequences.push_back(reader.record().sequence);
  }
  return result;
}

bool has_replacement_character(const Stored& batch) {
  for (const auto& record : batch.records)
    for (const auto& [key, value] : record.headers)
      if (key.find("\xef\xbf\xbd") != std::string::npos) return true;
  return false;
}

bool offsets_in_order(Bytes bytes, Decompressor& decompressor) {
  RecordReader reader(RecordBatchView(bytes), decompressor);
  for (std::int64_t i = 0; reader.next(); ++i)
    if (reader.record().offset.value != i) return false;
  return true;
}

struct Tally {
  int accepted = 0;
  int refused = 0;
  int repaired = 0;
  int unknown_error = 0;
  int stricter = 0;
};

class Comparison {
 public:
  void compare(const std::string& line) {
    const auto parts = split(line, '\t');
    const auto options = options_of(parts.at(0));
    auto input = from_hex(parts.at(1));
    const bool kafka_accepts = parts.at(2) == "ok";
    const auto before = input;
    auto ours = validator_.validate(input, options);
    if (is_beside_the_point(before, options)) return;
    if (is_stricter(ours, before, kafka_accepts)) {
      ++tally_.stricter;
      return;
    }
    if (ours) stamp(*ours, {Offset(1000), LeaderEpoch(7), Timestamp(fixture_time)});
    if (kafka_accepts) {
      ASSERT_TRUE(ours) << ours.error().message;
      compare_accepted(*ours, from_hex(parts.at(3)), std::stoll(parts.at(4)), before);
    } else if (ours && parts.at(4).starts_with("key is skipped in PartialDefaultRecord")) {
      // Kafka means to assign such offsets anew, too, but has not read the records that it would have to write.
      ++tally_.repaired;
    } else {
      ASSERT_FALSE(ours) << "Kafka: " << parts.at(3) << " " << parts.at(4);
      compare_refused(ours.error(), parts.at(3), parts.at(4), parts.at(5));
    }
  }
  const Tally& tally() const { return tally_; }

 private:
  // Coordinators make their batches themselves, without gaps at their end, and never compress control records.
  static bool is_beside_the_point(Bytes input, const ValidationOptions& options) {
    if (options.origin != AppendOrigin::coordinator || input.size() < batch_overhead) return false;
    const BatchHeader header(input.data());
    return header.last_offset_delta() != header.record_count() - 1 || header.record_count() == 0 ||
           (header.is_control() && header.is_compressed());
  }
  // Kafka does not compare a record's length with its fields where it leaves a compressed batch as it is, and which of
  // two faults it meets first in a payload, one of the codec or one of a record, depends on how its streams read ahead.
  static bool is_stricter(const std::expected<ValidatedBatch, ValidationError>& ours, Bytes input, bool kafka_accepts) {
    if (ours || input.size() < batch_overhead || !BatchHeader(input.data()).is_compressed()) return false;
    const auto& text = ours.error().message;
    // zlib refuses gzip headers with reserved bits, Java does not look.
    if (text.ends_with("unknown header flags set")) return true;
    if (text.starts_with("Failed to decompress record stream")) return !kafka_accepts;
    if (text.starts_with("Found invalid number of record headers")) return true;
    return text == "Found invalid record structure" || text.starts_with("Invalid record size: expected");
  }

  void compare_accepted(const ValidatedBatch& ours, const ByteVector& kafka, std::int64_t max_timestamp,
                        const ByteVector& before) {
    ++tally_.accepted;
    EXPECT_EQ(ours.max_timestamp.value, max_timestamp);
    // Kafka stores uncompressed offsets as they came, however wrong; ours are assigned anew.
    if (ours.rebuilt && !offsets_in_order(before, decompressor_)) {
      ++tally_.repaired;
      return;
    }
    // Java's strings replace what is not UTF-8 in the keys of headers; ours keep the bytes.
    const auto theirs = stored(kafka, decompressor_);
    if (ours.rebuilt && has_replacement_character(theirs)) return;
    EXPECT_EQ(stored(ours.bytes, decompressor_), theirs);
    if (!ours.rebuilt) {
      EXPECT_EQ(to_hex(ours.bytes), to_hex(kafka));
    }
  }

  void compare_refused(const ValidationError& ours, const std::string& code, const std::string& message,
                       const std::string& record_errors) {
    ++tally_.refused;
    // Where Kafka has no answer (an exception it did not expect), ours says what is wrong with the batch.
    if (code == "UNKNOWN_SERVER_ERROR") {
      ++tally_.unknown_error;
      EXPECT_NE(ours.code, ErrorCode::unknown_server_error) << ours.message;
      return;
    }
    EXPECT_EQ(error_name(ours.code), code) << ours.message << "\nKafka: " << message;
    if (ours.message_for_client || !record_errors.empty()) {
      EXPECT_EQ(ours.message, message);
    }
    std::string errors;
    for (const auto& error : ours.record_errors)
      errors += fmt::format("{}{}:{}", errors.empty() ? "" : "|", error.batch_index, error.message);
    EXPECT_EQ(errors, record_errors);
  }

  ProduceValidator validator_;
  Decompressor decompressor_;
  Tally tally_;
};

TEST(ValidatorBesideKafka, SaysWhatKafkaSays) {
  const char* other = std::getenv("KLAMM_VALIDATIONS");
  Comparison comparison;
  int cases = 0;
  for (const auto& line : read_lines(other ? other : testdata_path("validations.txt"))) {
    SCOPED_TRACE(line);
    ++cases;
    comparison.compare(line);
  }
  const auto& tally = comparison.tally();
  RecordProperty("cases", cases);
  fmt::print(
      "{} cases: {} accepted ({} with offsets assigned anew), {} refused ({} where Kafka fails itself), {} by more "
      "than Kafka checks\n",
      cases, tally.accepted, tally.repaired, tally.refused, tally.unknown_error, tally.stricter);
  EXPECT_GE(tally.accepted, 20);
  EXPECT_GE(tally.refused, 20);
}

}  // namespace
}  // namespace klamm::records
