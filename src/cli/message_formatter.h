// How the console consumer shows records. Chosen by the names of Kafka's formatter classes.
// Source of the forms: org.apache.kafka.tools.consumer.{DefaultMessageFormatter,OffsetsMessageFormatter,…}.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/logger.h"
#include "cli/streams.h"
#include "client/consumer.h"
#include "client/settings.h"

namespace klamm::cli {

class MessageFormatter {
 public:
  virtual ~MessageFormatter() = default;
  // Throws JavaException (SerializationException, RuntimeException) when the record is not what it should be; part of
  // it may have been written then.
  virtual void write(const client::Record& record, Streams& streams) = 0;
};

// Throws ClassNotFoundException for a class that is none of Kafka's formatters. What is wrong with a deserializer is
// told through `log`, whose lines an exception's text may follow on standard error.
std::unique_ptr<MessageFormatter> make_formatter(std::string_view class_name, const client::Properties& properties,
                                                 LogSink& log, Streams& streams);

}  // namespace klamm::cli
