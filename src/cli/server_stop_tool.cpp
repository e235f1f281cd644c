#include "cli/server_stop_tool.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "config/properties.h"

namespace klamm::cli {
namespace {

constexpr std::string_view lock_name = "/.lock";

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) return names;
  while (const dirent* entry = ::readdir(stream)) names.emplace_back(entry->d_name);
  ::closedir(stream);
  return names;
}

std::string link_target(const std::string& path) {
  char target[4096];
  const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
  return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The log directories whose lock the process holds; empty when it is no broker of ours.
std::vector<std::string> locked_directories(const std::string& process) {
  std::vector<std::string> directories;
  const std::string program = link_target("/proc/" + process + "/exe");
  if (!program.ends_with("/klamm") && !program.ends_with("/klamm (deleted)")) return directories;
  const std::string descriptors = "/proc/" + process + "/fd";
  for (const std::string& name : names_in(descriptors)) {
    const std::string target = link_target(descriptors + "/" + name);
    if (target.ends_with(lock_name)) directories.push_back(target.substr(0, target.size() - lock_name.size()));
  }
  return directories;
}

// What meta.properties in one of the directories says of the node.
std::optional<std::string> node_id(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    const auto properties = config::parse_properties(content_of(directory + "/meta.properties"));
    if (!properties) continue;
    if (const auto found = properties->find("node.id"); found != properties->end()) return found->second;
  }
  return std::nullopt;
}

// SIGNAL in the environment, as Kafka's script has it: TERM without it.
int chosen_signal() {
  const char* name = std::getenv("SIGNAL");
  if (name == nullptr || *name == '\0') return SIGTERM;
  std::string_view text = name;
  if (text.starts_with("SIG")) text.remove_prefix(3);
  constexpr std::pair<std::string_view, int> known[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"HUP", SIGHUP},
                                                        {"KILL", SIGKILL}, {"QUIT", SIGQUIT}, {"ABRT", SIGABRT}};
  for (const auto& [signal_name, number] : known) {
    if (text == signal_name || text == std::to_string(number)) return number;
  }
  throw std::runtime_error(fmt::format("SIGNAL={}: invalid signal specification", name));
}

bool is_alive(pid_t process) {
  if (::kill(process, 0) != 0) return false;
  // A process that has ended but was not waited for by its parent is no longer a broker.
  const std::string status = content_of("/proc/" + std::to_string(process) + "/stat");
  const auto parenthesis = status.rfind(')');
  return parenthesis == std::string::npos || parenthesis + 2 >= status.size() || status[parenthesis + 2] != 'Z';
}

}  // namespace

int server_stop_tool(Arguments arguments, Streams& streams) {
  CommandLine line(
      streams,
      "Ends the brokers of this machine with SIGTERM, or the signal that SIGNAL in the environment names, and waits "
      "until they have ended.",
      {{.name = "process-role",
        .takes = Takes::value,
        .described_as = "role",
        .help = "Only nodes with this role: broker or controller."},
       {.name = "node-id", .takes = Takes::value, .described_as = "id", .help = "Only the node with this id."}});
  line.parse(arguments);
  if (!arguments.empty()) line.help_or_version();

  // Every node is broker and controller in one, so a role is had by all of them.
  if (const auto role = line.find("process-role"); role && *role != "broker" && *role != "controller") {
    streams.error_line("Process role must be either 'broker' or 'controller'");
    return 1;
  }
  const int signal = chosen_signal();
  std::vector<pid_t> brokers;
  for (const std::string& name : names_in("/proc")) {
    pid_t process = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    const auto directories = locked_directories(name);
    if (directories.empty()) continue;
    if (const auto wanted = line.find("node-id"); wanted && node_id(directories) != wanted) continue;
    brokers.push_back(process);
  }
  if (brokers.empty()) {
    streams.line("No kafka server to stop");
    return 1;
  }
  int code = 0;
  for (const pid_t broker : brokers) {
    if (::kill(broker, signal) == 0) continue;
    streams.error_line("Process {} cannot be told to stop: {}", broker, std::strerror(errno));
    code = 1;
  }
  for (const pid_t broker : brokers) {
    while (code == 0 && is_alive(broker)) ::poll(nullptr, 0, 10);
  }
  return code;
}

}  // namespace klamm::cli
