// Subscriptions by regular expression: RE2's syntax, matched against the whole name of a topic.
// Source: org.apache.kafka.coordinator.group.modern.consumer.TopicRegexResolver,
// Utils.throwIfRegularExpressionIsInvalid.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "metadata/image.h"

namespace klamm::groups {

// What is wrong with it, in the words of the library that Kafka uses ("missing closing )"); nothing: it is valid.
std::optional<std::string_view> regex_fault(const std::string& regex);
// Errors: invalid_regular_expression.
Result<void> check_regex(const std::string& regex);

// For each regular expression the topics that it stands for. One that is not valid stands for none.
std::vector<std::set<std::string, std::less<>>> resolve_regexes(const metadata::Image& image,
                                                                const std::vector<std::string>& regexes);

}  // namespace klamm::groups
