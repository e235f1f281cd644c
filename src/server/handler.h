// One API each: a handler answers the requests of one key. The pipeline has checked the frame, the version and who asks
// before a handler is called; it decodes and encodes around it and turns what the handler throws into the API's own
// error answer (Kafka's AbstractRequest.getErrorResponse).
#pragma once

#include <exception>
#include <utility>

#include "base/error.h"
#include "runtime/task.h"
#include "server/exchange.h"

namespace klamm::server {

// Answers one request: decodes its body, acts, encodes the response into the exchange. Called on the connection's
// reactor; the task ends there. Returns without a suspension when nothing must be waited for.
class ApiHandler {
 public:
  virtual ~ApiHandler() = default;
  virtual runtime::Task<void> answer(Exchange& exchange) = 0;
};

// Ends a request with an error from deep inside a handler; becomes Handler::failed(request, error).
class RequestFailed : public std::exception {
 public:
  explicit RequestFailed(Error error) : error_(std::move(error)) {}
  explicit RequestFailed(ErrorCode code, std::string message = {}) : error_{code, std::move(message)} {}
  const Error& error() const { return error_; }
  const char* what() const noexcept override { return error_.message.c_str(); }

 private:
  Error error_;
};

// The usual shape: a whole request in, a whole response out. Produce and Fetch, which allocate nothing, are ApiHandlers
// of their own.
template <typename Request, typename Response>
class Handler : public ApiHandler {
 public:
  // `context` and `request` live until the task has ended.
  virtual runtime::Task<Response> handle(const RequestContext& context, const Request& request) = 0;
  // The answer when the request as a whole failed: what Kafka's AbstractRequest.getErrorResponse of this API gives.
  virtual Response failed(const RequestContext& context, const Request& request, const Error& error) const = 0;

  // Whether the answer comes when others did something, which may be minutes later.
  virtual bool waits_for_others() const { return false; }

  runtime::Task<void> answer(Exchange& exchange) override {
    Request request;
    if (!exchange.context().version_unsupported && !exchange.decode(request)) co_return;
    if (waits_for_others()) exchange.let_go_of_frame();
    Response response;
    try {
      auto handling = handle(exchange.context(), request);
      response = co_await std::move(handling);
    } catch (...) {
      response = failed(exchange.context(), request, exchange.error_of_current_exception());
    }
    if constexpr (requires { response.throttle_time_ms; }) response.throttle_time_ms = exchange.throttle_time_ms();
    exchange.respond(response);
  }
};

// The text beside an error code in an answer: Kafka's own for the code when nothing better is known.
inline std::string message_of(const Error& error) {
  return error.message.empty() ? std::string(error_message(error.code)) : error.message;
}

}  // namespace klamm::server
