// WriteTxnMarkers, versions 1 and 2: the end of transactions in partitions that are led here, as another broker's
// coordinator or an administrator who aborts a hanging transaction wants it. From 2: with the transaction's version.
// Source of behaviour: KafkaApis.handleWriteTxnMarkersRequest.
#pragma once

#include <chrono>

#include "protocol/messages/write_txn_markers.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "server/marker_writer.h"

namespace klamm::server {

class WriteTxnMarkersHandler final
    : public Handler<protocol::WriteTxnMarkersRequest, protocol::WriteTxnMarkersResponse> {
 public:
  using Request = protocol::WriteTxnMarkersRequest;
  using Response = protocol::WriteTxnMarkersResponse;

  WriteTxnMarkersHandler(MarkerWriter& markers, const security::Authorizer& authorizer,
                         std::chrono::milliseconds request_timeout)
      : markers_(markers), authorizer_(authorizer), request_timeout_(request_timeout) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  MarkerWriter& markers_;
  const security::Authorizer& authorizer_;
  std::chrono::milliseconds request_timeout_;
};

}  // namespace klamm::server
