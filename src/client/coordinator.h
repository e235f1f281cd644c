// Where the coordinator of a group or of transactions is, and a connection to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/core.h"

namespace klamm::client {

class Coordinator {
 public:
  enum class Of : std::int8_t { group = 0, transactions = 1 };  // as FindCoordinator numbers them

  Coordinator(Core& core, std::string group_id, Of of = Of::group)
      : core_(core), group_id_(std::move(group_id)), of_(of) {}

  struct Answer {
    ErrorCode code = ErrorCode::none;
    std::int32_t node = -1;
    std::string message = {};
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
  std::string group_id_;  // or the transactional id
  Of of_;
  std::optional<std::int32_t> node_;
};

}  // namespace klamm::client
