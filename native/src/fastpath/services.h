// The services as the programs' maps hold them: which ways in there are, and from which version of the engine's state on
// their sources must have been decided.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../../bpf/maps.h"
#include "../pipeline/lookup.h"
#include "ends.h"

namespace onehop {

class Services {
 public:
  Services(int fronts, int endpoints) : fronts_(fronts), endpoints_(endpoints) {}

  // Brings the maps to a snapshot: of a service that changed, no source that was decided before this version of the
  // engine's is served here any more.
  void publish(const SnapshotLookup& lookup, uint32_t version);
  // Likewise for the services whose entries these scopes have.
  void invalidate(const std::unordered_set<uint32_t>& scopes, uint32_t version);

  // Of a service, 0: its packets need the slow path.
  uint32_t generation_of(uint32_t service) const;
  // The container's own port in a service; 0: the way in's target.
  uint16_t port_of(uint32_t service, uint32_t container) const;

 private:
  using Words = std::vector<uint64_t>;
  struct Standing {
    std::shared_ptr<const Service> service;
    Words shape;  // all that decides for a known source
    std::vector<std::pair<fast_end, fast_front>> fronts;
    std::vector<std::pair<fast_end, fast_endpoint>> endpoints;
    bool is_fast = false;
    bool is_written = false;  // as it is
    uint32_t generation = 0;
  };

  static Standing build(std::shared_ptr<const Service> service);
  void count_scopes(const Service& service, int change);
  bool is_plain(const Service& service, const Aliases& aliases) const;
  void write(Standing& standing, uint32_t version);

  Ends<fast_front> fronts_;
  Ends<fast_endpoint> endpoints_;
  std::unordered_map<uint32_t, Standing> standing_;          // by service
  std::unordered_map<uint32_t, uint32_t> services_of_scope_;  // how many
};

}  // namespace onehop
