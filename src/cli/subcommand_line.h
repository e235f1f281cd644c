// The command line of tools with sub-commands, read as argparse4j reads it for Kafka's: "kafka-cluster cluster-id -b
// host:port". Long options may be shortened as long as they stay unambiguous.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.h"

namespace klamm::cli {

struct SubcommandOption {
  std::string_view name;         // "--bootstrap-server"
  std::string_view letter = {};  // "-b"
  bool takes_value = true;
  std::string_view help = {};
  bool required = false;
  int one_of = 0;  // of the options with the same number above 0 exactly one must be given
};

struct Subcommand {
  std::string_view name;
  std::string_view help;
  std::vector<SubcommandOption> options;
};

class SubcommandLine {
 public:
  // `program` begins the messages: "kafka-cluster: error: too few arguments".
  SubcommandLine(Streams& streams, std::string_view program, std::string_view description,
                 std::vector<Subcommand> commands);

  // Throws ToolExit{1} after a usage line and a message on standard error, ToolExit{0} after --help.
  void parse(Arguments arguments);

  const std::string& command() const { return command_; }
  bool has(std::string_view option) const { return given_.contains(option); }
  std::optional<std::string> find(std::string_view option) const;
  std::string value(std::string_view option) const;
  // An Integer of argparse4j; ends with its message otherwise.
  std::int32_t int_value(std::string_view option) const;
  [[noreturn]] void fail(std::string_view message) const;

 private:
  const SubcommandOption* find_option(std::string_view text) const;
  void check_required() const;
  std::string usage() const;
  void print_help() const;

  Streams& streams_;
  std::string_view program_;
  std::string_view description_;
  std::vector<Subcommand> commands_;
  const Subcommand* chosen_ = nullptr;
  std::string command_;
  std::map<std::string, std::string, std::less<>> given_;
};

}  // namespace klamm::cli
