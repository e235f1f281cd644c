// One request and its response, on their way through a handler. Exchanges of a connection stand in the order in which
// their requests came and are answered in that order. Pooled: a warm exchange takes nothing from the global allocator.
#pragma once

#include <coroutine>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/logger.h"
#include "protocol/api_key.h"
#include "protocol/payload.h"
#include "protocol/reader.h"
#include "protocol/writer.h"
#include "runtime/clock.h"
#include "runtime/disk.h"
#include "runtime/reactor.h"
#include "security/request_identity.h"
#include "server/buffer.h"
#include "server/transport.h"

namespace klamm::server {

class ApiHandler;
class Connection;
class Worker;
struct ServedApi;

// What a listener is for.
enum class ListenerScope : std::uint8_t { broker, controller };

// What a handler knows of a request besides its body. Lives until the handler's task has ended.
struct RequestContext {
  security::RequestIdentity identity;
  runtime::Reactor& reactor;
  ListenerScope scope;
  std::int16_t version;  // of the request; its response is encoded in the same
  std::int32_t correlation_id;
  runtime::MonoTime received_at;
  // An ApiVersions request in a version that is not served: its body is not decoded, `version` is 0.
  bool version_unsupported = false;
};

// Told once when nobody will take the answer any more (the peer closed, the server stops): a long poll then answers
// with what there is. On the exchange's reactor.
class AbandonListener {
 public:
  virtual ~AbandonListener() = default;
  virtual void abandoned() = 0;
};

class Exchange {
 public:
  explicit Exchange(Worker& worker) : worker_(worker) {}
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // --- for handlers -----------------------------------------------------------------------------------------------
  const RequestContext& context() const { return *context_; }
  // The request behind its header. Payloads of a decoded request are views into it; a leader stamps them in place.
  MutableBytes body() const { return body_; }
  // For what lives until the response is on its way.
  Arena& arena() { return arena_; }

  // False when the body is not what its version says: the connection is closed once all earlier requests are answered.
  // Bytes behind the body are ignored, as Kafka does.
  template <typename Request>
  bool decode(Request& request) {
    protocol::Reader reader(body_);
    request.decode(reader, context_->version);
    return decoded(reader);
  }
  template <typename RequestView>
  bool decode_view(RequestView& request) {
    protocol::Reader reader(body_);
    request.decode(reader, arena_, context_->version);
    return decoded(reader);
  }

  // For who decoded into memory of its own and may wait for long: the frame no longer holds its place in the pool, so
  // that those who wait for others leave room for the others. Not after decode_view().
  void let_go_of_frame();

  // Records of the response that leave from the file. Called in the order in which the response holds them.
  protocol::Payload file_records(runtime::FileSlice slice);
  template <typename Response>
  void respond(const Response& response) {
    protocol::Writer writer = begin_response();
    response.encode(writer, context_->version);
    end_response(writer);
  }
  // acks=0: the client expects nothing.
  void respond_nothing();
  // Instead of an answer; `reason` is for the log.
  void close_connection(std::string_view reason, LogLevel level = LogLevel::error);

  // What the exception in flight means to the client; logs what is nobody's expected answer.
  Error error_of_current_exception();
  // How long the sender shall wait before its next request; the connection is muted that long.
  std::int32_t throttle_time_ms();
  // KIP-511: what the client says of itself, for the log and for later requests.
  void set_client_software(std::string_view name, std::string_view version);

  // From here on nothing that came later starts before this is answered: for a request of the kind that may overlap
  // when it is about to wait for something that the next one would not wait for.
  void keep_order();

  // At most one listener at a time; null takes it away.
  void listen_for_abandon(AbandonListener* listener) { abandon_listener_ = listener; }
  bool abandoned() const;

 private:
  friend class Connection;
  friend class Worker;
  enum class State : std::uint8_t { waiting, running, done };

  // The root of the coroutines that answer one request.
  struct Run;

  void assign(Connection& connection, BufferRef buffer, MutableBytes frame);
  // The checks of the pipeline, then the handler. May end within the call.
  void start();
  bool check_header();
  static Run run(Exchange& exchange, ApiHandler& handler);
  void run_ended();
  void abandon();
  // Makes it as good as new.
  void recycle();

  bool decoded(const protocol::Reader& reader);
  protocol::Writer begin_response();
  void end_response(const protocol::Writer& writer);
  // "METADATA v12 from …": for log lines.
  std::string describe() const;

  void take_small_ranges();
  // Appends what is not sent yet, until there are `count_max` slices.
  void unsent_slices(std::vector<OutputSlice>& slices, std::size_t count_max) const;
  runtime::FileRef file_of(const runtime::File* file) const;
  void sent(std::size_t bytes) { sent_bytes_ += bytes; }
  std::size_t unsent_bytes() const { return total_bytes_ - sent_bytes_; }

  Worker& worker_;
  Connection* connection_ = nullptr;
  Exchange* next_ = nullptr;
  State state_ = State::waiting;
  bool overlaps_ = false;  // may run while earlier ones of its kind do
  bool closes_ = false;    // the connection is closed where the answer would be sent
  bool decode_failed_ = false;
  bool owns_large_ = false;  // its frame has the place of the one large frame
  BufferRef buffer_;
  MutableBytes frame_;
  std::size_t frame_bytes_ = 0;  // also when the frame is let go
  MutableBytes body_;
  const ServedApi* api_ = nullptr;
  std::optional<RequestContext> context_;
  std::string kept_client_id_;  // when the frame is let go
  std::coroutine_handle<> run_;
  AbandonListener* abandon_listener_ = nullptr;
  Arena arena_;

  ByteVector head_;  // all of the response that is memory
  std::vector<protocol::PayloadHole> holes_;
  std::vector<runtime::FileSlice> files_;  // one a hole, in their order
  BufferRef taken_;                        // small file ranges that were read into memory, one behind the other
  std::vector<Bytes> taken_ranges_;        // by hole; empty for those that leave from the file
  PoolCharge head_charge_;
  std::size_t total_bytes_ = 0;
  std::size_t sent_bytes_ = 0;
};

}  // namespace klamm::server
