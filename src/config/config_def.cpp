#include "config/config_def.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ensure.h"

namespace klamm::config {

std::string_view importance_name(Importance importance) {
  switch (importance) {
    case Importance::high:
      return "HIGH";
    case Importance::medium:
      return "MEDIUM";
    case Importance::low:
      return "LOW";
  }
  ENSURE(false, "unknown Importance");
}

std::string_view update_name(Update update) {
  switch (update) {
    case Update::read_only:
      return "read-only";
    case Update::per_broker:
      return "per-broker";
    case Update::cluster_wide:
      return "cluster-wide";
  }
  ENSURE(false, "unknown Update");
}

std::string_view effect_name(Effect effect) {
  switch (effect) {
    case Effect::none:
      return "accepted, no effect yet";
    case Effect::active:
      return "yes";
    case Effect::refused:
      return "refused unless left at its default";
  }
  ENSURE(false, "unknown Effect");
}

Value Key::default_value() const {
  if (fallback.kind() != Default::Kind::text) return std::monostate();
  auto value = config::parse_value(name, fallback.text(), type);
  ENSURE(value.has_value(), name);
  return std::move(*value);
}

const Value& ConfigValues::value(std::string_view key) const {
  const auto found = values_.find(key);
  ENSURE(found != values_.end(), key);
  return found->second;
}

namespace {

template <typename T>
const T& expect(const ConfigValues& values, std::string_view key) {
  const T* value = std::get_if<T>(&values.value(key));
  ENSURE(value != nullptr, key);
  return *value;
}

std::int32_t narrow(std::int64_t value, std::string_view key) {
  ENSURE(value == static_cast<std::int32_t>(value), key);
  return static_cast<std::int32_t>(value);
}

}  // namespace

bool ConfigValues::get_bool(std::string_view key) const {
  return expect<bool>(*this, key);
}
std::int32_t ConfigValues::get_int(std::string_view key) const {
  return narrow(expect<std::int64_t>(*this, key), key);
}
std::int64_t ConfigValues::get_long(std::string_view key) const {
  return expect<std::int64_t>(*this, key);
}
double ConfigValues::get_double(std::string_view key) const {
  return expect<double>(*this, key);
}
const std::string& ConfigValues::get_string(std::string_view key) const {
  return expect<std::string>(*this, key);
}
const List& ConfigValues::get_list(std::string_view key) const {
  return expect<List>(*this, key);
}

std::optional<std::string> ConfigValues::find_string(std::string_view key) const {
  if (is_null(value(key))) return std::nullopt;
  return get_string(key);
}
std::optional<std::int32_t> ConfigValues::find_int(std::string_view key) const {
  if (is_null(value(key))) return std::nullopt;
  return get_int(key);
}
std::optional<std::int64_t> ConfigValues::find_long(std::string_view key) const {
  if (is_null(value(key))) return std::nullopt;
  return get_long(key);
}
const List* ConfigValues::find_list(std::string_view key) const {
  return is_null(value(key)) ? nullptr : &get_list(key);
}

ConfigDef::ConfigDef(std::vector<const Key*> keys) : keys_(std::move(keys)) {
  for (const Key* key : keys_) {
    const bool added = by_name_.emplace(key->name, key).second;
    ENSURE(added, key->name);
  }
}

const Key* ConfigDef::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

namespace {

// Kafka drops what stands twice in a list, with a warning, and checks the rest.
void drop_duplicates(const Key& key, Value& value, std::vector<std::string>* warnings) {
  List* list = std::get_if<List>(&value);
  if (list == nullptr || key.validator.kind != Validator::Kind::list_in) return;
  List distinct;
  for (const std::string& entry : *list) {
    if (std::ranges::find(distinct, entry) == distinct.end()) distinct.push_back(entry);
  }
  if (distinct.size() == list->size()) return;
  if (warnings != nullptr) {
    warnings->push_back(
        fmt::format("Configuration key \"{}\" contains duplicate values. Duplicates will be removed. The "
                    "original value is: {}, the updated value is: {}",
                    key.name, value_in_message(*list), value_in_message(distinct)));
  }
  *list = std::move(distinct);
}

}  // namespace

Checked<Value> ConfigDef::parse_value(const Key& key, std::string_view text, std::vector<std::string>* warnings) const {
  auto value = config::parse_value(key.name, text, key.type);
  if (!value) return value;
  drop_duplicates(key, *value, warnings);
  if (auto checked = key.validator.check(key.name, *value); !checked) return std::unexpected(checked.error());
  return value;
}

Checked<ConfigValues> ConfigDef::parse(const Properties& properties, std::vector<std::string>* warnings) const {
  ConfigValues values;
  for (const Key* key : keys_) {
    const auto set = properties.find(key->name);
    if (set != properties.end()) {
      auto value = parse_value(*key, set->second, warnings);
      if (!value) return std::unexpected(value.error());
      values.set(key->name, std::move(*value));
      continue;
    }
    if (key->fallback.kind() == Default::Kind::required) {
      return refuse(ErrorKind::config,
                    fmt::format("Missing required configuration \"{}\" which has no default value.", key->name));
    }
    values.set(key->name, key->default_value());
  }
  return values;
}

std::vector<std::string> ConfigDef::unknown(const Properties& properties) const {
  std::vector<std::string> names;
  for (const auto& [name, value] : properties) {
    if (find(name) == nullptr) names.push_back(name);
  }
  return names;
}

}  // namespace klamm::config
