// Subscriptions by regular expression: RE2's syntax, matched against the whole name of a topic.
// Source: org.apache.kafka.coordinator.group.modern.consumer.TopicRegexResolver,
// Utils.throwIfRegularExpressionIsInvalid.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "metadata/image.h"

namespace klamm::groups {

// Errors: invalid_regular_expression.
Result<void> check_regex(const std::string& regex);

// For each regular expression the topics that it stands for. One that is not valid stands for none.
std::vector<std::set<std::string, std::less<>>> resolve_regexes(const metadata::Image& image,
                                                                const std::vector<std::string>& regexes);

}  // namespace klamm::groups
