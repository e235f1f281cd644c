#include "server/api_table.h"

#include <algorithm>

#include "base/ensure.h"

namespace klamm::server {

void ApiTable::add(ServedApi row) {
  const auto key = static_cast<std::size_t>(protocol::wire_of(row.api->key));
  ENSURE(row_of_key_.at(key) < 0, "one row a key");
  ENSURE(row.handler && !row.versions.empty());
  row_of_key_[key] = static_cast<std::int16_t>(rows_.size());
  rows_.push_back(std::move(row));
}

bool ApiTable::served(const ServedApi& row, ListenerScope scope) const {
  if (scope == ListenerScope::broker ? !row.on_broker : !row.on_controller) return false;
  switch (mode_) {
    case MetadataMode::embedded:
      return row.in_embedded;
    case MetadataMode::quorum:
      return row.in_quorum;
    case MetadataMode::zookeeper:
      return row.in_zookeeper;
  }
  return false;
}

const ServedApi* ApiTable::find(std::int16_t key, ListenerScope scope) const {
  if (key < 0 || key > protocol::api_key_max) return nullptr;
  const std::int16_t index = row_of_key_[static_cast<std::size_t>(key)];
  if (index < 0) return nullptr;
  const ServedApi& row = rows_[static_cast<std::size_t>(index)];
  return served(row, scope) ? &row : nullptr;
}

std::vector<const ServedApi*> ApiTable::rows(ListenerScope scope) const {
  std::vector<const ServedApi*> rows;
  for (const ServedApi& row : rows_)
    if (served(row, scope)) rows.push_back(&row);
  std::ranges::sort(rows, {}, [](const ServedApi* row) { return row->api->key; });
  return rows;
}

}  // namespace klamm::server
