// Where a group's coordinator is, and a connection to it. One for each consumer with a group.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/core.h"

namespace klamm::client {

class Coordinator {
 public:
  Coordinator(Core& core, std::string group_id) : core_(core), group_id_(std::move(group_id)) {}

  struct Answer {
    ErrorCode code = ErrorCode::none;
    std::int32_t node = -1;
  };
  // Asks any broker once; what it says is remembered.
  runtime::Task<Result<Answer>> ask(runtime::MonoTime deadline);
  // A connection that is ready; looks for the coordinator until the deadline when it is not known.
  runtime::Task<Result<Link*>> link(runtime::MonoTime deadline);
  // Until it is ready; a failure to connect is one at once, so that the coordinator is looked for elsewhere.
  static runtime::Task<Result<void>> reach(Core& core, Link& link, runtime::MonoTime deadline);
  // It said that it is another's, or cannot be reached.
  void lost() { node_.reset(); }

  const std::string& group_id() const { return group_id_; }

 private:
  Core& core_;
  std::string group_id_;
  std::optional<std::int32_t> node_;
};

}  // namespace klamm::client
