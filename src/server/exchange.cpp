#include "server/exchange.h"

#include <algorithm>

#include "base/ensure.h"
#include "rpc/frame.h"
#include "runtime/task.h"
#include "runtime/waiting.h"
#include "server/api_table.h"
#include "server/connection.h"
#include "server/handler.h"
#include "server/worker.h"

namespace klamm::server {

namespace {
// What a recycled exchange keeps of memory for the next request.
constexpr std::size_t kept_head_bytes = std::size_t{16} << 10;
constexpr std::size_t kept_arena_bytes = std::size_t{16} << 10;
constexpr std::size_t kept_slices = 256;
// A range with something behind it in the response costs a sendfile and one more send. Up to these bounds it is
// cheaper, in calls and for the peer, to read it and send all at once; the last range of a response always leaves from
// the file.
constexpr std::size_t taken_range_bytes_max = std::size_t{64} << 10;
constexpr std::size_t taken_bytes_max = std::size_t{256} << 10;
}  // namespace

// Suspended before its first line, so that the exchange knows it before anything can end; when it ends it tells the
// exchange, which destroys it.
struct Exchange::Run {
  struct promise_type {
    Exchange& exchange;
    promise_type(Exchange& owner, ApiHandler&) : exchange(owner) {}

    Run get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct Ended {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> ended) const noexcept {
        ended.promise().exchange.run_ended();
      }
      void await_resume() const noexcept {}
    };
    Ended final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }

    static void* operator new(std::size_t size) { return runtime::detail::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { runtime::detail::free_frame(frame, size); }
  };
  std::coroutine_handle<> handle;
};

Exchange::~Exchange() {
  if (run_) run_.destroy();
}

void Exchange::assign(Connection& connection, BufferRef buffer, MutableBytes frame) {
  connection_ = &connection;
  buffer_ = std::move(buffer);
  frame_ = frame;
  frame_bytes_ = frame.size();
  const auto start = rpc::look_at_request(frame);
  api_ = start ? connection.apis().find(start->api_key, connection.scope()) : nullptr;
  overlaps_ = api_ && api_->overlaps_itself;
  worker_.trace(*this, Step::received);
}

void Exchange::start() {
  state_ = State::running;
  worker_.trace(*this, Step::started);
  if (!check_header()) {
    closes_ = true;
    state_ = State::done;
    connection_->exchange_done(*this);
    return;
  }
  run_ = run(*this, *api_->handler).handle;
  run_.resume();
}

// Size was checked by the connection; here: who it is from, which API and version, and the header. Texts:
// org.apache.kafka.common.requests.RequestHeader and org.apache.kafka.network.Processor of Kafka 4.4.
bool Exchange::check_header() {
  const auto start = rpc::look_at_request(frame_);
  if (!start) {
    const int guess = frame_.size() >= 2 ? load_big<std::int16_t>(frame_.data()) : -1;
    connection_->bad_request(fmt::format("Error parsing request header. Our best guess of the apiKeyId is: {}", guess));
    return false;
  }
  const auto* known = protocol::find_api(start->api_key);
  if (!known) {
    connection_->bad_request(
        fmt::format("Error parsing request header. Our best guess of the apiKeyId is: {}", start->api_key));
    return false;
  }
  if (!api_) {
    connection_->bad_request(fmt::format("Received request for disabled api with key {} ({}) and version {}",
                                         start->api_key, known->upper_name, start->api_version));
    return false;
  }
  const bool served = api_->versions.contains(start->api_version);
  const bool is_api_versions = known->key == protocol::ApiKey::api_versions;
  if (!served && !is_api_versions) {
    connection_->bad_request(fmt::format("Received request for api with key {} ({}) and unsupported version {}",
                                         start->api_key, known->upper_name, start->api_version));
    return false;
  }
  const auto header =
      rpc::parse_request_header(frame_, protocol::request_header_version(known->key, start->api_version));
  if (!header) {
    connection_->bad_request(
        fmt::format("Error parsing request header. Our best guess of the apiKeyId is: {}", start->api_key));
    return false;
  }
  body_ = frame_.subspan(header->size);
  context_.emplace(RequestContext{
      .identity = connection_->identity(header->client_id.value_or(std::string_view())),
      .reactor = worker_.reactor(),
      .scope = connection_->scope(),
      .version = served ? header->api_version : std::int16_t{0},
      .correlation_id = header->correlation_id,
      .received_at = worker_.reactor().now(),
      .version_unsupported = !served,
  });
  return true;
}

Exchange::Run Exchange::run(Exchange& exchange, ApiHandler& handler) {
  try {
    co_await handler.answer(exchange);
  } catch (const runtime::Cancelled&) {
    exchange.close_connection("");
  } catch (const std::exception& failure) {
    exchange.close_connection(failure.what());
  }
}

void Exchange::run_ended() {
  run_.destroy();
  run_ = nullptr;
  abandon_listener_ = nullptr;
  state_ = State::done;
  worker_.trace(*this, Step::answered);
  if (decode_failed_) closes_ = true;
  // Nobody needs the request any more; what was borrowed from its frame is gone with the coroutine.
  body_ = frame_ = {};
  context_.reset();
  buffer_.reset();
  if (std::exchange(owns_large_, false)) worker_.requests().disown_large(connection_);
  connection_->exchange_done(*this);
}

void Exchange::abandon() {
  if (AbandonListener* listener = std::exchange(abandon_listener_, nullptr)) listener->abandoned();
}

void Exchange::keep_order() {
  if (!std::exchange(overlaps_, false)) return;
  connection_->let_nothing_overtake();
}

bool Exchange::abandoned() const {
  return connection_->nobody_listens();
}

void Exchange::recycle() {
  ENSURE(!run_);
  connection_ = nullptr;
  next_ = nullptr;
  state_ = State::waiting;
  overlaps_ = closes_ = decode_failed_ = false;
  buffer_.reset();
  frame_ = body_ = {};
  api_ = nullptr;
  context_.reset();
  kept_client_id_ = {};
  abandon_listener_ = nullptr;
  arena_.reset();
  if (arena_.reserved_bytes() > kept_arena_bytes) arena_.shrink(kept_arena_bytes);
  head_charge_.give_back();
  if (head_.capacity() > kept_head_bytes)
    head_ = ByteVector();
  else
    head_.clear();
  if (files_.capacity() > kept_slices) {
    files_ = {};
    holes_ = {};
    taken_ranges_ = {};
  } else {
    files_.clear();
    holes_.clear();
    taken_ranges_.clear();
  }
  taken_.reset();
  total_bytes_ = sent_bytes_ = 0;
}

bool Exchange::decoded(const protocol::Reader& reader) {
  worker_.trace(*this, Step::decoded);
  if (reader.ok()) return true;
  decode_failed_ = true;
  connection_->bad_request(
      fmt::format("Error getting request for apiKey: {}, apiVersion: {}, connectionId: {}, "
                  "listenerName: ListenerName({}), principal: {}: {}",
                  api_->api->upper_name, context_->version, connection_->id(), context_->identity.listener,
                  context_->identity.principal.to_string(), reader.error()));
  return false;
}

void Exchange::let_go_of_frame() {
  ENSURE(state_ == State::running);
  // The only thing of the header that is a view. Not in the arena, whose first chunk is many times larger than this.
  kept_client_id_ = context_->identity.client_id;
  context_->identity.client_id = kept_client_id_;
  body_ = frame_ = {};
  buffer_.reset();
  if (std::exchange(owns_large_, false)) worker_.requests().disown_large(connection_);
}

protocol::Payload Exchange::file_records(runtime::FileSlice slice) {
  const auto size = static_cast<std::size_t>(slice.length);
  files_.push_back(std::move(slice));
  return protocol::Payload::hole(size, files_.size() - 1);
}

protocol::Writer Exchange::begin_response() {
  ENSURE(state_ == State::running && total_bytes_ == 0);
  worker_.trace(*this, Step::handled);
  head_.clear();
  holes_.clear();
  append_big<std::int32_t>(head_, 0);
  append_big<std::int32_t>(head_, context_->correlation_id);
  if (protocol::response_header_version(api_->api->key, context_->version) >= 1) head_.push_back(std::byte{0});
  return protocol::Writer(head_, &holes_);
}

void Exchange::end_response(const protocol::Writer& writer) {
  if (!writer.ok()) {
    close_connection(fmt::format("{}: the response cannot be encoded: {}", describe(), writer.error()));
    return;
  }
  total_bytes_ = head_.size();
  for (const auto& hole : holes_) total_bytes_ += hole.size;
  const std::size_t length = total_bytes_ - rpc::frame_length_bytes;
  if (length > INT32_MAX) {
    close_connection(fmt::format("{}: the response is larger than 2 GiB", describe()));
    return;
  }
  store_big(head_.data(), static_cast<std::int32_t>(length));
  if (!holes_.empty()) take_small_ranges();
  RequestPool& pool = worker_.requests();
  pool.charge(head_.capacity());
  head_charge_ = PoolCharge(pool, head_.capacity());
}

void Exchange::take_small_ranges() {
  std::size_t taken = 0;
  taken_ranges_.assign(holes_.size(), {});
  const auto is_taken = [&](const protocol::PayloadHole& hole) {
    return hole.size <= taken_range_bytes_max && hole.position < head_.size() && taken + hole.size <= taken_bytes_max;
  };
  for (const auto& hole : holes_)
    if (is_taken(hole)) taken += hole.size;
  if (taken == 0) return;
  taken_ = worker_.buffers().take(taken, BufferPool::WhenFull::exceed);
  taken = 0;
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    if (!is_taken(holes_[i])) continue;
    auto& range = files_[holes_[i].id];
    const MutableBytes to = taken_->bytes().subspan(taken, holes_[i].size);
    if (range.file->read_at(range.offset, to) != to.size()) throw std::runtime_error("a file ended inside an answer");
    taken_ranges_[i] = to;
    taken += to.size();
    range.file.reset();
  }
}

void Exchange::respond_nothing() {
  total_bytes_ = 0;
}

void Exchange::close_connection(std::string_view reason, LogLevel level) {
  closes_ = true;
  total_bytes_ = 0;
  if (!reason.empty()) connection_->failed_answer(reason, level);
}

Error Exchange::error_of_current_exception() {
  try {
    throw;
  } catch (const RequestFailed& failed) {
    return failed.error();
  } catch (const runtime::DiskError& failed) {
    connection_->failed_answer(fmt::format("Error when handling request: {}: {}", describe(), failed.what()));
    return {ErrorCode::kafka_storage_error, {}};
  } catch (const runtime::Cancelled&) {
    throw;
  } catch (const std::exception& failed) {
    connection_->failed_answer(fmt::format("Error when handling request: {}: {}", describe(), failed.what()));
    return {ErrorCode::unknown_server_error, {}};
  }
}

std::int32_t Exchange::throttle_time_ms() {
  return connection_->charge_quota(*context_, api_->api->key, frame_bytes_);
}

void Exchange::set_client_software(std::string_view name, std::string_view version) {
  connection_->set_client_software(name, version);
}

std::string Exchange::describe() const {
  return fmt::format("clientId={}, correlationId={}, api={}, version={}", context_->identity.client_id,
                     context_->correlation_id, api_->api->upper_name, context_->version);
}

void Exchange::unsent_slices(std::vector<OutputSlice>& slices, std::size_t count_max) const {
  std::size_t skip = sent_bytes_;
  const auto add = [&](OutputSlice slice) {
    const std::size_t size = slice.size();
    if (skip >= size) {
      skip -= size;
      return;
    }
    if (slice.file) {
      slice.offset += skip;
      slice.length -= skip;
    } else {
      slice.memory = slice.memory.subspan(skip);
    }
    skip = 0;
    slices.push_back(slice);
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < holes_.size() && slices.size() < count_max; ++i) {
    add({.memory = Bytes(head_).subspan(at, holes_[i].position - at)});
    at = holes_[i].position;
    if (!taken_ranges_[i].empty()) {
      add({.memory = taken_ranges_[i]});
      continue;
    }
    const auto& file = files_[holes_[i].id];
    add({.file = file.file.get(), .offset = file.offset, .length = static_cast<std::size_t>(file.length)});
  }
  if (slices.size() < count_max) add({.memory = Bytes(head_).subspan(at)});
}

runtime::FileRef Exchange::file_of(const runtime::File* file) const {
  const auto it = std::ranges::find_if(files_, [&](const auto& slice) { return slice.file.get() == file; });
  ENSURE(it != files_.end());
  return it->file;
}

}  // namespace klamm::server
