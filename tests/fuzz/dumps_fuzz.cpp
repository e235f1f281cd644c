// Files of a log as the dump-log tool reads them, which is given files that nobody checked: logs, snapshots of
// metadata, indexes beside their log, producer snapshots, aborted transactions; and the decoders of internal records.
#include "batches.h"
#include "cli/dump_log.h"
#include "storage/test_world.h"

namespace klamm::fuzz {
namespace {

cli::DumpOptions options_of(std::uint16_t bits) {
  cli::DumpOptions options;
  options.print_data = bits & 1;
  options.deep = bits & 2;
  options.verify_index_only = bits & 4;
  options.index_sanity_only = bits & 8;
  options.skip_record_metadata = bits & 16;
  if (bits & 32) options.bytes_max = 200;
  if (bits & 64) options.message_bytes_max = 100;
  options.decoder = static_cast<cli::MessageDecoder>(((bits >> 7) & 7) % 6);
  options.key_decoder = static_cast<cli::ValueDecoder>((bits >> 10) & 3);
  options.value_decoder = static_cast<cli::ValueDecoder>((bits >> 12) & 3);
  return options;
}

// Options; which file; then the log, the index and the file itself, with lengths.
void dump(Input input, bool repair) {
  const auto options = options_of(input.take<std::uint16_t>());
  constexpr std::string_view names[] = {
      "00000000000000000018.log",      "00000000000000000018.index",    "00000000000000000018.timeindex",
      "00000000000000000018.snapshot", "00000000000000000018.txnindex", "00000000000000000042-0000000003.checkpoint",
      "bootstrap.checkpoint"};
  const std::string name(names[input.take<std::uint8_t>() % std::size(names)]);
  storage::test::World world;
  for (const std::string& file : {std::string(names[0]), std::string(names[1]), name}) {
    auto node = std::make_shared<storage::test::DiskState::Node>();
    node->content = exact_copy(input.take_sized());
    if (repair && (file.ends_with(".log") || file.ends_with(".checkpoint"))) repair_checksums(node->content);
    world.disk.state.names["/" + file] = node;
  }
  std::size_t printed = 0;
  const auto print = [&](std::string_view text) { printed += text.size(); };
  cli::LogDumper dumper(world.disk, options, print, print);
  try {
    dumper.dump("/" + name);
  } catch (const cli::DumpFailure&) {
    // what the tool prints and ends with
  }
  dumper.print_mismatches();
}

void decode(Input input) {
  const auto kind = input.take<std::uint8_t>();
  const ByteVector key = exact_copy(input.take_sized());
  const ByteVector value = exact_copy(input.rest());
  switch (kind % 5) {
    case 3:
      (void)cli::decode_metadata_record(value);
      break;
    case 4:
      (void)cli::decode_remote_log_record(value);
      break;
    default: {
      const cli::RecordDecoder decoder(static_cast<cli::InternalTopic>(kind % 5), kind & 8);
      (void)decoder.decode(key, kind & 16 ? std::nullopt : std::optional(Bytes(value)));
    }
  }
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace klamm::fuzz;
  Input input(data, size);
  const auto how = input.take<std::uint8_t>();
  if (how & 1)
    decode(input);
  else
    dump(input, how & 2);
  return 0;
}
