// Which API versions the other end of a connection speaks: what its ApiVersions answer said. Outgoing versions are
// chosen per peer from it. Source of behaviour: org.apache.kafka.clients.NodeApiVersions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "protocol/api_key.h"

namespace klamm::rpc {

using protocol::VersionRange;

class PeerVersions {
 public:
  struct Feature {
    std::int16_t min = 0;
    std::int16_t max = 0;
    bool operator==(const Feature&) const = default;
  };

  // Knows nothing: every choice fails.
  PeerVersions() = default;
  // From the lists of an ApiVersionsResponse; unknown keys are kept, they harm nobody. A range that lies (high below
  // low) is empty.
  template <typename ApiVersionsResponse>
  static PeerVersions from(const ApiVersionsResponse& response) {
    PeerVersions peer;
    for (const auto& api : response.api_keys) peer.set(api.api_key, {api.min_version, api.max_version});
    for (const auto& f : response.supported_features) peer.supported_[f.name] = {f.min_version, f.max_version};
    for (const auto& f : response.finalized_features)
      peer.finalized_[f.name] = {f.min_version_level, f.max_version_level};
    peer.finalized_epoch_ = response.finalized_features_epoch;
    return peer;
  }

  // The range that the peer announced; empty when it does not serve the key.
  VersionRange range(std::int16_t key) const;
  void set(std::int16_t key, VersionRange range);

  // The highest version both sides speak, where ours are [oldest, latest]; else UNSUPPORTED_VERSION with Kafka's text.
  Result<std::int16_t> latest_usable(protocol::ApiKey key, VersionRange ours) const;
  // For a generated request type: our range is its stable one.
  template <typename Request>
  Result<std::int16_t> latest_usable() const {
    return latest_usable(Request::api_key, VersionRange{Request::min_version, Request::max_version});
  }

  const std::map<std::string, Feature>& supported_features() const { return supported_; }
  const std::map<std::string, Feature>& finalized_features() const { return finalized_; }
  std::int64_t finalized_features_epoch() const { return finalized_epoch_; }

 private:
  std::vector<VersionRange> ranges_;  // by key
  std::map<std::string, Feature> supported_;
  std::map<std::string, Feature> finalized_;
  std::int64_t finalized_epoch_ = -1;
};

}  // namespace klamm::rpc
