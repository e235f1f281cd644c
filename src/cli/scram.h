// Credentials for SCRAM that are written when a directory is formatted: --add-scram
// 'SCRAM-SHA-256=[name=a,password=b]'. Source: org.apache.kafka.metadata.storage.ScramParser, ScramFormatter; RFC 5802.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "metadata/record.h"
#include "runtime/clock.h"

namespace klamm::cli {

class ScramError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws ScramError with Kafka's text.
metadata::Record parse_scram_argument(std::string_view argument, runtime::Random& random);

enum class ScramHash : std::uint8_t { sha256 = 1, sha512 = 2 };  // UserScramCredentialRecord.mechanism

// PBKDF2 with one block of output, as RFC 5802 calls it Hi(); HMAC; and the plain digest. OpenSSL's libcrypto does the
// work; it is loaded when first used, so that nobody else pays for it. Throws ScramError when it is not installed.
ByteVector scram_salted_password(ScramHash hash, std::string_view password, Bytes salt, int iterations);
ByteVector scram_hmac(ScramHash hash, Bytes key, std::string_view text);
ByteVector scram_digest(ScramHash hash, Bytes data);

}  // namespace klamm::cli
