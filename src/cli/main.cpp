#include <string>
#include <vector>

#include "cli/tools.h"

int main(int count, char** values) {
  const std::vector<std::string> arguments(values, values + count);
  klamm::cli::Streams streams(0, 1, 2);
  const int code = klamm::cli::run_klamm(arguments, streams);
  streams.flush();
  return code;
}
