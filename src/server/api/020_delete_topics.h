// DeleteTopics, versions 1 to 6. From 5: a text beside the error; from 6: topics by name or by id. The controller
// decides; this handler asks who may. Source of behaviour: ControllerApis.deleteTopics.
#pragma once

#include "hosting/controller_channel.h"
#include "hosting/metadata_publisher.h"
#include "protocol/messages/delete_topics.h"
#include "security/authorizer.h"
#include "server/handler.h"

namespace klamm::server {

class DeleteTopicsHandler final : public Handler<protocol::DeleteTopicsRequest, protocol::DeleteTopicsResponse> {
 public:
  using Request = protocol::DeleteTopicsRequest;
  using Response = protocol::DeleteTopicsResponse;

  DeleteTopicsHandler(const hosting::MetadataPublisher& metadata, hosting::ControllerChannel& controller,
                      const security::Authorizer& authorizer)
      : metadata_(metadata), controller_(controller), authorizer_(authorizer) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  const hosting::MetadataPublisher& metadata_;
  hosting::ControllerChannel& controller_;
  const security::Authorizer& authorizer_;
};

}  // namespace klamm::server
