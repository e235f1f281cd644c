// Listeners, connects and names of this machine.
#pragma once

#include "runtime/network.h"

namespace klamm::runtime::os {

// Its reactors are EpollReactors.
class OsNetwork final : public Network {
 public:
  std::unique_ptr<Listener> listen(const SocketAddress& address, const SocketOptions& options) override;
  Task<SocketRef> connect(Reactor& reactor, SocketAddress to, SocketOptions options, MonoTime deadline) override;
  std::vector<std::string> resolve(const std::string& host) override;
  std::string canonical_host_name() override;
};

}  // namespace klamm::runtime::os
