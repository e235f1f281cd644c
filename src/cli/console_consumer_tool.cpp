#include "cli/console_consumer_tool.h"

#include <csignal>
#include <limits>

#include "cli/interrupt.h"
#include "cli/message_formatter.h"
#include "cli/tool_client.h"
#include "client/consumer.h"

namespace klamm::cli {

using client::Batch;
using runtime::Task;

namespace {

constexpr const char* logger_name = "org.apache.kafka.tools.consumer.ConsoleConsumer";
constexpr std::uint64_t made_up_groups = 100'000;

std::vector<OptionSpec> specs() {
  constexpr std::string_view formatter_help =
      "What is printed of a record, as key=value. May be repeated. print.timestamp print.key print.offset print.epoch "
      "print.partition "
      "print.headers (false), print.value (true), key.separator (tab), line.separator (line break), headers.separator "
      "(,), null.literal "
      "(null), key.deserializer, value.deserializer, headers.deserializer.";
  return {
      {"topic", Takes::value, "topic", "The topic to read."},
      {"include", Takes::value, "Java regex (String)", "A regular expression for the names of the topics to read."},
      {"partition", Takes::value, "partition", "The partition to read; from its end unless --offset says otherwise."},
      {"offset", Takes::value, "consume offset", "With --partition: where to begin, a number, earliest or latest.",
       "latest"},
      {"consumer-property", Takes::value, "consumer_prop", "(DEPRECATED) Use --command-property."},
      {"command-property", Takes::value, "consumer_prop", "A property of the consumer, as key=value. May be repeated."},
      {"consumer.config", Takes::value, "config file", "(DEPRECATED) Use --command-config."},
      {"command-config", Takes::value, "config file",
       "A file with properties of the consumer; --command-property goes before it."},
      {"formatter", Takes::value, "class", "The name of the class that shows records in Kafka.",
       "org.apache.kafka.tools.consumer.DefaultMessageFormatter"},
      {"property", Takes::value, "prop", "(DEPRECATED) Use --formatter-property."},
      {"formatter-property", Takes::value, "prop", formatter_help},
      {"formatter-config", Takes::value, "config file",
       "A file of formatter properties; --formatter-property goes before it."},
      {"from-beginning", Takes::nothing, {}, "Begins with the oldest records rather than with new ones."},
      {"max-messages", Takes::value, "num_messages", "Ends after so many records."},
      {"timeout-ms", Takes::value, "timeout_ms", "Ends when no record came for so long."},
      {"skip-message-on-error", Takes::nothing, {}, "A record that cannot be shown does not end the tool."},
      {"bootstrap-server", Takes::value, "server to connect to", "REQUIRED: brokers to begin with, as host:port."},
      {"key-deserializer", Takes::value, "deserializer for keys", "The name of the class that reads keys in Kafka."},
      {"value-deserializer", Takes::value, "deserializer for values",
       "The name of the class that reads values in Kafka."},
      {"enable-systest-events", Takes::nothing, {}, "Prints shutdown_complete at the end."},
      {"isolation-level",
       Takes::value,
       {},
       "read_committed leaves out records of transactions that were not committed.",
       "read_uncommitted"},
      {"group", Takes::value, "consumer group id", "The consumer group."},
  };
}

struct Wanted {
  std::optional<std::string> topic;
  std::optional<std::string> include;
  std::optional<std::int32_t> partition;
  std::int64_t offset = -1;  // -1: the end, -2: the beginning
  bool group_made_up = false;
  bool in_group = false;  // else all partitions are read
  std::int64_t records_max = -1;
  std::optional<std::int64_t> timeout_ms;
  bool skip_on_error = false;
  bool systest_events = false;
  client::Properties consumer;
  client::Properties formatter;
  std::string formatter_class;
};

void check(const CommandLine& options) {
  options.require_one_of({"topic", "include"});
  if (options.has("partition")) {
    if (!options.has("topic")) options.usage("The topic is required when partition is specified.");
    if (options.has("from-beginning") && options.has("offset")) {
      options.usage("Options from-beginning and offset cannot be specified together.");
    }
  } else if (options.has("offset")) {
    options.usage("The partition is required when offset is specified.");
  }
  options.require({"bootstrap-server"});
  for (const auto& [old, current] :
       {std::pair("consumer-property", "command-property"), std::pair("consumer.config", "command-config")}) {
    if (options.has(old) && options.has(current)) {
      options.usage(fmt::format("Options --{} and --{} cannot be specified together.", old, current));
    }
  }
}

std::string_view current_name(const CommandLine& options, std::string_view current, std::string_view old) {
  if (!options.has(old)) return current;
  options.streams().line("Option --{} is deprecated and will be removed in a future version. Use --{} instead.", old,
                         current);
  return old;
}

std::optional<std::string> given_group(const CommandLine& options, const client::Properties& properties,
                                       const client::Properties& from_file) {
  std::vector<std::string> groups;
  const auto add = [&](const std::string& group) {
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  };
  if (const auto group = options.find("group")) add(*group);
  if (const auto group = from_file.find("group.id"); group != from_file.end()) add(group->second);
  if (const auto group = properties.find("group.id"); group != properties.end()) add(group->second);
  if (groups.size() > 1) {
    order_as_java_map(groups, [](const std::string& group) { return std::string_view(group); });
    options.usage(fmt::format(
        "The group ids provided in different places (directly using '--group', via '--consumer-property', or via "
        "'--consumer.config') do not match. Detected group ids: '{}'",
        fmt::join(groups, "', '")));
  }
  if (groups.empty()) return std::nullopt;
  if (options.has("partition")) options.usage("Options group and partition cannot be specified together.");
  return groups.front();
}

// Without a name a group is made up, whose offsets nobody will ask for. A partition is read without any group.
void choose_group(Wanted& wanted, const std::optional<std::string>& given, DefaultGroup otherwise) {
  wanted.in_group = given || (otherwise == DefaultGroup::made_up && !wanted.partition);
  if (!wanted.in_group) {
    wanted.consumer.erase("enable.auto.commit");
    return;
  }
  wanted.group_made_up = !given;
  if (!given) wanted.consumer.emplace("enable.auto.commit", "false");
  wanted.consumer.insert_or_assign("group.id", given.value_or(""));
}

std::int64_t parse_offset(const CommandLine& options) {
  if (!options.has("offset")) return options.has("from-beginning") ? -2 : -1;
  const std::string text = options.value("offset");
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == "earliest") return -2;
  if (lower == "latest") return -1;
  const auto invalid = [&] {
    options.usage(fmt::format(
        "The provided offset value '{}' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long.",
        text));
  };
  try {
    const std::int64_t offset = java_long(text);
    if (offset < 0) invalid();
    return offset;
  } catch (const JavaException&) {
    invalid();
  }
  return -1;
}

Wanted read_options(const CommandLine& options, DefaultGroup otherwise) {
  Wanted wanted;
  const auto command_property = current_name(options, "command-property", "consumer-property");
  const auto command_config = current_name(options, "command-config", "consumer.config");
  client::Properties from_file;
  if (const auto file = options.find(command_config)) from_file = load_properties(*file);
  const client::Properties given = parse_properties_arguments(options.values(command_property));
  const std::optional<std::string> group = given_group(options, given, from_file);

  wanted.consumer = from_file;
  for (const auto& [key, value] : given) wanted.consumer.insert_or_assign(key, value);
  const bool from_beginning = options.has("from-beginning");
  if (const auto reset = wanted.consumer.find("auto.offset.reset"); reset == wanted.consumer.end()) {
    wanted.consumer["auto.offset.reset"] = from_beginning ? "earliest" : "latest";
  } else if (from_beginning && reset->second != "earliest") {
    options.streams().error_line(
        "Can't simultaneously specify --from-beginning and 'auto.offset.reset={}', please remove one option",
        reset->second);
    throw ToolExit{1};
  }
  wanted.consumer.insert_or_assign("bootstrap.servers", options.value("bootstrap-server"));
  wanted.consumer.emplace("client.id", "console-consumer");
  if (options.has("isolation-level") || !wanted.consumer.contains("isolation.level")) {
    wanted.consumer.insert_or_assign("isolation.level", options.value("isolation-level"));
  }

  wanted.topic = options.find("topic");
  wanted.include = options.find("include");
  if (options.has("partition")) wanted.partition = options.int_value("partition");
  wanted.offset = parse_offset(options);
  choose_group(wanted, group, otherwise);
  if (options.has("timeout-ms")) {
    const std::int64_t timeout = options.long_value("timeout-ms");
    if (timeout >= 0) wanted.timeout_ms = timeout;
  }
  if (options.has("max-messages")) wanted.records_max = options.int_value("max-messages");
  wanted.skip_on_error = options.has("skip-message-on-error");
  wanted.systest_events = options.has("enable-systest-events");

  wanted.formatter_class = options.value("formatter");
  if (options.has("property") && options.has("formatter-property")) {
    options.usage("Options --property and --formatter-property cannot be specified together.");
  }
  const auto formatter_property = current_name(options, "formatter-property", "property");
  if (const auto file = options.find("formatter-config")) wanted.formatter = load_properties(*file);
  for (const auto& [option, property] :
       {std::pair("key-deserializer", "key.deserializer"), std::pair("value-deserializer", "value.deserializer")}) {
    if (const auto name = options.find(option); name && !name->empty()) wanted.formatter[property] = *name;
  }
  for (const auto& [key, value] : parse_properties_arguments(options.values(formatter_property)))
    wanted.formatter.insert_or_assign(key, value);
  return wanted;
}

// Reads and prints until the records, the time or the patience of the user end.
class Session {
 public:
  Session(ToolSystem& system, Streams& streams, const Wanted& wanted, MessageFormatter& formatter,
          client::Consumer& consumer)
      : system_(system),
        streams_(streams),
        wanted_(wanted),
        formatter_(formatter),
        consumer_(consumer),
        log_(system.log(), logger_name),
        interrupt_(system.reactor(), [this] { consumer_.wake_up(); }) {}

  Task<int> run() {
    int code = 0;
    if (const auto started = start(); !started) throw JavaException(started.error());
    while ((count_ < wanted_.records_max || wanted_.records_max == -1) && interrupt_.signal() == 0) {
      const auto batch = co_await next_batch();
      if (!batch) {
        streams_.flush();
        log_.error("Error processing message, terminating consumer process: ");
        const client::Error& error = batch.error();
        // A message that is null in Java, as that of a timeout here, is printed so.
        streams_.print_error(fmt::format("{}: {}\n", error.exception_class(), error.message()));
        break;
      }
      if (!print(*batch, code)) break;
      if (wanted_.in_group) streams_.flush();  // shown before it may be committed
    }
    streams_.flush();
    streams_.error_line("Processed a total of {} messages", count_);
    if (failure_) {
      log_.error("Unknown error when running consumer: ");
      streams_.print_error(failure_->stack_trace());
    }
    const auto closed = co_await close();
    if (!closed) log_.warn("Failed to close the consumer: {}", closed.error().message());
    if (wanted_.systest_events) streams_.line("shutdown_complete");
    co_return interrupt_.signal() == SIGINT ? 130 : code;
  }

 private:
  client::Result<void> start() {
    if (wanted_.partition) {
      const client::PartitionName partition{*wanted_.topic, *wanted_.partition};
      consumer_.assign({partition});
      if (wanted_.offset == -2) {
        consumer_.seek_to_beginning(partition);
      } else if (wanted_.offset == -1) {
        consumer_.seek_to_end(partition);
      } else {
        consumer_.seek(partition, wanted_.offset);
      }
      return {};
    }
    if (wanted_.topic) {
      if (wanted_.in_group) return consumer_.subscribe({*wanted_.topic});
      consumer_.follow({*wanted_.topic});
      return {};
    }
    const auto excluded = wanted_.consumer.find("exclude.internal.topics");
    const bool with_internal = excluded != wanted_.consumer.end() && excluded->second == "false";
    const auto matches = [pattern = IncludeList(*wanted_.include), with_internal](std::string_view topic) {
      return (with_internal || !is_internal_topic(topic)) && pattern.matches(topic);
    };
    if (wanted_.in_group) return consumer_.subscribe_matching(matches);
    consumer_.follow_matching(matches);
    return {};
  }

  // What was fetched but not shown is not committed. A second signal ends the wait for the coordinator.
  Task<client::Result<void>> close() {
    for (const auto& [partition, offset] : unread_) consumer_.seek(partition, offset);
    auto closed = co_await consumer_.close();
    co_return closed;
  }

  void note_unread(const Batch& batch, std::size_t from) {
    for (; from < batch.size(); ++from) {
      const client::Record& record = batch[from];
      unread_.try_emplace({std::string(record.topic()), record.partition()}, record.offset());
    }
  }

  Task<client::Result<Batch>> next_batch() {
    const runtime::MonoTime start = system_.reactor().now();
    const auto timeout = wanted_.timeout_ms ? runtime::Duration(std::chrono::milliseconds(*wanted_.timeout_ms))
                                            : runtime::Duration::max();
    auto batch = co_await consumer_.poll(std::chrono::milliseconds(0));
    if (batch && batch->empty() && interrupt_.signal() == 0) {
      streams_.flush();  // nothing more for now: what there was is shown
      batch = co_await consumer_.poll(timeout);
    }
    if (batch && batch->empty() && interrupt_.signal() == 0 && system_.reactor().now() - start >= timeout) {
      co_return client::Error::of_kind(client::kinds::timeout, "null");
    }
    co_return std::move(batch);
  }

  bool print(const Batch& batch, int& code) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (count_ == wanted_.records_max) {
        note_unread(batch, i);
        return false;
      }
      if (!print(batch[i], code)) {
        note_unread(batch, i + 1);
        return false;
      }
    }
    return true;
  }

  bool print(const client::Record& record, int& code) {
    ++count_;
    try {
      formatter_.write(record, streams_);
    } catch (const JavaException& exception) {
      if (!wanted_.skip_on_error) {
        failure_ = exception;
        code = 1;
        return false;
      }
      streams_.flush();
      log_.error("Error processing message, skipping this message: ");
      streams_.print_error(exception.stack_trace());
    }
    if (streams_.broken()) {
      streams_.error_line("Unable to write to standard out, closing consumer.");
      return false;
    }
    return true;
  }

  ToolSystem& system_;
  Streams& streams_;
  const Wanted& wanted_;
  MessageFormatter& formatter_;
  client::Consumer& consumer_;
  Logger log_;
  Interrupt interrupt_;
  std::int64_t count_ = 0;
  std::optional<JavaException> failure_;
  std::map<client::PartitionName, std::int64_t> unread_;
};

Task<int> run(ToolSystem& system, Streams& streams, Wanted wanted, MessageFormatter& formatter) {
  std::optional<JavaException> failure;
  try {
    if (const auto group = wanted.consumer.find("group.id");
        group != wanted.consumer.end() && group->second.empty() && wanted.group_made_up) {
      group->second = fmt::format("console-consumer-{}", system.environment().random.next() % made_up_groups);
    }
    const auto checked = value_or_throw_cause(client::consumer_settings(
        wanted.consumer, Logger(system.log(), "org.apache.kafka.clients.consumer.ConsumerConfig")));
    static_cast<void>(checked);
    const auto client = co_await open_client(system, wanted.consumer, "Failed to construct kafka consumer");
    client::Consumer consumer(*client);
    Session session(system, streams, wanted, formatter, consumer);
    const int code = co_await session.run();
    co_return code;
  } catch (const JavaException& exception) {
    failure = exception;
  }
  Logger(system.log(), logger_name).error("Unknown error when running consumer: ");
  streams.print_error(failure->stack_trace());
  co_return 1;
}

}  // namespace

int console_consumer_tool(Arguments arguments, Streams& streams) {
  return console_consumer(arguments, streams, DefaultGroup::made_up);
}

int console_consumer(Arguments arguments, Streams& streams, DefaultGroup otherwise) {
  CommandLine options(streams, "This tool helps to read data from Kafka topics and outputs it to standard output.",
                      specs());
  try {
    try {
      options.parse(arguments);
    } catch (const JavaException& exception) {
      options.usage(exception.message());
    }
    options.help_or_version();
    check(options);
    const Wanted wanted = read_options(options, otherwise);
    ToolSystem system;
    std::unique_ptr<MessageFormatter> formatter;
    try {
      formatter = make_formatter(wanted.formatter_class, wanted.formatter, system.log(), streams);
    } catch (const JavaException& exception) {
      options.usage(exception.message());
    }
    return system.run(run(system, streams, wanted, *formatter));
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    streams.print_error(fmt::format("Exception in thread \"main\" {}", exception.stack_trace()));
    return 1;
  }
}

}  // namespace klamm::cli
