// What the programs have counted, by the places of the targets that they sent packets to.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "../../bpf/maps.h"
#include "../pipeline/engine.h"
#include "map.h"

namespace onehop {

class Tallies {
 public:
  explicit Tallies(int traffic) : traffic_(traffic) {}

  // The fast path's thread: from now on the place counts for a service's container; or for nobody, and what it counted is
  // kept.
  void assign(uint32_t place, uint32_t service, uint32_t container);
  void retire(uint32_t place);

  // Any thread: adds all that was ever counted.
  void add_to(Counters& counters) const;

 private:
  struct Owner {
    uint32_t service = 0, container = 0;
    auto operator<=>(const Owner&) const = default;
  };

  static void add(Counters& counters, const Owner& owner, const fast_traffic& traffic);

  PerProcessorPlaces<fast_traffic> traffic_;
  mutable std::mutex mutex_;  // for these two
  std::vector<Owner> owners_;  // by place; service 0: none
  std::map<Owner, fast_traffic> retired_;
};

}  // namespace onehop
