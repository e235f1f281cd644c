// Reads a JSON text: for the few files that tools are given. Bounded depth; anything else than one whole value is
// refused.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace klamm::cli {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  // Nothing when the text is no JSON.
  static std::optional<Json> parse(std::string_view text);

  const std::string* string() const { return std::get_if<std::string>(&value_); }
  // Whole numbers only.
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  // A member of an object; null when there is none or this is no object.
  const Json* find(std::string_view name) const;

 private:
  friend class JsonParser;
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

// With quotes, escaped as Jackson does.
std::string json_string(std::string_view text);

}  // namespace klamm::cli
