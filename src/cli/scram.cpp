#include "cli/scram.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "config/value.h"
#include "protocol/records/user_scram_credential_record.h"

namespace klamm::cli {
namespace {

// The few functions of OpenSSL 3 that are needed, by their C declarations.
class Crypto {
 public:
  Crypto() : library_(::dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL), &::dlclose) {
    if (!library_)
      throw ScramError("libcrypto.so.3 (OpenSSL 3) is needed for SCRAM credentials and could not be loaded.");
    find(sha256_, "EVP_sha256");
    find(sha512_, "EVP_sha512");
    find(digest_, "EVP_Digest");
    find(hmac_, "HMAC");
    find(pbkdf2_, "PKCS5_PBKDF2_HMAC");
  }

  ByteVector digest(ScramHash hash, Bytes data) const {
    ByteVector out(size_of(hash));
    unsigned int size = 0;
    if (digest_(data.data(), data.size(), bytes(out), &size, algorithm(hash), nullptr) != 1) fail();
    return out;
  }
  ByteVector hmac(ScramHash hash, Bytes key, std::string_view text) const {
    ByteVector out(size_of(hash));
    unsigned int size = 0;
    const auto* from = reinterpret_cast<const unsigned char*>(text.data());
    if (hmac_(algorithm(hash), key.data(), static_cast<int>(key.size()), from, text.size(), bytes(out), &size) ==
        nullptr)
      fail();
    return out;
  }
  ByteVector pbkdf2(ScramHash hash, std::string_view password, Bytes salt, int iterations) const {
    ByteVector out(size_of(hash));
    const auto* from = reinterpret_cast<const unsigned char*>(salt.data());
    if (pbkdf2_(password.data(), static_cast<int>(password.size()), from, static_cast<int>(salt.size()), iterations,
                algorithm(hash), static_cast<int>(out.size()), bytes(out)) != 1) {
      fail();
    }
    return out;
  }

 private:
  static std::size_t size_of(ScramHash hash) { return hash == ScramHash::sha256 ? 32 : 64; }
  static unsigned char* bytes(ByteVector& out) { return reinterpret_cast<unsigned char*>(out.data()); }
  [[noreturn]] static void fail() { throw ScramError("OpenSSL refused to compute a SCRAM credential."); }
  const void* algorithm(ScramHash hash) const { return hash == ScramHash::sha256 ? sha256_() : sha512_(); }

  template <typename Function>
  void find(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(::dlsym(library_.get(), name));
    if (function == nullptr) throw ScramError(fmt::format("libcrypto.so.3 has no function {}.", name));
  }

  std::unique_ptr<void, int (*)(void*)> library_;
  const void* (*sha256_)() = nullptr;
  const void* (*sha512_)() = nullptr;
  int (*digest_)(const void*, std::size_t, unsigned char*, unsigned int*, const void*, void*) = nullptr;
  unsigned char* (*hmac_)(const void*, const void*, int, const unsigned char*, std::size_t, unsigned char*,
                          unsigned int*) = nullptr;
  int (*pbkdf2_)(const char*, int, const unsigned char*, int, int, const void*, int, unsigned char*) = nullptr;
};

std::optional<ByteVector> decode_base64(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  while (text.ends_with('=')) text.remove_suffix(1);
  ByteVector out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<std::byte>(bits >> count));
  }
  return out;
}

// Printable, as Kafka's are: 130 random bits in base 36.
ByteVector fresh_salt(runtime::Random& random) {
  ByteVector salt;
  while (salt.size() < 26) {
    static constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    salt.push_back(static_cast<std::byte>(digits[random.next() % digits.size()]));
  }
  return salt;
}

using Components = std::map<std::string, std::string, std::less<>>;

// "name=alice,password=x"; quotes around a value are dropped.
Components parse_components(std::string_view text) {
  Components components;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      throw ScramError(fmt::format("No equals sign found in SCRAM component: {}", part));
    }
    std::string_view value = part.substr(equals + 1);
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
    components.insert_or_assign(std::string(part.substr(0, equals)), std::string(value));
  }
  return components;
}

std::optional<std::string> take(Components& components, std::string_view name) {
  const auto found = components.find(name);
  if (found == components.end()) return std::nullopt;
  std::string value = std::move(found->second);
  components.erase(found);
  return value;
}

struct Given {
  ScramHash hash = ScramHash::sha256;
  std::string name;
  std::optional<ByteVector> salt;
  int iterations = 4096;
  std::optional<std::string> password;
  std::optional<ByteVector> salted_password;
};

std::pair<ScramHash, std::string_view> parse_mechanism(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string_view::npos) {
    throw ScramError(fmt::format("Failed to find equals sign in SCRAM argument '{}'", argument));
  }
  const std::string_view mechanism = argument.substr(0, equals);
  const std::string_view settings = argument.substr(equals + 1);
  if (mechanism != "SCRAM-SHA-256" && mechanism != "SCRAM-SHA-512") {
    throw ScramError(fmt::format("The add-scram mechanism {} is not supported.", mechanism));
  }
  if (!settings.starts_with('[')) throw ScramError("Expected configuration string to start with [");
  if (!settings.ends_with(']')) throw ScramError("Expected configuration string to end with ]");
  return {mechanism == "SCRAM-SHA-256" ? ScramHash::sha256 : ScramHash::sha512,
          settings.substr(1, settings.size() - 2)};
}

Given parse_given(std::string_view argument) {
  const auto [hash, settings] = parse_mechanism(config::java_trim(argument));
  Components components = parse_components(settings);
  Given given{.hash = hash};
  const auto name = take(components, "name");
  if (!name) throw ScramError("You must supply 'name' to add-scram");
  given.name = *name;
  if (const auto salt = take(components, "salt")) {
    given.salt = decode_base64(*salt);
    if (!given.salt) throw ScramError(fmt::format("Failed to decode given salt: {}", *salt));
  }
  if (const auto iterations = take(components, "iterations")) {
    const auto number = config::parse_java_integer(*iterations, INT32_MIN, INT32_MAX);
    if (!number) throw ScramError(fmt::format("Failed to parse iterations count: {}", *iterations));
    given.iterations = static_cast<int>(*number);
  }
  given.password = take(components, "password");
  const auto salted = take(components, "saltedpassword");
  if (!given.password) {
    if (!salted) throw ScramError("You must supply one of 'password' or 'saltedpassword' to add-scram");
    if (!given.salt) throw ScramError("You must supply 'salt' with 'saltedpassword' to add-scram");
    given.salted_password = decode_base64(*salted);
    if (!given.salted_password) throw ScramError(fmt::format("Failed to decode given saltedPassword: {}", *salted));
  }
  if (!components.empty()) {
    std::string names;
    for (const auto& [unknown, value] : components) names += (names.empty() ? "" : ", ") + unknown;
    throw ScramError(fmt::format("Unknown SCRAM configurations: {}", names));
  }
  return given;
}

}  // namespace

ByteVector scram_salted_password(ScramHash hash, std::string_view password, Bytes salt, int iterations) {
  return Crypto().pbkdf2(hash, password, salt, iterations);
}
ByteVector scram_hmac(ScramHash hash, Bytes key, std::string_view text) {
  return Crypto().hmac(hash, key, text);
}
ByteVector scram_digest(ScramHash hash, Bytes data) {
  return Crypto().digest(hash, data);
}

metadata::Record parse_scram_argument(std::string_view argument, runtime::Random& random) {
  Given given = parse_given(argument);
  const std::string_view mechanism = given.hash == ScramHash::sha256 ? "SCRAM_SHA_256" : "SCRAM_SHA_512";
  constexpr int iterations_max = 16384;
  if (given.iterations < 4096) {
    throw ScramError(fmt::format("The 'iterations' value must be >= 4096 for add-scram using {}", mechanism));
  }
  if (given.iterations > iterations_max) {
    throw ScramError(
        fmt::format("The 'iterations' value must be <= {} for add-scram using {}", iterations_max, mechanism));
  }
  if (!given.salt) given.salt = fresh_salt(random);
  const ByteVector salted = given.salted_password
                                ? *given.salted_password
                                : scram_salted_password(given.hash, *given.password, *given.salt, given.iterations);
  protocol::UserScramCredentialRecord record;
  record.name = given.name;
  record.mechanism = static_cast<std::int8_t>(given.hash);
  record.salt = *given.salt;
  record.stored_key = scram_digest(given.hash, scram_hmac(given.hash, salted, "Client Key"));
  record.server_key = scram_hmac(given.hash, salted, "Server Key");
  record.iterations = given.iterations;
  return {std::move(record), 0};
}

}  // namespace klamm::cli
