#include "metadata/topic_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace klamm::metadata {
namespace {

bool is_legal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<void> check_topic_name(std::string_view name) {
  const auto invalid = [](std::string text) {
    return fail(ErrorCode::invalid_topic_exception, "Topic name is invalid: " + std::move(text));
  };
  if (name.empty()) return invalid("the empty string is not allowed");
  if (name == "." || name == "..") return invalid(fmt::format("'{}' is not allowed", name));
  if (name.size() > topic_name_length_max) {
    return invalid(
        fmt::format("the length of '{}' is longer than the max allowed length {}", name, topic_name_length_max));
  }
  if (!std::ranges::all_of(name, is_legal)) {
    return invalid(
        fmt::format("'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name));
  }
  return {};
}

bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state";
}

bool has_collision_characters(std::string_view name) {
  return name.find_first_of("._") != std::string_view::npos;
}

std::string unified_topic_name(std::string_view name) {
  std::string unified(name);
  std::ranges::replace(unified, '.', '_');
  return unified;
}

}  // namespace klamm::metadata
