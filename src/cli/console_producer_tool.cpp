#include "cli/console_producer_tool.h"

#include "cli/message_reader.h"
#include "cli/tool_client.h"
#include "client/producer.h"

namespace klamm::cli {

using client::Produced;
using runtime::Task;

namespace {

std::vector<OptionSpec> specs() {
  constexpr std::string_view reader_help =
      "How lines become records, as key=value. May be repeated. parse.key=false key.separator=<tab> "
      "parse.headers=false "
      "headers.delimiter=<tab> headers.separator=, headers.key.separator=: ignore.error=false null.marker=<none>. With "
      "both keys and "
      "headers a line is h1:v1,h2:v2<tab>key<tab>value.";
  return {
      {"topic", Takes::value, "topic", "REQUIRED: the topic to publish to."},
      {"bootstrap-server", Takes::value, "server to connect to",
       "REQUIRED: brokers to begin with, as host:port,host:port."},
      {"broker-list", Takes::value, "broker-list", "The old name of --bootstrap-server, which goes before it."},
      {"sync",
       Takes::nothing,
       {},
       "Waits for each record's acknowledgement before the next is sent; the first failure ends the tool."},
      {"compression-codec", Takes::optional_value, "compression-codec",
       "none, gzip, snappy, lz4 or zstd; gzip without a value."},
      {"batch-size", Takes::value, "size", "How large a batch of one partition becomes (batch.size).", "16384"},
      {"message-send-max-retries", Takes::value, {}, "How often a batch is sent again (retries).", "3"},
      {"retry-backoff-ms", Takes::value, {}, "Pause before a batch is sent again (retry.backoff.ms).", "100"},
      {"timeout", Takes::value, "timeout_ms", "How long a record waits for others to fill its batch (linger.ms).",
       "1000"},
      {"request-required-acks", Takes::value, "request required acks", "0, 1, -1 or all (acks).", "-1"},
      {"request-timeout-ms", Takes::value, "request timeout ms", "How long a request may take (request.timeout.ms).",
       "1500"},
      {"metadata-expiry-ms", Takes::value, "metadata expiration interval",
       "How old what is known of the cluster may become (metadata.max.age.ms).", "300000"},
      {"max-block-ms", Takes::value, "max block on send", "How long a record may wait to be taken (max.block.ms).",
       "60000"},
      {"max-memory-bytes", Takes::value, "total memory in bytes", "Memory for records that wait (buffer.memory).",
       "33554432"},
      {"max-partition-memory-bytes", Takes::value, "memory in bytes per partition", "(DEPRECATED) Use --batch-size.",
       "16384"},
      {"line-reader", Takes::value, "reader_class", "What reads the lines; this reader is the only one.",
       "org.apache.kafka.tools.LineMessageReader"},
      {"socket-buffer-size", Takes::value, "size", "Size of the socket's buffer (send.buffer.bytes).", "102400"},
      {"property", Takes::value, "prop", "(DEPRECATED) Use --reader-property."},
      {"reader-property", Takes::value, "prop", reader_help},
      {"reader-config", Takes::value, "config file", "A file of reader properties; --reader-property goes before it."},
      {"producer-property", Takes::value, "producer_prop", "(DEPRECATED) Use --command-property."},
      {"command-property", Takes::value, "producer_prop", "A property of the producer, as key=value. May be repeated."},
      {"producer.config", Takes::value, "config file", "(DEPRECATED) Use --command-config."},
      {"command-config", Takes::value, "config file",
       "A file with properties of the producer; --command-property goes before it."},
  };
}

// The options that stand for a property of the producer. A property that was given goes before an option's default.
constexpr std::pair<std::string_view, std::string_view> property_options[] = {
    {"linger.ms", "timeout"},
    {"acks", "request-required-acks"},
    {"request.timeout.ms", "request-timeout-ms"},
    {"retries", "message-send-max-retries"},
    {"retry.backoff.ms", "retry-backoff-ms"},
    {"send.buffer.bytes", "socket-buffer-size"},
    {"buffer.memory", "max-memory-bytes"},
    {"batch.size", "batch-size"},
    {"batch.size", "max-partition-memory-bytes"},
    {"metadata.max.age.ms", "metadata-expiry-ms"},
    {"max.block.ms", "max-block-ms"},
};

struct Wanted {
  std::string topic;
  bool sync = false;
  client::Properties reader;
  client::Properties producer;
};

std::string_view current_name(const CommandLine& options, std::string_view current, std::string_view old) {
  if (!options.has(old)) return current;
  options.streams().line("Warning: --{} is deprecated and will be removed in a future version. Use --{} instead.", old,
                         current);
  return old;
}

Wanted read_options(const CommandLine& options) {
  options.require({"topic"});
  for (const auto& [current, old] :
       {std::pair("command-config", "producer.config"), std::pair("command-property", "producer-property"),
        std::pair("reader-property", "property")}) {
    if (options.has(current) && options.has(old)) {
      options.usage(fmt::format("Options --{} and --{} cannot be specified together.", current, old));
    }
  }
  const auto command_property = current_name(options, "command-property", "producer-property");
  const auto command_config = current_name(options, "command-config", "producer.config");
  const auto reader_property = current_name(options, "reader-property", "property");
  if (options.has("max-partition-memory-bytes")) {
    options.streams().line(
        "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size "
        "instead.");
  }
  const auto servers = options.has("bootstrap-server") ? options.find("bootstrap-server") : options.find("broker-list");
  try {
    validate_bootstrap_server(servers);
  } catch (const JavaException& exception) {
    options.usage(exception.message());
  }

  Wanted wanted{.topic = options.value("topic"), .sync = options.has("sync")};
  if (const auto file = options.find("reader-config")) wanted.reader = load_properties(*file);
  for (const auto& [key, value] : parse_properties_arguments(options.values(reader_property)))
    wanted.reader.insert_or_assign(key, value);
  if (const auto file = options.find(command_config)) wanted.producer = load_properties(*file);
  for (const auto& [key, value] : parse_properties_arguments(options.values(command_property))) {
    wanted.producer.insert_or_assign(key, value);
  }
  wanted.producer.insert_or_assign("bootstrap.servers", *servers);
  std::string codec = "none";
  if (options.has("compression-codec")) codec = options.find("compression-codec").value_or("gzip");
  wanted.producer.insert_or_assign("compression.type", codec.empty() ? "gzip" : codec);
  wanted.producer.emplace("client.id", "console-producer");
  for (const auto& [property, option] : property_options) {
    if (options.has(option) || !wanted.producer.contains(property)) {
      wanted.producer.insert_or_assign(std::string(property), options.value(option));
    }
  }
  return wanted;
}

// A record of text as the client takes it; the text outlives it.
class Outgoing {
 public:
  Outgoing(const std::string& topic, TextRecord text) : text_(std::move(text)) {
    for (const auto& [key, value] : text_.headers) headers_.push_back({key, value});
    view_.topic = topic;
    if (text_.key) view_.key = *text_.key;
    if (text_.value) view_.value = *text_.value;
    view_.headers = headers_;
  }
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;
  const client::RecordView& view() const { return view_; }

 private:
  TextRecord text_;
  std::vector<client::Header> headers_;
  client::RecordView view_;
};

// As Kafka's callback for console records tells of a failure.
void log_failure(ToolSystem& system, Streams& streams, const std::string& topic, std::optional<std::size_t> key_bytes,
                 std::optional<std::size_t> value_bytes, const client::Error& error) {
  const auto shown = [](std::optional<std::size_t> bytes) {
    return bytes ? fmt::format("{} bytes", *bytes) : std::string("null");
  };
  Logger(system.log(), "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback")
      .error("Error when sending message to topic {} with key: {}, value: {} with error:", topic, shown(key_bytes),
             shown(value_bytes));
  streams.print_error(error.to_string() + "\n");
}

Task<void> send(ToolSystem& system, Streams& streams, client::Producer& producer, const Wanted& wanted,
                TextRecord text) {
  const Outgoing record(wanted.topic, std::move(text));
  if (wanted.sync) {
    const auto at = co_await producer.send(record.view());
    if (!at) throw JavaException::execution(at.error());
    co_return;
  }
  const auto size_of = [](const auto& part) { return part ? std::optional(part->size()) : std::nullopt; };
  const auto key_bytes = size_of(record.view().key);
  const auto value_bytes = size_of(record.view().value);
  const auto delivered = [&system, &streams, &wanted, key_bytes, value_bytes](const client::Result<Produced>& result) {
    if (!result) log_failure(system, streams, wanted.topic, key_bytes, value_bytes, result.error());
  };
  while (!producer.post(record.view(), delivered)) {
    const auto can = co_await producer.ready(record.view());
    if (!can) {
      log_failure(system, streams, wanted.topic, key_bytes, value_bytes, can.error());
      co_return;
    }
  }
}

Task<int> run(ToolSystem& system, Streams& streams, const Wanted& wanted, LineMessageReader reader) {
  // What is wrong with the producer's own properties is thrown as it is, what is wrong with the servers wrapped.
  const client::ProducerSettings checked = value_or_throw_cause(client::producer_settings(
      wanted.producer, Logger(system.log(), "org.apache.kafka.clients.producer.ProducerConfig")));
  static_cast<void>(checked);
  const auto client = co_await open_client(system, wanted.producer, "Failed to construct kafka producer");
  client::Producer producer(*client);
  std::optional<JavaException> failure;
  const bool prompt = streams.input_is_terminal();
  LineCutter lines;
  try {
    for (bool more = true; more;) {
      if (prompt) streams.print(">");
      streams.flush();
      const std::string text = co_await runtime::blocking(system.reactor(), [&streams] { return streams.read_some(); });
      more = !text.empty();
      lines.add(text);
      if (!more) lines.finish();
      while (const auto line = lines.next()) {
        TextRecord record = reader.parse(*line);
        co_await send(system, streams, producer, wanted, std::move(record));
      }
    }
  } catch (const JavaException& exception) {
    failure = exception;
  }
  // The exception is printed before what was read earlier is delivered.
  if (failure) streams.print_error(failure->stack_trace());
  const auto closed = co_await producer.close();
  static_cast<void>(closed);
  co_return failure ? 1 : 0;
}

}  // namespace

int console_producer_tool(Arguments arguments, Streams& streams) {
  CommandLine options(streams, "This tool helps to read data from standard input and publish it to Kafka.", specs());
  try {
    try {
      options.parse(arguments);
    } catch (const JavaException& exception) {
      options.usage(exception.message());
    }
    options.help_or_version();
    const Wanted wanted = read_options(options);
    if (const std::string reader = options.value("line-reader"); reader != "org.apache.kafka.tools.LineMessageReader") {
      throw JavaException("java.lang.ClassNotFoundException", reader);
    }
    LineMessageReader reader(wanted.reader);
    ToolSystem system;
    return system.run(run(system, streams, wanted, std::move(reader)));
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    streams.print_error(exception.stack_trace());
    return 1;
  }
}

}  // namespace klamm::cli
