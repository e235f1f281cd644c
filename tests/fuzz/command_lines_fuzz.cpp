// Command lines, and what tools read beside them: lines that become records, JSON, regular expressions, credentials,
// the names of formatters, times, plans of offsets. A tool refuses with an exception of its own kind; any other ends
// the run.
#include <fcntl.h>

#include <array>

#include "cli/java.h"
#include "cli/java_time.h"
#include "cli/json_reader.h"
#include "cli/message_reader.h"
#include "cli/offsets_csv.h"
#include "cli/scram.h"
#include "cli/subcommand_line.h"
#include "hosting/format.h"
#include "input.h"

namespace klamm::fuzz {
namespace {

cli::Streams& nowhere() {
  static const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  static cli::Streams streams(null, null, null);
  return streams;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto at = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(std::min(at + 1, text.size()));
  }
  return parts;
}

std::vector<cli::OptionSpec> option_specs() {
  using cli::Takes;
  return {{"list", Takes::nothing, {}, "Prints the names of the topics."},
          {"topic", Takes::value, "topic", "The topic; except for --create a regular expression."},
          {"partitions", Takes::value, "# of partitions", "How many partitions the topic gets.", "1"},
          {"offset", Takes::value, "offset", "Where to begin.", "0"},
          {"config", Takes::value, "name=value", "May be repeated."},
          {"decoder", Takes::optional_value, {}, "How values are shown.", "text"}};
}

void options(std::string_view text) {
  cli::CommandLine line(nowhere(), "A tool.", option_specs());
  line.parse(split(text, '\n'));
  line.help_or_version();
  (void)cli::parse_properties_arguments(line.values("config"));
  (void)line.int_value("partitions");
  (void)line.long_value("offset");
  (void)line.values("decoder");
  line.exclude("list", {"topic", "config"});
  line.require_one_of({"list", "topic"});
  if (line.has("topic")) (void)line.find("topic");
  if (!line.has("list")) line.require({"topic"});
}

std::vector<cli::Subcommand> subcommands() {
  using cli::Takes;
  const cli::SubcommandOption config{.name = "--config", .letter = "-c", .is_required = true, .help = "The file."};
  return {{"info", "Tells what is in the directories.", {config}},
          {"format",
           "Makes the directories ready for their first start.",
           {config,
            {.name = "--cluster-id", .letter = "-t", .is_required = true, .help = "Id of the cluster."},
            {.name = "--ignore-formatted", .letter = "-g", .takes = Takes::nothing, .help = "Leaves them as they are."},
            {.name = "--feature", .letter = "-f", .help = "Level of one feature, as name=level."},
            {.name = "--standalone", .letter = "-s", .takes = Takes::nothing, .exclusive_group = 1, .help = "One."},
            {.name = "--initial-controllers", .letter = "-I", .exclusive_group = 1, .help = "Several."}},
           {1}},
          {"version-mapping", "Prints features.", {{.name = "--release-version", .letter = "-r", .help = "Of it."}}}};
}

void subcommand(std::string_view text) {
  const cli::SubcommandLine line(nowhere(), "kafka-storage", "The storage tool.", subcommands());
  const auto given = line.parse(split(text, '\n'));
  for (const auto name : {"--config", "--cluster-id", "--feature", "--initial-controllers"}) {
    ENSURE(given.find(name).has_value() == given.has(name), "an option without its value");
    (void)given.values(name);
  }
}

// Properties, a line each; an empty line; lines of text.
void lines(std::string_view text) {
  const auto gap = std::min(text.find("\n\n"), text.size());
  auto properties = cli::parse_properties_arguments(split(text.substr(0, gap), '\n'));
  text.remove_prefix(std::min(gap + 2, text.size()));
  // Java's regular expressions can take for ever too: whoever starts the tool chooses them.
  const auto separator = properties.find("headers.separator");
  if (separator != properties.end() && (separator->second.size() > 4 || text.size() > 256)) return;
  cli::LineMessageReader reader(properties);
  cli::LineCutter cutter;
  std::size_t bytes = 0;
  const auto take = [&] {
    while (const auto line = cutter.next()) {
      bytes += line->size();
      ENSURE(line->find_first_of("\r\n") == std::string::npos, "a line with an end in it");
      (void)reader.parse(*line);
    }
  };
  for (std::size_t at = 0; at < text.size(); at += 7) {
    cutter.add(text.substr(at, 7));
    take();
  }
  cutter.finish();
  take();
  ENSURE(bytes <= text.size());
}

void words(std::string_view text) {
  if (text.size() > 48) return;
  const cli::IncludeList include{std::string(text)};
  // Repetitions in each other take for ever, in Java too.
  if (std::ranges::count_if(text, [](char c) { return c == '*' || c == '+' || c == '{'; }) > 1) return;
  for (const auto topic : {"orders", "__consumer_offsets", "aaaaaaaaaaaa"}) (void)include.matches(topic);
}

class Counter final : public runtime::Random {
 public:
  std::uint64_t next() override { return ++number_; }

 private:
  std::uint64_t number_ = 0;
};

void credentials(std::string_view text) {
  Counter counter;
  try {
    (void)cli::parse_scram_argument(text, counter);
  } catch (const cli::ScramError&) {
    // what the tool prints
  }
}

void voters_and_features(std::string_view text) {
  try {
    (void)hosting::parse_feature_levels(split(text, '\n'));
    (void)hosting::parse_dynamic_voters(text);
  } catch (const hosting::FormatError&) {
    // what the tool prints
  }
}

// A row that is read is written so that it is read again.
void offsets(std::string_view text, cli::CsvColumns columns) {
  try {
    const cli::PlannedOffset row = cli::parse_offset_row(text, columns);
    const std::string line = cli::offset_row(row, columns);
    const cli::PlannedOffset again = cli::parse_offset_row(std::string_view(line).substr(0, line.size() - 1), columns);
    ENSURE(again.group == row.group && again.partition == row.partition && again.offset == row.offset, line);
  } catch (const cli::JavaException& exception) {
    (void)exception.stack_trace();
  }
}

void times(const std::string& text) {
  constexpr std::int64_t now = 1'577'836'800'250;
  try {
    (void)cli::java_date_time(text);
  } catch (const cli::JavaException&) {
    // what the tool prints
  }
  try {
    (void)cli::java_time_before(text, now);
  } catch (const cli::JavaException&) {
    // the same
  }
}

void use(unsigned kind, std::string_view text) {
  switch (kind % 9) {
    case 0:
      return options(text);
    case 1:
      return subcommand(text);
    case 2:
      return lines(text);
    case 3:
      if (const auto json = cli::Json::parse(text)) (void)json->find("partitions");
      (void)cli::json_string(text);
      return;
    case 4:
      return credentials(text);
    case 5:
      return words(text);
    case 6:
      (void)cli::fill_lines(text, 60);
      return cli::validate_bootstrap_server(std::string(text));
    case 7:
      return voters_and_features(text);
    default:
      offsets(text, cli::CsvColumns::without_group);
      offsets(text, cli::CsvColumns::with_group);
      times(std::string(text));
      (void)cli::java_hash(text);
      (void)cli::java_int(text);
      (void)cli::java_long(text);
  }
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace klamm;
  using namespace klamm::fuzz;
  Input input(data, size);
  const auto kind = input.take<std::uint8_t>();
  try {
    use(kind, as_text(input.rest()));
  } catch (const cli::JavaException& exception) {
    (void)exception.stack_trace();
  } catch (const cli::ToolExit& exit) {
    ENSURE(exit.code == 0 || exit.code == 1);
  }
  return 0;
}
