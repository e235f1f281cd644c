// Options of a tool, read as joptsimple reads them for Kafka's tools: "--name value" or "--name=value", repeatable,
// never abbreviated; and the checks of org.apache.kafka.server.util.CommandLineUtils.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/java.h"
#include "cli/streams.h"
#include "client/settings.h"

namespace klamm::cli {

enum class Takes : std::uint8_t { nothing, value, optional_value };

struct OptionSpec {
  std::string_view name;
  Takes takes = Takes::nothing;
  std::string_view described_as = {};  // of the value: "topic"
  std::string_view help = {};
  std::optional<std::string_view> fallback = {};
};

// The tool ends now; everything was printed.
struct ToolExit {
  int code = 0;
};

using Arguments = std::span<const std::string>;

class CommandLine {
 public:
  // `description` is printed above the table of options by --help, whose option, with --version, every tool has.
  CommandLine(Streams& streams, std::string_view description, std::vector<OptionSpec> specs);

  // Throws JavaException with the name and the text of joptsimple's exception.
  void parse(Arguments arguments);

  bool has(std::string_view option) const;
  // The value that was given, else the fallback. Throws when it was given twice.
  std::optional<std::string> find(std::string_view option) const;
  // Of an option that has a fallback or was checked to be there.
  std::string value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;
  // Throws OptionArgumentConversionException.
  std::int32_t int_value(std::string_view option) const;
  std::int64_t long_value(std::string_view option) const;
  const std::vector<std::string>& rest() const { return rest_; }

  // The message and the table of options on standard error, then exit code 1.
  [[noreturn]] void usage(std::string_view message) const;
  // --help, or no arguments at all: the table (--help on standard output with 0); --version: "4.3.1".
  void help_or_version() const;
  void require(std::initializer_list<std::string_view> options) const;
  // `used` was given: none of `invalid` may be.
  void exclude(std::string_view used, std::initializer_list<std::string_view> invalid) const;
  void exclude(std::string_view used, std::span<const std::string_view> invalid) const;
  void require_one_of(std::initializer_list<std::string_view> options) const;

  Streams& streams() const { return streams_; }

 private:
  struct Given {
    std::string_view option;
    std::optional<std::string> value;
  };

  const OptionSpec* find_spec(std::string_view name) const;
  std::string table() const;

  Streams& streams_;
  std::string_view description_;
  std::vector<OptionSpec> specs_;
  std::vector<Given> given_;
  std::vector<std::string> rest_;
  bool no_arguments_ = true;
};

// "key=value" each; no '=' means an empty value.
client::Properties parse_properties_arguments(const std::vector<std::string>& arguments);
// A file of properties. Throws NoSuchFileException and IOException.
client::Properties load_properties(const std::string& path);

// Message and stack trace of what escaped from a tool, as most of Kafka's mains print it.
void print_exception(Streams& streams, const JavaException& exception);
// Null or blank, or without a port: throws IllegalArgumentException with a line break at its end.
void validate_bootstrap_server(const std::optional<std::string>& servers);

}  // namespace klamm::cli
