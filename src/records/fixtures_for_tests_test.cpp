#include "records/fixtures_for_tests.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/crc32c.h"
#include "records/record_batch_view.h"

namespace {

thread_local std::size_t allocation_count = 0;

}  // namespace

// Counting is all these add: what a path takes from the global heap is part of its contract.
void* operator new(std::size_t bytes) {
  ++allocation_count;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace klamm::records::testing {

std::size_t allocations() {
  return allocation_count;
}

std::string testdata_path(std::string_view file) {
  return (std::filesystem::path(__FILE__).parent_path() / "testdata" / file).string();
}

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

ByteVector from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  ByteVector bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  return bytes;
}

const ByteVector& kafka_batch(const std::string& name) {
  static const auto batches = [] {
    std::map<std::string, ByteVector> all;
    for (const auto& line : read_lines(testdata_path("batches.txt"))) {
      const auto parts = split(line, '\t');
      all[parts.at(0)] = from_hex(parts.at(1));
    }
    return all;
  }();
  return batches.at(name);
}

OwnedRecord own(const RecordView& record) {
  OwnedRecord owned{.offset = record.offset.value, .timestamp = record.timestamp.value};
  if (record.has_key()) owned.key = as_text(record.key());
  if (record.has_value()) owned.value = as_text(record.value());
  for (const auto& header : record.headers) {
    owned.headers.emplace_back(header.key,
                               header.value ? std::optional(std::string(as_text(*header.value))) : std::nullopt);
  }
  return owned;
}

std::ostream& operator<<(std::ostream& out, const OwnedRecord& record) {
  out << record.offset << "@" << record.timestamp << " " << record.key.value_or("null") << "="
      << record.value.value_or("null");
  for (const auto& [key, value] : record.headers) out << " " << key << ":" << value.value_or("null");
  return out;
}

std::vector<OwnedRecord> sample_records(std::int64_t base_offset, bool with_headers) {
  constexpr auto t = fixture_time;
  std::vector<OwnedRecord> records = {{base_offset, t, "k0", "value zero", {}},
                                      {base_offset + 1, t + 5, std::nullopt, "no key", {}},
                                      {base_offset + 2, t - 300, "no value", std::nullopt, {}},
                                      {base_offset + 3, t + 70000, "", "", {}},
                                      {base_offset + 4, t + 1, std::nullopt, std::nullopt, {}}};
  if (with_headers) records[3].headers = {{"trace", "abc"}, {"empty", ""}, {"null", std::nullopt}, {"", "no key"}};
  return records;
}

std::vector<OwnedRecord> many_records() {
  std::vector<OwnedRecord> records;
  for (int i = 0; i < 300; ++i) {
    std::string value;
    for (int j = 0; j < 40; ++j) value += fmt::format("record {} part {};", i % 7, j % 5);
    records.push_back({i, fixture_time + i, fmt::format("key{}", i), value, {}});
  }
  return records;
}

void append(RecordBatchBuilder& builder, const OwnedRecord& record) {
  std::vector<HeaderView> headers;
  for (const auto& [key, value] : record.headers)
    headers.push_back({key, value ? std::optional(as_bytes(*value)) : std::nullopt});
  builder.append_at(Offset(record.offset),
                    {.timestamp = Timestamp(record.timestamp),
                     .key = record.key ? std::optional(as_bytes(*record.key)) : std::nullopt,
                     .value = record.value ? std::optional(as_bytes(*record.value)) : std::nullopt,
                     .headers = headers});
}

ByteVector make_batch(const BatchOptions& options, const std::vector<OwnedRecord>& records) {
  RecordBatchBuilder builder(options);
  for (const auto& record : records) append(builder, record);
  Compressor compressor;
  return builder.take(compressor);
}

void fix_crc(MutableBytes batch) {
  store_big(batch.data() + batch_field::crc, crc32c(Bytes(batch).subspan(batch_field::attributes)));
}

}  // namespace klamm::records::testing
