#include "protocol/catalog.h"

#include <algorithm>

#include "base/arena.h"
#include "protocol/catalog_includes.h"

namespace klamm::protocol {

namespace {

template <typename T>
class Owned final : public AnyMessage {
 public:
  void decode(Reader& reader, std::int16_t version) override { message_.decode(reader, version); }
  void encode(Writer& writer, std::int16_t version) const override { message_.encode(writer, version); }
  std::size_t encoded_size(std::int16_t version) const override { return message_.encoded_size(version); }
  std::string to_json(std::int16_t version, JsonRecords records) const override {
    return message_.to_json(version, records);
  }

 private:
  T message_;
};

template <typename T>
class Viewed final : public AnyMessage {
 public:
  void decode(Reader& reader, std::int16_t version) override { message_.decode(reader, arena_, version); }
  void encode(Writer& writer, std::int16_t version) const override { message_.encode(writer, version); }
  std::size_t encoded_size(std::int16_t version) const override { return message_.encoded_size(version); }
  std::string to_json(std::int16_t, JsonRecords) const override { return {}; }

 private:
  Arena arena_;
  T message_;
};

template <typename T, template <typename> typename Holder>
constexpr MessageType type_of(std::string_view name) {
  return {
      name, T::min_version, T::max_version, T::highest_version, T::flexible_from, []() -> std::unique_ptr<AnyMessage> {
        return std::make_unique<Holder<T>>();
      }};
}

constexpr MessageType types[] = {
#include "protocol/catalog_rows.h"
};

}  // namespace

std::span<const MessageType> message_types() {
  return types;
}

const MessageType* find_message_type(std::string_view name) {
  const auto found = std::ranges::find(types, name, &MessageType::name);
  return found == std::end(types) ? nullptr : found;
}

}  // namespace klamm::protocol
