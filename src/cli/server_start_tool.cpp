#include "cli/server_start_tool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/version.h"
#include "cli/server_process.h"

namespace klamm::cli {
namespace {

constexpr std::string_view usage = "USAGE: klamm server-start [-daemon] server.properties [--override property=value]*";

std::string environment_or(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

// LOG_DIR, which under -daemon has a default: what goes to the terminal otherwise must go somewhere.
std::string log_directory(bool daemon) {
  return environment_or("LOG_DIR", daemon ? "logs" : "");
}

// Leaves the terminal: standard output and error go to LOG_DIR/kafkaServer.out. True in the process that goes on.
bool become_daemon(const std::string& directory, Streams& streams) {
  ::mkdir(directory.c_str(), 0755);
  const std::string path = directory + "/kafkaServer.out";
  const int out = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out < 0) {
    streams.error_line("{}: {}", path, std::strerror(errno));
    throw ToolExit{1};
  }
  streams.flush();
  const pid_t child = ::fork();
  if (child < 0) {
    streams.error_line("fork: {}", std::strerror(errno));
    throw ToolExit{1};
  }
  if (child > 0) return false;
  ::setsid();
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  return true;
}

void override_with(config::Properties& properties, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    auto [key, value] = config::split_property(text);
    properties.insert_or_assign(std::move(key), std::move(value));
  }
}

}  // namespace

int server_start_tool(Arguments arguments, Streams& streams) {
  bool daemon = false;
  if (!arguments.empty() && arguments.front() == "-daemon") {
    daemon = true;
    arguments = arguments.subspan(1);
  }
  CommandLine line(streams, usage,
                   {{.name = "override",
                     .takes = Takes::value,
                     .described_as = "property=value",
                     .help = "Sets a property; what the file says of it does not count."}});
  line.parse(arguments);
  if (arguments.empty()) line.usage(usage);
  line.help_or_version();
  if (line.rest().size() != 1)
    line.usage(line.rest().empty() ? usage
                                   : fmt::format("Found non argument parameters: {}",
                                                 fmt::join(line.rest().begin() + 1, line.rest().end(), ",")));

  ServerProcess process{.properties = load_properties(line.rest().front()), .log_directory = log_directory(daemon)};
  override_with(process.properties, line.values("override"));
  if (daemon && !become_daemon(process.log_directory, streams)) return 0;
  return run_server(process, streams);
}

int start_tool(Arguments arguments, Streams& streams) {
  CommandLine line(streams, "Starts a broker on this machine, for itself, without a file.",
                   {{.name = "port",
                     .takes = Takes::value,
                     .described_as = "port",
                     .help = "Where clients connect.",
                     .fallback = "9092"},
                    {.name = "data",
                     .takes = Takes::value,
                     .described_as = "directory",
                     .help = "Where records are kept.",
                     .fallback = "./klamm-data"},
                    {.name = "trace-requests",
                     .takes = Takes::value,
                     .described_as = "count",
                     .help = "After so many requests of a thread the log says where their time went."},
                    {.name = "override",
                     .takes = Takes::value,
                     .described_as = "property=value",
                     .help = "Sets any property of a broker."}});
  line.parse(arguments);
  if (!arguments.empty()) line.help_or_version();
  if (!line.rest().empty()) line.usage(fmt::format("Found non argument parameters: {}", fmt::join(line.rest(), ",")));

  const std::string address = fmt::format("PLAINTEXT://localhost:{}", line.int_value("port"));
  ServerProcess process{
      .properties = {{"listeners", address}, {"advertised.listeners", address}, {"log.dirs", line.value("data")}},
      .log_directory = log_directory(false)};
  if (line.has("trace-requests"))
    process.properties.insert_or_assign("klamm.trace.requests", fmt::format("{}", line.int_value("trace-requests")));
  override_with(process.properties, line.values("override"));
  return run_server(process, streams);
}

}  // namespace klamm::cli
