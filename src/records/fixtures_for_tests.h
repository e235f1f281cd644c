// What the tests of this room share: Kafka's bytes from testdata/, and the five records they hold.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"
#include "records/record.h"
#include "records/record_batch_builder.h"

namespace klamm::records::testing {

inline constexpr std::int64_t fixture_time = 1'700'000'000'000;

std::string testdata_path(std::string_view file);
std::vector<std::string> read_lines(const std::string& path);
std::vector<std::string> split(std::string_view text, char at);
ByteVector from_hex(std::string_view hex);

// A line of testdata/batches.txt.
const ByteVector& kafka_batch(const std::string& name);

// A record that owns its bytes.
struct OwnedRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  bool operator==(const OwnedRecord&) const = default;
};
OwnedRecord own(const RecordView& record);
std::ostream& operator<<(std::ostream& out, const OwnedRecord& record);

// The five records of the small fixtures, from this offset on; and the three hundred of the large ones, from 0 on.
std::vector<OwnedRecord> sample_records(std::int64_t base_offset, bool with_headers);
std::vector<OwnedRecord> many_records();

// Appends to a builder at the record's own offset.
void append(RecordBatchBuilder& builder, const OwnedRecord& record);
// A batch of these records with a checksum that is right.
ByteVector make_batch(const BatchOptions& options, const std::vector<OwnedRecord>& records);
// Makes the checksum right again after a test changed a batch.
void fix_crc(MutableBytes batch);

// Calls of operator new by this thread so far.
std::size_t allocations();

}  // namespace klamm::records::testing
