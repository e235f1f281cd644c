// Options of a tool with sub-commands, read as argparse4j reads them for Kafka's tools: `kafka-storage format -c FILE`.
// Commands and long options may be shortened as long as they stay unambiguous; short ones may be joined; error lines
// are argparse4j's, its way of filling lines included.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.h"
#include "cli/streams.h"

namespace klamm::cli {

struct SubcommandOption {
  std::string_view name;         // "--cluster-id"
  std::string_view letter = {};  // "-t"
  Takes takes = Takes::value;    // nothing or value
  bool is_required = false;
  int exclusive_group = 0;  // of one group at most one is given; 0: in none
  std::string_view help = {};

  // "--cluster-id/-t"
  std::string textual_name() const;
};

struct Subcommand {
  std::string_view name;
  std::string_view help;
  std::vector<SubcommandOption> options;
  std::vector<int> required_groups = {};  // of each of these groups one must be given
};

// What was given.
class ParsedSubcommand {
 public:
  const std::string& command() const { return command_; }
  bool has(std::string_view option) const { return given_.contains(option); }
  // The last value; nothing when the option was not given.
  std::optional<std::string> find(std::string_view option) const;
  // Of a required option.
  std::string value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;

 private:
  friend class SubcommandLine;
  std::string command_;
  std::map<std::string_view, std::vector<std::string>> given_;
};

class SubcommandLine {
 public:
  // `program` as it stands in error lines: "kafka-storage".
  SubcommandLine(Streams& streams, std::string_view program, std::string_view description,
                 std::vector<Subcommand> commands);

  // Throws ToolExit: 0 after --help, which is printed to standard output; 1 after an error, which is printed to
  // standard error below a line of usage.
  ParsedSubcommand parse(Arguments arguments) const;

 private:
  class Reader;

  [[noreturn]] void fail(const Subcommand* command, std::string_view message) const;
  [[noreturn]] void help(const Subcommand* command) const;
  std::string usage(const Subcommand* command) const;

  Streams& streams_;
  std::string_view program_;
  std::string_view description_;
  std::vector<Subcommand> commands_;
};

// Breaks a text into lines of at most `width` and spreads the blanks of every line but the last over its whole width.
std::string fill_lines(std::string_view text, std::size_t width);

}  // namespace klamm::cli
