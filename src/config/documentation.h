// docs/configuration.md, made of the tables: `klamm config-reference > docs/configuration.md`.
#pragma once

#include <string>

namespace klamm::config {

// The whole page. A test compares it with the one in docs/.
std::string configuration_page();

}  // namespace klamm::config
