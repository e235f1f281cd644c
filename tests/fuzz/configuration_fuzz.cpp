// Files of properties and what a broker makes of them: the format of java.util.Properties, every key's type and
// validator, listeners, the rules between keys, topic configurations.
#include "config/broker_config.h"
#include "config/broker_rules.h"
#include "config/properties.h"
#include "config/refusals.h"
#include "input.h"

namespace klamm::fuzz {
namespace {

void properties_again(const config::Properties& properties) {
  const std::vector<std::pair<std::string, std::string>> entries(properties.begin(), properties.end());
  const auto again = config::parse_properties(config::properties_text(entries));
  ENSURE(again && *again == properties, "properties are read back otherwise");
}

void broker(const config::Properties& properties) {
  const auto broker = config::BrokerConfig::parse(properties);
  if (!broker) return;
  (void)config::refusal(**broker);
  (void)(*broker)->topic_defaults();
  (void)(*broker)->warnings();
  (void)(*broker)->log_dirs();
  (void)(*broker)->metadata_log_dir();
  (void)(*broker)->log_retention();
  (void)(*broker)->io_uring();
}

}  // namespace
}  // namespace klamm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace klamm;
  using namespace klamm::fuzz;
  const auto text = as_text(Bytes(reinterpret_cast<const std::byte*>(data), size));
  (void)config::split_property(text);
  const auto properties = config::parse_properties(text);
  if (!properties) return 0;
  properties_again(*properties);
  broker(*properties);
  return 0;
}
