// Prints what stands in the files of a log directory, as Kafka's dump-log does.
// Source of the forms: org.apache.kafka.tools.DumpLogSegments.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "cli/record_decoders.h"
#include "records/batch_walker.h"
#include "records/compression.h"
#include "runtime/disk.h"

namespace klamm::cli {

// How keys and values of ordinary records are shown.
enum class ValueDecoder : std::uint8_t { string, int32, int64, bytes };

enum class MessageDecoder : std::uint8_t { values, offsets, transactions, metadata, remote_log, share_state };

struct DumpOptions {
  bool print_data = false;
  bool deep = false;  // also implied by print_data
  bool verify_index_only = false;
  bool index_sanity_only = false;
  bool skip_record_metadata = false;
  std::int32_t bytes_max = 0x7fffffff;
  std::int32_t message_bytes_max = 5 * 1024 * 1024;
  MessageDecoder decoder = MessageDecoder::values;
  ValueDecoder key_decoder = ValueDecoder::string;
  ValueDecoder value_decoder = ValueDecoder::string;
};

// Ends the run: what Java would throw out of main. The text begins with the name of the exception.
class DumpFailure : public std::exception {
 public:
  DumpFailure(std::string_view exception, std::string_view message)
      : text_(message.empty() ? std::string(exception) : fmt::format("{}: {}", exception, message)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

class LogDumper {
 public:
  using Print = std::function<void(std::string_view)>;
  LogDumper(runtime::Disk& disk, DumpOptions options, Print out, Print err)
      : disk_(disk), options_(options), out_(std::move(out)), err_(std::move(err)) {}

  // By the ending of its name: .log, .checkpoint, .index, .timeindex, .snapshot, .txnindex; others are named and
  // ignored. Throws DumpFailure.
  void dump(const std::string& path);
  // After the last file: what did not fit together.
  void print_mismatches();

 private:
  class BatchFile;

  void dump_log(const std::string& path);
  void dump_index(const std::string& path);
  void dump_time_index(const std::string& path);
  void dump_snapshot(const std::string& path);
  void dump_transaction_index(const std::string& path);

  void print_batch(const records::EntryView& entry, std::int64_t position, bool valid);
  void print_records(const records::EntryView& entry, const std::string& path);
  void print_contents(const records::RecordView& record, std::string_view prefix);
  std::string decoded(Bytes bytes, ValueDecoder decoder) const;

  runtime::FileRef open(const std::string& path);

  runtime::Disk& disk_;
  DumpOptions options_;
  Print out_;
  Print err_;
  records::Decompressor decompressor_;
  std::int64_t last_offset_ = -1;

  using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;
  // By absolute path, in the order of their first mismatch.
  struct Mismatches {
    std::vector<std::pair<std::string, Pairs>> files;
    Pairs& of(const std::string& path);
  };
  Mismatches index_mismatches_;   // index offset, log offset
  Mismatches time_mismatches_;    // index timestamp, log timestamp
  Mismatches time_out_of_order_;  // index timestamp, the one before
  Mismatches offsets_not_found_;  // indexed offset, found log offset
  Mismatches not_consecutive_;    // offset, the next one
};

// Bytes as Java shows them when it takes them for UTF-8: what is not becomes U+FFFD.
std::string as_java_text(Bytes bytes);

}  // namespace klamm::cli
