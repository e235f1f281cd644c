#include "server/api/014_sync_group.h"

namespace klamm::server {
namespace {
constexpr std::int16_t type_and_name_from = 5;
}  // namespace

void SyncGroupHandler::check(const RequestContext& context, const Request& request) const {
  if (context.version >= type_and_name_from && (!request.protocol_type || !request.protocol_name)) {
    throw RequestFailed(ErrorCode::inconsistent_group_protocol);
  }
}

}  // namespace klamm::server
