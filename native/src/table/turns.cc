#include "turns.h"

#include <algorithm>
#include <numeric>

namespace onehop {

namespace {

struct Taker {
  const RingMember* member;
  uint64_t saved = 0;
};

uint64_t cycle_of(std::span<const RingMember> members) {
  uint64_t sum = 0;
  uint32_t divisor = 0;
  for (const RingMember& member : members) {
    sum += member.weight;
    divisor = std::gcd(divisor, member.weight);
  }
  return sum / divisor;
}

}  // namespace

std::vector<uint16_t> build_turns(std::span<const RingMember> members) {
  if (members.empty()) return {};
  const uint32_t heaviest = std::ranges::max(members, {}, &RingMember::weight).weight;
  std::vector<Taker> takers;
  for (const RingMember& member : members) takers.push_back({&member});
  std::ranges::sort(takers, {}, [](const Taker& taker) { return taker.member->name; });
  std::vector<uint16_t> turns;
  const auto length = std::min<uint64_t>(cycle_of(members), ring_size(members.size()));
  for (;;) {
    for (Taker& taker : takers) {
      taker.saved += taker.member->weight;
      if (taker.saved < heaviest) continue;
      taker.saved -= heaviest;
      turns.push_back(taker.member->position);
      if (turns.size() == length) return turns;
    }
  }
}

}  // namespace onehop
