#include "torn_tails.h"

#include <fmt/format.h>

#include <algorithm>

#include "files.h"
#include "records/record_batch_builder.h"
#include "runtime/simulation/disk.h"
#include "runtime/simulation/world.h"
#include "storage/log.h"
#include "storage/log_directory.h"

namespace klamm::simulation {
namespace {

namespace sim = runtime::simulation;

constexpr std::size_t torn_bytes = 64 * 1024;
constexpr std::string_view path = "/data/torn-0/00000000000000000000.log";
constexpr std::uint64_t zeroed_one_in = 8;
constexpr std::uint64_t closed_one_in = 61;  // as many are written to and stopped in order, and all files are looked at
constexpr int producers = 3;

struct Whole {
  ByteVector bytes;
  std::vector<std::size_t> ends;            // of each batch
  std::vector<std::int64_t> next;           // offset behind it
  std::vector<std::int32_t> last_sequence;  // of its producer, which is its number modulo `producers`
};

ByteVector batch_of(sim::Chance& chance, std::size_t number, std::int64_t base, std::int32_t sequence, int count) {
  records::RecordBatchBuilder builder({.producer_id = ProducerId(static_cast<std::int64_t>(number % producers)),
                                       .producer_epoch = ProducerEpoch(0),
                                       .base_sequence = sequence,
                                       .transactional = false});
  std::string value(static_cast<std::size_t>(chance.below(900)), '\0');
  for (int i = 0; i < count; ++i) {
    for (char& letter : value) letter = static_cast<char>('a' + chance.below(26));
    builder.append({.timestamp = Timestamp(1'767'225'600'000 + base + i), .key = {}, .value = as_bytes(value)});
  }
  ByteVector bytes = builder.take();
  records::MutableRecordBatch stamp{MutableBytes(bytes)};
  stamp.set_base_offset(Offset(base));
  stamp.set_partition_leader_epoch(LeaderEpoch(3));
  return bytes;
}

Whole whole_log(sim::Chance& chance) {
  Whole log;
  std::int32_t sequences[producers] = {};
  std::int64_t base = 0;
  while (log.bytes.size() < torn_bytes + 4096) {
    const std::size_t number = log.ends.size();
    const int count = static_cast<int>(chance.between(1, 4));
    std::int32_t& sequence = sequences[number % producers];
    const ByteVector bytes = batch_of(chance, number, base, sequence, count);
    log.bytes.insert(log.bytes.end(), bytes.begin(), bytes.end());
    base += count;
    sequence += count;
    log.ends.push_back(log.bytes.size());
    log.next.push_back(base);
    log.last_sequence.push_back(sequence - 1);
  }
  return log;
}

class Story {
 public:
  Story() : world_({.seed = 1}), host_(world_.add_host("broker-1")), history_({}, {}) {}

  TornTails tell() {
    sim::Chance chance(64);
    whole_ = whole_log(chance);
    world_.run(host_, tear());
    for (const std::string& failure : history_.failures()) outcome_.failures.push_back(failure);
    return std::move(outcome_);
  }

 private:
  void fail(std::string what) {
    if (outcome_.failures.size() < 10) outcome_.failures.push_back(std::move(what));
  }

  runtime::Task<void> tear() {
    for (std::size_t at = whole_.bytes.size() - torn_bytes; at <= whole_.bytes.size(); ++at) {
      for (const bool zeroed : {false, true}) {
        if (zeroed && at % zeroed_one_in != 0) continue;
        auto opening = open(at, zeroed);
        co_await std::move(opening);
      }
    }
  }

  runtime::Task<void> open(std::size_t at, bool zeroed) {
    runtime::Environment& environment = host_.environment();
    ++outcome_.opened;
    ByteVector left(whole_.bytes.begin(), whole_.bytes.begin() + static_cast<std::ptrdiff_t>(at));
    if (zeroed) left.resize(whole_.bytes.size());
    environment.disk.remove_tree("/data");
    host_.disk().put(std::string(path), left);
    storage::LogDirectory directory(environment, "/data");
    const auto log = storage::Log::open(directory, {.name = {"torn", PartitionIndex(0)},
                                                    .directory_name = "torn-0",
                                                    .settings = std::make_shared<storage::LogSettings>(),
                                                    .topic_id = {},
                                                    .clean = false,
                                                    .recovery_point = Offset(0),
                                                    .log_start = Offset(0),
                                                    .high_watermark = {}});
    check(at, zeroed, *log);
    if (outcome_.opened % closed_one_in == 0) {
      auto closing = log->close(*environment.reactors.front(), true);
      co_await std::move(closing);
      check_files(host_.disk(), history_);
    } else {
      auto closing = log->close(*environment.reactors.front(), false);
      co_await std::move(closing);
    }
  }

  // Every whole batch before the tear is there, and nothing else.
  void check(std::size_t at, bool zeroed, const storage::Log& log) {
    std::size_t batches = 0;
    while (batches < whole_.ends.size() && whole_.ends[batches] <= at) ++batches;
    // The bytes behind the tear may be zeros in the whole log too.
    if (zeroed && batches < whole_.ends.size() &&
        std::all_of(
            whole_.bytes.begin() + static_cast<std::ptrdiff_t>(at),
            whole_.bytes.begin() + static_cast<std::ptrdiff_t>(whole_.ends[batches]),
            [](std::byte byte) { return byte == std::byte{0}; })) {
      ++batches;
    }
    const std::int64_t end = batches == 0 ? 0 : whole_.next[batches - 1];
    const std::size_t bytes = batches == 0 ? 0 : whole_.ends[batches - 1];
    const std::string_view how = zeroed ? "filled with zeros" : "cut";
    if (log.log_end() != Offset(end)) fail(fmt::format("{} at {}: ends at {}, not {}", how, at, log.log_end(), end));
    if (host_.disk().content(std::string(path)).size() != bytes) {
      fail(fmt::format("{} at {}: {} bytes are left, not {}", how, at, host_.disk().content(std::string(path)).size(),
                       bytes));
    }
    for (const auto& producer : log.active_producers()) {
      const auto number = static_cast<std::size_t>(producer.id.value);
      std::int32_t last = -1;
      for (std::size_t i = number; i < batches; i += producers) last = whole_.last_sequence[i];
      if (producer.last_sequence == last) continue;
      fail(fmt::format("{} at {}: producer {} is at {}, not {}", how, at, number, producer.last_sequence, last));
    }
    if (log.active_producers().size() != std::min<std::size_t>(batches, producers)) {
      fail(fmt::format("{} at {}: {} producers are known", how, at, log.active_producers().size()));
    }
  }

  sim::World world_;
  sim::Host& host_;
  History history_;
  Whole whole_;
  TornTails outcome_;
};

}  // namespace

TornTails open_torn_tails() {
  Story story;
  return story.tell();
}

}  // namespace klamm::simulation
