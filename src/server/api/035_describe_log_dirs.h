// DescribeLogDirs, versions 1 to 5: what each log directory holds. From 3: an error of the whole; from 4: bytes in all
// and free; from 5: whether new replicas are kept out. Source of behaviour: ReplicaManager.describeLogDirs.
#pragma once

#include "hosting/metadata_publisher.h"
#include "protocol/messages/describe_log_dirs.h"
#include "runtime/environment.h"
#include "security/authorizer.h"
#include "server/handler.h"
#include "storage/log_directories.h"

namespace klamm::server {

class DescribeLogDirsHandler final
    : public Handler<protocol::DescribeLogDirsRequest, protocol::DescribeLogDirsResponse> {
 public:
  using Request = protocol::DescribeLogDirsRequest;
  using Response = protocol::DescribeLogDirsResponse;

  DescribeLogDirsHandler(runtime::Environment& environment, const hosting::MetadataPublisher& metadata,
                         const storage::LogDirectories& directories, const security::Authorizer& authorizer,
                         BrokerId node_id)
      : environment_(environment),
        metadata_(metadata),
        directories_(directories),
        authorizer_(authorizer),
        node_id_(node_id) {}

  runtime::Task<Response> handle(const RequestContext& context, const Request& request) override;
  Response failed(const RequestContext& context, const Request& request, const Error& error) const override;

 private:
  Response::DescribeLogDirsResult describe(const Request& request, const storage::LogDirectory& directory,
                                           const std::vector<storage::LogRef>& logs) const;

  runtime::Environment& environment_;
  const hosting::MetadataPublisher& metadata_;
  const storage::LogDirectories& directories_;
  const security::Authorizer& authorizer_;
  BrokerId node_id_;
};

}  // namespace klamm::server
