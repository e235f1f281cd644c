#include "cli/tool_client.h"

namespace klamm::cli {

runtime::Task<std::unique_ptr<client::Client>> open_client(ToolSystem& system, client::Properties properties,
                                                           std::string_view what) {
  auto made = std::make_unique<client::Client>(system.environment(), system.reactor(), properties);
  if (made->configuration_error()) throw JavaException::failed_to_create(what, *made->configuration_error());
  const client::Result<void> resolved = co_await made->resolve_bootstrap();
  if (!resolved) throw JavaException::failed_to_create(what, resolved.error());
  co_return std::move(made);
}

}  // namespace klamm::cli
