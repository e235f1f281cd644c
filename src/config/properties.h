// The text format of java.util.Properties: what server.properties, client files and meta.properties are written in.
//
//   # and ! begin a comment line; key and value are parted by '=', ':' or blanks; a line that ends with an odd number
//   of backslashes goes on in the next one; \t \n \r \f and \uXXXX are escapes; of a key that stands twice the last one
//   holds.
//
// Java reads these files as ISO-8859-1, so a byte above 0x7f is the character of that number; strings here are UTF-8.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace klamm::config {

// Key to value, in the order of the keys.
using Properties = std::map<std::string, std::string, std::less<>>;

// No sensible file is longer; what is, is refused before anything is built from it.
inline constexpr std::size_t properties_bytes_max = 16u << 20;

// INVALID_CONFIG with Java's text for a bad \u escape ("Malformed \uxxxx encoding."), or for a text beyond the limit.
Result<Properties> parse_properties(std::string_view text);

// One "key=value" as Kafka's --override and --property options have it: what stands before the first '=' is the key.
// Nothing but the key when there is no '='.
std::pair<std::string, std::string> split_property(std::string_view text);

// As java.util.Properties.store writes it: '#' before every comment, then one entry a line in the given order, escaped
// so that the file is ASCII.
std::string properties_text(std::span<const std::pair<std::string, std::string>> entries,
                            std::span<const std::string> comments = {});

}  // namespace klamm::config
