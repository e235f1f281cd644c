#include "runtime/simulation/trace.h"

namespace klamm::runtime::simulation {

void Trace::added() {
  const std::string_view line(line_.data(), line_.size());
  hash_.add(line);
  ++lines_;
  if (keep_) text_.append(line);
  if (reader_) reader_(line);
}

}  // namespace klamm::runtime::simulation
