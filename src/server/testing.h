// A stage for stories about connections: one reactor that turns when it is told to, sockets in memory that deliver as
// much at a time as the story wants, and a server with a few handlers whose answers the story releases.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "protocol/messages/api_versions.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/produce.h"
#include "runtime/queues.h"
#include "runtime/waiting.h"
#include "server/server.h"

namespace klamm::server::testing {

using namespace std::chrono_literals;

class FakeClock final : public runtime::Clock {
 public:
  runtime::MonoTime now() const override { return now_; }
  Timestamp wall() const override { return Timestamp(1'700'000'000'000); }
  runtime::MonoTime now_{runtime::Duration(1h)};
};

class FakeRandom final : public runtime::Random {
 public:
  std::uint64_t next() override { return state_ = state_ * 6364136223846793005ull + 1442695040888963407ull; }

 private:
  std::uint64_t state_ = 1;
};

class EagerScheduling final : public runtime::Scheduling {
 public:
  bool refuse_try_lock() override { return false; }
};

// Connections touch files only through slices that the story hands out.
class NoDisk final : public runtime::Disk {
 public:
  runtime::FileRef open(const std::string&, runtime::OpenMode) override {
    ADD_FAILURE();
    return {};
  }
  bool exists(const std::string&) override { return false; }
  bool is_directory(const std::string&) override { return false; }
  std::uint64_t file_size(const std::string&) override { return 0; }
  std::vector<runtime::DirectoryEntry> list(const std::string&) override { return {}; }
  void make_directories(const std::string&) override {}
  void rename(const std::string&, const std::string&) override {}
  void remove_file(const std::string&) override {}
  void remove_tree(const std::string&) override {}
  void sync_directory(const std::string&) override {}
  ByteVector read_file(const std::string&, std::uint64_t) override { return {}; }
  std::unique_ptr<runtime::FileLock> try_lock(const std::string&) override { return {}; }
  std::uint64_t free_bytes(const std::string&) override { return 0; }
  std::uint64_t total_bytes(const std::string&) override { return 0; }
  std::string absolute(const std::string& path) override { return path; }
};

// A file of which the story says what is in memory.
class FakeFile final : public runtime::File {
 public:
  explicit FakeFile(std::string content) : content_(std::move(content)) {}
  const std::string& path() const override { return path_; }
  std::uint64_t size() override { return content_.size(); }
  std::size_t read_at(std::uint64_t offset, MutableBytes to) override {
    ++reads_;
    const std::size_t count = offset >= content_.size() ? 0 : std::min(to.size(), content_.size() - offset);
    std::memcpy(to.data(), content_.data() + offset, count);
    return count;
  }
  void write_at(std::uint64_t, std::span<const Bytes>) override {}
  void truncate(std::uint64_t size) override { content_.resize(size); }
  void reserve(std::uint64_t, std::uint64_t) override {}
  void sync_data() override {}
  void start_write_back(std::uint64_t, std::uint64_t) override {}
  bool resident(std::uint64_t, std::uint64_t) override { return resident_; }
  void load(std::uint64_t, std::uint64_t) override {
    ++loads_;
    resident_ = true;
  }
  void forget(std::uint64_t, std::uint64_t) override {}
  void renamed(std::string) override {}
  void close() override {}

  std::string path_ = "file";
  std::string content_;
  bool resident_ = true;
  int loads_ = 0;
  int reads_ = 0;
};

class FakeReactor final : public runtime::Reactor {
 public:
  explicit FakeReactor(FakeClock& clock) : clock_(clock) {}
  unsigned index() const override { return 0; }
  runtime::MonoTime now() const override { return clock_.now_; }
  runtime::Clock& clock() override { return clock_; }
  void post(runtime::Work& work) override { posted_.push(work); }
  bool withdraw(runtime::Work& work) override { return posted_.withdraw(work); }
  void arm(runtime::Timer& timer, runtime::MonoTime at) override { timers_.arm(*this, timer, at); }
  void disarm(runtime::Timer& timer) override { timers_.disarm(timer); }
  void at_turn_end(runtime::TurnEnd& hook) override { hooks_.add(hook); }
  void offload(runtime::BlockingWork& work) override { offloaded_.push_back(&work); }
  bool is_current() const override { return true; }

  // What is due of posts and timers, then the hooks. Offloaded work is done by finish_offloaded().
  void turn() {
    posted_.run();
    timers_.fire(clock_.now_);
    hooks_.run();
  }
  void finish_offloaded() {
    for (runtime::BlockingWork* work : std::exchange(offloaded_, {})) {
      work->block();
      work->done();
    }
  }
  bool timers_armed() const { return !timers_.empty(); }

 private:
  FakeClock& clock_;
  runtime::WorkQueue posted_;
  runtime::TimerQueue timers_;
  runtime::TurnEndList hooks_;
  std::vector<runtime::BlockingWork*> offloaded_;
};

// The two ends of a connection in memory: the story's end outlives the server's.
struct Wire {
  std::deque<std::byte> to_server;
  std::string from_server;
  std::size_t read_max = SIZE_MAX;    // bytes a read gives at most
  std::size_t write_room = SIZE_MAX;  // bytes the socket takes before it is full
  bool peer_closed = false;
  bool reset = false;
  bool closed_by_server = false;
  bool wants_readable = false;
  bool wants_writable = false;
  bool last_write_more = false;
  int reads = 0;
  int writes = 0;
  int sends_of_files = 0;
  runtime::SocketEvents* events = nullptr;
};

class FakeSocket final : public runtime::Socket {
 public:
  FakeSocket(std::shared_ptr<Wire> wire, std::string host) : wire_(std::move(wire)), peer_{std::move(host), 40000} {}
  ~FakeSocket() override {
    wire_->closed_by_server = true;
    wire_->events = nullptr;
  }
  void listen_to(runtime::SocketEvents* events) override { wire_->events = events; }
  void want(bool readable, bool writable) override {
    wire_->wants_readable = readable;
    wire_->wants_writable = writable;
  }
  runtime::IoResult read(MutableBytes to) override {
    ++wire_->reads;
    if (wire_->reset) return {runtime::IoStatus::failed, 0, 104};
    auto& from = wire_->to_server;
    if (from.empty()) return {wire_->peer_closed ? runtime::IoStatus::end : runtime::IoStatus::would_block, 0, 0};
    const std::size_t count = std::min({to.size(), from.size(), wire_->read_max});
    std::copy_n(from.begin(), count, to.begin());
    from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
    return {runtime::IoStatus::done, count, 0};
  }
  runtime::IoResult write(std::span<const Bytes> parts, bool more) override {
    ++wire_->writes;
    wire_->last_write_more = more;
    std::size_t taken = 0;
    for (const Bytes part : parts) {
      const std::size_t count = std::min(part.size(), wire_->write_room);
      wire_->from_server += as_text(part.first(count));
      wire_->write_room -= count;
      taken += count;
      if (count < part.size()) break;
    }
    if (taken == 0) return {runtime::IoStatus::would_block, 0, 0};
    return {runtime::IoStatus::done, taken, 0};
  }
  runtime::IoResult send_file(runtime::File& file, std::uint64_t offset, std::size_t length) override {
    ++wire_->sends_of_files;
    const auto& content = static_cast<FakeFile&>(file).content_;
    if (offset >= content.size()) return {runtime::IoStatus::end, 0, 0};
    const std::size_t count = std::min({length, content.size() - offset, wire_->write_room});
    if (count == 0) return {runtime::IoStatus::would_block, 0, 0};
    wire_->from_server += content.substr(offset, count);
    wire_->write_room -= count;
    return {runtime::IoStatus::done, count, 0};
  }
  void shut_down_write() override {}
  const runtime::SocketAddress& peer() const override { return peer_; }
  const runtime::SocketAddress& local() const override { return local_; }

 private:
  std::shared_ptr<Wire> wire_;
  runtime::SocketAddress peer_;
  runtime::SocketAddress local_{"127.0.0.1", 9092};
};

class FakeListener final : public runtime::Listener {
 public:
  explicit FakeListener(runtime::SocketAddress address) : address_(std::move(address)) {}
  const runtime::SocketAddress& address() const override { return address_; }
  void join(runtime::Reactor&, runtime::AcceptEvents& events) override { events_ = &events; }
  void leave(runtime::Reactor&) override { events_ = nullptr; }
  runtime::SocketAddress address_;
  runtime::AcceptEvents* events_ = nullptr;
};

class FakeNetwork final : public runtime::Network {
 public:
  std::unique_ptr<runtime::Listener> listen(const runtime::SocketAddress& address,
                                            const runtime::SocketOptions&) override {
    if (address.port == taken_port_) throw std::system_error(EADDRINUSE, std::generic_category());
    auto listener = std::make_unique<FakeListener>(address);
    listeners_.push_back(listener.get());
    return listener;
  }
  runtime::Task<runtime::SocketRef> connect(runtime::Reactor&, runtime::SocketAddress, runtime::SocketOptions,
                                            runtime::MonoTime) override {
    throw std::system_error(ECONNREFUSED, std::generic_category());
  }
  std::vector<std::string> resolve(const std::string& host) override { return {host}; }
  std::string canonical_host_name() override { return "localhost"; }
  std::vector<FakeListener*> listeners_;
  std::uint16_t taken_port_ = 0;
};

class CollectingLog final : public LogSink {
 public:
  bool enabled(std::string_view, LogLevel) const override { return true; }
  void write(std::string_view, LogLevel, std::string_view message) override { lines_.emplace_back(message); }
  bool has(std::string_view part) const {
    return std::ranges::any_of(lines_, [&](const auto& line) { return line.find(part) != std::string::npos; });
  }
  std::vector<std::string> lines_;
};

// Heartbeat answers at once with its generation as the error code; ListGroups and Produce when the story says so.
struct Gate {
  struct Held {
    std::coroutine_handle<> waiting;
    std::int32_t tag = 0;
  };
  std::deque<Held> held;
  auto wait(std::int32_t tag) {
    struct Awaiter {
      Gate& gate;
      std::int32_t tag;
      bool await_ready() const { return false; }
      void await_suspend(std::coroutine_handle<> handle) { gate.held.push_back({handle, tag}); }
      void await_resume() const {}
    };
    return Awaiter{*this, tag};
  }
  void release(std::size_t index = 0) {
    const auto handle = held[index].waiting;
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
    handle.resume();
  }
};

class EchoHandler final : public ApiHandler {
 public:
  runtime::Task<void> answer(Exchange& exchange) override {
    protocol::HeartbeatRequest request;
    if (!exchange.decode(request)) co_return;
    protocol::HeartbeatResponse response;
    response.error_code = static_cast<std::int16_t>(request.generation_id);
    response.throttle_time_ms = exchange.throttle_time_ms();
    ++answered_;
    if (pads_with_file_) {
      // Not a real answer: a file range behind it, as Fetch has it.
      protocol::ProduceRequest padded;
      padded.topic_data.push_back(
          {.name = "t", .partition_data = {{.records = exchange.file_records(*pads_with_file_)}}});
      if (tail_behind_file_) padded.topic_data.push_back({.name = "u"});
      exchange.respond(padded);
      co_return;
    }
    // Unknown tags are kept: a way to make an answer as large as the story wants.
    if (answer_bytes_ > 0) response.unknown_tagged_fields.push_back({.tag = 9, .data = ByteVector(answer_bytes_)});
    if (fails_) throw std::runtime_error("handler broke");
    exchange.respond(response);
  }
  int answered_ = 0;
  bool fails_ = false;
  std::size_t answer_bytes_ = 0;
  std::optional<runtime::FileSlice> pads_with_file_;
  bool tail_behind_file_ = false;
};

class SlowHandler final : public ApiHandler {
 public:
  explicit SlowHandler(Gate& gate) : gate_(gate) {}
  runtime::Task<void> answer(Exchange& exchange) override {
    ++started_;
    if (lets_go_of_frame_) exchange.let_go_of_frame();
    co_await gate_.wait(exchange.context().correlation_id);
    client_id_ = exchange.context().identity.client_id;
    protocol::HeartbeatResponse response;
    exchange.respond(response);
  }
  int started_ = 0;
  bool lets_go_of_frame_ = false;
  std::string client_id_;  // of the one that was answered last

 private:
  Gate& gate_;
};

// acks=0 is not answered; timeout_ms 13 closes the connection, 12 lets nothing overtake.
class ProduceLikeHandler final : public ApiHandler {
 public:
  explicit ProduceLikeHandler(Gate& gate) : gate_(gate) {}
  runtime::Task<void> answer(Exchange& exchange) override {
    protocol::ProduceRequestView request;
    if (!exchange.decode_view(request)) co_return;
    ++started_;
    if (request.timeout_ms == 13) co_return exchange.close_connection("unlucky");
    if (request.acks == 0) co_return exchange.respond_nothing();
    if (request.timeout_ms == 12) exchange.keep_order();
    co_await gate_.wait(exchange.context().correlation_id);
    exchange.respond(protocol::ProduceResponseView{});
  }
  int started_ = 0;

 private:
  Gate& gate_;
};

class Stage {
 public:
  explicit Stage(ServerSettings settings = {}, Quotas* quotas = nullptr)
      : reactor_(clock_), environment_{clock_, random_, disk_, network_, scheduling_, {&reactor_}, log_} {
    const auto row = [&](protocol::ApiKey key, std::unique_ptr<ApiHandler> handler) {
      ServedApi served;
      served.api = &protocol::api_row(key);
      served.versions = served.api->stable();
      served.handler = std::move(handler);
      return served;
    };
    auto echo = std::make_unique<EchoHandler>();
    auto slow = std::make_unique<SlowHandler>(slow_gate_);
    auto produce = std::make_unique<ProduceLikeHandler>(produce_gate_);
    echo_ = echo.get();
    slow_ = slow.get();
    produce_ = produce.get();
    table_.add(row(protocol::ApiKey::heartbeat, std::move(echo)));
    table_.add(row(protocol::ApiKey::list_groups, std::move(slow)));
    ServedApi produce_row = row(protocol::ApiKey::produce, std::move(produce));
    produce_row.overlaps_itself = true;
    table_.add(std::move(produce_row));
    if (settings.listeners.empty()) settings.listeners.push_back({.name = "PLAINTEXT", .address = {"127.0.0.1", 9092}});
    server_ = std::make_unique<Server>(environment_, std::move(settings), table_, Logger(log_, "server"), quotas);
    server_->bind();
    run(server_->start());
  }
  ~Stage() {
    if (!stopped_) stop(0s);
  }

  // Runs a task to its end, turning meanwhile.
  void run(runtime::Task<void> task) {
    bool done = false;
    [[maybe_unused]] const auto root = [](runtime::Task<void> inner, bool& flag) -> Root {
      co_await std::move(inner);
      flag = true;
    }(std::move(task), done);
    for (int i = 0; i < 1000 && !done; ++i) turn();
    ASSERT_TRUE(done);
  }
  void stop(runtime::Duration patience) {
    stopped_ = true;
    bool done = false;
    [[maybe_unused]] const auto root = [](Server& server, runtime::MonoTime deadline, bool& flag) -> Root {
      auto stopping = server.stop(deadline);
      co_await std::move(stopping);
      flag = true;
    }(*server_, clock_.now_ + patience, done);
    for (int i = 0; i < 1000 && !done; ++i) {
      turn();
      if (!done) clock_.now_ += 10ms;
    }
    EXPECT_TRUE(done);
  }

  std::shared_ptr<Wire> connect(std::string host = "10.0.0.1", std::size_t listener = 0) {
    auto wire = std::make_shared<Wire>();
    FakeListener* at = network_.listeners_.at(listener);
    if (!at->events_) {
      wire->closed_by_server = true;
      return wire;
    }
    wires_.push_back(wire);
    at->events_->on_accepted(std::make_unique<FakeSocket>(wire, std::move(host)));
    return wire;
  }

  // One turn of the loop: each socket that is ready for what it wants is told once.
  void turn() {
    for (std::size_t i = 0; i < wires_.size(); ++i) {
      const auto wire = wires_[i];
      if (wire->events && wire->wants_readable && (!wire->to_server.empty() || wire->peer_closed || wire->reset))
        wire->events->on_readable();
      if (wire->events && wire->wants_writable && wire->write_room > 0) wire->events->on_writable();
    }
    reactor_.turn();
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) turn();
  }
  void advance(runtime::Duration by) {
    clock_.now_ += by;
    turns(3);
  }
  std::uint64_t pool_used() const { return server_->request_pool_used(); }

  FakeClock clock_;
  FakeRandom random_;
  NoDisk disk_;
  FakeNetwork network_;
  EagerScheduling scheduling_;
  CollectingLog log_;
  FakeReactor reactor_;
  runtime::Environment environment_;
  Gate slow_gate_;
  Gate produce_gate_;
  EchoHandler* echo_ = nullptr;
  SlowHandler* slow_ = nullptr;
  ProduceLikeHandler* produce_ = nullptr;
  ApiTable table_{MetadataMode::embedded};
  std::unique_ptr<Server> server_;
  std::vector<std::shared_ptr<Wire>> wires_;
  bool stopped_ = false;

 private:
  struct Root {
    struct promise_type {
      Root get_return_object() { return {}; }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      std::suspend_never final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const { std::terminate(); }
    };
  };
};

// --- frames ----------------------------------------------------------------------------------------------------------

template <typename Request>
ByteVector frame(const Request& request, std::int16_t version, std::int32_t correlation_id) {
  ByteVector bytes(4);
  append_big<std::int16_t>(bytes, protocol::wire_of(Request::api_key));
  append_big<std::int16_t>(bytes, version);
  append_big<std::int32_t>(bytes, correlation_id);
  append_big<std::int16_t>(bytes, 1);
  bytes.push_back(std::byte{'c'});
  if (version >= Request::flexible_from) bytes.push_back(std::byte{0});
  protocol::Writer writer(bytes);
  request.encode(writer, version);
  EXPECT_TRUE(writer.ok()) << writer.error();
  store_big(bytes.data(), static_cast<std::int32_t>(bytes.size() - 4));
  return bytes;
}

inline ByteVector heartbeat(std::int32_t correlation_id, std::int32_t generation = 0, std::size_t padding = 0) {
  protocol::HeartbeatRequest request;
  request.group_id = "g";
  request.member_id = std::string(padding, 'x');
  request.generation_id = generation;
  return frame(request, 4, correlation_id);
}
inline ByteVector list_groups(std::int32_t correlation_id, std::size_t padding = 0) {
  protocol::ListGroupsRequest request;
  for (std::size_t left = padding; left > 0; left -= request.states_filter.back().size()) {
    request.states_filter.emplace_back(std::min<std::size_t>(left, 30'000), 'x');
  }
  return frame(request, padding > 0 ? 4 : 0, correlation_id);
}
inline ByteVector produce(std::int32_t correlation_id, std::int16_t acks = 1, std::size_t bytes = 0,
                          std::int32_t timeout_ms = 0) {
  protocol::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = timeout_ms;
  const ByteVector records(bytes, std::byte{7});
  if (bytes > 0)
    request.topic_data.push_back(
        {.name = "t", .partition_data = {{.index = 0, .records = protocol::Payload::view(records)}}});
  return frame(request, 9, correlation_id);
}

inline void send(Wire& wire, const ByteVector& bytes) {
  wire.to_server.insert(wire.to_server.end(), bytes.begin(), bytes.end());
}

// Correlation ids of the whole answers that arrived, in order; takes them off.
inline std::vector<std::int32_t> answers(Wire& wire) {
  std::vector<std::int32_t> ids;
  while (wire.from_server.size() >= 8) {
    const auto* at = reinterpret_cast<const std::byte*>(wire.from_server.data());
    const auto length = static_cast<std::size_t>(load_big<std::int32_t>(at));
    if (wire.from_server.size() < 4 + length) break;
    ids.push_back(load_big<std::int32_t>(at + 4));
    wire.from_server.erase(0, 4 + length);
  }
  return ids;
}

}  // namespace klamm::server::testing
