// A list of a few values that is most often empty, and then a null pointer: for what is held once a partition and
// seldom there. It is replaced, not grown.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace klamm {

template <typename T>
class RareList {
 public:
  using value_type = T;
  using size_type = std::size_t;
  using const_iterator = const T*;

  RareList() = default;
  RareList(std::vector<T> values)  // NOLINT: a vector is a list
      : values_(values.empty() ? nullptr : std::make_unique<const std::vector<T>>(std::move(values))) {}
  RareList(const RareList& other)
      : values_(other.values_ ? std::make_unique<const std::vector<T>>(*other.values_) : nullptr) {}
  RareList(RareList&&) noexcept = default;
  RareList& operator=(RareList other) noexcept {
    values_ = std::move(other.values_);
    return *this;
  }
  ~RareList() = default;

  std::size_t size() const { return values_ ? values_->size() : 0; }
  bool empty() const { return !values_; }
  const T* begin() const { return values_ ? values_->data() : nullptr; }
  const T* end() const { return begin() + size(); }
  const T& front() const { return values_->front(); }

  operator std::vector<T>() const { return values_ ? *values_ : std::vector<T>(); }  // NOLINT: and the reverse

  friend bool operator==(const RareList& a, const RareList& b) {
    return a.values_ && b.values_ ? *a.values_ == *b.values_ : a.empty() && b.empty();
  }
  friend bool operator==(const RareList& a, const std::vector<T>& b) { return a.values_ ? *a.values_ == b : b.empty(); }

 private:
  std::unique_ptr<const std::vector<T>> values_;
};

}  // namespace klamm
