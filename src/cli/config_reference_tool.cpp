#include "cli/config_reference_tool.h"

#include "config/documentation.h"

namespace klamm::cli {

int config_reference_tool(Arguments arguments, Streams& streams) {
  if (!arguments.empty()) {
    CommandLine line(streams, "Prints a page in Markdown with every configuration key and whether it has an effect.",
                     {});
    line.parse(arguments);
    line.help_or_version();
  }
  streams.print(config::configuration_page());
  return 0;
}

}  // namespace klamm::cli
