#include "cli/command_line.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/version.h"
#include "config/properties.h"
#include "config/value.h"

namespace klamm::cli {

namespace {

JavaException unrecognized(std::string_view option) {
  return {"joptsimple.UnrecognizedOptionException", fmt::format("{} is not a recognized option", option)};
}

bool looks_like_an_option(std::string_view argument) {
  return argument.size() > 1 && argument.starts_with('-');
}

}  // namespace

CommandLine::CommandLine(Streams& streams, std::string_view description, std::vector<OptionSpec> specs)
    : streams_(streams), description_(description), specs_(std::move(specs)) {
  specs_.push_back({"help", Takes::nothing, {}, "Prints this."});
  specs_.push_back({"version", Takes::nothing, {}, "Prints the release of Kafka that this tool is like."});
  std::ranges::sort(specs_, {}, &OptionSpec::name);
}

const OptionSpec* CommandLine::find_spec(std::string_view name) const {
  const auto found = std::ranges::find(specs_, name, &OptionSpec::name);
  return found == specs_.end() ? nullptr : &*found;
}

void CommandLine::parse(Arguments arguments) {
  no_arguments_ = arguments.empty();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--") {
      rest_.insert(rest_.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      return;
    }
    if (!looks_like_an_option(argument)) {
      rest_.emplace_back(argument);
      continue;
    }
    std::string_view name = argument.substr(argument.starts_with("--") ? 2 : 1);
    std::optional<std::string> value;
    if (const auto equals = name.find('='); equals != std::string_view::npos) {
      value = std::string(name.substr(equals + 1));
      name = name.substr(0, equals);
    }
    const OptionSpec* spec = find_spec(name);
    // With a single dash an unknown name is a cluster of letters, of which the first one is unknown.
    if (spec == nullptr) throw unrecognized(argument.starts_with("--") ? name : name.substr(0, 1));
    switch (spec->takes) {
      case Takes::nothing:
        value.reset();
        break;
      case Takes::value:
        if (!value && i + 1 == arguments.size()) {
          throw JavaException("joptsimple.OptionMissingRequiredArgumentException",
                              fmt::format("Option {} requires an argument", spec->name));
        }
        if (!value) value = arguments[++i];
        break;
      case Takes::optional_value:
        if (!value && i + 1 < arguments.size() && !looks_like_an_option(arguments[i + 1])) value = arguments[++i];
        break;
    }
    given_.push_back({spec->name, std::move(value)});
  }
}

bool CommandLine::has(std::string_view option) const {
  return std::ranges::find(given_, option, &Given::option) != given_.end();
}

std::vector<std::string> CommandLine::values(std::string_view option) const {
  std::vector<std::string> found;
  for (const Given& each : given_) {
    if (each.option == option && each.value) found.push_back(*each.value);
  }
  const OptionSpec* spec = find_spec(option);
  if (found.empty() && !has(option) && spec->fallback) found.emplace_back(*spec->fallback);
  return found;
}

std::optional<std::string> CommandLine::find(std::string_view option) const {
  const std::vector<std::string> found = values(option);
  if (found.size() > 1) {
    throw JavaException("joptsimple.MultipleArgumentsForOptionException",
                        fmt::format("Found multiple arguments for option {}, but you asked for only one", option));
  }
  return found.empty() ? std::nullopt : std::optional(found.front());
}

std::string CommandLine::value(std::string_view option) const {
  std::optional<std::string> found = find(option);
  ENSURE(found.has_value(), option);
  return *std::move(found);
}

namespace {

template <typename T>
T converted(std::string_view option, const std::string& text, T (*convert)(std::string_view)) {
  try {
    return convert(text);
  } catch (const JavaException& exception) {
    const JavaException reflection("joptsimple.internal.ReflectionException",
                                   exception.type() + ": " + exception.message(), exception);
    throw JavaException("joptsimple.OptionArgumentConversionException",
                        fmt::format("Cannot parse argument '{}' of option {}", text, option), reflection);
  }
}

}  // namespace

std::int32_t CommandLine::int_value(std::string_view option) const {
  return converted(option, value(option), &java_int);
}
std::int64_t CommandLine::long_value(std::string_view option) const {
  return converted(option, value(option), &java_long);
}

std::string CommandLine::table() const {
  constexpr std::size_t left_width = 40;
  constexpr std::size_t right_width = 78;
  std::string text =
      fmt::format("{:<{}}  {}\n{:<{}}  {}\n", "Option", left_width, "Description", "------", left_width, "-----------");
  for (const OptionSpec& spec : specs_) {
    std::string left = fmt::format("--{}", spec.name);
    if (spec.takes == Takes::value)
      left += fmt::format(" <{}>", spec.described_as.empty() ? "value" : spec.described_as);
    if (spec.takes == Takes::optional_value)
      left += fmt::format(" [{}]", spec.described_as.empty() ? "value" : spec.described_as);
    std::string help(spec.help);
    if (spec.fallback && !spec.fallback->empty()) help += fmt::format(" (default: {})", *spec.fallback);
    // The help beside the option, broken at blanks; a long option has a line of its own.
    bool first = true;
    if (left.size() > left_width) {
      text += left + "\n";
      left.clear();
    }
    while (first || !help.empty()) {
      std::size_t cut = help.size();
      if (cut > right_width) {
        cut = help.rfind(' ', right_width);
        if (cut == std::string::npos || cut == 0) cut = right_width;
      }
      text += fmt::format("{:<{}}  {}\n", first ? left : "", left_width, help.substr(0, cut));
      help.erase(0, std::min(help.size(), cut + 1));
      first = false;
    }
  }
  return text;
}

void CommandLine::usage(std::string_view message) const {
  streams_.print_error(fmt::format("{}\n{}", message, table()));
  throw ToolExit{1};
}

void CommandLine::help_or_version() const {
  if (no_arguments_) usage(description_);
  if (has("help")) {
    streams_.print(fmt::format("{}\n{}", description_, table()));
    throw ToolExit{0};
  }
  if (has("version")) {
    streams_.line("{}", kafka_version);
    throw ToolExit{0};
  }
}

void CommandLine::require(std::initializer_list<std::string_view> options) const {
  for (const std::string_view option : options) {
    if (!has(option)) usage(fmt::format("Missing required argument \"[{}]\"", option));
  }
}

void CommandLine::exclude(std::string_view used, std::initializer_list<std::string_view> invalid) const {
  exclude(used, std::span(invalid.begin(), invalid.size()));
}

void CommandLine::exclude(std::string_view used, std::span<const std::string_view> invalid) const {
  if (!has(used)) return;
  for (const std::string_view option : invalid) {
    if (has(option)) usage(fmt::format("Option \"[{}]\" can't be used with option \"[{}]\"", used, option));
  }
}

void CommandLine::require_one_of(std::initializer_list<std::string_view> options) const {
  const auto given = std::ranges::count_if(options, [&](std::string_view option) { return has(option); });
  if (given == 1) return;
  std::string names;
  for (const std::string_view option : options) names += fmt::format("{}[{}]", names.empty() ? "" : ", ", option);
  usage("Exactly one of the following arguments is required: " + names);
}

client::Properties parse_properties_arguments(const std::vector<std::string>& arguments) {
  client::Properties properties;
  for (const std::string& argument : arguments) {
    const auto [key, value] = config::split_property(argument);
    properties.insert_or_assign(key, value);
  }
  return properties;
}

client::Properties load_properties(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) throw JavaException("java.nio.file.NoSuchFileException", path);
    if (errno == EACCES) throw JavaException("java.nio.file.AccessDeniedException", path);
    throw JavaException("java.io.IOException", fmt::format("{}: {}", path, std::strerror(errno)));
  }
  std::ostringstream content;
  content << file.rdbuf();
  if (file.bad() || content.fail()) throw JavaException("java.io.IOException", "Is a directory");
  auto properties = config::parse_properties(content.str());
  if (!properties) throw JavaException("java.lang.IllegalArgumentException", properties.error().message);
  return *std::move(properties);
}

void print_exception(Streams& streams, const JavaException& exception) {
  streams.print_error(
      fmt::format("{}\n{}\n", exception.message().empty() ? "null" : exception.message(), exception.stack_trace()));
}

void validate_bootstrap_server(const std::optional<std::string>& servers) {
  const auto illegal = [](std::string text) {
    return JavaException("java.lang.IllegalArgumentException", std::move(text));
  };
  if (!servers || config::java_trim(*servers).empty()) throw illegal("Error while validating the bootstrap address\n");
  std::string_view rest = *servers;
  while (true) {
    const auto comma = rest.find(',');
    const std::string one(rest.substr(0, comma));
    const auto parsed = client::parse_bootstrap_servers(one);
    if (!parsed || parsed->size() != 1) throw illegal("Please provide valid host:port like host1:9091,host2:9092\n");
    if (comma == std::string_view::npos) return;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace klamm::cli
