// Prints messages as Kafka's generated JsonConverter classes do: the form of request logs, of dump-log, of
// quorum-state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "protocol/payload.h"

namespace klamm::protocol {

// Kafka never prints the records themselves: either an empty text stands for them, or "<field>SizeInBytes" says how
// many bytes they have (the form of the request log, KIP-673).
enum class JsonRecords : std::uint8_t { bytes, size };

class JsonWriter {
 public:
  explicit JsonWriter(JsonRecords records = JsonRecords::bytes) : records_(records) {}

  void begin_object();
  void end_object();
  std::string take() { return std::move(out_); }

  template <typename T>
  void field(std::string_view name, const T& value) {
    key(name);
    print(value);
  }
  template <typename T>
  void field(std::string_view name, const T& value, std::int16_t version) {
    key(name);
    print_struct(value, version);
  }
  void records(std::string_view name, const Payload& value);

 private:
  void key(std::string_view name);
  void print(bool value);
  void print(std::int64_t value);
  void print(std::int8_t value) { print(std::int64_t{value}); }
  void print(std::int16_t value) { print(std::int64_t{value}); }
  void print(std::int32_t value) { print(std::int64_t{value}); }
  void print(std::uint16_t value) { print(std::int64_t{value}); }
  void print(std::uint32_t value) { print(std::int64_t{value}); }
  void print(double value);
  void print(std::string_view value);
  void print(const std::string& value) { print(std::string_view(value)); }
  void print(const Uuid& value) { print(value.to_string()); }
  void print(const ByteVector& value);
  void print_null() { out_ += "null"; }

  template <typename T>
  void print(const std::vector<T>& values) {
    begin_array();
    for (const T& value : values) {
      separate();
      print(value);
    }
    end_array();
  }
  template <typename T>
  void print(const std::optional<T>& value) {
    value ? print(*value) : print_null();
  }
  template <typename T>
  void print_struct(const T& value, std::int16_t version) {
    value.write_json(*this, version);
  }
  template <typename T>
  void print_struct(const std::vector<T>& values, std::int16_t version) {
    begin_array();
    for (const T& value : values) {
      separate();
      print_struct(value, version);
    }
    end_array();
  }
  template <typename T>
  void print_struct(const std::optional<T>& value, std::int16_t version) {
    value ? print_struct(*value, version) : print_null();
  }

  void begin_array();
  void end_array();
  // The comma between two values of an object or an array.
  void separate();

  std::string out_;
  JsonRecords records_;
  bool first_ = true;
};

}  // namespace klamm::protocol
