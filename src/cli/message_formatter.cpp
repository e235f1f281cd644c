#include "cli/message_formatter.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <initializer_list>
#include <set>

#include "cli/dump_log.h"
#include "cli/java.h"
#include "cli/record_decoders.h"
#include "config/value.h"

namespace klamm::cli {

namespace {

using client::Properties;
using client::Record;

bool is_true(std::string_view text) {
  const std::string_view word = config::java_trim(text);
  return std::ranges::equal(word, std::string_view("true"), [](char a, char b) { return (a | 0x20) == b; });
}

// From bytes to the text that Java's toString gives of what a deserializer makes of them.
using Deserializer = std::string (*)(std::string_view);

template <typename T>
T fixed(std::string_view bytes, const char* name) {
  if (bytes.size() != sizeof(T)) {
    throw JavaException(client::kinds::serialization,
                        fmt::format("Size of data received by {}Deserializer is not {}", name, sizeof(T)));
  }
  return load_big<T>(as_bytes(bytes).data());
}

std::string as_string(std::string_view bytes) {
  return as_java_text(as_bytes(bytes));
}
std::string as_short(std::string_view bytes) {
  return fmt::to_string(fixed<std::int16_t>(bytes, "Short"));
}
std::string as_integer(std::string_view bytes) {
  return fmt::to_string(fixed<std::int32_t>(bytes, "Integer"));
}
std::string as_long(std::string_view bytes) {
  return fmt::to_string(fixed<std::int64_t>(bytes, "Long"));
}
std::string as_double(std::string_view bytes) {
  return config::java_double_text(std::bit_cast<double>(fixed<std::int64_t>(bytes, "")));
}
std::string as_float(std::string_view bytes) {
  // The shortest digits that are this float, printed as Java prints them.
  const std::string digits = fmt::format("{}", std::bit_cast<float>(fixed<std::int32_t>(bytes, "")));
  double value = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return failed == std::errc() ? config::java_double_text(value) : digits;
}
std::string as_boolean(std::string_view bytes) {
  if (bytes.size() != 1)
    throw JavaException(client::kinds::serialization, "Size of data received by BooleanDeserializer is not 1");
  if (bytes[0] != 0 && bytes[0] != 1) {
    throw JavaException(client::kinds::serialization,
                        fmt::format("Unexpected byte received by BooleanDeserializer: {}", bytes[0] + 0));
  }
  return bytes[0] == 1 ? "true" : "false";
}
std::string as_bytes_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~' && c != '\\') {
      text += c;
    } else {
      text += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    }
  }
  return text;
}
std::string as_they_are(std::string_view bytes) {
  return std::string(bytes);
}

constexpr std::pair<std::string_view, Deserializer> deserializers[] = {
    {"StringDeserializer", as_string},   {"ShortDeserializer", as_short},      {"IntegerDeserializer", as_integer},
    {"LongDeserializer", as_long},       {"DoubleDeserializer", as_double},    {"FloatDeserializer", as_float},
    {"BooleanDeserializer", as_boolean}, {"BytesDeserializer", as_bytes_text}, {"ByteArrayDeserializer", as_they_are},
    {"UUIDDeserializer", as_string},
};

class DefaultFormatter final : public MessageFormatter {
 public:
  DefaultFormatter(const Properties& properties, LogSink& log, Streams& streams) {
    const auto flag = [&](std::string_view key, bool& to) {
      if (const auto found = properties.find(key); found != properties.end()) to = is_true(found->second);
    };
    const auto text = [&](std::string_view key, std::string& to) {
      if (const auto found = properties.find(key); found != properties.end()) to = found->second;
    };
    flag("print.timestamp", timestamp_);
    flag("print.key", key_);
    flag("print.offset", offset_);
    flag("print.delivery", delivery_);
    flag("print.epoch", epoch_);
    flag("print.partition", partition_);
    flag("print.headers", headers_);
    flag("print.value", value_);
    text("key.separator", key_separator_);
    text("line.separator", line_separator_);
    text("headers.separator", headers_separator_);
    text("null.literal", null_literal_);
    const auto deserializer = [&](std::string_view key) -> Deserializer {
      const auto found = properties.find(key);
      if (found == properties.end()) return nullptr;
      constexpr std::string_view package = "org.apache.kafka.common.serialization.";
      std::string_view name = found->second;
      if (name.starts_with(package)) {
        name.remove_prefix(package.size());
        for (const auto& [known, function] : deserializers) {
          if (known == name) return function;
        }
      }
      streams.flush();
      Logger(log, "org.apache.kafka.tools.consumer.DefaultMessageFormatter")
          .error("Unable to instantiate a deserializer from {}", found->second);
      streams.print_error(fmt::format("java.lang.ClassNotFoundException: {}\n", found->second));
      return nullptr;
    };
    key_deserializer_ = deserializer("key.deserializer");
    value_deserializer_ = deserializer("value.deserializer");
    headers_deserializer_ = deserializer("headers.deserializer");
  }

  void write(const Record& record, Streams& streams) override {
    // What is still to come decides whether a column or the line ends.
    const auto end_column = [&](bool more) { streams.print(more ? key_separator_ : line_separator_); };
    if (timestamp_) {
      streams.print(
          !record.has_timestamp_type()
              ? std::string("NO_TIMESTAMP")
              : fmt::format("{}:{}", record.log_append_time() ? "LogAppendTime" : "CreateTime", record.timestamp()));
      end_column(partition_ || offset_ || delivery_ || epoch_ || headers_ || key_ || value_);
    }
    if (partition_) {
      streams.print(fmt::format("Partition:{}", record.partition()));
      end_column(offset_ || delivery_ || epoch_ || headers_ || key_ || value_);
    }
    if (offset_) {
      streams.print(fmt::format("Offset:{}", record.offset()));
      end_column(delivery_ || epoch_ || headers_ || key_ || value_);
    }
    if (delivery_) {
      streams.print("Delivery:NOT_PRESENT");
      end_column(epoch_ || headers_ || key_ || value_);
    }
    if (epoch_) {
      streams.print("Epoch:NOT_PRESENT");
      end_column(headers_ || key_ || value_);
    }
    if (headers_) {
      bool first = true;
      for (const client::Header& header : record.headers()) {
        if (!first) streams.print(headers_separator_);
        first = false;
        streams.print(fmt::format("{}:", header.key));
        streams.print(shown(header.value, headers_deserializer_));
      }
      if (first) streams.print("NO_HEADERS");
      end_column(key_ || value_);
    }
    if (key_) {
      streams.print(shown(record.key(), key_deserializer_));
      end_column(value_);
    }
    if (value_) {
      streams.print(shown(record.value(), value_deserializer_));
      streams.print(line_separator_);
    }
  }

 private:
  std::string shown(std::optional<std::string_view> bytes, Deserializer deserializer) const {
    const std::string_view present = bytes ? *bytes : std::string_view(null_literal_);
    return deserializer == nullptr ? std::string(present) : deserializer(present);
  }

  bool timestamp_ = false;
  bool key_ = false;
  bool value_ = true;
  bool partition_ = false;
  bool offset_ = false;
  bool delivery_ = false;
  bool epoch_ = false;
  bool headers_ = false;
  std::string key_separator_ = "\t";
  std::string line_separator_ = "\n";
  std::string headers_separator_ = ",";
  std::string null_literal_ = "null";
  Deserializer key_deserializer_ = nullptr;
  Deserializer value_deserializer_ = nullptr;
  Deserializer headers_deserializer_ = nullptr;
};

class NoFormatter final : public MessageFormatter {
 public:
  void write(const Record&, Streams&) override {}
};

// Records of internal topics, those of some kinds only, one JSON behind the other.
class CoordinatorFormatter final : public MessageFormatter {
 public:
  CoordinatorFormatter(InternalTopic topic, std::set<std::int16_t> kinds)
      : decoder_(topic, false), kinds_(std::move(kinds)) {}

  void write(const Record& record, Streams& streams) override {
    if (!record.key()) return;
    const auto value = record.value() ? std::optional(as_bytes(*record.value())) : std::nullopt;
    const auto said = decoder_.decode(as_bytes(*record.key()), value);
    if (!said && said.error().unknown_type) return;
    if (!said) {
      throw JavaException("java.lang.RuntimeException", fmt::format("Could not read record at offset {} due to: {}",
                                                                    record.offset(), said.error().message));
    }
    if (!kinds_.empty() && !kinds_.contains(said->key.number)) return;
    streams.print(fmt::format(R"({{"key":{{"type":{},"data":{}}},"value":{}}})", said->key.number, said->key.json,
                              said->value
                                  ? fmt::format(R"({{"version":{},"data":{}}})", said->value->number, said->value->json)
                                  : std::string("null")));
  }

 private:
  RecordDecoder decoder_;
  std::set<std::int16_t> kinds_;
};

}  // namespace

std::unique_ptr<MessageFormatter> make_formatter(std::string_view class_name, const Properties& properties,
                                                 LogSink& log, Streams& streams) {
  constexpr std::string_view package = "org.apache.kafka.tools.consumer.";
  std::string_view name = class_name;
  if (!name.starts_with(package)) throw JavaException("java.lang.ClassNotFoundException", std::string(class_name));
  name.remove_prefix(package.size());
  if (name == "DefaultMessageFormatter" || name == "LoggingMessageFormatter") {
    return std::make_unique<DefaultFormatter>(properties, log, streams);
  }
  if (name == "NoOpMessageFormatter") return std::make_unique<NoFormatter>();
  const auto coordinator = [](InternalTopic topic, std::set<std::int16_t> kinds) {
    return std::make_unique<CoordinatorFormatter>(topic, std::move(kinds));
  };
  if (name == "OffsetsMessageFormatter") return coordinator(InternalTopic::offsets, {0, 1});
  if (name == "GroupMetadataMessageFormatter") return coordinator(InternalTopic::offsets, {2});
  if (name == "ShareGroupMessageFormatter") return coordinator(InternalTopic::offsets, {10, 11, 12, 13, 14, 15});
  if (name == "TransactionLogMessageFormatter") return coordinator(InternalTopic::transactions, {});
  if (name == "group.share.ShareGroupStateMessageFormatter") return coordinator(InternalTopic::share_state, {});
  throw JavaException("java.lang.ClassNotFoundException", std::string(class_name));
}

}  // namespace klamm::cli
