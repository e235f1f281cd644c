#include "server/api/011_join_group.h"

namespace klamm::server {
namespace {
constexpr std::int16_t null_protocol_name_from = 7;
}  // namespace

void JoinGroupHandler::complete(const RequestContext& context, Response& response) const {
  response.generation_id = -1;
  if (context.version < null_protocol_name_from) response.protocol_name = "";
}

}  // namespace klamm::server
