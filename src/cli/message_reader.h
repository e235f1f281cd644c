// Records from lines of text, as the console producer reads them: "headers<tab>key<tab>value", with what is asked for.
// Source of behaviour: org.apache.kafka.tools.LineMessageReader.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/record.h"
#include "client/settings.h"

namespace klamm::cli {

struct TextRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

class LineMessageReader {
 public:
  // parse.key, key.separator, parse.headers, headers.delimiter, headers.separator (a regular expression),
  // headers.key.separator, ignore.error, null.marker. Throws KafkaException when separators are alike.
  explicit LineMessageReader(const client::Properties& properties);

  // The next line, without its end. Throws KafkaException, with the number of the line, when something is missing.
  TextRecord parse(std::string_view line);

 private:
  std::optional<std::string_view> take(bool enabled, std::string_view& rest, std::string_view separator,
                                       const char* what, std::string_view line) const;
  std::optional<std::string> unless_null(std::string_view text) const;
  void parse_headers(std::string_view text, TextRecord& record) const;

  bool parse_key_ = false;
  bool parse_headers_ = false;
  bool ignore_error_ = false;
  std::string key_separator_ = "\t";
  std::string headers_delimiter_ = "\t";
  std::string headers_separator_ = ",";
  std::string headers_key_separator_ = ":";
  std::optional<std::string> null_marker_;
  std::regex headers_pattern_;
  int line_number_ = 0;
};

// Cuts what is read into lines that end with \n, \r or \r\n, as java.io.BufferedReader does.
class LineCutter {
 public:
  void add(std::string_view text) { buffer_ += text; }
  // Nothing until more was added; after finish() also what has no end.
  std::optional<std::string> next();
  void finish() { finished_ = true; }

 private:
  std::string buffer_;
  std::size_t at_ = 0;
  std::size_t searched_ = 0;   // no line ends before it
  bool after_return_ = false;  // a \n that follows belongs to the line before
  bool finished_ = false;
};

}  // namespace klamm::cli
