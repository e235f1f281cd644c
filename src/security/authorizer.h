// May they do it? Every handler asks before it looks anything up, so that whoever may not see a topic learns nothing of
// it. Names and numbers: org.apache.kafka.common.acl.AclOperation, org.apache.kafka.common.resource.ResourceType.
#pragma once

#include <cstdint>
#include <string_view>

#include "security/request_identity.h"

namespace klamm::security {

enum class Operation : std::int8_t {
  unknown = 0,
  any = 1,
  all = 2,
  read = 3,
  write = 4,
  create = 5,
  remove = 6,  // DELETE
  alter = 7,
  describe = 8,
  cluster_action = 9,
  describe_configs = 10,
  alter_configs = 11,
  idempotent_write = 12,
  create_tokens = 13,
  describe_tokens = 14,
  two_phase_commit = 15,
};

enum class ResourceType : std::int8_t {
  unknown = 0,
  any = 1,
  topic = 2,
  group = 3,
  cluster = 4,
  transactional_id = 5,
  delegation_token = 6,
  user = 7,
};

// The name of the one resource of type cluster.
inline constexpr std::string_view cluster_resource = "kafka-cluster";

struct Resource {
  ResourceType type;
  std::string_view name;
};

// Called from every reactor.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual bool allows(const RequestIdentity& who, Operation operation, Resource resource) const = 0;

  // KIP-430: a bit (1 << operation) for each operation allowed, of those that exist for the type of resource.
  std::int32_t allowed_operations(const RequestIdentity& who, Resource resource) const;
};

// No authorizer configured: everybody may do everything.
class AllowAll final : public Authorizer {
 public:
  bool allows(const RequestIdentity&, Operation, Resource) const override { return true; }
};

}  // namespace klamm::security
