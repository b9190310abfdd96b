// How long packets took, counted in bounded buckets. One thread writes, any reads.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "io_counts.h"

namespace onehop {

// Upper bounds in nanoseconds: 1, 1.5, 2, 3, 4, 6 … microseconds, 16.4 milliseconds; one bucket more for what took longer.
constexpr size_t kLatencyBounds = 29;
constexpr auto kLatencyBoundsNs = [] {
  std::array<uint32_t, kLatencyBounds> bounds{};
  for (size_t i = 0; i < kLatencyBounds; i++) bounds[i] = (i % 2 == 0 ? 1000u : 1500u) << i / 2;
  return bounds;
}();

struct LatencyCounts {
  std::array<uint64_t, kLatencyBounds + 1> buckets{};
  uint64_t sum_ns = 0;
};

class LatencyHistogram {
 public:
  void add(uint64_t ns) {
    const auto bound = std::ranges::lower_bound(kLatencyBoundsNs, ns);
    buckets_[static_cast<size_t>(bound - kLatencyBoundsNs.begin())].add_one();
    sum_ns_.add(ns);
  }
  void add_to(LatencyCounts& sum) const {
    for (size_t i = 0; i < buckets_.size(); i++) sum.buckets[i] += buckets_[i].value();
    sum.sum_ns += sum_ns_.value();
  }

 private:
  std::array<Count, kLatencyBounds + 1> buckets_;
  Count sum_ns_;
};

}  // namespace onehop
