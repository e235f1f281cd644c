#include "rpc/peer_versions.h"

#include <algorithm>

namespace klamm::rpc {

namespace {
constexpr VersionRange nothing{0, -1};
// Keys of the protocol are few; one that is far away is of no use to anybody.
constexpr std::int16_t key_max = 1000;
}  // namespace

VersionRange PeerVersions::range(std::int16_t key) const {
  if (key < 0 || static_cast<std::size_t>(key) >= ranges_.size()) return nothing;
  return ranges_[static_cast<std::size_t>(key)];
}

void PeerVersions::set(std::int16_t key, VersionRange range) {
  if (key < 0 || key > key_max) return;
  const auto index = static_cast<std::size_t>(key);
  if (index >= ranges_.size()) ranges_.resize(index + 1, nothing);
  ranges_[index] = range;
}

Result<std::int16_t> PeerVersions::latest_usable(protocol::ApiKey key, VersionRange ours) const {
  const VersionRange theirs = range(protocol::wire_of(key));
  const auto name = protocol::api_row(key).upper_name;
  if (theirs.empty()) return fail(ErrorCode::unsupported_version, fmt::format("The node does not support {}", name));
  const auto latest = std::min(ours.high, theirs.high);
  if (latest < std::max(ours.low, theirs.low))
    return fail(
        ErrorCode::unsupported_version,
        fmt::format("The node does not support {} with version in range [{},{}]. The supported range is [{},{}].", name,
                    ours.low, ours.high, theirs.low, theirs.high));
  return latest;
}

}  // namespace klamm::rpc
