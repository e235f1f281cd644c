#include "cli/bench_tool.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "bench/run.h"
#include "cli/tool_client.h"
#include "config/value.h"

namespace klamm::cli {

using bench::Plan;
using bench::Report;
using bench::Workload;
using runtime::Task;

namespace {

constexpr std::string_view description =
    "Loads a cluster and prints what it did: klamm bench "
    "produce|fetch|end-to-end|connect|idle|groups|rebalance|commits|transactions [options].\n"
    "produce sends one batch a request; fetch reads a topic again and again (fill it with produce first);\n"
    "end-to-end sends single records and waits for them at a consumer; connect opens and closes connections;\n"
    "idle holds them. groups has members that heartbeat and commit at their times; rebalance has one group join\n"
    "again and again; commits stores offsets as fast as answers come; transactions has a producer a connection that\n"
    "writes a record to each partition and commits. Without --rate a request follows the answer before it; with it\n"
    "requests have times at which they are due, and latencies count from those.";

std::vector<OptionSpec> specs() {
  return {
      {"bootstrap-server", Takes::value, "host:port", "Brokers to begin with.", "localhost:9092"},
      {"command-config", Takes::value, "config file", "A file with properties of the client."},
      {"topic", Takes::value, "topic", "The topic; made when it is not there.", "klamm-bench"},
      {"partitions", Takes::value, "count", "Partitions of a topic that is made.", "1"},
      {"replication-factor", Takes::value, "count", "Of a topic that is made; the cluster's default without it."},
      {"record-size", Takes::value, "bytes", "Bytes of a record's value.", "100"},
      {"batch-size", Takes::value, "bytes", "Bytes of a batch before compression; one batch a request.", "16384"},
      {"compression", Takes::value, "codec", "none, gzip, snappy, lz4 or zstd.", "none"},
      {"acks", Takes::value, "1 or all", "Which acknowledgement to wait for.", "1"},
      {"connections", Takes::value, "count", "Connections to the brokers.", "16"},
      {"in-flight", Takes::value, "count", "Requests on their way per connection.", "1"},
      {"rate", Takes::value, "requests", "Requests a second, all connections together.", "0"},
      {"fetch-size", Takes::value, "bytes", "Bytes a fetch asks for.", "1048576"},
      {"groups", Takes::value, "count", "Groups of the classic protocol.", "0"},
      {"consumer-groups", Takes::value, "count", "Groups of the protocol of KIP-848.", "0"},
      {"members", Takes::value, "count", "Members of each group.", "2"},
      {"heartbeat", Takes::value, "seconds", "Between two heartbeats of a member.", "3"},
      {"commit", Takes::value, "seconds", "Between two commits of a member; 0: none.", "1"},
      {"requests", Takes::value, "count", "Of a loop without --rate: ends after so many; 0: after --duration.", "0"},
      {"duration", Takes::value, "seconds", "How long is counted.", "5"},
      {"warm-up", Takes::value, "seconds", "How long runs uncounted before.", "1"},
      {"server-pid", Takes::value, "pid", "A broker on this machine whose CPU and memory are told, too."},
      {"json", Takes::nothing, {}, "One line of JSON instead of text."},
  };
}

constexpr std::pair<std::string_view, Workload> workloads[] = {
    {"produce", Workload::produce},     {"fetch", Workload::fetch},     {"end-to-end", Workload::end_to_end},
    {"connect", Workload::connect},     {"idle", Workload::idle},       {"groups", Workload::groups},
    {"rebalance", Workload::rebalance}, {"commits", Workload::commits}, {"transactions", Workload::transactions}};

double number_of(const CommandLine& line, std::string_view option, double least, double most) {
  const std::string text = line.value(option);
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !(value >= least && value <= most)) {
    line.usage(fmt::format("Invalid value {} for --{}: a number from {} to {} is needed", text, option, least, most));
  }
  return value;
}

template <typename T>
T whole_number_of(const CommandLine& line, std::string_view option, double least, double most) {
  const double value = number_of(line, option, least, most);
  if (value != static_cast<double>(static_cast<T>(value))) {
    line.usage(fmt::format("Invalid value {} for --{}: a whole number is needed", line.value(option), option));
  }
  return static_cast<T>(value);
}

runtime::Duration seconds_of(const CommandLine& line, std::string_view option) {
  return std::chrono::duration_cast<runtime::Duration>(
      std::chrono::duration<double>(number_of(line, option, 0, 86'400)));
}

Plan plan_of(const CommandLine& line) {
  Plan plan;
  if (line.rest().size() != 1) {
    line.usage(
        "One workload is needed: produce, fetch, end-to-end, connect, idle, groups, rebalance, commits or "
        "transactions");
  }
  const auto named = std::ranges::find(workloads, line.rest().front(), &std::pair<std::string_view, Workload>::first);
  if (named == std::end(workloads)) line.usage(fmt::format("Unknown workload {}", line.rest().front()));
  plan.workload = named->second;
  plan.topic = line.value("topic");
  plan.partitions = whole_number_of<std::int32_t>(line, "partitions", 1, 1'000'000);
  if (line.has("replication-factor"))
    plan.replication_factor = whole_number_of<std::int16_t>(line, "replication-factor", 1, 32'767);
  plan.record_bytes = whole_number_of<std::size_t>(line, "record-size", 0, 100 << 20);
  plan.batch_bytes = whole_number_of<std::size_t>(line, "batch-size", 1, 100 << 20);
  const auto codec = records::compression_of_name(line.value("compression"));
  if (!codec) line.usage(fmt::format("Unknown codec {}", line.value("compression")));
  plan.compression = {.type = *codec};
  const std::string acks = line.value("acks");
  if (acks != "1" && acks != "all" && acks != "-1")
    line.usage("--acks is 1 or all: without answers nothing is measured");
  plan.acks = acks == "1" ? std::int16_t{1} : std::int16_t{-1};
  plan.connections = whole_number_of<std::size_t>(line, "connections", 1, 1'000'000);
  plan.in_flight = whole_number_of<std::size_t>(line, "in-flight", 1, 100'000);
  plan.rate = number_of(line, "rate", 0, 1e9);
  plan.fetch_bytes = whole_number_of<std::int32_t>(line, "fetch-size", 1, 1 << 30);
  plan.groups = whole_number_of<std::size_t>(line, "groups", 0, 1'000'000);
  plan.consumer_groups = whole_number_of<std::size_t>(line, "consumer-groups", 0, 1'000'000);
  plan.members = whole_number_of<std::size_t>(line, "members", 1, 100'000);
  plan.heartbeat = seconds_of(line, "heartbeat");
  plan.commit = seconds_of(line, "commit");
  plan.requests = whole_number_of<std::uint64_t>(line, "requests", 0, 1e12);
  plan.duration = seconds_of(line, "duration");
  plan.warm_up = seconds_of(line, "warm-up");
  if (plan.workload == Workload::end_to_end && plan.rate == 0) line.usage("end-to-end needs --rate");
  if (plan.workload == Workload::groups && plan.groups + plan.consumer_groups == 0)
    line.usage("groups needs --groups or --consumer-groups");
  if (plan.workload == Workload::groups && plan.heartbeat.count() == 0)
    line.usage("groups needs a --heartbeat above 0");
  return plan;
}

// --- what processes used ---------------------------------------------------------------------------------------------

double own_cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// CPU time of a process, ended threads included: fields 14 and 15 of /proc/PID/stat. Negative when it is not there.
double cpu_seconds_of(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return -1;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double resident_mib_of(int pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

struct Usage {
  int server_pid = 0;
  double own = 0;
  double server = 0;
  double server_mib = 0;

  void begin() {
    own = -own_cpu_seconds();
    if (server_pid != 0) server = -cpu_seconds_of(server_pid);
  }
  void end() {
    own += own_cpu_seconds();
    if (server_pid == 0) return;
    server += cpu_seconds_of(server_pid);
    server_mib = resident_mib_of(server_pid);
  }
};

// --- telling ---------------------------------------------------------------------------------------------------------

double milliseconds(std::int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e6;
}

void print_text(Streams& streams, const Plan& plan, const Report& report, const Usage& usage) {
  const double requests = static_cast<double>(report.requests), bytes = static_cast<double>(report.record_batch_bytes);
  streams.line("{} requests in {:.2f} s: {:.0f} requests/s, {:.0f} records/s, {:.1f} MB/s; {} failed", report.requests,
               report.seconds, requests / report.seconds, static_cast<double>(report.records) / report.seconds,
               bytes / report.seconds / 1e6, report.failed);
  streams.line("latency in ms: mean {:.3f}, p50 {:.3f}, p99 {:.3f}, p99.9 {:.3f}, max {:.3f}",
               report.latency.mean() / 1e6, milliseconds(report.latency.percentile(50)),
               milliseconds(report.latency.percentile(99)), milliseconds(report.latency.percentile(99.9)),
               milliseconds(report.latency.max()));
  const auto cpu = [&](std::string_view who, double seconds) {
    streams.line("CPU of the {}: {:.2f} s, {:.1f} us a request{}", who, seconds,
                 requests == 0 ? 0 : seconds / requests * 1e6,
                 bytes == 0 ? "" : fmt::format(", {:.3f} s/GB", seconds / bytes * 1e9));
  };
  cpu("generator", usage.own);
  if (usage.server_pid != 0) {
    cpu("broker", usage.server);
    streams.line("the broker took {:.1f} % of a core", report.seconds == 0 ? 0 : usage.server / report.seconds * 100);
    streams.line("memory of the broker: {:.1f} MiB resident", usage.server_mib);
  }
  if (report.grown >= 0) {
    streams.line("acknowledged {} records, {} {}", report.acknowledged, report.grown,
                 plan.workload == Workload::end_to_end ? "consumed" : "more in the partitions");
  }
  if (report.repeated > 0) streams.line("asked {} times again: the transaction before was not ended", report.repeated);
  for (const auto& [why, count] : report.failures) streams.line("failed {} times: {}", count, why);
}

void print_json(Streams& streams, const Plan& plan, const Report& report, const Usage& usage) {
  std::string failures;
  for (const auto& [why, count] : report.failures) {
    std::string escaped;
    for (const char c : why) escaped += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c < ' ' ? ' ' : c};
    failures += fmt::format("{}\"{}\":{}", failures.empty() ? "" : ",", escaped, count);
  }
  const auto name = std::ranges::find(workloads, plan.workload, &std::pair<std::string_view, Workload>::second)->first;
  std::string line = fmt::format(
      R"({{"workload":"{}","seconds":{:.3f},"requests":{},"records":{},"bytes":{},"failed":{},"failures":{{{}}},)"
      R"("latency_ms":{{"mean":{:.4f},"p50":{:.4f},"p99":{:.4f},"p99.9":{:.4f},"max":{:.4f}}},"generator_cpu":{:.4f})",
      name, report.seconds, report.requests, report.records, report.record_batch_bytes, report.failed, failures,
      report.latency.mean() / 1e6, milliseconds(report.latency.percentile(50)),
      milliseconds(report.latency.percentile(99)), milliseconds(report.latency.percentile(99.9)),
      milliseconds(report.latency.max()), usage.own);
  if (usage.server_pid != 0)
    line += fmt::format(R"(,"broker_cpu":{:.4f},"broker_mib":{:.1f})", usage.server, usage.server_mib);
  if (plan.workload == Workload::transactions) line += fmt::format(R"(,"repeated":{})", report.repeated);
  if (report.grown >= 0) line += fmt::format(R"(,"acknowledged":{},"grown":{})", report.acknowledged, report.grown);
  streams.line("{}}}", line);
}

Task<client::Result<Report>> run_plan(ToolSystem& system, client::Properties properties, const Plan& plan,
                                      Usage& usage) {
  auto opening = open_admin(system, std::move(properties));
  const auto client = co_await std::move(opening);
  bench::Moments moments{[&] { usage.begin(); }, [&] { usage.end(); }};
  auto running = bench::run(system.environment(), *client, plan, std::move(moments));
  co_return co_await std::move(running);
}

void raise_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int bench_tool(Arguments arguments, Streams& streams) {
  CommandLine line(streams, description, specs());
  line.parse(arguments);
  line.help_or_version();
  const Plan plan = plan_of(line);
  Usage usage;
  if (line.has("server-pid")) {
    usage.server_pid = whole_number_of<int>(line, "server-pid", 1, 1 << 30);
    if (cpu_seconds_of(usage.server_pid) < 0) line.usage(fmt::format("There is no process {}", usage.server_pid));
  }
  raise_descriptors();
  client::Properties properties =
      line.has("command-config") ? load_properties(line.value("command-config")) : client::Properties{};
  properties["bootstrap.servers"] = line.value("bootstrap-server");
  ToolSystem system;
  system.reactor().set_precise_timers();
  const auto report = system.run(run_plan(system, std::move(properties), plan, usage));
  if (!report) throw JavaException(report.error());
  if (line.has("json"))
    print_json(streams, plan, *report, usage);
  else
    print_text(streams, plan, *report, usage);
  return report->failed == 0 && report->requests > 0 ? 0 : 1;
}

}  // namespace klamm::cli
