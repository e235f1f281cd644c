#include "cli/api_versions_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "protocol/api_key.h"

namespace klamm::cli {

std::string api_versions_text(const std::vector<client::ServedApi>& apis) {
  std::map<std::int16_t, std::string> lines;
  for (const client::ServedApi& api : apis) {
    const protocol::ApiRow* row = protocol::find_api(api.key);
    std::string line =
        fmt::format("{}({}): {}", row == nullptr ? std::string_view("UNKNOWN") : row->name, api.key, api.min);
    if (api.min != api.max) line += fmt::format(" to {}", api.max);
    if (row != nullptr) {
      const protocol::VersionRange ours = row->stable();
      if (ours.high < api.min) {
        line += " [unusable: node too new]";
      } else if (api.max < ours.low) {
        line += " [unusable: node too old]";
      } else {
        line += fmt::format(" [usable: {}]", std::min(ours.high, api.max));
      }
    }
    lines[api.key] = std::move(line);
  }
  for (const protocol::ApiRow& row : protocol::api_rows()) {
    if (row.listeners.broker && !row.stable().empty()) {
      lines.emplace(protocol::wire_of(row.key),
                    fmt::format("{}({}): UNSUPPORTED", row.name, protocol::wire_of(row.key)));
    }
  }
  std::string text;
  for (const auto& [key, line] : lines) text += fmt::format("{}{}", text.empty() ? "" : ",\n\t", line);
  return fmt::format("(\n\t{}\n)", text);
}

}  // namespace klamm::cli
