#include "cli/storage_tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/scram.h"
#include "cli/subcommand_line.h"
#include "config/broker_config.h"
#include "hosting/format.h"
#include "metadata/features.h"
#include "runtime/os/clock.h"
#include "runtime/os/disk.h"
#include "storage/meta_properties.h"

namespace klamm::cli {
namespace {

constexpr SubcommandOption config_option = {
    .name = "--config", .letter = "-c", .is_required = true, .help = "The properties file of the node."};

std::vector<Subcommand> subcommands() {
  return {
      {"info", "Tells what is in the log directories of this node.", {config_option}},
      {"format",
       "Makes the log directories of this node ready for its first start.",
       {config_option,
        {.name = "--cluster-id", .letter = "-t", .is_required = true, .help = "Id of the cluster the node belongs to."},
        {.name = "--add-scram",
         .letter = "-S",
         .help = "Credentials of a user, as SCRAM-SHA-256=[name=alice,password=secret]; may be given several times."},
        {.name = "--ignore-formatted",
         .letter = "-g",
         .takes = Takes::nothing,
         .help = "Leaves directories that are formatted already as they are."},
        {.name = "--release-version", .letter = "-r", .help = "Release whose features the cluster begins with."},
        {.name = "--feature",
         .letter = "-f",
         .help = "Level of one feature, as name=level; may be given several times."},
        {.name = "--standalone",
         .letter = "-s",
         .takes = Takes::nothing,
         .exclusive_group = 1,
         .help = "This controller is the only voter of a quorum that can grow."},
        {.name = "--no-initial-controllers",
         .letter = "-N",
         .takes = Takes::nothing,
         .exclusive_group = 1,
         .help = "The voters are not known yet; this node joins them later."},
        {.name = "--initial-controllers",
         .letter = "-I",
         .exclusive_group = 1,
         .help = "The first voters, as id@host:port:directory-id, separated by commas."}}},
      {"version-mapping",
       "Tells which feature levels belong to a release.",
       {{.name = "--release-version",
         .letter = "-r",
         .help = "The release; the newest stable one when it is not given."}}},
      {"feature-dependencies",
       "Tells what levels of features need of other features.",
       {{.name = "--feature",
         .letter = "-f",
         .is_required = true,
         .help = "The feature and its level, as name=level; may be given several times."}}},
      {"random-uuid", "Prints a fresh id, for a cluster or a directory.", {}},
  };
}

// What the tool reads and writes with.
struct Machine {
  runtime::os::SystemClock clock;
  runtime::os::SystemRandom random;
  runtime::os::OsDisk disk;
};

[[noreturn]] void fail(std::string text) {
  throw TerseException(std::move(text));
}

config::BrokerConfigRef load_config(const std::string& path) {
  auto config = config::BrokerConfig::parse(load_properties(path));
  if (!config) throw JavaException(std::string(config.error().java_class()), config.error().message);
  return *std::move(config);
}

std::vector<std::string> directories_of(const config::BrokerConfig& config) {
  std::set<std::string> directories(config.log_dirs().begin(), config.log_dirs().end());
  directories.insert(config.metadata_log_dir());
  return {directories.begin(), directories.end()};
}

// --- format ---

std::vector<hosting::DynamicVoter> standalone_voter(const config::BrokerConfig& config, Machine& machine) {
  if (!config.is_controller()) fail("You can only use --standalone on a controller.");
  if (config.advertised_controller_listeners().empty()) {
    throw JavaException("java.lang.RuntimeException", "No controller listeners found.");
  }
  const config::Listener& listener = config.advertised_controller_listeners().front();
  return {{.node_id = config.node_id().value,
           .directory_id = hosting::fresh_uuid(machine.random),
           .host = listener.host.empty() ? "localhost" : listener.host,
           .port = static_cast<std::uint16_t>(listener.port)}};
}

void set_quorum(hosting::FormatRequest& request, const config::BrokerConfig& config, const ParsedSubcommand& given,
                Machine& machine) {
  // Embedded, the node is its own voter, without a word in the file.
  const bool static_voters = !config.voters().empty() || config.mode() == config::Mode::embedded;
  request.dynamic_quorum = !static_voters;
  const auto initial = given.find("--initial-controllers");
  const bool standalone = given.has("--standalone");
  if (!config.voters().empty() && (initial || standalone)) {
    fail(
        "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. "
        "If you "
        "want to use dynamic quorum, please remove controller.quorum.voters and specify "
        "controller.quorum.bootstrap.servers "
        "instead.");
  }
  if (initial) request.initial_controllers = hosting::parse_dynamic_voters(*initial);
  if (standalone) request.initial_controllers = standalone_voter(config, machine);
  const bool told = given.has("--no-initial-controllers") || !request.initial_controllers.empty();
  if (config.is_controller() && !static_voters && !told) {
    fail(
        "Because controller.quorum.voters is not set on this controller, you must specify one of the following: "
        "--standalone, --initial-controllers, or --no-initial-controllers.");
  }
}

hosting::FormatRequest format_request(const config::BrokerConfig& config, const ParsedSubcommand& given,
                                      Machine& machine) {
  if (config.mode() == config::Mode::zookeeper) {
    fail(
        "The kafka configuration file appears to be for a legacy cluster. Formatting is only supported for clusters in "
        "KRaft "
        "mode.");
  }
  hosting::FormatRequest request{.node_id = config.node_id().value,
                                 .cluster_id = given.value("--cluster-id"),
                                 .directories = directories_of(config),
                                 .controller_listener_name = config.controller_listener_names().front(),
                                 .unstable_enabled = config.values().get_bool("unstable.feature.versions.enable"),
                                 .ignore_formatted = given.has("--ignore-formatted")};
  if (config.is_controller() || config.mode() == config::Mode::embedded) {
    request.metadata_directory = config.metadata_log_dir();
  }
  if (const auto release = given.find("--release-version")) {
    const auto version = metadata::metadata_version_of_name(*release, request.unstable_enabled);
    if (!version) fail(version.error().message);
    request.release_version = *version;
  }
  request.feature_levels = hosting::parse_feature_levels(given.values("--feature"));
  set_quorum(request, config, given, machine);
  for (const std::string& argument : given.values("--add-scram")) {
    request.additional_records.push_back(parse_scram_argument(argument, machine.random));
  }
  return request;
}

int format(const ParsedSubcommand& given, Streams& streams) {
  Machine machine;
  const config::BrokerConfigRef config = load_config(given.value("--config"));
  const hosting::FormatRequest request = format_request(*config, given, machine);
  hosting::format_directories(machine.disk, machine.random, machine.clock.wall(), request,
                              [&](const std::string& line) { streams.line("{}", line); });
  return 0;
}

// --- info ---

struct Findings {
  std::vector<std::string> directories;
  std::vector<std::string> problems;
  std::optional<storage::MetaProperties> metadata;
};

void look_at(runtime::Disk& disk, const std::string& directory, Findings& findings) {
  if (!disk.exists(directory)) {
    findings.problems.push_back(fmt::format("{} does not exist", directory));
    return;
  }
  if (!disk.is_directory(directory)) {
    findings.problems.push_back(fmt::format("{} is not a directory", directory));
    return;
  }
  findings.directories.push_back(directory);
  const auto properties = storage::read_meta_properties(disk, directory);
  if (!properties) {
    findings.problems.push_back(fmt::format("{} is not formatted.", directory));
  } else if (!*properties) {
    findings.problems.push_back(
        fmt::format("Error loading {}/meta.properties: {}", directory, properties->error().message));
  } else if (!findings.metadata) {
    findings.metadata = **properties;
  } else if (findings.metadata->cluster_id != (*properties)->cluster_id) {
    findings.problems.emplace_back("Mismatched cluster IDs between storage directories.");
  } else if (findings.metadata->node_id != (*properties)->node_id) {
    findings.problems.emplace_back("Mismatched node IDs between storage directories.");
  }
}

void check_mode(const config::BrokerConfig& config, Findings& findings) {
  if (!findings.metadata) return;
  const bool legacy = findings.metadata->version == 0;
  if (config.mode() == config::Mode::zookeeper && !legacy) {
    findings.problems.emplace_back(
        "The kafka configuration file appears to be for a legacy cluster, but the directories are formatted for a "
        "cluster in "
        "KRaft mode.");
  }
  if (config.mode() != config::Mode::zookeeper && legacy) {
    findings.problems.emplace_back(
        "The kafka configuration file appears to be for a cluster in KRaft mode, but the directories are formatted for "
        "legacy "
        "mode.");
  }
}

// As Java prints a sorted map.
std::string metadata_text(const storage::MetaProperties& metadata) {
  std::map<std::string, std::string> entries{{"version", std::to_string(metadata.version)}};
  if (metadata.cluster_id) entries["cluster.id"] = *metadata.cluster_id;
  if (metadata.directory_id) entries["directory.id"] = metadata.directory_id->to_string();
  if (metadata.node_id) entries[metadata.version == 0 ? "broker.id" : "node.id"] = fmt::format("{}", *metadata.node_id);
  std::string text;
  for (const auto& [key, value] : entries) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", key, value);
  return "{" + text + "}";
}

int info(const ParsedSubcommand& given, Streams& streams) {
  Machine machine;
  const config::BrokerConfigRef config = load_config(given.value("--config"));
  Findings findings;
  for (const std::string& directory : directories_of(*config)) look_at(machine.disk, directory, findings);
  check_mode(*config, findings);
  if (!findings.directories.empty()) {
    streams.line("{}", findings.directories.size() == 1 ? "Found log directory:" : "Found log directories:");
    for (const std::string& directory : findings.directories) streams.line("  {}", directory);
    streams.line("");
  }
  if (findings.metadata) streams.line("Found metadata: {}\n", metadata_text(*findings.metadata));
  if (findings.problems.empty()) return 0;
  streams.line("{}", findings.problems.size() == 1 ? "Found problem:" : "Found problems:");
  for (const std::string& problem : findings.problems) streams.line("  {}", problem);
  streams.line("");
  return 1;
}

// --- features ---

int version_mapping(const ParsedSubcommand& given, Streams& streams) {
  const std::string name =
      given.find("--release-version").value_or(std::string(metadata::metadata_version_production.name()));
  const auto version = metadata::metadata_version_of_name(name, true);
  if (!version) fail(version.error().message);
  streams.line("metadata.version={} ({})", version->level(), name);
  for (const metadata::Feature& feature : metadata::features()) {
    streams.line("{}={}", feature.name, feature.default_level(*version));
  }
  return 0;
}

void tell_dependencies(std::string_view name, std::int16_t level, Streams& streams) {
  if (name == metadata::metadata_version_feature) {
    const auto version = metadata::metadata_version_of_level(level);
    if (!version) fail(fmt::format("Unknown metadata.version {}", level));
    streams.line("{}={} ({}) has no dependencies.", name, level, version->name());
    return;
  }
  const metadata::Feature* feature = metadata::find_feature(name);
  if (feature == nullptr) fail(fmt::format("Unknown feature: {}", name));
  const metadata::FeatureLevel* found = feature->find_level(level, true);
  if (found == nullptr) fail(fmt::format("Feature level {} is not supported for feature {}", level, name));
  if (found->requires_metadata_version == 0) {
    streams.line("{}={} has no dependencies.", name, level);
    return;
  }
  const auto needed = metadata::metadata_version_of_level(found->requires_metadata_version);
  streams.line("{}={} requires:", name, level);
  streams.line("    metadata.version={} ({})", found->requires_metadata_version, needed ? needed->name() : "");
}

int feature_dependencies(const ParsedSubcommand& given, Streams& streams) {
  for (const std::string& argument : given.values("--feature")) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos) {
      fail(fmt::format("Invalid feature format: {}. Expected format: 'feature=version' (e.g. 'group.version=1')",
                       argument));
    }
    const std::string_view name = config::java_trim(std::string_view(argument).substr(0, equals));
    const std::string_view text = config::java_trim(std::string_view(argument).substr(equals + 1));
    const auto level = config::parse_java_integer(text, INT16_MIN, INT16_MAX);
    if (!level) fail(fmt::format("Invalid version format: {} for feature {}", text, name));
    tell_dependencies(name, static_cast<std::int16_t>(*level), streams);
  }
  return 0;
}

int random_uuid(const ParsedSubcommand&, Streams& streams) {
  Machine machine;
  streams.line("{}", hosting::fresh_cluster_id(machine.random));
  return 0;
}

struct Run {
  std::string_view command;
  int (*run)(const ParsedSubcommand&, Streams&);
};
constexpr Run runs[] = {{"info", info},
                        {"format", format},
                        {"version-mapping", version_mapping},
                        {"feature-dependencies", feature_dependencies},
                        {"random-uuid", random_uuid}};

// What Kafka's tool would let escape from its main.
int uncaught(Streams& streams, std::string_view exception, std::string_view message) {
  streams.error_line("Exception in thread \"main\" {}: {}", exception, message);
  return 1;
}

}  // namespace

int storage_tool(Arguments arguments, Streams& streams) {
  const SubcommandLine line(streams, "kafka-storage", "Formats a node's directories and tells what is in them.",
                            subcommands());
  const ParsedSubcommand given = line.parse(arguments);
  try {
    const auto run = std::ranges::find(runs, given.command(), &Run::command);
    return run->run(given, streams);
  } catch (const TerseException& terse) {
    streams.error_line("{}", terse.message());
    return 1;
  } catch (const ScramError& error) {
    streams.error_line("{}", error.what());
    return 1;
  } catch (const JavaException& exception) {
    return uncaught(streams, exception.type(), exception.message());
  } catch (const hosting::FormatError& error) {
    if (!error.java_exception().empty()) return uncaught(streams, error.java_exception(), error.what());
    streams.error_line("{}", error.what());
    return 1;
  } catch (const runtime::DiskError& error) {
    return uncaught(streams, "java.io.IOException", error.what());
  }
}

}  // namespace klamm::cli
