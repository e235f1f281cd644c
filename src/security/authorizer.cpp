#include "security/authorizer.h"

#include <span>

namespace klamm::security {

namespace {

constexpr Operation topic_operations[] = {
    Operation::read,  Operation::write,    Operation::create,           Operation::remove,
    Operation::alter, Operation::describe, Operation::describe_configs, Operation::alter_configs};
constexpr Operation group_operations[] = {Operation::read, Operation::remove, Operation::describe,
                                          Operation::describe_configs, Operation::alter_configs};
constexpr Operation cluster_operations[] = {
    Operation::create,           Operation::alter,         Operation::describe,        Operation::cluster_action,
    Operation::describe_configs, Operation::alter_configs, Operation::idempotent_write};
constexpr Operation transactional_id_operations[] = {Operation::write, Operation::describe,
                                                     Operation::two_phase_commit};
constexpr Operation delegation_token_operations[] = {Operation::describe};
constexpr Operation user_operations[] = {Operation::create_tokens, Operation::describe_tokens};

std::span<const Operation> operations_of(ResourceType type) {
  switch (type) {
    case ResourceType::topic:
      return topic_operations;
    case ResourceType::group:
      return group_operations;
    case ResourceType::cluster:
      return cluster_operations;
    case ResourceType::transactional_id:
      return transactional_id_operations;
    case ResourceType::delegation_token:
      return delegation_token_operations;
    case ResourceType::user:
      return user_operations;
    case ResourceType::unknown:
    case ResourceType::any:
      break;
  }
  return {};
}

}  // namespace

std::int32_t Authorizer::allowed_operations(const RequestIdentity& who, Resource resource) const {
  std::int32_t bits = 0;
  for (const Operation operation : operations_of(resource.type))
    if (allows(who, operation, resource)) bits |= std::int32_t{1} << static_cast<int>(operation);
  return bits;
}

}  // namespace klamm::security
