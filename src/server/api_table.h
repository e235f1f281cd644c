// The APIs this process serves: one row a key. A row says on which listeners and in which modes a key is served, and in
// which versions. What has no row is neither served nor advertised.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "protocol/api_key.h"
#include "server/handler.h"

namespace klamm::server {

// How the cluster's metadata is kept.
enum class MetadataMode : std::uint8_t { embedded, quorum, zookeeper };

struct ServedApi {
  const protocol::ApiRow* api = nullptr;
  protocol::VersionRange versions{0, -1};  // served; without the newest where that is unstable
  std::int16_t advertised_low = 0;         // differs from versions.low for Produce only
  bool on_broker = true;
  bool on_controller = false;
  bool in_embedded = true;
  bool in_quorum = true;
  bool in_zookeeper = true;
  // Its requests may start while earlier ones of the same key are unanswered.
  bool overlaps_itself = false;
  std::unique_ptr<ApiHandler> handler;
};

class ApiTable {
 public:
  explicit ApiTable(MetadataMode mode) : mode_(mode) { row_of_key_.fill(-1); }

  void add(ServedApi row);
  // Null when the key is unknown or not served on such a listener.
  const ServedApi* find(std::int16_t key, ListenerScope scope) const;
  // The rows served on such a listener, by key.
  std::vector<const ServedApi*> rows(ListenerScope scope) const;

 private:
  bool served(const ServedApi& row, ListenerScope scope) const;

  MetadataMode mode_;
  std::vector<ServedApi> rows_;
  std::array<std::int16_t, protocol::api_key_max + 1> row_of_key_;  // -1: none
};

}  // namespace klamm::server
