// The floor: what no server of this protocol can do without. One thread, epoll; a produced batch is received, its CRC
// is checked, its offset stamped, it is written to a file and acknowledged; a fetch is answered from the file, or waits
// until there is something. Nothing is validated, nothing is recovered, one topic exists. Broker figures are told as
// multiples of what this one needs. With "durable", what came in one turn is synced together before it is acknowledged.
//
//   floor_server PORT DIRECTORY PARTITIONS [durable]
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "floor_control.h"

namespace klamm::benchmarks {
namespace {

constexpr std::size_t from_memory_max = 64 << 10;  // answers up to this are read and sent together
constexpr std::size_t batch_crc_at = 17, batch_crc_from = 21, batch_last_delta_at = 23;

struct Batch {
  std::int64_t offset = 0;
  std::uint64_t position = 0;
};

struct Connection {
  int socket = -1;
  ByteVector in;
  std::size_t have = 0;
  ByteVector out;  // answers that leave at the end of the turn
};

// A fetch that found nothing.
struct Waiter {
  Connection* connection = nullptr;
  std::int32_t correlation = 0;
  std::size_t bytes_max = 0;
  std::int64_t offset = 0;
  std::chrono::steady_clock::time_point until;
};

struct Partition {
  std::int32_t index = 0;
  int file = -1;
  std::uint64_t size = 0;
  std::int64_t end = 0;
  std::vector<Batch> batches;
  std::vector<Waiter> waiters;
  bool written = false;  // in this turn
};

// Reads the few kinds of fields that the hot requests have.
struct Cursor {
  std::byte* at;
  template <typename T>
  T take() {
    const T value = load_big<T>(at);
    at += sizeof(T);
    return value;
  }
  std::uint32_t varint() {
    std::uint32_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = std::to_integer<std::uint32_t>(*at++);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
};

class Floor {
 public:
  Floor(std::uint16_t port, const std::string& directory, int count, bool durable)
      : port_(port), durable_(durable), partitions_(static_cast<std::size_t>(count)) {
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      const std::string path = directory + "/" + std::to_string(i);
      partitions_[i].index = static_cast<std::int32_t>(i);
      partitions_[i].file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
      ENSURE(partitions_[i].file >= 0, path);
    }
    buffer_.resize(from_memory_max + 4096);
  }

  void run() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ENSURE(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(listener, 1024) == 0);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    watch(listener, nullptr);
    std::puts("Serving");
    std::fflush(stdout);
    std::array<epoll_event, 256> events{};
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), milliseconds_to_wait());
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (connection == nullptr)
          accept(listener);
        else
          serve(*connection);
      }
      end_turn();
    }
  }

 private:
  void watch(int descriptor, Connection* connection) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
    ENSURE(::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0);
  }

  void accept(int listener) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int one = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto* connection = new Connection{.socket = socket, .in = ByteVector(256 << 10)};
    watch(socket, connection);
  }

  void serve(Connection& connection) {
    const ssize_t got = ::recv(connection.socket, connection.in.data() + connection.have,
                               connection.in.size() - connection.have, MSG_DONTWAIT);
    if (got < 0) return;
    if (got == 0) return end(connection);
    connection.have += static_cast<std::size_t>(got);
    std::size_t at = 0;
    while (connection.have - at >= 4) {
      const std::size_t whole = 4 + load_big<std::uint32_t>(connection.in.data() + at);
      if (connection.in.size() < whole) connection.in.resize(whole);
      if (connection.have - at < whole) break;
      handle(connection, MutableBytes(connection.in).subspan(at + 4, whole - 4));
      at += whole;
    }
    std::copy(connection.in.begin() + static_cast<std::ptrdiff_t>(at),
              connection.in.begin() + static_cast<std::ptrdiff_t>(connection.have), connection.in.begin());
    connection.have -= at;
    if (!durable_)
      flush(connection, 0);
    else if (!connection.out.empty())
      to_flush_.push_back(&connection);
  }

  void end(Connection& connection) {
    for (Partition* partition : waited_for_)
      std::erase_if(partition->waiters, [&](const Waiter& waiter) { return waiter.connection == &connection; });
    std::erase(to_flush_, &connection);
    ::close(connection.socket);
    delete &connection;
  }

  // What was written is synced, then acknowledged; whoever waited for it, or long enough, is answered.
  void end_turn() {
    if (durable_) {
      for (const Partition* partition : written_) ENSURE(::fdatasync(partition->file) == 0);
      for (Connection* connection : to_flush_) flush(*connection, 0);
      to_flush_.clear();
    }
    for (Partition* partition : written_) {
      partition->written = false;
      for (const Waiter& waiter : partition->waiters) answer(*partition, waiter);
      partition->waiters.clear();
    }
    written_.clear();
    if (waited_for_.empty()) return;
    const auto now = std::chrono::steady_clock::now();
    for (Partition* partition : waited_for_) {
      std::erase_if(partition->waiters, [&](const Waiter& waiter) {
        if (waiter.until > now) return false;
        answer(*partition, waiter);
        return true;
      });
    }
    std::erase_if(waited_for_, [](const Partition* partition) { return partition->waiters.empty(); });
  }

  int milliseconds_to_wait() const {
    auto earliest = std::chrono::steady_clock::time_point::max();
    for (const Partition* partition : waited_for_)
      for (const Waiter& waiter : partition->waiters) earliest = std::min(earliest, waiter.until);
    if (earliest == std::chrono::steady_clock::time_point::max()) return -1;
    const auto left = earliest - std::chrono::steady_clock::now();
    return std::max(0, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
  }

  static void flush(Connection& connection, int flags) {
    ByteVector& out = connection.out;
    for (std::size_t sent = 0; sent < out.size();) {
      const ssize_t now = ::send(connection.socket, out.data() + sent, out.size() - sent, MSG_NOSIGNAL | flags);
      if (now <= 0) break;
      sent += static_cast<std::size_t>(now);
    }
    out.clear();
  }

  void handle(Connection& connection, MutableBytes frame) {
    Cursor cursor{frame.data()};
    const auto key = cursor.take<std::int16_t>();
    const auto version = cursor.take<std::int16_t>();
    const auto correlation = cursor.take<std::int32_t>();
    const auto client = cursor.take<std::int16_t>();
    cursor.at += std::max<std::int16_t>(client, 0);
    if (key == 0) return produce(connection, correlation, cursor);
    if (key == 1) return fetch(connection, correlation, cursor);
    const std::span<const Partition> all(partitions_);
    std::vector<std::int64_t> ends;
    if (key == 2) std::ranges::transform(all, std::back_inserter(ends), &Partition::end);
    const ByteVector answer = control_answer(key, version, correlation,
                                             Bytes(frame).subspan(static_cast<std::size_t>(cursor.at - frame.data())),
                                             port_, static_cast<int>(partitions_.size()), ends);
    connection.out.insert(connection.out.end(), answer.begin(), answer.end());
  }

  // Version 13: tagged fields, transactional id (null), acks, timeout, one topic, one partition, one batch.
  void produce(Connection& connection, std::int32_t correlation, Cursor cursor) {
    cursor.at += 2 + 2 + 4 + 1 + 16 + 1;
    const auto index = cursor.take<std::int32_t>();
    const std::size_t size = cursor.varint() - 1;
    std::byte* batch = cursor.at;
    ENSURE(load_big<std::uint32_t>(batch + batch_crc_at) ==
           crc32c(Bytes(batch + batch_crc_from, size - batch_crc_from)));
    Partition& partition = partitions_[static_cast<std::size_t>(index)];
    store_big(batch, partition.end);
    store_big(batch + 12, std::int32_t{0});
    ENSURE(::pwrite(partition.file, batch, size, static_cast<off_t>(partition.size)) == static_cast<ssize_t>(size));
    partition.batches.push_back({partition.end, partition.size});
    const std::int64_t base = partition.end;
    partition.end += load_big<std::int32_t>(batch + batch_last_delta_at) + 1;
    partition.size += size;
    if (!std::exchange(partition.written, true)) written_.push_back(&partition);
    append_produced(connection.out, correlation, index, base);
  }

  // Version 17: tagged fields, max wait, min bytes, max bytes, isolation, session, epoch, one topic, one partition.
  void fetch(Connection& connection, std::int32_t correlation, Cursor cursor) {
    cursor.at += 1;
    const std::chrono::milliseconds patience(cursor.take<std::int32_t>());
    cursor.at += 4;
    const auto bytes_max = static_cast<std::size_t>(cursor.take<std::int32_t>());
    cursor.at += 1 + 4 + 4 + 1 + 16 + 1;
    const auto index = cursor.take<std::int32_t>();
    cursor.at += 4;
    Waiter waiter{&connection, correlation, bytes_max, cursor.take<std::int64_t>(), {}};
    Partition& partition = partitions_[static_cast<std::size_t>(index)];
    if (waiter.offset < partition.end || patience.count() <= 0) return answer(partition, waiter);
    waiter.until = std::chrono::steady_clock::now() + patience;
    if (partition.waiters.empty()) waited_for_.push_back(&partition);
    partition.waiters.push_back(waiter);
  }

  void answer(const Partition& partition, const Waiter& asked) {
    Connection& connection = *asked.connection;
    const auto after = std::ranges::upper_bound(partition.batches, asked.offset, {}, &Batch::offset);
    const bool nothing = asked.offset >= partition.end || after == partition.batches.begin();
    const std::uint64_t position = nothing ? partition.size : std::prev(after)->position;
    const std::size_t size = std::min<std::size_t>(asked.bytes_max, partition.size - position);
    ByteVector& out = connection.out;
    append_fetched_head(out, asked.correlation, partition.index, partition.end, size);
    if (size <= from_memory_max) {
      ENSURE(::pread(partition.file, buffer_.data(), size, static_cast<off_t>(position)) == static_cast<ssize_t>(size));
      out.insert(out.end(), buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    } else {
      flush(connection, MSG_MORE);
      auto from = static_cast<off_t>(position);
      for (std::size_t left = size; left > 0;) {
        const ssize_t now = ::sendfile(connection.socket, partition.file, &from, left);
        if (now <= 0) return;
        left -= static_cast<std::size_t>(now);
      }
    }
    append_fetched_tail(out);
    flush(connection, 0);
  }

  std::uint16_t port_;
  bool durable_;
  std::vector<Partition> partitions_;
  std::vector<Partition*> written_;     // in this turn
  std::vector<Partition*> waited_for_;  // by fetches
  std::vector<Connection*> to_flush_;   // at the end of this turn; durable only
  int epoll_ = -1;
  ByteVector buffer_;
};

}  // namespace
}  // namespace klamm::benchmarks

int main(int count, char** values) {
  const bool durable = count == 5 && std::string_view(values[4]) == "durable";
  if (count != 4 && !durable) {
    std::fputs("floor_server PORT DIRECTORY PARTITIONS [durable]\n", stderr);
    return 1;
  }
  klamm::benchmarks::Floor(static_cast<std::uint16_t>(std::atoi(values[1])), values[2], std::atoi(values[3]), durable)
      .run();
}
