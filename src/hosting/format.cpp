#include "hosting/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "hosting/checkpoint.h"
#include "metadata/features.h"
#include "storage/meta_properties.h"

namespace klamm::hosting {
namespace {

constexpr std::string_view runtime_exception = "java.lang.RuntimeException";
constexpr std::string_view illegal_argument = "java.lang.IllegalArgumentException";

bool is_reserved(Uuid directory) {
  return directory.high == 0 && directory.low < 100;
}

// ---- levels ---------------------------------------------------------------------------------------------------------

metadata::MetadataVersion effective_release(const FormatRequest& request) {
  const auto feature = request.feature_levels.find(std::string(metadata::metadata_version_feature));
  auto version = request.release_version;
  if (feature != request.feature_levels.end()) {
    if (version) {
      throw FormatError("Use --release-version instead of --feature metadata.version=X to avoid ambiguity.");
    }
    version = metadata::metadata_version_of_level(feature->second);
    if (!version) throw FormatError(metadata::unknown_metadata_level_text(feature->second), illegal_argument);
  }
  if (!version) {
    return request.unstable_enabled ? metadata::metadata_version_latest : metadata::metadata_version_production;
  }
  if (!request.unstable_enabled && !version->is_production()) {
    throw FormatError(fmt::format("metadata.version {} is not yet stable.", version->name()));
  }
  return *version;
}

std::int16_t effective_kraft_version(const FormatRequest& request, std::optional<std::int16_t> configured) {
  if (!configured) return request.dynamic_quorum ? 1 : 0;
  if (*configured == 0 && request.dynamic_quorum) {
    throw FormatError(
        "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, "
        "--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the "
        "--feature flag for kraft.version.");
  }
  if (*configured != 0 && !request.dynamic_quorum) {
    throw FormatError(
        fmt::format("Cannot set kraft.version to {} unless controller.quorum.voters is empty and one of the flags "
                    "--standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers "
                    "support, try using one of --standalone, --initial-controllers, or --no-initial-controllers and "
                    "removing controller.quorum.voters.",
                    *configured));
  }
  return *configured;
}

std::string supported_feature_names() {
  std::set<std::string_view> names;
  for (const metadata::Feature& feature : metadata::features()) names.insert(feature.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

// ---- what the tool prints -------------------------------------------------------------------------------------------

std::string java_bytes(Bytes bytes) {
  std::string text = "[";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", static_cast<int>(static_cast<std::int8_t>(bytes[i])));
  }
  return text + "]";
}

std::string java_record(const metadata::Record& record) {
  std::string text;
  if (const auto* feature = std::get_if<protocol::FeatureLevelRecord>(&record.message)) {
    text = fmt::format("FeatureLevelRecord(name='{}', featureLevel={})", feature->name, feature->feature_level);
  } else if (const auto* scram = std::get_if<protocol::UserScramCredentialRecord>(&record.message)) {
    text = fmt::format(
        "UserScramCredentialRecord(name='{}', mechanism={}, salt={}, storedKey={}, serverKey={}, iterations={})",
        scram->name, scram->mechanism, java_bytes(scram->salt), java_bytes(scram->stored_key),
        java_bytes(scram->server_key), scram->iterations);
  } else {
    text = to_json(record);
  }
  return fmt::format("ApiMessageAndVersion({} at version {})", text, record.version);
}

std::string java_bootstrap(const metadata::Records& records, metadata::MetadataVersion release) {
  std::string list;
  for (const metadata::Record& record : records) list += (list.empty() ? "" : ", ") + java_record(record);
  return fmt::format("BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format command)", list,
                     release.level());
}

// ---- directories ----------------------------------------------------------------------------------------------------

struct Ensemble {
  std::map<std::string, storage::MetaProperties> formatted;
  std::vector<std::string> empty;
  std::vector<std::string> failed;
};

Ensemble look_at(runtime::Disk& disk, const std::vector<std::string>& directories) {
  Ensemble ensemble;
  for (const std::string& directory : directories) {
    try {
      // Something that is no directory stands in the way.
      if (disk.exists(directory) && !disk.is_directory(directory)) {
        ensemble.failed.push_back(directory);
        continue;
      }
      const auto properties = storage::read_meta_properties(disk, directory);
      if (!properties) {
        ensemble.empty.push_back(directory);
      } else if (!*properties) {
        ensemble.failed.push_back(directory);
      } else {
        ensemble.formatted.emplace(directory, **properties);
      }
    } catch (const runtime::DiskError&) {
      ensemble.failed.push_back(directory);
    }
  }
  return ensemble;
}

void check_same_cluster(const Ensemble& ensemble, const FormatRequest& request) {
  std::map<Uuid, std::string> ids;
  for (const auto& [directory, properties] : ensemble.formatted) {
    const std::string path = directory + "/meta.properties";
    if (properties.cluster_id && *properties.cluster_id != request.cluster_id) {
      throw FormatError(fmt::format("Invalid cluster.id in: {}. Expected {}, but read {}", path, request.cluster_id,
                                    *properties.cluster_id),
                        runtime_exception);
    }
    if (properties.node_id && properties.node_id->value != request.node_id) {
      throw FormatError(
          fmt::format(
              "Stored node id {} doesn't match previous node id {} in {}. If you moved your data, make sure your "
              "configured node id matches. If you intend to create a new node, you should remove all data in your "
              "data directories.",
              *properties.node_id, request.node_id, path),
          runtime_exception);
    }
    if (!properties.directory_id) continue;
    if (is_reserved(*properties.directory_id)) {
      throw FormatError(
          fmt::format("Invalid reserved directory ID {} found in {}", properties.directory_id->to_string(), directory),
          runtime_exception);
    }
    const auto [same, fresh] = ids.emplace(*properties.directory_id, directory);
    if (!fresh) {
      throw FormatError(fmt::format("Duplicate directory ID Optional[{}] found. It was the ID of {}, but also of {}",
                                    properties.directory_id->to_string(), same->second, directory),
                        runtime_exception);
    }
  }
}

class Formatting {
 public:
  Formatting(runtime::Disk& disk, runtime::Random& random, Timestamp now, const FormatRequest& request,
             const std::function<void(std::string)>& print)
      : disk_(disk), random_(random), now_(now), request_(request), print_(print) {}

  void run() {
    check_request();
    levels_ = effective_feature_levels(request_);
    const auto release =
        *metadata::metadata_version_of_level(levels_.at(std::string(metadata::metadata_version_feature)));
    bootstrap_ = bootstrap_records(request_);

    const Ensemble ensemble = look_at(disk_, request_.directories);
    check_same_cluster(ensemble, request_);
    if (!request_.ignore_formatted && !ensemble.formatted.empty()) {
      throw FormatError(
          fmt::format("Log directory {} is already formatted. Use --ignore-formatted to ignore this directory "
                      "and format the others.",
                      ensemble.formatted.begin()->first));
    }
    for (const std::string& directory : ensemble.failed) {
      say(fmt::format("I/O error trying to read log directory {}. Ignoring...", directory));
    }
    if (ensemble.empty.empty()) {
      if (ensemble.formatted.empty()) throw FormatError("No available log directories to format.");
      return say("All of the log directories are already formatted.");
    }
    for (const auto& [directory, properties] : ensemble.formatted) {
      if (properties.directory_id) used_ids_.insert(*properties.directory_id);
    }
    say("Bootstrap metadata: " + java_bootstrap(bootstrap_, release));
    for (const std::string& directory : ensemble.empty) {
      say(fmt::format("Formatting {} {} with metadata.version {}.", kind_of(directory), directory, release.name()));
      format(directory);
    }
  }

 private:
  void check_request() const {
    if (request_.node_id < 0) throw FormatError("You must specify a valid non-negative node ID.", runtime_exception);
    if (request_.directories.empty()) throw FormatError("You must specify at least one directory to format");
    const auto& metadata = request_.metadata_directory;
    if (metadata && std::ranges::find(request_.directories, *metadata) == request_.directories.end()) {
      throw FormatError(
          fmt::format("The specified metadata log directory, {} was not one of the given directories: [{}]", *metadata,
                      fmt::join(request_.directories, ", ")));
    }
  }

  bool is_metadata(const std::string& directory) const { return request_.metadata_directory == directory; }
  const DynamicVoter* own_voter() const {
    const auto found = std::ranges::find(request_.initial_controllers, request_.node_id, &DynamicVoter::node_id);
    return found == request_.initial_controllers.end() ? nullptr : &*found;
  }
  std::string_view kind_of(const std::string& directory) const {
    if (!is_metadata(directory)) return "data directory";
    if (request_.initial_controllers.empty()) return "metadata directory";
    return own_voter() ? "dynamic metadata voter directory" : "dynamic metadata directory";
  }

  Uuid fresh_directory_id() {
    for (;;) {
      const Uuid id = fresh_uuid(random_);
      if (used_ids_.insert(id).second) return id;
    }
  }

  void format(const std::string& directory) {
    disk_.make_durable_directories(directory);
    storage::MetaProperties properties;
    properties.cluster_id = request_.cluster_id;
    properties.node_id = BrokerId(request_.node_id);
    properties.directory_id = fresh_directory_id();
    if (is_metadata(directory)) {
      if (const DynamicVoter* self = own_voter()) properties.directory_id = self->directory_id;
      write_bootstrap(directory);
      if (!request_.initial_controllers.empty()) write_voters(directory);
    }
    // Last: with it the directory counts as formatted.
    storage::write_meta_properties(disk_, directory, properties, now_);
  }

  void write_bootstrap(const std::string& directory) {
    const std::string path = fmt::format("{}/{}", directory, bootstrap_checkpoint_name);
    CheckpointWriter writer(disk_, path, {.last_contained_log_timestamp = Timestamp(0), .now = now_});
    for (const metadata::Record& record : bootstrap_) writer.add(record);
    writer.finish();
    disk_.sync_directory(directory);
  }

  // The voters of a dynamic quorum stand in a snapshot of before the first record.
  void write_voters(const std::string& directory) {
    const std::string log = fmt::format("{}/{}", directory, metadata_log_name);
    disk_.make_directories(log);
    protocol::VotersRecord voters;
    for (const DynamicVoter& voter : request_.initial_controllers) {
      auto& to = voters.voters.emplace_back();
      to.voter_id = voter.node_id;
      to.voter_directory_id = voter.directory_id;
      auto& endpoint = to.endpoints.emplace_back();
      endpoint.name = request_.controller_listener_name;
      endpoint.host = voter.host;
      endpoint.port = voter.port;
      const auto* supported = metadata::find_feature(metadata::kraft_version_feature);
      to.kraft_version_feature.min_supported_version = supported->min_level();
      to.kraft_version_feature.max_supported_version = supported->max_level();
    }
    CheckpointWriter writer(disk_, fmt::format("{}/{}", log, snapshot_name({})),
                            {.last_contained_log_timestamp = now_,
                             .now = now_,
                             .kraft_version = levels_.at(std::string(metadata::kraft_version_feature)),
                             .voters = voters});
    writer.finish();
    disk_.sync_directory(log);
    disk_.sync_directory(directory);
  }

  void say(std::string line) const {
    if (print_) print_(std::move(line));
  }

  runtime::Disk& disk_;
  runtime::Random& random_;
  Timestamp now_;
  const FormatRequest& request_;
  const std::function<void(std::string)>& print_;
  std::map<std::string, std::int16_t> levels_;
  metadata::Records bootstrap_;
  std::set<Uuid> used_ids_;
};

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "3000@host:9093:Lxet3yDiQ3Wck4dHMRvE2A", "3000@[::1]:9093:..."
DynamicVoter parse_dynamic_voter(std::string_view text) {
  const auto wrong = [](std::string what) { return FormatError(what, illegal_argument); };
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) throw wrong("No @ found in dynamic voter string.");
  if (at == 0) throw wrong("Invalid @ at beginning of dynamic voter string.");
  DynamicVoter voter;
  const auto id = parse_number<std::int32_t>(text.substr(0, at));
  if (!id) throw wrong("Failed to parse node id in dynamic voter string.");
  if (*id < 0) throw wrong("Invalid negative node id " + std::to_string(*id) + " in dynamic voter string.");
  voter.node_id = *id;
  std::string_view rest = text.substr(at + 1);
  if (rest.empty()) throw wrong("No hostname found after node id.");
  if (rest.front() == '[') {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos)
      throw wrong("Hostname began with left bracket, but no right bracket was found.");
    voter.host = rest.substr(1, bracket - 1);
    rest.remove_prefix(bracket + 1);
  } else {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) throw wrong("No colon following hostname could be found.");
    voter.host = rest.substr(0, colon);
    rest.remove_prefix(colon);
  }
  if (!rest.starts_with(':')) throw wrong("Port section must start with a colon.");
  rest.remove_prefix(1);
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) throw wrong("No colon following port could be found.");
  const auto port = parse_number<std::int32_t>(rest.substr(0, colon));
  if (!port) throw wrong("Failed to parse port in dynamic voter string.");
  if (*port < 0 || *port > 65535) throw wrong("Invalid port " + std::to_string(*port) + " in dynamic voter string.");
  voter.port = static_cast<std::uint16_t>(*port);
  const auto directory = Uuid::parse(rest.substr(colon + 1));
  if (!directory) throw wrong("Failed to parse directory ID in dynamic voter string.");
  voter.directory_id = *directory;
  return voter;
}

}  // namespace

void format_directories(runtime::Disk& disk, runtime::Random& random, Timestamp now, const FormatRequest& request,
                        const std::function<void(std::string)>& print) {
  FormatRequest sorted = request;
  std::ranges::sort(sorted.directories);
  const auto [from, to] = std::ranges::unique(sorted.directories);
  sorted.directories.erase(from, to);
  Formatting(disk, random, now, sorted, print).run();
}

Uuid fresh_uuid(runtime::Random& random) {
  for (;;) {
    const std::uint64_t high = random.next();
    const std::uint64_t low = random.next();
    if (const auto id = Uuid::from_random(high, low)) return *id;
  }
}

std::string fresh_cluster_id(runtime::Random& random) {
  return fresh_uuid(random).to_string();
}

std::vector<DynamicVoter> parse_dynamic_voters(std::string_view text) {
  std::map<std::int32_t, DynamicVoter> voters;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string_view part = text.substr(begin, end - begin);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    begin = end + 1;
    if (part.empty()) continue;
    DynamicVoter voter = parse_dynamic_voter(part);
    const std::int32_t id = voter.node_id;
    if (!voters.emplace(id, std::move(voter)).second) {
      throw FormatError(fmt::format("Node id {} was specified more than once.", id), illegal_argument);
    }
  }
  if (voters.empty()) throw FormatError("No voters given.", illegal_argument);
  std::vector<DynamicVoter> out;
  for (auto& [id, voter] : voters) out.push_back(std::move(voter));
  return out;
}

std::map<std::string, std::int16_t> parse_feature_levels(const std::vector<std::string>& arguments) {
  std::map<std::string, std::int16_t> levels;
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    const auto level = equals == std::string::npos
                           ? std::nullopt
                           : parse_number<std::int16_t>(std::string_view(argument).substr(equals + 1));
    if (equals == std::string::npos) {
      throw FormatError(fmt::format("Can't parse feature=level string {}: equals sign not found.", argument),
                        runtime_exception);
    }
    if (!level) {
      throw FormatError(fmt::format("Can't parse feature=level string {}: unable to parse {} as a short.", argument,
                                    std::string_view(argument).substr(equals + 1)),
                        runtime_exception);
    }
    levels[argument.substr(0, equals)] = *level;
  }
  return levels;
}

std::map<std::string, std::int16_t> effective_feature_levels(const FormatRequest& request) {
  const metadata::MetadataVersion release = effective_release(request);
  std::map<std::string, std::int16_t> levels;
  for (const auto& [name, level] : request.feature_levels) {
    if (name != metadata::metadata_version_feature && !metadata::find_feature(name)) {
      throw FormatError(
          fmt::format("Unsupported feature: {}. Supported features are: {}", name, supported_feature_names()));
    }
    levels[name] = level;
  }
  levels[std::string(metadata::metadata_version_feature)] = release.level();
  for (const metadata::Feature& feature : metadata::features()) {
    const std::string name(feature.name);
    const auto given = levels.find(name);
    const auto configured = given == levels.end() ? std::nullopt : std::optional(given->second);
    if (name == metadata::kraft_version_feature) {
      levels[name] = effective_kraft_version(request, configured);
    } else if (!configured) {
      levels[name] = feature.default_level(release);
    }
  }
  for (const metadata::Feature& feature : metadata::features()) {
    const std::int16_t level = levels.at(std::string(feature.name));
    const metadata::FeatureLevel* known = feature.find_level(level, request.unstable_enabled);
    if (!known) {
      throw FormatError(fmt::format("No feature:{} with feature level {}", feature.name, level), illegal_argument);
    }
    if (auto fits = metadata::check_feature_dependencies(feature, *known, levels); !fits) {
      throw FormatError(fits.error().message, illegal_argument);
    }
  }
  return levels;
}

metadata::Records bootstrap_records(const FormatRequest& request) {
  const auto levels = effective_feature_levels(request);
  const auto add = [](metadata::Records& records, std::string_view name, std::int16_t level) {
    protocol::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = level;
    records.push_back({std::move(record), 0});
  };
  metadata::Records records;
  add(records, metadata::metadata_version_feature, levels.at(std::string(metadata::metadata_version_feature)));
  for (const auto& [name, level] : levels) {
    if (name == metadata::metadata_version_feature || name == metadata::kraft_version_feature || level == 0) continue;
    add(records, name, level);
  }
  const auto release = *metadata::metadata_version_of_level(levels.at(std::string(metadata::metadata_version_feature)));
  for (const metadata::Record& record : request.additional_records) {
    if (std::holds_alternative<protocol::UserScramCredentialRecord>(record.message) && !release.supports_scram()) {
      throw FormatError(fmt::format("SCRAM is only supported in metadata.version {} or later.",
                                    metadata::known_metadata_version(11).name()));
    }
    records.push_back(record);
  }
  return records;
}

}  // namespace klamm::hosting
