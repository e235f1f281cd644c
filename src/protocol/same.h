// Equality of views: spans compare what they show, which the standard leaves out.
#pragma once

#include <algorithm>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace klamm::protocol {

template <typename T>
bool same(const T& a, const T& b) {
  return a == b;
}
template <typename T>
bool same(const std::span<T>& a, const std::span<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}
template <typename T>
bool same(const std::optional<std::span<T>>& a, const std::optional<std::span<T>>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}

}  // namespace klamm::protocol
