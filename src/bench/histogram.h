// Counts values in buckets whose width grows with them, as HdrHistogram does: exact below 128, within 0.8 % above.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace klamm::bench {

class Histogram {
 public:
  // Negative values count as 0.
  void add(std::int64_t value);
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::int64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The smallest value that `percent` of all do not exceed, as its bucket's upper end; 0 when empty.
  std::int64_t percentile(double percent) const;

 private:
  static constexpr int sub_bits = 7;
  static constexpr std::size_t buckets = ((64 - sub_bits - 1) << sub_bits) + (2u << sub_bits);
  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t upper_end(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace klamm::bench
