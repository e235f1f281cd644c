// A list of a few small values, most often so few that they fit into the list itself: for what is held once a
// partition. It is replaced, not grown.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <vector>

namespace klamm {

// Up to `inline_count` values lie in the list, more of them in one allocation.
template <typename T, std::size_t inline_count>
class SmallList {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>, "moved and dropped as bytes");

 public:
  using value_type = T;
  using size_type = std::size_t;
  using const_iterator = const T*;

  SmallList() = default;
  SmallList(std::initializer_list<T> values) : SmallList(values.begin(), values.size()) {}
  SmallList(const std::vector<T>& values) : SmallList(values.data(), values.size()) {}  // NOLINT: a vector is a list
  SmallList(const SmallList& other) : SmallList(other.begin(), other.size()) {}
  SmallList(SmallList&& other) noexcept : size_(other.size_), bytes_(other.bytes_) { other.size_ = 0; }
  SmallList& operator=(SmallList other) noexcept {
    std::swap(size_, other.size_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SmallList() {
    if (outside()) delete[] reinterpret_cast<std::byte*>(const_cast<T*>(begin()));
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T* data() const { return begin(); }
  const T* begin() const {
    if (!outside()) return reinterpret_cast<const T*>(bytes_.of);
    const T* values = nullptr;
    std::memcpy(&values, bytes_.of, sizeof values);
    return values;
  }
  const T* end() const { return begin() + size_; }
  const T& front() const { return *begin(); }
  const T& back() const { return *(end() - 1); }
  const T& operator[](std::size_t at) const { return begin()[at]; }

  // A list of what `of` makes of each value.
  template <typename Of>
  auto transformed(const Of& of) const {
    SmallList<std::invoke_result_t<const Of&, const T&>, inline_count> others;
    std::transform(begin(), end(), others.make(size()), of);
    return others;
  }

  operator std::vector<T>() const { return std::vector<T>(begin(), end()); }  // NOLINT: and the reverse

  friend bool operator==(const SmallList& a, const SmallList& b) { return std::ranges::equal(a, b); }
  friend bool operator==(const SmallList& a, const std::vector<T>& b) { return std::ranges::equal(a, b); }

 private:
  struct Bytes {
    alignas(T) std::byte of[std::max(inline_count * sizeof(T), sizeof(T*))];
  };

  template <typename, std::size_t>
  friend class SmallList;

  SmallList(const T* values, std::size_t count) { std::copy_n(values, count, make(count)); }
  // Of an empty list: room for so many, which the caller fills.
  T* make(std::size_t count) {
    size_ = static_cast<std::uint32_t>(count);
    if (!outside()) return reinterpret_cast<T*>(bytes_.of);
    auto* const made = new std::byte[count * sizeof(T)];
    std::memcpy(bytes_.of, &made, sizeof made);
    return reinterpret_cast<T*>(made);
  }
  bool outside() const { return size_ > inline_count; }

  std::uint32_t size_ = 0;
  Bytes bytes_{};
};

}  // namespace klamm
