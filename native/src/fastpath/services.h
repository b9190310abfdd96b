// The services as the programs' maps hold them: which ways in there are, and from which version of the engine's state on
// their sources must have been decided.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../../bpf/maps.h"
#include "../pipeline/lookup.h"
#include "map.h"

namespace onehop {

class Services {
 public:
  Services(int fronts, int endpoints) : fronts_(fronts), endpoints_(endpoints) {}

  // Brings the maps to a snapshot by what it has replaced, all of it the first time: of a service that changed, no source
  // that was decided before this version of the engine's is served here any more.
  void publish(const Replaced& replaced, const Aliases& aliases, uint32_t version);
  // Likewise for the services whose entries these scopes have.
  void invalidate(const std::unordered_set<uint32_t>& scopes, uint32_t version);

  // Of a service, 0: its packets need the slow path.
  uint32_t generation_of(uint32_t service) const;
  bool has(uint32_t service, uint32_t container) const;
  // The container's own port in a service; 0: the way in's target.
  uint16_t port_of(uint32_t service, uint32_t container) const;

 private:
  using Ids = std::unordered_set<uint32_t>;
  using Blocks = std::vector<std::shared_ptr<const Service>>;
  struct Standing {
    std::shared_ptr<const Service> service;
    bool is_fast = false;
    bool is_written = false;
    uint32_t generation = 0;
  };

  Blocks replace(const Replaced& replaced, Ids& doubtful);
  bool follow(const Aliases& aliases);
  void enter_scopes(const Service& service, Ids& doubtful);
  void leave_scopes(const Service& service, Ids& doubtful);
  bool is_plain(const Service& service, const Aliases& aliases) const;
  void write(Standing& standing, uint32_t version);
  int write_fronts(const Standing& standing);
  int write_endpoints(const Standing& standing);
  void erase(const Blocks& old, const Blocks& kept);

  Map<fast_end, fast_front> fronts_;
  Map<fast_end, fast_endpoint> endpoints_;
  std::array<uint32_t, 2> alias_lengths_{};
  std::unordered_map<uint32_t, Standing> standing_;                        // by service
  std::unordered_map<uint32_t, std::vector<uint32_t>> services_of_scope_;  // ids
};

}  // namespace onehop
