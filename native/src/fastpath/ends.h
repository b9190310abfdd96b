// The public ways in, or the containers' endpoints, as the programs' map holds them.
#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_map>

#include "../../bpf/maps.h"
#include "map.h"

namespace onehop {

template <typename Value>
class Ends {
 public:
  explicit Ends(int map) : map_(map) {}

  // Returns errno's value.
  int put(const fast_end& end, const Value& value, uint32_t version) {
    const int error = map_.put(end, value);
    if (error == 0) written_[end] = version;
    return error;
  }

  // Unless it was written by this version: what one service gives up another may have taken.
  void erase_unless(const fast_end& end, uint32_t version) {
    const auto found = written_.find(end);
    if (found == written_.end() || found->second == version) return;
    map_.erase(end);
    written_.erase(found);
  }

 private:
  struct Hash {
    size_t operator()(const fast_end& end) const {
      const uint64_t port = uint64_t{end.port} << 16 | uint64_t{end.protocol} << 8 | end.is_v6;
      return (end.address.high ^ end.address.low * kOdd ^ port) * kOdd >> 16;
    }
    static constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  };
  struct IsEqual {
    bool operator()(const fast_end& a, const fast_end& b) const { return std::memcmp(&a, &b, sizeof a) == 0; }
  };

  Map<fast_end, Value> map_;
  std::unordered_map<fast_end, uint32_t, Hash, IsEqual> written_;  // version of the snapshot
};

}  // namespace onehop
