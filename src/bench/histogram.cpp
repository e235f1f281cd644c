#include "bench/histogram.h"

#include <algorithm>
#include <cmath>

namespace klamm::bench {

std::size_t Histogram::bucket_of(std::uint64_t value) {
  const auto width = static_cast<int>(std::bit_width(value));
  const int shift = std::max(width - sub_bits - 1, 0);
  return (static_cast<std::size_t>(shift) << sub_bits) + (value >> shift);
}

std::uint64_t Histogram::upper_end(std::size_t bucket) {
  if (bucket < (std::size_t{2} << sub_bits)) return bucket;
  const std::size_t shift = (bucket >> sub_bits) - 1;
  const std::uint64_t sub = bucket - (shift << sub_bits);
  return ((sub + 1) << shift) - 1;
}

void Histogram::add(std::int64_t value) {
  value = std::max<std::int64_t>(value, 0);
  ++counts_[bucket_of(static_cast<std::uint64_t>(value))];
  ++count_;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < buckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

std::int64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double exact = std::ceil(percent / 100 * static_cast<double>(count_));
  const auto wanted = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(exact), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    seen += counts_[i];
    if (seen >= wanted) return std::min(static_cast<std::int64_t>(upper_end(i)), max_);
  }
  return max_;
}

}  // namespace klamm::bench
