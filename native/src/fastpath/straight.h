// Uplinks that are one end of a pair, the other in another namespace, and have nothing at their egress: answers go straight
// to the other end, as requests do to the containers'. Nested hosts and labs have such; hardware has not.
#pragma once

#include <cstdint>
#include <set>

#include "../../bpf/maps.h"
#include "../io/netlink.h"
#include "links.h"
#include "map.h"

namespace onehop {

class StraightUplinks {
 public:
  StraightUplinks(int straight, int routes) : straight_(straight), routes_(routes) {}

  // By links as they were read last, and by what is at their egress now. True when some changed.
  bool publish(const Links& links);
  // Some pass here whose egress may change without a word.
  bool has_any() const { return !standing_.empty(); }
  // The kernel confirms a neighbour while it sends there. Here it does not, so it is asked to for those in use.
  void confirm_neighbours(uint32_t now_seconds);

 private:
  Map<uint32_t, uint32_t> straight_;
  PerProcessorPlaces<fast_route> routes_;
  NetlinkSocket requests_;
  std::set<uint32_t> standing_;  // interfaces
};

}  // namespace onehop
