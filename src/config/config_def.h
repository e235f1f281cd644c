// One configuration key, and a set of keys that are parsed and checked together.
// Source of behaviour: org.apache.kafka.common.config.ConfigDef.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config_error.h"
#include "config/properties.h"
#include "config/validator.h"
#include "config/value.h"

namespace klamm::config {

enum class Importance : std::uint8_t { high, medium, low };
std::string_view importance_name(Importance importance);  // "HIGH"

// How a broker's key may be changed while the broker runs.
enum class Update : std::uint8_t { read_only, per_broker, cluster_wide };
std::string_view update_name(Update update);  // "read-only"

// What setting the key changes today.
enum class Effect : std::uint8_t {
  none,     // accepted and checked; nothing reads it yet
  active,   // obeyed
  refused,  // set to anything but its default, it stops the start (refusals.h)
};
std::string_view effect_name(Effect effect);

// The default of a key: a text, Java's null, or none, which makes the key required.
class Default {
 public:
  enum class Kind : std::uint8_t { text, null, required };

  constexpr Default(const char* text) : kind_(Kind::text), text_(text) {}  // NOLINT: rows of the tables read better
  constexpr explicit Default(Kind kind) : kind_(kind) {}

  constexpr Kind kind() const { return kind_; }
  constexpr std::string_view text() const { return text_; }

 private:
  Kind kind_;
  std::string_view text_;
};
inline constexpr Default null_default{Default::Kind::null};
inline constexpr Default required{Default::Kind::required};

// A row of the tables (keys_*.cpp).
struct Key {
  std::string_view name;
  Type type;
  Default fallback;
  Validator validator;
  Importance importance;
  Update update = Update::read_only;
  Effect effect = Effect::none;
  std::string_view documentation;
  bool internal = false;  // not shown unless it is set

  bool sensitive() const { return type == Type::password; }
  // The value that holds when the key is not set; null for null_default and required.
  Value default_value() const;
};

// Parsed values by key. Asking for a key that is not in the definition, or with the wrong type, is a bug.
class ConfigValues {
 public:
  bool get_bool(std::string_view key) const;
  std::int32_t get_int(std::string_view key) const;  // INT and SHORT
  std::int64_t get_long(std::string_view key) const;
  double get_double(std::string_view key) const;
  // STRING, CLASS, PASSWORD. get_string is for keys that cannot be null.
  const std::string& get_string(std::string_view key) const;
  std::optional<std::string> find_string(std::string_view key) const;
  const List& get_list(std::string_view key) const;
  // Nothing when the value is null.
  std::optional<std::int32_t> find_int(std::string_view key) const;
  std::optional<std::int64_t> find_long(std::string_view key) const;
  const List* find_list(std::string_view key) const;

  const Value& value(std::string_view key) const;
  bool contains(std::string_view key) const { return values_.contains(key); }
  void set(std::string_view key, Value value) { values_.insert_or_assign(key, std::move(value)); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::map<std::string_view, Value> values_;  // names are those of the tables, which live as long as the program
};

// A set of keys. Immutable; made of tables that live as long as the program.
class ConfigDef {
 public:
  explicit ConfigDef(std::vector<const Key*> keys);

  // In the order in which they are checked.
  std::span<const Key* const> keys() const { return keys_; }
  const Key* find(std::string_view name) const;  // null when there is no such key

  // Every key's value: parsed from `properties`, else its default. Keys it does not know are left alone. The first key
  // whose value is wrong is the error. What deserves a warning (duplicates dropped from a list) is added to `warnings`.
  Checked<ConfigValues> parse(const Properties& properties, std::vector<std::string>* warnings = nullptr) const;
  // Checks one value of one key.
  Checked<Value> parse_value(const Key& key, std::string_view text, std::vector<std::string>* warnings = nullptr) const;
  // Keys of `properties` that are not here, in their order.
  std::vector<std::string> unknown(const Properties& properties) const;

 private:
  std::vector<const Key*> keys_;
  std::map<std::string_view, const Key*> by_name_;
};

}  // namespace klamm::config
