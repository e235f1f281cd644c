#include "cli/transactions_tool.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/version.h"
#include "cli/subcommand_line.h"
#include "cli/tool_client.h"
#include "client/transactions_admin.h"
#include "config/value.h"

namespace klamm::cli {

using client::PartitionName;
using client::ProducerDescription;
using client::TransactionsAdmin;
using runtime::Task;

namespace {

constexpr std::string_view program = "kafka-transactions.sh";
constexpr std::int64_t minute_ms = 60'000;

std::vector<Subcommand> commands() {
  const SubcommandOption topic{"--topic", {}, Takes::value, true, 0, "The topic's name."};
  const SubcommandOption partition{"--partition", {}, Takes::value, true, 0, "The partition's number."};
  return {
      {"list",
       "lists transactions",
       {{"--duration-filter",
         {},
         Takes::value,
         false,
         0,
         "Only those that are open for longer than so many milliseconds."},
        {"--transactional-id-pattern", {}, Takes::value, false, 0, "Only ids that the regular expression matches."}}},
      {"describe",
       "describes the state of a transactional id",
       {{"--transactional-id", {}, Takes::value, true, 0, "The transactional id."}}},
      {"describe-producers",
       "describes the producers that wrote to a partition",
       {{"--broker-id", {}, Takes::value, false, 0, "Asks this broker instead of the leader."}, topic, partition}},
      {"abort",
       "aborts a hanging transaction (requires administrative privileges)",
       {topic,
        partition,
        {"--start-offset", {}, Takes::value, false, 0, "Where the transaction begins."},
        {"--producer-id", {}, Takes::value, false, 0, "Its producer; for brokers before 3.0, with the two below."},
        {"--producer-epoch", {}, Takes::value, false, 0, "The producer's epoch."},
        {"--coordinator-epoch", {}, Takes::value, false, 0, "The coordinator's epoch."}}},
      {"find-hanging",
       "finds hanging transactions",
       {{"--broker-id", {}, Takes::value, false, 0, "Looks at the partitions of this broker."},
        {"--max-transaction-timeout", {}, Takes::value, false, 0, "Only those older than so many minutes (15)."},
        {"--topic", {}, Takes::value, false, 0, "Looks at this topic; needed with --partition."},
        {"--partition", {}, Takes::value, false, 0, "Looks at this partition."}}},
      {"forceTerminateTransaction",
       "aborts the transaction that is open for a transactional id (requires administrative privileges)",
       {{"--transactionalId", {}, Takes::value, true, 0, "The transactional id."}}},
  };
}

// What stands before the command.
struct Globals {
  std::optional<std::string> bootstrap_server;
  std::optional<std::string> command_config;
  Arguments rest;
};

[[noreturn]] void fail(Streams& streams, std::string_view message) {
  streams.error_line("{}", message);
  throw ToolExit{1};
}

[[noreturn]] void usage_error(Streams& streams, std::string_view message) {
  streams.error_line("usage: {} [-h] [-v] [--command-config FILE] --bootstrap-server host:port COMMAND ...", program);
  fail(streams, fill_lines(fmt::format("{}: error: {}", program, message), 75));
}

Globals read_globals(Arguments arguments, Streams& streams) {
  Globals globals;
  std::size_t at = 0;
  for (; at < arguments.size() && arguments[at].starts_with("-"); ++at) {
    const std::string& argument = arguments[at];
    if (argument == "-v" || argument == "--version") {
      streams.line("{}", kafka_version);
      throw ToolExit{0};
    }
    if (argument == "-h" || argument == "--help") break;  // of all commands
    const auto equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const bool server = name.size() > 2 && std::string_view("--bootstrap-server").starts_with(name);
    const bool config = name.size() > 2 && std::string_view("--command-config").starts_with(name);
    if (!server && !config) usage_error(streams, fmt::format("unrecognized arguments: '{}'", argument));
    std::optional<std::string> value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (at + 1 < arguments.size()) {
      value = arguments[++at];
    } else {
      usage_error(streams, fmt::format("argument {}: expected one argument",
                                       server ? "--bootstrap-server" : "--command-config"));
    }
    (server ? globals.bootstrap_server : globals.command_config) = std::move(value);
  }
  globals.rest = arguments.subspan(at);
  if (globals.rest.empty()) usage_error(streams, "too few arguments");
  return globals;
}

template <typename Number>
std::optional<Number> number(const ParsedSubcommand& line, std::string_view option, Streams& streams) {
  const auto text = line.find(option);
  if (!text) return std::nullopt;
  const auto parsed =
      config::parse_java_integer(*text, std::numeric_limits<Number>::min(), std::numeric_limits<Number>::max());
  constexpr std::string_view type = sizeof(Number) == 8   ? "Long (64 bits)"
                                    : sizeof(Number) == 4 ? "Integer (32 bits)"
                                                          : "Short (16 bits)";
  if (!parsed) usage_error(streams, fmt::format("argument {}: could not convert '{}' to {}", option, *text, type));
  return static_cast<Number>(*parsed);
}

using Row = std::vector<std::string>;

// Columns as wide as their widest cell, each with a tab behind it.
void print_table(Streams& streams, const Row& headers, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& header : headers) widths.push_back(header.size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&](const Row& row) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) text += fmt::format("{:<{}}\t", row[i], widths[i]);
    streams.line("{}", text);
  };
  print(headers);
  for (const Row& row : rows) print(row);
}

template <typename T>
T value_or_fail(Streams& streams, client::Result<T> result, std::string_view what) {
  if (!result) {
    fail(streams, fmt::format("{}: {}. Enable debug logging for additional detail.", what, result.error().message()));
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

std::string text_of(const PartitionName& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

// One run of the tool.
class Run {
 public:
  Run(ToolSystem& system, client::Client& client, const ParsedSubcommand& line, Streams& streams)
      : system_(system), admin_(client), topics_(client), line_(line), streams_(streams) {}

  Task<void> run() {
    const std::string& command = line_.command();
    if (command == "list") co_await list();
    if (command == "describe") co_await describe();
    if (command == "describe-producers") co_await describe_producers();
    if (command == "abort") co_await abort();
    if (command == "find-hanging") co_await find_hanging();
    if (command == "forceTerminateTransaction") co_await force_terminate();
  }

 private:
  struct Open {
    PartitionName partition;
    ProducerDescription producer;
  };

  std::int64_t now() { return system_.environment().clock.wall().value; }
  PartitionName named_partition() const {
    return {line_.value("--topic"), *number<std::int32_t>(line_, "--partition", streams_)};
  }

  Task<void> list() {
    client::TransactionFilter filter;
    filter.longer_than_ms = number<std::int64_t>(line_, "--duration-filter", streams_).value_or(-1);
    filter.pattern = line_.find("--transactional-id-pattern");
    const auto found = value_or_fail(streams_, co_await admin_.list(std::move(filter)), "Failed to list transactions");
    std::vector<Row> rows;
    for (const auto& each : found) {
      rows.push_back(
          {each.transactional_id, std::to_string(each.coordinator), std::to_string(each.producer_id), each.state});
    }
    print_table(streams_, {"TransactionalId", "Coordinator", "ProducerId", "TransactionState"}, rows);
  }

  Task<void> describe() {
    const std::string id = line_.value("--transactional-id");
    const auto found = value_or_fail(streams_, co_await admin_.describe(id),
                                     fmt::format("Failed to describe transaction state of transactional-id `{}`", id));
    std::string partitions;
    for (const PartitionName& each : found.partitions) {
      partitions += fmt::format("{}{}", partitions.empty() ? "" : ",", text_of(each));
    }
    const auto started = found.started_at_ms;
    print_table(streams_,
                {"CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState",
                 "TransactionTimeoutMs", "CurrentTransactionStartTimeMs", "TransactionDurationMs", "TopicPartitions"},
                {{std::to_string(found.coordinator), id, std::to_string(found.producer_id),
                  std::to_string(found.producer_epoch), found.state, std::to_string(found.timeout_ms),
                  started ? std::to_string(*started) : "None", started ? std::to_string(now() - *started) : "None",
                  partitions}});
  }

  Task<void> describe_producers() {
    const auto broker = number<std::int32_t>(line_, "--broker-id", streams_);
    const PartitionName partition = named_partition();
    const auto found =
        value_or_fail(streams_, co_await admin_.describe_producers(partition, broker),
                      fmt::format("Failed to describe producers for partition {} on {}", text_of(partition),
                                  broker ? fmt::format("broker {}", *broker) : "leader"));
    std::vector<Row> rows;
    for (const ProducerDescription& each : found) {
      rows.push_back({std::to_string(each.producer_id), std::to_string(each.producer_epoch),
                      std::to_string(each.coordinator_epoch.value_or(-1)), std::to_string(each.last_sequence),
                      std::to_string(each.last_timestamp),
                      each.transaction_start ? std::to_string(*each.transaction_start) : "None"});
    }
    print_table(streams_,
                {"ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence", "LastTimestamp",
                 "CurrentTransactionStartOffset"},
                rows);
  }

  Task<void> abort() {
    client::AbortedTransaction spec{.partition = named_partition()};
    const auto start = number<std::int64_t>(line_, "--start-offset", streams_);
    const auto producer = number<std::int64_t>(line_, "--producer-id", streams_);
    if (!start && !producer) {
      fail(streams_,
           "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) or "
           "with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)");
    }
    if (start) {
      const ProducerDescription found = co_await open_at(spec.partition, *start);
      spec.producer_id = found.producer_id;
      spec.producer_epoch = static_cast<std::int16_t>(found.producer_epoch);
      spec.coordinator_epoch = found.coordinator_epoch.value_or(0);
    } else {
      const auto epoch = number<std::int16_t>(line_, "--producer-epoch", streams_);
      if (!epoch) fail(streams_, "Missing required argument --producer-epoch");
      const auto coordinator = number<std::int32_t>(line_, "--coordinator-epoch", streams_);
      if (!coordinator) fail(streams_, "Missing required argument --coordinator-epoch");
      spec.producer_id = *producer;
      spec.producer_epoch = *epoch;
      spec.coordinator_epoch = std::max(*coordinator, 0);  // -1: of a producer whose first transaction hangs
    }
    const std::string what = fmt::format(
        "Failed to abort transaction AbortTransactionSpec(topicPartition={}, producerId={}, producerEpoch={}, "
        "coordinatorEpoch={})",
        text_of(spec.partition), spec.producer_id, spec.producer_epoch, spec.coordinator_epoch);
    value_or_fail(streams_, co_await admin_.abort(std::move(spec)), what);
  }

  Task<ProducerDescription> open_at(PartitionName partition, std::int64_t start) {
    const auto producers =
        value_or_fail(streams_, co_await admin_.describe_producers(partition),
                      fmt::format("Failed to validate producer state for partition {}", text_of(partition)));
    const auto found = std::ranges::find(producers, std::optional(start), &ProducerDescription::transaction_start);
    if (found == producers.end()) {
      fail(streams_, fmt::format("Could not find any open transactions starting at offset {} on partition {}", start,
                                 text_of(partition)));
    }
    co_return *found;
  }

  Task<void> force_terminate() {
    const std::string id = line_.value("--transactionalId");
    value_or_fail(streams_, co_await admin_.force_terminate(id),
                  fmt::format("Failed to force terminate transactionalId `{}`", id));
  }

  // --- hanging transactions ---

  Task<void> find_hanging() {
    const auto broker = number<std::int32_t>(line_, "--broker-id", streams_);
    if (!line_.has("--topic") && !broker) {
      fail(streams_,
           "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search");
    }
    if (line_.has("--partition") && !line_.has("--topic")) {
      fail(streams_, "The --partition argument requires --topic to be provided");
    }
    const std::int64_t older_than =
        minute_ms * number<std::int32_t>(line_, "--max-transaction-timeout", streams_).value_or(15);
    const std::vector<PartitionName> partitions = co_await partitions_to_search(broker);
    const std::vector<Open> open = co_await open_in(partitions, broker, older_than);
    std::vector<Row> rows;
    if (!open.empty()) {
      const std::map<std::int64_t, std::set<PartitionName>> awaited = co_await awaited_by_coordinators(open);
      for (const Open& each : open) {
        const auto known = awaited.find(each.producer.producer_id);
        if (known != awaited.end() && known->second.contains(each.partition)) continue;
        rows.push_back({each.partition.topic, std::to_string(each.partition.partition),
                        std::to_string(each.producer.producer_id), std::to_string(each.producer.producer_epoch),
                        std::to_string(each.producer.coordinator_epoch.value_or(-1)),
                        std::to_string(*each.producer.transaction_start), std::to_string(each.producer.last_timestamp),
                        std::to_string((now() - each.producer.last_timestamp) / minute_ms)});
      }
    }
    print_table(streams_,
                {"Topic", "Partition", "ProducerId", "ProducerEpoch", "CoordinatorEpoch", "StartOffset",
                 "LastTimestamp", "Duration(min)"},
                rows);
  }

  Task<std::vector<PartitionName>> partitions_to_search(std::optional<std::int32_t> broker) {
    std::vector<std::string> names;
    if (const auto topic = line_.find("--topic")) {
      if (const auto partition = number<std::int32_t>(line_, "--partition", streams_)) {
        co_return std::vector<PartitionName>{{*topic, *partition}};
      }
      names.push_back(*topic);
    } else {
      const auto listed = value_or_fail(streams_, co_await topics_.list_topics(), "Failed to list topics");
      for (const auto& each : listed) names.push_back(each.name);
    }
    const auto count = names.size();
    const auto described = value_or_fail(streams_, co_await topics_.describe_topics(std::move(names)),
                                         fmt::format("Failed to describe {} topics", count));
    std::vector<PartitionName> partitions;
    for (const auto& topic : described) {
      if (topic.error) {
        fail(streams_, fmt::format("Failed to describe {} topics: {}. Enable debug logging for additional detail.",
                                   count, topic.error->message()));
      }
      for (const auto& each : topic.partitions) {
        if (broker && std::ranges::find(each.replicas, *broker) == each.replicas.end()) continue;
        partitions.push_back({topic.name, each.partition});
      }
    }
    co_return partitions;
  }

  Task<std::vector<Open>> open_in(const std::vector<PartitionName>& partitions, std::optional<std::int32_t> broker,
                                  std::int64_t older_than) {
    std::vector<Open> open;
    for (const PartitionName& partition : partitions) {
      const auto producers =
          value_or_fail(streams_, co_await admin_.describe_producers(partition, broker),
                        fmt::format("Failed to describe producers for {} partitions on broker {}", partitions.size(),
                                    broker ? fmt::format("Optional[{}]", *broker) : "Optional.empty"));
      for (const ProducerDescription& each : producers) {
        if (each.transaction_start && now() - each.last_timestamp > older_than) open.push_back({partition, each});
      }
    }
    co_return open;
  }

  // By producer: partitions whose transactions a coordinator knows, so that it will end them.
  Task<std::map<std::int64_t, std::set<PartitionName>>> awaited_by_coordinators(const std::vector<Open>& open) {
    client::TransactionFilter filter;
    std::set<std::int64_t> producers;
    for (const Open& each : open) producers.insert(each.producer.producer_id);
    filter.producer_ids.assign(producers.begin(), producers.end());
    const auto listed = value_or_fail(streams_, co_await admin_.list(std::move(filter)),
                                      fmt::format("Failed to list transactions for {} producers", producers.size()));
    std::map<std::int64_t, std::set<PartitionName>> awaited;
    for (const auto& listing : listed) {
      const auto described = co_await admin_.describe(listing.transactional_id);
      if (!described && described.error().code() == ErrorCode::transactional_id_not_found) continue;
      const auto known =
          value_or_fail(streams_, described, fmt::format("Failed to describe {} transactions", listed.size()));
      awaited[listing.producer_id].insert(known.partitions.begin(), known.partitions.end());
    }
    co_return awaited;
  }

  ToolSystem& system_;
  TransactionsAdmin admin_;
  client::Admin topics_;
  const ParsedSubcommand& line_;
  Streams& streams_;
};

Task<void> run(ToolSystem& system, const ParsedSubcommand& line, client::Properties properties, Streams& streams) {
  const auto client = co_await open_admin(system, std::move(properties));
  Run tool(system, *client, line, streams);
  co_await tool.run();
}

client::Properties client_properties(const Globals& globals, Streams& streams) {
  client::Properties properties;
  if (globals.command_config) {
    try {
      properties = load_properties(*globals.command_config);
    } catch (const JavaException& exception) {
      fail(streams,
           fmt::format("Failed to load admin client properties: {}. Enable debug logging for additional detail.",
                       exception.message()));
    }
  }
  properties.insert_or_assign("bootstrap.servers", *globals.bootstrap_server);
  properties.emplace("client.id", "adminclient-1");
  return properties;
}

}  // namespace

int transactions_tool(Arguments arguments, Streams& streams) {
  const SubcommandLine parser(streams, program,
                              "Shows the state of transactions and of the producers that write them, finds "
                              "transactions that hang, and ends them.",
                              commands());
  try {
    const Globals globals = read_globals(arguments, streams);
    const ParsedSubcommand line = parser.parse(globals.rest);
    if (!globals.bootstrap_server) usage_error(streams, "argument --bootstrap-server is required");
    ToolSystem system;
    system.run(run(system, line, client_properties(globals, streams), streams));
    return 0;
  } catch (const ToolExit& exit) {
    return exit.code;
  } catch (const JavaException& exception) {
    print_exception(streams, exception);
    return 1;
  }
}

}  // namespace klamm::cli
