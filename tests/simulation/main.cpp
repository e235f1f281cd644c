// klamm_simulate: runs stories, each of one seed. docs/simulation.md tells what a story is.
//
//   klamm_simulate --seeds 1-100 [--jobs 2] [--log FILE]   many; the last line is 'N passed, N failed, 0 skipped'
//   klamm_simulate --more 1000 [--jobs 2] [--log FILE]     so many that the log file does not hold yet
//   klamm_simulate --seed 7 [--trace]                      one, again and again the same; the trace goes to stdout
//   klamm_simulate --story coordinators ...                stories of groups and transactions instead
//   klamm_simulate --torn-tails                            a log, torn at every byte of its end
//   klamm_simulate --summary [--log FILE]                  what all runs came to
//   klamm_simulate_planted --plant NAME ...                with a bug (base/plant.h); ends at the first seed that finds
//   it
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/plant.h"
#include "coordinators/coordinators_story.h"
#include "story.h"
#include "torn_tails.h"

namespace klamm::simulation {
namespace {

constexpr unsigned seconds_per_story_max = 120;  // of real time; a story takes less than one

struct Command {
  std::uint64_t from = 1;
  std::uint64_t to = 0;
  unsigned jobs = 2;
  std::uint64_t more = 0;
  bool trace = false;
  bool summary = false;
  bool torn_tails = false;
  bool coordinators = false;
  std::string plant;
  std::string log;  // runs add to it
};

StoryOutcome tell(const Command& command, const StoryOptions& options) {
  return command.coordinators ? run_coordinators_story(options) : run_story(options);
}

int usage() {
  fmt::print(stderr,
             "usage: klamm_simulate [--story coordinators] {{--seeds FROM-TO | --more N}} [--jobs N] [--log FILE] | "
             "--seed N [--trace] | --summary\n");
  return 2;
}

std::optional<Command> parse(int count, char** arguments) {
  Command command;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--trace") {
      command.trace = true;
      continue;
    }
    if (name == "--torn-tails") {
      command.torn_tails = true;
      continue;
    }
    if (name == "--summary") {
      command.summary = true;
      continue;
    }
    if (i + 1 == count) return std::nullopt;
    const std::string value = arguments[++i];
    if (name == "--seed") {
      command.from = command.to = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "--seeds") {
      const auto dash = value.find('-');
      if (dash == std::string::npos) return std::nullopt;
      command.from = std::strtoull(value.c_str(), nullptr, 10);
      command.to = std::strtoull(value.c_str() + dash + 1, nullptr, 10);
    } else if (name == "--more") {
      command.more = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "--jobs") {
      command.jobs = static_cast<unsigned>(std::max(1l, std::strtol(value.c_str(), nullptr, 10)));
    } else if (name == "--story") {
      if (value != "coordinators") return std::nullopt;
      command.coordinators = true;
    } else if (name == "--plant") {
      command.plant = value;
    } else if (name == "--log") {
      command.log = value;
    } else {
      return std::nullopt;
    }
  }
  if (command.log.empty()) command.log = command.coordinators ? KLAMM_COORDINATORS_LOG : KLAMM_SEEDS_LOG;
  if (command.to < command.from && !command.summary && !command.torn_tails && command.more == 0) return std::nullopt;
  return command;
}

std::uint64_t highest_seed(const std::string& log) {
  std::uint64_t highest = 0;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("seed "))
      highest = std::max<std::uint64_t>(highest, std::strtoull(line.c_str() + 5, nullptr, 10));
  }
  return highest;
}

#ifdef KLAMM_PLANTS
// In the order of Plant.
constexpr std::string_view plants[] = {"none",
                                       "unsynced-ack",
                                       "unsynced-metadata",
                                       "torn-tail",
                                       "duplicate-sequence",
                                       "index-beyond-log",
                                       "checkpoint-ahead",
                                       "unsynced-roll",
                                       "good-batch-truncated",
                                       "lost-wake-up",
                                       "tail-behind-end",
                                       "early-answer",
                                       "lost-marker",
                                       "skipped-fence",
                                       "two-owners",
                                       "skipped-generation"};

bool put_plant(std::string_view name) {
  const auto found = std::ranges::find(plants, name);
  if (found == std::end(plants)) return false;
  the_plant = static_cast<Plant>(found - std::begin(plants));
  return true;
}
#else
bool put_plant(std::string_view) {
  return false;
}
#endif

int run_torn_tails() {
  const TornTails tails = open_torn_tails();
  for (const std::string& failure : tails.failures) fmt::print("{}\n", failure);
  const auto failed = std::min<std::uint64_t>(tails.opened, tails.failures.size());
  fmt::print("{} passed, {} failed, 0 skipped\n", tails.opened - failed, failed);
  return failed == 0 ? 0 : 1;
}

// Reads the lines that runs left. A seed that was run again counts once for each run.
int summarize(const Command& command) {
  std::ifstream lines(command.log);
  std::uint64_t runs = 0, failed = 0, operations = 0, acknowledged = 0, starts = 0, crashes = 0, power_cuts = 0;
  std::uint64_t transactions = 0, offsets = 0, late = 0, anomalies = 0;
  double seconds = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("seed ")) continue;
    ++runs;
    failed += line.find(" FAILED") != std::string::npos;
    std::istringstream words(line);
    std::string before;
    for (std::string word; words >> word; before = word) {
      const auto number = std::strtoull(before.c_str(), nullptr, 10);
      if (word == "operations,") operations += number;
      if (word == "acknowledged,") acknowledged += number;
      if (word == "starts,") starts += number;
      if (word == "crashes,") crashes += number;
      if (word == "power") power_cuts += number;
      if (word == "transactions") transactions += number;
      if (word == "offsets") offsets += number;
      if (word == "late,") late += number;
      if (word == "anomalies,") anomalies += number;
      if (word == "s") seconds += std::strtod(before.c_str(), nullptr);
    }
  }
  fmt::print(
      "{} seeds, {} failed, {:.1f} virtual hours, {} client operations, {} records acknowledged, {} starts of a "
      "broker, "
      "{} crashes, {} of them power cuts\n",
      runs, failed, seconds / 3600, operations, acknowledged, starts, crashes, power_cuts);
  if (transactions + offsets > 0) {
    fmt::print("{} transactions and {} offsets committed, {} late requests, {} known anomalies\n", transactions,
               offsets, late, anomalies);
  }
  return 0;
}

std::string line_of(std::uint64_t seed, const StoryOutcome& outcome) {
  const std::string of_coordinators =
      outcome.committed + outcome.commits == 0
          ? std::string()
          : fmt::format("{} transactions committed, {} offsets committed, {} late, {} anomalies, ", outcome.committed,
                        outcome.commits, outcome.late, outcome.anomalies);
  return fmt::format(
      "seed {} {} trace {:016x} {} lines, {} operations, {} acknowledged, {} read, {} starts, {} crashes, {} power "
      "cuts, {} "
      "allowed duplicates, {}{:.1f} s\n",
      seed, outcome.failures.empty() ? "ok" : "FAILED", outcome.trace_hash, outcome.trace_lines, outcome.operations,
      outcome.acknowledged, outcome.reads, outcome.starts, outcome.crashes, outcome.power_cuts,
      outcome.allowed_duplicates, of_coordinators, outcome.virtual_seconds);
}

std::string report_of(std::uint64_t seed, const StoryOutcome& outcome) {
  std::string report = line_of(seed, outcome);
  for (const std::string& failure : outcome.failures) report += "  " + failure + "\n";
  return report;
}

std::string story_option(const Command& command) {
  return command.coordinators ? " --story coordinators" : "";
}

int run_one(const Command& command, const char* program) {
  StoryOptions options{.seed = command.from};
  if (command.trace) options.trace = [](std::string_view line) { fmt::print("{}", line); };
  const StoryOutcome outcome = tell(command, options);
  fmt::print("{}", report_of(command.from, outcome));
  // The same seed once more must be the same story.
  if (!command.trace) {
    const StoryOutcome again = tell(command, options);
    if (again.trace_hash != outcome.trace_hash) {
      fmt::print("  played again it has trace {:016x}\nreplay with: {}{} --seed {} --trace\n", again.trace_hash,
                 program, story_option(command), command.from);
      return 1;
    }
  }
  return outcome.failures.empty() ? 0 : 1;
}

// A process that plays seeds and writes each report to a pipe: a story that ends its process, or does not end, is one
// seed's failure and not that of the others.
struct Worker {
  pid_t process = -1;
  int pipe = -1;
  std::uint64_t seed = 0;
};

Worker start_worker(const Command& command, std::uint64_t seed) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t process = ::fork();
  if (process == 0) {
    ::close(ends[0]);
    ::alarm(seconds_per_story_max);
    StoryOutcome outcome = tell(command, {.seed = seed});
    // Every tenth is played twice.
    if (outcome.failures.empty() && seed % 10 == 0 && tell(command, {.seed = seed}).trace_hash != outcome.trace_hash) {
      outcome.failures.push_back("played again it has another trace");
    }
    const std::string report = report_of(seed, outcome);
    [[maybe_unused]] const auto written = ::write(ends[1], report.data(), report.size());
    ::_exit(outcome.failures.empty() ? 0 : 1);
  }
  ::close(ends[1]);
  return {process, ends[0], seed};
}

std::string read_all(int pipe) {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(pipe, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(pipe);
  return text;
}

std::string ending(int status) {
  if (!WIFSIGNALED(status)) return "";
  if (WTERMSIG(status) == SIGALRM) return fmt::format("  it did not end within {} s\n", seconds_per_story_max);
  return fmt::format("  ended by signal {}\n", WTERMSIG(status));
}

int run_many(const Command& command, const char* program) {
  // What a planted bug does is not what the broker does.
  std::FILE* log = nullptr;
  if (command.plant.empty()) {
    std::filesystem::create_directories(std::filesystem::path(command.log).parent_path());
    log = std::fopen(command.log.c_str(), "a");
  }
  const std::string replay = story_option(command) + (command.plant.empty() ? "" : " --plant " + command.plant);
  std::uint64_t next = command.from;
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  std::map<pid_t, Worker> workers;
  while (next <= command.to || !workers.empty()) {
    while (next <= command.to && workers.size() < command.jobs) {
      const Worker worker = start_worker(command, next++);
      workers[worker.process] = worker;
    }
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    const auto found = workers.find(ended);
    if (found == workers.end()) continue;
    const Worker worker = found->second;
    workers.erase(found);
    std::string report = read_all(worker.pipe);
    const bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (report.empty()) report = fmt::format("seed {} FAILED\n", worker.seed);
    report += ending(status);
    good ? ++passed : ++failed;
    if (!good) fmt::print("{}replay with: {}{} --seed {} --trace\n", report, program, replay, worker.seed);
    std::fflush(stdout);
    if (log != nullptr) std::fputs(report.c_str(), log);
    if (!good && !command.plant.empty()) next = command.to + 1;
  }
  if (log != nullptr) std::fclose(log);
  fmt::print("{} passed, {} failed, 0 skipped\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace klamm::simulation

int main(int count, char** arguments) {
  using namespace klamm::simulation;
  auto command = parse(count, arguments);
  if (!command) return usage();
  if (command->summary) return summarize(*command);
  if (command->torn_tails) return run_torn_tails();
  if (command->more > 0) {
    command->from = highest_seed(command->log) + 1;
    command->to = command->from + command->more - 1;
  }
  if (!command->plant.empty() && !put_plant(command->plant)) {
    fmt::print(stderr, "no bug '{}' can be planted in this program\n", command->plant);
    return 2;
  }
  return command->from == command->to ? run_one(*command, arguments[0]) : run_many(*command, arguments[0]);
}
