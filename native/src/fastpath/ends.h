// Where ways in and containers' endpoints stand in the programs' maps.
#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_set>

#include "../../bpf/maps.h"

namespace onehop {

struct EndHash {
  size_t operator()(const fast_end& end) const {
    const uint64_t port = uint64_t{end.port} << 16 | uint64_t{end.protocol} << 8 | end.is_v6;
    return (end.address.high ^ end.address.low * kOdd ^ port) * kOdd >> 16;
  }
  static constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
};

struct EndEqual {
  bool operator()(const fast_end& a, const fast_end& b) const { return std::memcmp(&a, &b, sizeof a) == 0; }
};

using EndSet = std::unordered_set<fast_end, EndHash, EndEqual>;

}  // namespace onehop
