// Where each container's packets leave: neighbours and the bridges' ports brought together, in the programs' map.
#pragma once

#include <map>
#include <span>

#include "../../bpf/maps.h"
#include "../io/neighbour_map.h"
#include "../pipeline/engine.h"
#include "links.h"
#include "map.h"

namespace onehop {

class Targets {
 public:
  explicit Targets(int targets) : targets_(targets) {}

  void publish(std::span<const ContainerAddress> containers, const NeighbourMap& neighbours, const Links& links);

 private:
  struct ByKey {
    bool operator()(const fast_target_key& a, const fast_target_key& b) const {
      return a.container != b.container ? a.container < b.container : a.is_v6 < b.is_v6;
    }
  };
  using Standing = std::map<fast_target_key, fast_target, ByKey>;

  Map<fast_target_key, fast_target> targets_;
  Standing standing_;
};

}  // namespace onehop
