#include "cli/subcommand_line.h"

#include <algorithm>

#include "config/value.h"

namespace klamm::cli {

namespace {

// "--bootstrap-server/-b"
std::string shown(const SubcommandOption& option) {
  return option.letter.empty() ? std::string(option.name) : fmt::format("{}/{}", option.name, option.letter);
}

}  // namespace

SubcommandLine::SubcommandLine(Streams& streams, std::string_view program, std::string_view description,
                               std::vector<Subcommand> commands)
    : streams_(streams), program_(program), description_(description), commands_(std::move(commands)) {}

std::string SubcommandLine::usage() const {
  if (chosen_ == nullptr) {
    std::string names;
    for (const Subcommand& command : commands_) names += fmt::format("{}{}", names.empty() ? "" : ",", command.name);
    return fmt::format("usage: {} [-h] {{{}}} ...\n", program_, names);
  }
  std::string text = fmt::format("usage: {} {} [-h]", program_, chosen_->name);
  for (const SubcommandOption& option : chosen_->options) {
    const std::string one =
        fmt::format("{}{}", option.letter.empty() ? option.name : option.letter, option.takes_value ? " VALUE" : "");
    text += option.required ? " " + one : " [" + one + "]";
  }
  return text + "\n";
}

void SubcommandLine::print_help() const {
  streams_.print(usage());
  if (chosen_ == nullptr) {
    streams_.line("\n{}\n", description_);
    for (const Subcommand& command : commands_) streams_.line("  {:<24} {}", command.name, command.help);
    return;
  }
  streams_.line("\n{}\n", chosen_->help);
  for (const SubcommandOption& option : chosen_->options) {
    const std::string letter = option.letter.empty() ? "" : fmt::format("{}, ", option.letter);
    streams_.line("  {:<32} {}", letter + std::string(option.name), option.help);
  }
}

void SubcommandLine::fail(std::string_view message) const {
  streams_.print_error(fmt::format("{}{}: error: {}\n", usage(), program_, message));
  throw ToolExit{1};
}

const SubcommandOption* SubcommandLine::find_option(std::string_view text) const {
  const SubcommandOption* found = nullptr;
  std::string candidates;
  for (const SubcommandOption& option : chosen_->options) {
    if (text == option.name || text == option.letter) return &option;
    if (!text.starts_with("--") || text.size() < 3 || !option.name.starts_with(text)) continue;
    candidates += fmt::format("{}{}", candidates.empty() ? "" : ", ", option.name);
    if (found != nullptr) fail(fmt::format("ambiguous option: {} could match {}", text, candidates));
    found = &option;
  }
  return found;
}

void SubcommandLine::parse(Arguments arguments) {
  const auto is_option = [](std::string_view text) { return text.size() > 1 && text.starts_with('-'); };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view text = arguments[i];
    if (text == "-h" || text == "--help") {
      print_help();
      throw ToolExit{0};
    }
    if (chosen_ == nullptr) {
      if (is_option(text)) fail(fmt::format("unrecognized arguments: '{}'", text));
      const auto found = std::ranges::find(commands_, text, &Subcommand::name);
      if (found == commands_.end()) {
        std::string names;
        for (const Subcommand& command : commands_)
          names += fmt::format("{}'{}'", names.empty() ? "" : ", ", command.name);
        fail(fmt::format("invalid choice: '{}' (choose from {})", text, names));
      }
      chosen_ = &*found;
      command_ = std::string(text);
      continue;
    }
    std::optional<std::string> value;
    if (const auto equals = text.find('='); text.starts_with("--") && equals != std::string_view::npos) {
      value = std::string(text.substr(equals + 1));
      text = text.substr(0, equals);
    }
    const SubcommandOption* option = is_option(text) ? find_option(text) : nullptr;
    if (option == nullptr) fail(fmt::format("unrecognized arguments: '{}'", text));
    if (option->takes_value && !value) {
      if (i + 1 == arguments.size() || is_option(arguments[i + 1]))
        fail(fmt::format("argument {}: expected one argument", shown(*option)));
      value = arguments[++i];
    }
    for (const SubcommandOption& other : chosen_->options) {
      if (option->one_of > 0 && other.one_of == option->one_of && &other != option && has(other.name)) {
        fail(fmt::format("argument {}: not allowed with argument {}", shown(*option), shown(other)));
      }
    }
    given_.insert_or_assign(std::string(option->name), value.value_or(""));
  }
  if (chosen_ == nullptr) fail("too few arguments");
  check_required();
}

void SubcommandLine::check_required() const {
  for (const SubcommandOption& option : chosen_->options) {
    if (option.required && !has(option.name)) fail(fmt::format("argument {} is required", shown(option)));
  }
  for (const SubcommandOption& option : chosen_->options) {
    if (option.one_of == 0) continue;
    std::string names;
    bool given = false;
    for (const SubcommandOption& other : chosen_->options) {
      if (other.one_of != option.one_of) continue;
      given = given || has(other.name);
      names += fmt::format("{}{}", names.empty() ? "" : " ", shown(other));
    }
    if (!given) fail(fmt::format("one of the arguments {} is required", names));
  }
}

std::optional<std::string> SubcommandLine::find(std::string_view option) const {
  const auto found = given_.find(option);
  return found == given_.end() ? std::nullopt : std::optional(found->second);
}

std::string SubcommandLine::value(std::string_view option) const {
  auto found = find(option);
  ENSURE(found.has_value(), option);
  return *std::move(found);
}

std::int32_t SubcommandLine::int_value(std::string_view option) const {
  const std::string text = value(option);
  const auto number = config::parse_java_integer(text, -2147483648LL, 2147483647);
  if (!number) {
    const SubcommandOption* spec = find_option(option);
    fail(fmt::format("argument {}: could not convert '{}' to Integer (32 bits)", shown(*spec), text));
  }
  return static_cast<std::int32_t>(*number);
}

}  // namespace klamm::cli
