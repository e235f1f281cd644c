#include "client/result.h"

namespace klamm::client {

Error Error::of_kind(const char* kind, std::string message) {
  Error error;
  error.kind_ = kind;
  error.message_ = std::move(message);
  const std::string_view name = kind;
  if (name == kinds::timeout) error.code_ = ErrorCode::request_timed_out;
  if (name == kinds::disconnect) error.code_ = ErrorCode::network_exception;
  if (name == kinds::record_too_large) error.code_ = ErrorCode::message_too_large;
  if (name == kinds::offset_out_of_range) error.code_ = ErrorCode::offset_out_of_range;
  return error;
}

const std::string& Error::message() const {
  if (message_.empty() && kind_ == nullptr) message_ = error_message(code_);
  return message_;
}

std::string Error::exception_class() const {
  if (kind_ != nullptr) return kind_;
  return "org.apache.kafka.common.errors." + std::string(error_exception(code_));
}

std::string Error::to_string() const {
  const std::string& text = message();
  return text.empty() ? exception_class() : exception_class() + ": " + text;
}

bool Error::retriable() const {
  return is_retriable(code_);
}

bool Error::fatal() const {
  if (kind_ != nullptr) return std::string_view(kind_) == kinds::config;
  switch (code_) {
    case ErrorCode::cluster_authorization_failed:
    case ErrorCode::transactional_id_authorization_failed:
    case ErrorCode::producer_fenced:
    case ErrorCode::invalid_producer_epoch:
    case ErrorCode::invalid_producer_id_mapping:
    case ErrorCode::unsupported_version:
    case ErrorCode::sasl_authentication_failed:
    case ErrorCode::unsupported_sasl_mechanism:
    case ErrorCode::illegal_sasl_state:
      return true;
    default:
      return false;
  }
}

}  // namespace klamm::client
