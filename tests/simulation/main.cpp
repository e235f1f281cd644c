// klamm_simulate: runs stories, each of one seed. docs/simulation.md tells what a story is.
//
//   klamm_simulate --seeds 1-100 [--jobs 2] [--log FILE]   many; the last line is 'N passed, N failed, 0 skipped'
//   klamm_simulate --seed 7 [--trace]                      one, again and again the same; the trace goes to stdout
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "story.h"

namespace klamm::simulation {
namespace {

constexpr unsigned seconds_per_story_max = 120;  // of real time; a story takes less than one

struct Command {
  std::uint64_t from = 1;
  std::uint64_t to = 0;
  unsigned jobs = 2;
  bool trace = false;
  std::string log;
};

int usage() {
  fmt::print(stderr, "usage: klamm_simulate --seeds FROM-TO [--jobs N] [--log FILE] | --seed N [--trace]\n");
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
    if (i + 1 == count) return std::nullopt;
    const std::string value = arguments[++i];
    if (name == "--seed") {
      command.from = command.to = std::strtoull(value.c_str(), nullptr, 10);
    } else if (name == "--seeds") {
      const auto dash = value.find('-');
      if (dash == std::string::npos) return std::nullopt;
      command.from = std::strtoull(value.c_str(), nullptr, 10);
      command.to = std::strtoull(value.c_str() + dash + 1, nullptr, 10);
    } else if (name == "--jobs") {
      command.jobs = static_cast<unsigned>(std::max(1l, std::strtol(value.c_str(), nullptr, 10)));
    } else if (name == "--log") {
      command.log = value;
    } else {
      return std::nullopt;
    }
  }
  if (command.to < command.from) return std::nullopt;
  return command;
}

std::string line_of(std::uint64_t seed, const StoryOutcome& outcome) {
  return fmt::format(
      "seed {} {} trace {:016x} {} lines, {} operations, {} acknowledged, {} read, {} starts, {} power cuts, {} "
      "allowed duplicates, {:.1f} s\n",
      seed, outcome.failures.empty() ? "ok" : "FAILED", outcome.trace_hash, outcome.trace_lines, outcome.operations,
      outcome.acknowledged, outcome.reads, outcome.starts, outcome.power_cuts, outcome.allowed_duplicates,
      outcome.virtual_seconds);
}

std::string report_of(std::uint64_t seed, const StoryOutcome& outcome) {
  std::string report = line_of(seed, outcome);
  for (const std::string& failure : outcome.failures) report += "  " + failure + "\n";
  return report;
}

int run_one(const Command& command, const char* program) {
  StoryOptions options{.seed = command.from};
  if (command.trace) options.trace = [](std::string_view line) { fmt::print("{}", line); };
  const StoryOutcome outcome = run_story(options);
  fmt::print("{}", report_of(command.from, outcome));
  // The same seed once more must be the same story.
  if (!command.trace) {
    const StoryOutcome again = run_story(options);
    if (again.trace_hash != outcome.trace_hash) {
      fmt::print("  played again it has trace {:016x}\nreplay with: {} --seed {} --trace\n", again.trace_hash, program,
                 command.from);
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

Worker start_worker(std::uint64_t seed) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t process = ::fork();
  if (process == 0) {
    ::close(ends[0]);
    ::alarm(seconds_per_story_max);
    StoryOutcome outcome = run_story({.seed = seed});
    // Every tenth is played twice.
    if (outcome.failures.empty() && seed % 10 == 0 && run_story({.seed = seed}).trace_hash != outcome.trace_hash) {
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
  std::FILE* log = command.log.empty() ? nullptr : std::fopen(command.log.c_str(), "a");
  std::uint64_t next = command.from;
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  std::map<pid_t, Worker> workers;
  while (next <= command.to || !workers.empty()) {
    while (next <= command.to && workers.size() < command.jobs) {
      const Worker worker = start_worker(next++);
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
    if (!good) fmt::print("{}replay with: {} --seed {} --trace\n", report, program, worker.seed);
    if (log != nullptr) std::fputs(report.c_str(), log);
  }
  if (log != nullptr) std::fclose(log);
  fmt::print("{} passed, {} failed, 0 skipped\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace klamm::simulation

int main(int count, char** arguments) {
  using namespace klamm::simulation;
  const auto command = parse(count, arguments);
  if (!command) return usage();
  return command->from == command->to ? run_one(*command, arguments[0]) : run_many(*command, arguments[0]);
}
