// Where each service's containers' packets leave: neighbours and the bridges' ports brought together, in the programs' map.
// A container has a place there from its first known source on, until its service no longer has it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "../../bpf/maps.h"
#include "../io/neighbour_map.h"
#include "../pipeline/engine.h"
#include "links.h"
#include "map.h"
#include "services.h"
#include "tallies.h"

namespace onehop {

class Targets {
 public:
  Targets(int targets, Tallies& tallies) : targets_(targets), tallies_(tallies) {}

  // 0: there is no room.
  uint32_t place_of(uint32_t service, uint32_t container, bool is_v6);
  // Of what its service no longer has.
  void free_unused(const Services& services);
  void publish(std::span<const ContainerAddress> containers, const NeighbourMap& neighbours, const Links& links);

 private:
  struct Owner {
    uint32_t service, container;
    bool is_v6;
    auto operator<=>(const Owner&) const = default;
  };
  using Resolved = std::map<std::pair<uint32_t, bool>, fast_target>;

  uint32_t free_place();
  void write(uint32_t place, const Owner& owner);
  void write(uint32_t place, const fast_target& target);

  Map<uint32_t, fast_target> targets_;
  Tallies& tallies_;
  Resolved resolved_;                  // by container and family, whatever the service
  std::map<Owner, uint32_t> places_;
  std::vector<fast_target> written_{1};  // by place; the first is nobody's
  std::vector<uint32_t> free_;
};

}  // namespace onehop
