#include "cli/dump_log_tool.h"

#include "cli/dump_log.h"
#include "runtime/os/disk.h"

namespace klamm::cli {

namespace {

std::vector<OptionSpec> specs() {
  return {
      {"print-data-log", Takes::nothing, {}, "Prints keys and values of records. Every decoder asks for it too."},
      {"verify-index-only", Takes::nothing, {}, "Compares an index with its log without printing it."},
      {"index-sanity-check",
       Takes::nothing,
       {},
       "Makes the check that decides whether a broker rebuilds an index at its start."},
      {"files", Takes::value, "file1, file2, ...", "REQUIRED: logs, snapshots and indexes, separated by commas."},
      {"max-message-size", Takes::value, "size", "Size of the largest batch that an index points at.", "5242880"},
      {"max-bytes", Takes::value, "size", "Reads so much of a log only.", "2147483647"},
      {"deep-iteration", Takes::nothing, {}, "Opens batches and prints their records."},
      {"value-decoder-class",
       Takes::optional_value,
       {},
       "How values are shown: the name of one of Kafka's decoders.",
       "org.apache.kafka.tools.api.StringDecoder"},
      {"key-decoder-class",
       Takes::optional_value,
       {},
       "How keys are shown: the name of one of Kafka's decoders.",
       "org.apache.kafka.tools.api.StringDecoder"},
      {"offsets-decoder", Takes::nothing, {}, "Records are those of __consumer_offsets."},
      {"transaction-log-decoder", Takes::nothing, {}, "Records are those of __transaction_state."},
      {"cluster-metadata-decoder", Takes::nothing, {}, "Records are those of __cluster_metadata."},
      {"remote-log-metadata-decoder", Takes::nothing, {}, "Records are those of __remote_log_metadata."},
      {"share-group-state-decoder", Takes::nothing, {}, "Records are those of __share_group_state."},
      {"skip-record-metadata", Takes::nothing, {}, "Leaves out everything but keys and values, and control records."},
  };
}

ValueDecoder decoder_of(const std::string& name) {
  constexpr std::pair<std::string_view, ValueDecoder> known[] = {
      {"org.apache.kafka.tools.api.StringDecoder", ValueDecoder::string},
      {"org.apache.kafka.tools.api.IntegerDecoder", ValueDecoder::int32},
      {"org.apache.kafka.tools.api.LongDecoder", ValueDecoder::int64},
      {"org.apache.kafka.tools.api.DefaultDecoder", ValueDecoder::bytes},
  };
  for (const auto& [class_name, decoder] : known) {
    if (name == class_name) return decoder;
  }
  const JavaException cause("java.lang.ClassNotFoundException", name);
  throw JavaException("java.lang.RuntimeException", "Failed to load decoder class", cause);
}

DumpOptions dump_options(const CommandLine& options) {
  DumpOptions dump;
  const auto decoder = [&](std::string_view option, MessageDecoder which) {
    if (options.has(option) && dump.decoder == MessageDecoder::values) dump.decoder = which;
  };
  decoder("offsets-decoder", MessageDecoder::offsets);
  decoder("transaction-log-decoder", MessageDecoder::transactions);
  decoder("cluster-metadata-decoder", MessageDecoder::metadata);
  decoder("remote-log-metadata-decoder", MessageDecoder::remote_log);
  decoder("share-group-state-decoder", MessageDecoder::share_state);
  dump.print_data = options.has("print-data-log") || options.has("value-decoder-class") ||
                    options.has("key-decoder-class") || dump.decoder != MessageDecoder::values;
  dump.deep = options.has("deep-iteration");
  dump.verify_index_only = options.has("verify-index-only");
  dump.index_sanity_only = options.has("index-sanity-check");
  dump.skip_record_metadata = options.has("skip-record-metadata");
  dump.bytes_max = options.int_value("max-bytes");
  dump.message_bytes_max = options.int_value("max-message-size");
  return dump;
}

void dump_files(const CommandLine& options) {
  Streams& streams = options.streams();
  DumpOptions dump = dump_options(options);
  // Kafka loads the decoders when a log is opened, after its name was printed.
  std::optional<JavaException> no_decoder;
  try {
    dump.value_decoder = decoder_of(options.value("value-decoder-class"));
    dump.key_decoder = decoder_of(options.value("key-decoder-class"));
  } catch (const JavaException& exception) {
    no_decoder = exception;
  }
  runtime::os::OsDisk disk(runtime::os::OsDisk::Options{.io_uring = false});
  LogDumper dumper(
      disk, dump, [&](std::string_view text) { streams.print(text); },
      [&](std::string_view text) { streams.print_error(text); });
  const std::string files = options.value("files");
  for (std::size_t at = 0; at < files.size();) {
    const auto comma = std::min(files.find(',', at), files.size());
    const std::string file = files.substr(at, comma - at);
    at = comma + 1;
    if (no_decoder && (file.ends_with(".log") || file.ends_with(".checkpoint"))) {
      streams.line("Dumping {}", file);
      throw JavaException(*no_decoder);
    }
    dumper.dump(file);
  }
  dumper.print_mismatches();
}

}  // namespace

int dump_log_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams,
                      "This tool helps to parse a log file and dump its contents to the console, useful for debugging "
                      "a seemingly corrupt log segment.",
                      specs());
  const auto uncaught = [&](std::string_view trace) {
    streams.print_error(fmt::format("Exception in thread \"main\" {}", trace));
    return 1;
  };
  try {
    options.parse(arguments);
    options.help_or_version();
    options.require({"files"});
    dump_files(options);
    return 0;
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    return uncaught(exception.stack_trace());
  } catch (const DumpFailure& failure) {
    return uncaught(std::string(failure.what()) + "\n");
  } catch (const runtime::DiskError& error) {
    return uncaught(fmt::format("java.io.IOException: {}\n", error.what()));
  }
}

}  // namespace klamm::cli
