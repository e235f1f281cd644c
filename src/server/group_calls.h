// What handlers of groups have in common.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "groups/call.h"
#include "security/authorizer.h"
#include "server/group_shards.h"
#include "server/handler.h"

namespace klamm::server {

// The host as Kafka stores it: "/127.0.0.1".
inline groups::Caller group_caller(const RequestContext& context) {
  return {std::string(context.identity.client_id), "/" + std::string(context.identity.host)};
}

template <typename Request>
groups::Call asked(const RequestContext& context, Request request) {
  return groups::Asked<Request>{std::move(request), context.version, group_caller(context)};
}

// Whether a member waits for the others of its group.
enum class Waits : std::uint8_t { no, for_others };

// What members of classic groups ask: whoever may read the group asks its shard. Answered by the machine.
template <typename RequestType, typename ResponseType, Waits waits = Waits::no>
class MemberHandler : public Handler<RequestType, ResponseType> {
 public:
  using Request = RequestType;
  using Response = ResponseType;

  MemberHandler(GroupShards& groups, const security::Authorizer& authorizer)
      : groups_(groups), authorizer_(authorizer) {}

  bool waits_for_others() const override { return waits == Waits::for_others; }

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override {
    check(context, request);
    if (!authorizer_.allows(context.identity, security::Operation::read,
                            {security::ResourceType::group, request.group_id})) {
      throw RequestFailed(ErrorCode::group_authorization_failed);
    }
    const PartitionIndex shard = groups_.partition_of(request.group_id);
    auto asking = waits == Waits::for_others ? groups_.ask_and_wait(context.reactor, shard, asked(context, request))
                                             : groups_.ask(context.reactor, shard, asked(context, request));
    groups::Answer answer = co_await std::move(asking);
    co_return std::get<Response>(std::move(answer));
  }
  Response failed(const RequestContext& context, const Request&, const Error& error) const override {
    Response response;
    response.error_code = wire_of(error.code);
    complete(context, response);
    return response;
  }

 protected:
  // Throws what the request is refused with before anybody is asked who sent it.
  virtual void check(const RequestContext&, const Request&) const {}
  // What an error says besides its code.
  virtual void complete(const RequestContext&, Response&) const {}

 private:
  GroupShards& groups_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
