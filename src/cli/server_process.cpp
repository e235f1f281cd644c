#include "cli/server_process.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "base/stack_trace.h"
#include "base/version.h"
#include "broker/broker.h"
#include "config/broker_config.h"
#include "runtime/os/line_log.h"
#include "runtime/os/system.h"

namespace klamm::cli {
namespace {

// --- signals ---------------------------------------------------------------------------------------------------------

// A signal handler has no argument of its own: what it reaches is process-wide by nature.
struct StopRequest final : runtime::Work {
  explicit StopRequest(runtime::Reactor& its) : reactor(its), asked(its) {}
  void run() override { asked.notify(); }

  runtime::Reactor& reactor;
  runtime::Notice asked;
  std::atomic<bool> posted{false};
  std::atomic<int> signal{0};
};
std::atomic<StopRequest*> stop_request{nullptr};

void on_stop_signal(int number) {
  StopRequest* request = stop_request.load();
  if (request == nullptr) ::_exit(128 + number);  // before the broker began or after it ended
  request->signal.store(number);
  if (!request->posted.exchange(true)) request->reactor.post(*request);
}

void on_fatal_signal(int number) {
  constexpr char text[] = "Fatal signal; ";
  [[maybe_unused]] const auto written = ::write(2, text, sizeof text - 1);
  print_stack_trace(2);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void install_signal_handlers() {
  struct sigaction action{};
  action.sa_handler = on_stop_signal;
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction before{};
    ::sigaction(number, nullptr, &before);
    // nohup and shells that start in the background ignore some: that stays.
    if (before.sa_handler != SIG_IGN) ::sigaction(number, &action, nullptr);
  }
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  action.sa_handler = on_fatal_signal;
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::sigaction(number, &action, nullptr);
}

std::string_view signal_name(int number) {
  return number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP";
}

// --- the broker's life -----------------------------------------------------------------------------------------------

constexpr std::string_view main_logger = "kafka.Kafka$";

void print_fatal(LogSink& log, Streams& streams, std::string_view exception) {
  Logger(log, std::string(main_logger)).error("Exiting Kafka due to fatal exception");
  streams.print(exception);
  streams.print("\n");
  streams.flush();
}

// Carries the end of a burst from any thread to the reactor.
class BurstEnd final : public runtime::Work {
 public:
  explicit BurstEnd(runtime::Reactor& its) : noticed(its), reactor_(its) {}
  ~BurstEnd() override {
    if (posted_.load()) reactor_.withdraw(*this);
  }
  void tell() {
    if (!posted_.exchange(true, std::memory_order_acq_rel)) reactor_.post(*this);
  }
  void run() override {
    posted_.store(false, std::memory_order_release);
    noticed.notify();
  }

  runtime::Notice noticed;

 private:
  runtime::Reactor& reactor_;
  std::atomic<bool> posted_{false};
};

// Reading the metadata and opening the logs leaves many small holes between what stays, a third of all there is. So
// does a burst of requests: the allocator keeps what is free below what is not, tens of megabytes for good.
runtime::Task<void> give_memory_back(runtime::Reactor& home, storage::LogDirectories& directories, BurstEnd& bursts,
                                     runtime::StopToken stop) {
  constexpr std::chrono::seconds rest(10);  // it costs milliseconds, and holds up who allocates meanwhile
  auto loading = directories.wait_loaded(home);
  co_await std::move(loading);
  while (true) {
#ifdef __GLIBC__
    auto trimming = runtime::blocking(home, [] { ::malloc_trim(0); });
    co_await std::move(trimming);
#endif
    auto waiting = bursts.noticed.wait(runtime::never, stop);
    co_await std::move(waiting);
    auto resting = runtime::sleep_for(home, rest, stop);
    co_await std::move(resting);
  }
}

runtime::Task<int> serve(runtime::Environment& environment, config::BrokerConfigRef config, Streams& streams) {
  runtime::Reactor& home = *environment.reactors.front();
  StopRequest request(home);
  const Logger log(environment.log, "org.apache.kafka.common.utils.LoggingSignalHandler");
  // A broker that cannot go on leaves as it stands: what is not on disk must not look as if a clean stop had put it
  // there.
  BurstEnd bursts(home);
  broker::Broker broker(
      environment, std::move(config), [](const std::string&) { ::_exit(1); }, [&bursts] { bursts.tell(); });
  stop_request.store(&request);
  log.info("Registered signal handlers for TERM, INT, HUP");
  bool started = false;
  try {
    auto starting = broker.start();
    co_await std::move(starting);
    started = true;
  } catch (const std::exception& failure) {
    print_fatal(environment.log, streams, fmt::format("java.lang.RuntimeException: {}", failure.what()));
  }
  if (!started) {
    stop_request.store(nullptr);
    co_return 1;
  }
  runtime::TaskGroup tidying(home);
  tidying.start(give_memory_back(home, broker.log_directories(), bursts, tidying.token()));
  auto waiting = request.asked.wait();
  co_await std::move(waiting);
  log.info("Terminating process due to signal {}", signal_name(request.signal.load()));
  auto stopping = broker.stop();
  co_await std::move(stopping);
  auto tidied = tidying.stop();
  co_await std::move(tidied);
  stop_request.store(nullptr);
  co_return 0;
}

}  // namespace

int run_server(const ServerProcess& process, Streams& streams) {
  std::unique_ptr<runtime::os::LineLog> log;
  try {
    log = std::make_unique<runtime::os::LineLog>(
        runtime::os::LineLog::Options{.descriptor = process.to_stdout ? 1 : -1, .directory = process.log_directory});
  } catch (const std::system_error& failure) {
    streams.error_line("{}", failure.what());
    return 1;
  }
  const auto config = config::BrokerConfig::parse(process.properties);
  if (!config) {
    print_fatal(*log, streams, config.error().to_string());
    return 1;
  }
  const config::BrokerConfig& settings = **config;
  install_signal_handlers();
  runtime::os::System system({.reactors = static_cast<unsigned>(settings.reactors()),
                              .io_threads = static_cast<unsigned>(settings.io_threads()),
                              .io_uring = settings.io_uring() != config::IoUring::off},
                             *log);
  return system.run_until_done(serve(system.environment(), *config, streams));
}

}  // namespace klamm::cli
