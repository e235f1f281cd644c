// What connections of the simulated network consist of; for network.cpp and socket.cpp alone.
#pragma once

#include <deque>

#include "runtime/simulation/network.h"
#include "runtime/simulation/reactor.h"

namespace klamm::runtime::simulation {

class SimulatedSocket;

// One end of a connection.
struct End {
  Host* host = nullptr;
  ProcessRef process;
  SocketAddress address;
  SimulatedSocket* socket = nullptr;  // null: not accepted yet, or closed
  bool closed = false;
  bool shut = false;  // sends nothing more

  ByteVector arrived;    // not read yet
  std::size_t read = 0;  // of it
  bool ended = false;    // the peer sends nothing more
  int error = 0;         // reset, timed out: both directions are over

  std::size_t unread() const { return arrived.size() - read; }
};

struct Piece {
  ByteVector bytes;
  bool end = false;
  int error = 0;
  MonoTime at;
};

struct Connection {
  std::uint64_t number = 0;
  End ends[2];     // 0 connected, 1 accepted
  struct Flight {  // from ends[side] to the other
    std::deque<Piece> pieces;
    std::size_t bytes = 0;
    bool scheduled = false;
    std::uint64_t stalls = 0;  // counts the times that it stopped at a cut or a dead host
    bool stalled = false;
  } flights[2];

  // What the side has sent and the other has not read.
  std::size_t outstanding(unsigned side) const { return flights[side].bytes + ends[1 - side].unread(); }
};

struct ListenerState {
  Host* host = nullptr;
  ProcessRef process;
  SocketAddress address;
  bool closed = false;
  struct Joined {
    SimulatedReactor* reactor;
    AcceptEvents* events;
  };
  std::vector<Joined> joined;
  std::deque<ConnectionRef> waiting;  // nobody listens yet, or the reactor has not come to it
};

// A connect() on its way. Abandoned when the coroutine goes.
struct Attempt {
  Wire* wire = nullptr;
  Host* from = nullptr;
  Host* to = nullptr;
  SimulatedReactor* reactor = nullptr;
  SocketAddress target;
  bool concluded = false;
  bool abandoned = false;
  bool arrived = false;
  int error = 0;
  ConnectionRef connection;
  std::function<void()> resume;
};

class SimulatedSocket final : public Socket, private TurnSource {
 public:
  SimulatedSocket(World& world, SimulatedReactor& reactor, ConnectionRef connection, unsigned side);
  ~SimulatedSocket() override;

  void listen_to(SocketEvents* events) override { events_ = events; }
  void want(bool readable, bool writable) override;
  IoResult read(MutableBytes to) override;
  IoResult write(std::span<const Bytes> parts, bool more) override;
  IoResult send_file(File& file, std::uint64_t offset, std::size_t length) override;
  void shut_down_write() override;
  const SocketAddress& peer() const override { return other().address; }
  const SocketAddress& local() const override { return mine().address; }
  // Something changed at this end.
  void look();

 private:
  bool ready() const override { return (wants_read_ && readable()) || (wants_write_ && writable()); }
  void turn() override;
  bool readable() const { return mine().unread() > 0 || mine().ended || mine().error != 0; }
  bool writable() const;
  std::size_t room() const;
  End& mine() const { return connection_->ends[side_]; }
  End& other() const { return connection_->ends[1 - side_]; }

  World& world_;
  SimulatedReactor& reactor_;
  ConnectionRef connection_;
  unsigned side_;
  SocketEvents* events_ = nullptr;
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool* destroyed_ = nullptr;  // told when the socket goes in the middle of turn()
};

}  // namespace klamm::runtime::simulation
