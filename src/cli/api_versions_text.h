// What a broker serves, as Kafka's tools print it: "Produce(0): 0 to 13 [usable: 13]" and so on.
// Source of the form: org.apache.kafka.clients.NodeApiVersions.
#pragma once

#include <string>
#include <vector>

#include "client/admin.h"

namespace klamm::cli {

// In brackets, one API a line, with those that a broker could serve and this one does not.
std::string api_versions_text(const std::vector<client::ServedApi>& apis);

}  // namespace klamm::cli
