#include "protocol/api_key.h"

#include <iterator>

#include "base/ensure.h"
#include "protocol/api_rows.h"

namespace klamm::protocol {

static_assert(std::size(generated_api_rows) == api_key_max + 1, "one schema for every key of the enum");

std::span<const ApiRow> api_rows() {
  return generated_api_rows;
}

const ApiRow* find_api(std::int16_t key) {
  return key >= 0 && key <= api_key_max ? &generated_api_rows[key] : nullptr;
}

const ApiRow& api_row(ApiKey key) {
  const ApiRow* row = find_api(wire_of(key));
  ENSURE(row != nullptr);
  return *row;
}

std::int16_t request_header_version(ApiKey key, std::int16_t api_version) {
  if (key == ApiKey::controlled_shutdown && api_version == 0) return 0;
  return api_version >= api_row(key).flexible_from ? 2 : 1;
}

std::int16_t response_header_version(ApiKey key, std::int16_t api_version) {
  if (key == ApiKey::api_versions) return 0;
  return api_version >= api_row(key).flexible_from ? 1 : 0;
}

}  // namespace klamm::protocol
