#include "cli/subcommand_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "base/ensure.h"

namespace klamm::cli {
namespace {

constexpr std::size_t line_width = 75;

// Where a line may end: after blanks, and after a hyphen that a letter follows.
std::vector<std::string_view> breakable_parts(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : ' ';
    const bool after_blank = text[i] == ' ' && next != ' ';
    const bool after_hyphen = text[i] == '-' && std::isalpha(static_cast<unsigned char>(next)) != 0;
    if (!after_blank && !after_hyphen) continue;
    parts.push_back(text.substr(begin, i + 1 - begin));
    begin = i + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

// Widens the runs of blanks until the line is `width` long; what does not divide evenly goes to the runs in the middle.
std::string spread(std::string_view line, std::size_t width) {
  while (line.starts_with(' ')) line.remove_prefix(1);
  while (line.ends_with(' ')) line.remove_suffix(1);
  std::size_t runs = 0;
  for (std::size_t i = 1; i < line.size(); ++i) runs += line[i] == ' ' && line[i - 1] != ' ' ? 1 : 0;
  if (runs == 0 || line.size() >= width) return std::string(line);
  const std::size_t each = (width - line.size()) / runs;
  const std::size_t rest = (width - line.size()) % runs;
  const std::size_t first = (runs - rest + 1) / 2;
  std::string out;
  std::size_t run = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ' ' && line[i - 1] != ' ') {
      out.append(each + (first <= run && run < first + rest ? 1 : 0), ' ');
      ++run;
    }
    out += line[i];
  }
  return out;
}

std::string metavar(const SubcommandOption& option) {
  std::string name(option.name.substr(2));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(c == '-' ? '_' : std::toupper(c)); });
  return name;
}

std::string help_line(const std::string& left, std::string_view text) {
  constexpr std::size_t column = 25;
  std::string out = "  " + left;
  if (text.empty()) return out + "\n";
  out += left.size() <= column - 4 ? std::string(column - 2 - left.size(), ' ') : "\n" + std::string(column, ' ');
  std::size_t at = column;
  for (const std::string_view word : breakable_parts(text)) {
    if (at + word.size() > line_width + 1 && at > column) {
      while (out.ends_with(' ')) out.pop_back();
      out += "\n" + std::string(column, ' ');
      at = column;
    }
    out += word;
    at += word.size();
  }
  return out + "\n";
}

}  // namespace

std::string fill_lines(std::string_view text, std::size_t width) {
  std::string out;
  std::string line;
  for (const std::string_view part : breakable_parts(text)) {
    if (line.size() + part.size() > width && !line.empty()) {
      out += spread(line, width) + "\n";
      line.clear();
    }
    line += part;
  }
  return out + line;
}

std::string SubcommandOption::textual_name() const {
  return letter.empty() ? std::string(name) : fmt::format("{}/{}", name, letter);
}

std::optional<std::string> ParsedSubcommand::find(std::string_view option) const {
  const auto found = given_.find(option);
  return found == given_.end() || found->second.empty() ? std::nullopt : std::optional(found->second.back());
}

std::string ParsedSubcommand::value(std::string_view option) const {
  auto found = find(option);
  ENSURE(found.has_value(), option);
  return *std::move(found);
}

std::vector<std::string> ParsedSubcommand::values(std::string_view option) const {
  const auto found = given_.find(option);
  return found == given_.end() ? std::vector<std::string>{} : found->second;
}

// Reads the arguments of one sub-command.
class SubcommandLine::Reader {
 public:
  Reader(const SubcommandLine& line, const Subcommand& command, Arguments arguments)
      : line_(line), command_(command), arguments_(arguments) {}

  ParsedSubcommand read() {
    parsed_.command_ = command_.name;
    while (next_ < arguments_.size()) {
      const std::string_view term = arguments_[next_];
      if (!is_flag(term)) {
        std::string rest;
        for (std::size_t i = next_; i < arguments_.size(); ++i) rest += (rest.empty() ? "" : " ") + arguments_[i];
        fail_unrecognized(rest);
      }
      ++next_;
      read_flag(term);
    }
    check_required();
    return std::move(parsed_);
  }

 private:
  static bool is_flag(std::string_view term) { return term.size() > 1 && term.starts_with('-'); }

  [[noreturn]] void fail_unrecognized(std::string_view what) const {
    line_.fail(&command_, fmt::format("unrecognized arguments: '{}'", what));
  }
  [[noreturn]] void fail_of(const SubcommandOption& option, std::string_view what) const {
    line_.fail(&command_, fmt::format("argument {}: {}", option.textual_name(), what));
  }

  const SubcommandOption* find_letter(std::string_view letter) const {
    const auto found = std::ranges::find(command_.options, letter, &SubcommandOption::letter);
    return found == command_.options.end() || letter.empty() ? nullptr : &*found;
  }

  // By its whole name, or by the beginning of exactly one. Null when there is none.
  const SubcommandOption* find_name(std::string_view name) const {
    std::set<std::string> candidates;
    const SubcommandOption* last = nullptr;
    for (const SubcommandOption& option : command_.options) {
      if (option.name == name) return &option;
      if (!option.name.starts_with(name)) continue;
      candidates.emplace(option.name);
      last = &option;
    }
    if (std::string_view("--help").starts_with(name)) candidates.emplace("--help");
    if (candidates.size() > 1) {
      line_.fail(&command_, fmt::format("ambiguous option: {} could match {}", name, fmt::join(candidates, ", ")));
    }
    if (candidates.contains("--help")) line_.help(&command_);
    return last;
  }

  void read_flag(std::string_view term) {
    const std::size_t equals = term.find('=');
    const std::string_view name = term.substr(0, equals);
    std::optional<std::string> value;
    if (equals != std::string_view::npos) value = std::string(term.substr(equals + 1));
    if (name == "-h") line_.help(&command_);
    const SubcommandOption* option = find_letter(name);
    if (option == nullptr && name.starts_with("--")) option = find_name(name);
    if (option != nullptr) return take(*option, std::move(value));
    if (term.starts_with("--")) fail_unrecognized(term);
    read_joined(term);
  }

  // "-sg", "-cFILE"
  void read_joined(std::string_view term) {
    for (std::size_t i = 1; i < term.size(); ++i) {
      if (term[i] == 'h') line_.help(&command_);
      const SubcommandOption* option = find_letter(std::string{'-', term[i]});
      if (option == nullptr) fail_unrecognized(term);
      if (option->takes != Takes::nothing) {
        std::optional<std::string> value;
        if (i + 1 < term.size()) value = std::string(term.substr(i + 1));
        return take(*option, std::move(value));
      }
      take(*option, std::nullopt);
    }
  }

  void take(const SubcommandOption& option, std::optional<std::string> value) {
    if (option.exclusive_group != 0) {
      const auto [first, fresh] = group_used_.emplace(option.exclusive_group, &option);
      if (!fresh && first->second != &option) {
        fail_of(option, "not allowed with argument " + first->second->textual_name());
      }
    }
    auto& values = parsed_.given_[option.name];
    if (option.takes == Takes::nothing) {
      if (value) fail_of(option, fmt::format("ignore implicit argument '{}'", *value));
      return;
    }
    if (!value && next_ < arguments_.size() && !is_flag(arguments_[next_])) value = arguments_[next_++];
    if (!value) fail_of(option, "expected one argument");
    values.push_back(*std::move(value));
  }

  // The last option that is missing is the one that is named.
  void check_required() const {
    const SubcommandOption* missing = nullptr;
    for (const SubcommandOption& option : command_.options) {
      if (option.is_required && !parsed_.has(option.name)) missing = &option;
    }
    if (missing != nullptr) line_.fail(&command_, fmt::format("argument {} is required", missing->textual_name()));
    for (const int group : command_.required_groups) {
      if (group_used_.contains(group)) continue;
      std::string names;
      for (const SubcommandOption& option : command_.options) {
        if (option.exclusive_group == group) names += option.textual_name() + " ";
      }
      line_.fail(&command_, fmt::format("one of the arguments {}is required", names));
    }
  }

  const SubcommandLine& line_;
  const Subcommand& command_;
  Arguments arguments_;
  std::size_t next_ = 0;
  std::map<int, const SubcommandOption*> group_used_;
  ParsedSubcommand parsed_;
};

SubcommandLine::SubcommandLine(Streams& streams, std::string_view program, std::string_view description,
                               std::vector<Subcommand> commands)
    : streams_(streams), program_(program), description_(description), commands_(std::move(commands)) {}

ParsedSubcommand SubcommandLine::parse(Arguments arguments) const {
  if (arguments.empty()) fail(nullptr, "too few arguments");
  const std::string_view name = arguments.front();
  if (name == "-h" || (name.size() > 2 && std::string_view("--help").starts_with(name))) help(nullptr);
  if (name.size() > 1 && name.starts_with('-')) fail(nullptr, fmt::format("unrecognized arguments: '{}'", name));
  std::vector<const Subcommand*> candidates;
  for (const Subcommand& command : commands_) {
    if (command.name.starts_with(name)) candidates.push_back(&command);
    if (command.name != name) continue;
    candidates = {&command};  // "describe", whatever else begins with it
    break;
  }
  if (candidates.size() == 1) return Reader(*this, *candidates.front(), arguments.subspan(1)).read();
  std::string choices;
  for (const Subcommand& command : commands_)
    choices += fmt::format("{}'{}'", choices.empty() ? "" : ", ", command.name);
  fail(nullptr, fmt::format("invalid choice: '{}' (choose from {})", name, choices));
}

std::string SubcommandLine::usage(const Subcommand* command) const {
  std::string text = fmt::format("usage: {}", program_);
  if (command == nullptr) {
    std::string names;
    for (const Subcommand& each : commands_) names += fmt::format("{}{}", names.empty() ? "" : ",", each.name);
    return fmt::format("{} [-h] {{{}}} ...\n", text, names);
  }
  text += fmt::format(" {} [-h]", command->name);
  for (const SubcommandOption& option : command->options) {
    const std::string value = option.takes == Takes::nothing ? "" : " " + metavar(option);
    text += option.is_required ? fmt::format(" {}{}", option.name, value) : fmt::format(" [{}{}]", option.name, value);
  }
  return text + "\n";
}

void SubcommandLine::fail(const Subcommand* command, std::string_view message) const {
  streams_.print_error(usage(command) + fill_lines(fmt::format("{}: error: {}", program_, message), line_width) + "\n");
  throw ToolExit{1};
}

void SubcommandLine::help(const Subcommand* command) const {
  std::string text = usage(command) + "\n";
  text += fmt::format("{}\n\n", command == nullptr ? description_ : command->help);
  if (command == nullptr) {
    text += "positional arguments:\n";
    for (const Subcommand& each : commands_) text += help_line("  " + std::string(each.name), each.help);
    text += "\n";
  }
  text += "named arguments:\n" + help_line("-h, --help", "Prints this.");
  if (command != nullptr) {
    for (const SubcommandOption& option : command->options) {
      const std::string value = option.takes == Takes::nothing ? "" : " " + metavar(option);
      std::string left = fmt::format("{}{}", option.name, value);
      if (!option.letter.empty()) left += fmt::format(", {}{}", option.letter, value);
      text += help_line(left, option.help);
    }
  }
  streams_.print(text);
  throw ToolExit{0};
}

}  // namespace klamm::cli
