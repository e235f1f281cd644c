// Every message of schemas/ by name, for what treats all of them alike: the conformance test, fuzzing, printing tools.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "protocol/json_writer.h"
#include "protocol/reader.h"
#include "protocol/writer.h"

namespace klamm::protocol {

// A message whose type is not known where it is used.
class AnyMessage {
 public:
  virtual ~AnyMessage() = default;
  virtual void decode(Reader& reader, std::int16_t version) = 0;
  virtual void encode(Writer& writer, std::int16_t version) const = 0;
  virtual std::size_t encoded_size(std::int16_t version) const = 0;
  // Empty for views, which are not printed.
  virtual std::string to_json(std::int16_t version, JsonRecords records = JsonRecords::bytes) const = 0;
};

struct MessageType {
  std::string_view name;  // "ProduceRequest", "TopicRecord", "OffsetCommitKey"; views: "ProduceRequestView"
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t highest_version;
  std::int16_t flexible_from;
  // With the defaults of its fields.
  std::unique_ptr<AnyMessage> (*make)();
};

// In the order of the names of the schema files.
std::span<const MessageType> message_types();
// Nothing when there is none.
const MessageType* find_message_type(std::string_view name);

}  // namespace klamm::protocol
