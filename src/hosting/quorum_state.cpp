#include "hosting/quorum_state.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <stdexcept>

#include "protocol/records/quorum_state_data.h"

namespace klamm::hosting {
namespace {

constexpr std::uint64_t file_bytes_max = 64u << 10;
constexpr std::size_t voters_max = 1000;

// Just enough JSON for this one file: an object of numbers, texts and one array of objects of numbers.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Steps over the character, if it comes next.
  bool take(char wanted) {
    skip_blanks();
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<std::string_view> text() {
    if (!take('"')) return std::nullopt;
    const std::size_t end = rest_.find_first_of("\"\\");
    if (end == std::string_view::npos || rest_[end] == '\\') return std::nullopt;
    const auto content = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return content;
  }
  std::optional<std::int64_t> number() {
    skip_blanks();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }

 private:
  void skip_blanks() {
    const std::size_t first = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(std::min(first, rest_.size()));
  }
  std::string_view rest_;
};

std::unexpected<Error> broken(std::string_view what) {
  return fail(ErrorCode::corrupt_message, fmt::format("Deserialized node is not a quorum state: {}", what));
}

std::optional<std::int32_t> narrow(std::optional<std::int64_t> value) {
  if (!value || *value < std::numeric_limits<std::int32_t>::min() ||
      *value > std::numeric_limits<std::int32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(*value);
}

// [{"voterId":1},...]
std::optional<std::vector<std::int32_t>> read_voters(Scanner& scanner) {
  std::vector<std::int32_t> voters;
  if (!scanner.take('[')) return std::nullopt;
  if (scanner.take(']')) return voters;
  do {
    if (!scanner.take('{') || scanner.text() != "voterId" || !scanner.take(':')) return std::nullopt;
    const auto id = narrow(scanner.number());
    if (!id || !scanner.take('}') || voters.size() == voters_max) return std::nullopt;
    voters.push_back(*id);
  } while (scanner.take(','));
  if (!scanner.take(']')) return std::nullopt;
  return voters;
}

// One "name":value; false when the value is not what the name promises.
bool read_field(Scanner& scanner, std::string_view name, QuorumState& state,
                std::optional<std::int64_t>& data_version) {
  if (name == "clusterId") return scanner.text().has_value();
  if (name == "votedDirectoryId") {
    const auto text = scanner.text();
    const auto id = text ? Uuid::parse(*text) : std::nullopt;
    if (id) state.voted_directory_id = *id;
    return id.has_value();
  }
  if (name == "currentVoters") {
    auto voters = read_voters(scanner);
    if (voters) state.voters = std::move(*voters);
    return voters.has_value();
  }
  const auto number = scanner.number();
  if (name == "data_version") {
    data_version = number;
    return number.has_value();
  }
  const auto value = narrow(number);
  if (name == "appliedOffset") return number.has_value();
  if (!value) return false;
  if (name == "leaderId")
    state.leader_id = *value;
  else if (name == "leaderEpoch")
    state.leader_epoch = LeaderEpoch(*value);
  else if (name == "votedId")
    state.voted_id = *value;
  else
    return false;
  return true;
}

}  // namespace

std::string quorum_state_text(const QuorumState& state) {
  protocol::QuorumStateData data;
  data.leader_id = state.leader_id;
  data.leader_epoch = state.leader_epoch.value;
  data.voted_id = state.voted_id;
  data.voted_directory_id = state.voted_directory_id;
  data.current_voters.emplace();
  for (const std::int32_t id : state.voters) data.current_voters->emplace_back().voter_id = id;
  std::string text = data.to_json(state.data_version);
  text.pop_back();
  return text + fmt::format(",\"data_version\":{}}}", state.data_version);
}

Result<QuorumState> parse_quorum_state(std::string_view text) {
  Scanner scanner(text);
  QuorumState state;
  std::optional<std::int64_t> data_version;
  if (!scanner.take('{')) return broken("not an object");
  if (!scanner.take('}')) {
    do {
      const auto name = scanner.text();
      if (!name || !scanner.take(':')) return broken("a name is missing");
      if (!read_field(scanner, *name, state, data_version)) return broken(fmt::format("field {}", *name));
    } while (scanner.take(','));
    if (!scanner.take('}')) return broken("no end");
  }
  if (!scanner.at_end()) return broken("something follows");
  if (!data_version) return broken("no data_version field");
  if (*data_version < 0 || *data_version > 1) {
    return fail(
        ErrorCode::corrupt_message,
        fmt::format("data_version ({}) is not within the min (0) and max (1) supported version", *data_version));
  }
  state.data_version = static_cast<std::int16_t>(*data_version);
  return state;
}

std::optional<QuorumState> read_quorum_state(runtime::Disk& disk, const std::string& log_directory) {
  const std::string path = fmt::format("{}/{}", log_directory, quorum_state_name);
  if (!disk.exists(path)) return std::nullopt;
  const ByteVector bytes = disk.read_file(path, file_bytes_max);
  auto state = parse_quorum_state(as_text(bytes));
  if (!state) {
    throw std::runtime_error(
        fmt::format("Error while reading the Quorum status from the file {}: {}", path, state.error().message));
  }
  return std::move(*state);
}

void write_quorum_state(runtime::Disk& disk, const std::string& log_directory, const QuorumState& state) {
  const std::string text = quorum_state_text(state);
  disk.replace_file(fmt::format("{}/{}", log_directory, quorum_state_name), as_bytes(text));
}

}  // namespace klamm::hosting
