// Maglev hashing (NSDI 2016, section 3.4): src/table/maglev.ts, row for row.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "siphash.h"

namespace onehop {

// One competitor for rows of a ring. Its name, not its address, decides: a restart keeps its rows.
struct RingMember {
  std::string_view name;
  uint32_t weight;    // above 0
  uint16_t position;  // what its rows hold

  bool operator==(const RingMember&) const = default;
};

// The smallest prime on the list with at least 100 rows a member.
uint32_t ring_size(size_t members);

// Rows of positions; empty when there is no member. The result depends on names, weights and key only, not on the
// order of the list.
std::vector<uint16_t> build_ring(std::span<const RingMember> members, const HashKey& key);

}  // namespace onehop
