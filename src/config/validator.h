// What values a key accepts, as data, so that the tables can state it and the documentation can print it.
// Source: ConfigDef.Range, ValidString, ValidList … and the validators of the classes named beside the kinds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/config_error.h"
#include "config/value.h"

namespace klamm::config {

// An end of a range. Java compares both kinds as doubles and prints them as they were written.
class Bound {
 public:
  constexpr Bound(int whole) : whole_(whole), number_(whole) {}  // NOLINT: rows of the tables read better
  constexpr Bound(std::int64_t whole) : whole_(whole), number_(static_cast<double>(whole)) {}  // NOLINT
  constexpr Bound(double number) : number_(number), is_whole_(false) {}                        // NOLINT

  constexpr double number() const { return number_; }
  std::string text() const { return is_whole_ ? std::to_string(whole_) : java_double_text(number_); }

 private:
  std::int64_t whole_ = 0;
  double number_;
  bool is_whole_ = true;
};

struct Validator {
  enum class Kind : std::uint8_t {
    none,
    at_least,
    between,
    gzip_level,  // CompressionType.GZIP
    string_in,
    string_in_any_case,
    list_in,  // every entry one of `strings`; no `strings`: any entry that is not empty
    non_null,
    non_empty,           // null is accepted
    quorum_voters,       // QuorumConfig.ControllerQuorumVotersValidator
    quorum_servers,      // QuorumConfig.ControllerQuorumBootstrapServersValidator
    throttled_replicas,  // ThrottledReplicaListValidator
    offset_reset,        // AutoOffsetResetStrategy
    share_offset_reset,  // ShareGroupAutoOffsetResetStrategy
    share_acquire_mode,  // ShareAcquireMode
  };

  Kind kind = Kind::none;
  Bound min = 0;
  Bound max = 0;
  std::span<const std::string_view> strings = {};
  bool empty_allowed = true;  // list_in
  bool null_allowed = false;  // list_in

  // `value` has the key's type.
  Checked<void> check(std::string_view key, const Value& value) const;
  // Kafka's "Valid Values" text; empty when everything is valid.
  std::string describe() const;
};

inline constexpr Validator any{};
constexpr Validator at_least(Bound min) {
  return {.kind = Validator::Kind::at_least, .min = min};
}
constexpr Validator between(Bound min, Bound max) {
  return {.kind = Validator::Kind::between, .min = min, .max = max};
}
constexpr Validator one_of(std::span<const std::string_view> strings) {
  return {.kind = Validator::Kind::string_in, .strings = strings};
}
constexpr Validator one_of_any_case(std::span<const std::string_view> strings) {
  return {.kind = Validator::Kind::string_in_any_case, .strings = strings};
}
constexpr Validator list_of(std::span<const std::string_view> strings, bool empty_allowed = true) {
  return {.kind = Validator::Kind::list_in, .strings = strings, .empty_allowed = empty_allowed};
}
// Any entries, each once.
inline constexpr Validator any_list{.kind = Validator::Kind::list_in};
inline constexpr Validator any_list_or_null{.kind = Validator::Kind::list_in, .null_allowed = true};
inline constexpr Validator some_list{.kind = Validator::Kind::list_in, .empty_allowed = false};
inline constexpr Validator some_list_or_null{
    .kind = Validator::Kind::list_in, .empty_allowed = false, .null_allowed = true};
inline constexpr Validator gzip_level{.kind = Validator::Kind::gzip_level};
inline constexpr Validator non_null{.kind = Validator::Kind::non_null};
inline constexpr Validator non_empty{.kind = Validator::Kind::non_empty};

// What the rules of AutoOffsetResetStrategy and java.time.Duration accept; nothing else. "PT10M", "P2DT3H4M"; whole
// milliseconds, negative when the text is. Nothing when it is no duration.
std::optional<std::int64_t> parse_iso_duration_ms(std::string_view text);

}  // namespace klamm::config
