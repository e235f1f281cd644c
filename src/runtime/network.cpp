#include "runtime/network.h"

namespace klamm::runtime {

std::string SocketAddress::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

}  // namespace klamm::runtime
