#include <cerrno>

#include "base/ensure.h"
#include "runtime/simulation/wire.h"

namespace klamm::runtime::simulation {

SimulatedSocket::SimulatedSocket(World& world, SimulatedReactor& reactor, ConnectionRef connection, unsigned side)
    : world_(world), reactor_(reactor), connection_(std::move(connection)), side_(side) {
  mine().socket = this;
  reactor_.add(*this);
}

SimulatedSocket::~SimulatedSocket() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  reactor_.remove(*this);
  End& end = mine();
  end.socket = nullptr;
  if (end.process->state != Process::State::alive) return;
  end.closed = true;
  if (end.error != 0) return;
  // What was received and not read makes the kernel send a reset instead of an end.
  world_.wire().send_end(connection_, side_, end.unread() > 0 ? ECONNRESET : 0);
}

void SimulatedSocket::look() {
  if (ready()) reactor_.wake();
}

void SimulatedSocket::want(bool readable, bool writable) {
  wants_read_ = readable;
  wants_write_ = writable;
  look();
}

std::size_t SimulatedSocket::room() const {
  const std::size_t window = world_.wire().temper.window_bytes;
  const std::size_t outstanding = connection_->outstanding(side_);
  return outstanding < window ? window - outstanding : 0;
}

bool SimulatedSocket::writable() const {
  return mine().error != 0 || mine().shut || room() > world_.wire().temper.window_bytes / 4;
}

void SimulatedSocket::turn() {
  ENSURE(events_ != nullptr, "a socket wants events that nobody listens to");
  bool destroyed = false;
  // Also when the host dies in the event and what it throws goes through here: the socket outlives this frame.
  struct Watch {
    SimulatedSocket& socket;
    const bool& destroyed;
    ~Watch() {
      if (!destroyed) socket.destroyed_ = nullptr;
    }
  } watch{*this, destroyed};
  destroyed_ = &destroyed;
  if (wants_read_ && readable()) events_->on_readable();
  if (destroyed) return;
  if (wants_write_ && writable()) events_->on_writable();
}

IoResult SimulatedSocket::read(MutableBytes to) {
  End& end = mine();
  if (end.process->gone()) return {IoStatus::failed, 0, EBADF};
  if (end.error != 0 && end.unread() == 0) return {IoStatus::failed, 0, end.error};
  if (end.unread() == 0) return {end.ended ? IoStatus::end : IoStatus::would_block, 0, 0};
  Wire& wire = world_.wire();
  std::size_t count = std::min(to.size(), end.unread());
  if (count > 1 && wire.chance_.one_in(wire.temper.short_read_one_in))
    count = static_cast<std::size_t>(wire.chance_.between(1, count));
  std::copy_n(end.arrived.begin() + static_cast<std::ptrdiff_t>(end.read), count, to.begin());
  end.read += count;
  if (end.read == end.arrived.size()) {
    end.arrived.clear();
    end.read = 0;
  }
  // Room for the peer.
  if (SimulatedSocket* peer = other().socket) peer->look();
  return {IoStatus::done, count, 0};
}

IoResult SimulatedSocket::write(std::span<const Bytes> parts, bool) {
  End& end = mine();
  if (end.process->gone()) return {IoStatus::failed, 0, EBADF};
  if (end.error != 0) return {IoStatus::failed, 0, end.error};
  if (end.shut) return {IoStatus::failed, 0, EPIPE};
  std::size_t allowed = room();
  ByteVector bytes;
  for (const Bytes part : parts) {
    const std::size_t count = std::min(part.size(), allowed - bytes.size());
    bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
  }
  if (bytes.empty()) return {IoStatus::would_block, 0, 0};
  Wire& wire = world_.wire();
  if (bytes.size() > 1 && wire.chance_.one_in(wire.temper.short_write_one_in)) {
    bytes.resize(static_cast<std::size_t>(wire.chance_.between(1, bytes.size())));
  }
  wire.send(connection_, side_, bytes);
  return {IoStatus::done, bytes.size(), 0};
}

IoResult SimulatedSocket::send_file(File& file, std::uint64_t offset, std::size_t length) {
  if (mine().process->gone()) return {IoStatus::failed, 0, EBADF};
  if (mine().error == 0 && !mine().shut && room() == 0) return {IoStatus::would_block, 0, 0};
  ByteVector bytes(std::min(length, std::max<std::size_t>(room(), 1)));
  const std::size_t got = file.read_at(offset, bytes);
  // The file ends before the range: it was truncated under the reader.
  if (got == 0) return {IoStatus::failed, 0, EIO};
  const Bytes read = Bytes(bytes).first(got);
  return write(std::span(&read, 1), false);
}

void SimulatedSocket::shut_down_write() {
  End& end = mine();
  if (end.process->gone() || end.shut || end.error != 0) return;
  end.shut = true;
  world_.wire().send_end(connection_, side_, 0);
}

}  // namespace klamm::runtime::simulation
