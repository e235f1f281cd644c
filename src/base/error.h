// The answers of the protocol. An expected failure travels as an Error inside a Result; the world failing (disk, peer,
// cancellation) is an exception; a bug is an ENSURE.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/error_code.h"

namespace klamm {

// `message` is what the client is shown; empty means the code's own text (error_message()).
struct Error {
  ErrorCode code = ErrorCode::unknown_server_error;
  std::string message = {};

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message = {}) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace klamm
