// What is known of bridges, routes and neighbours. No system call here: messages in, a map and wishes out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "neighbour_map.h"
#include "rtnetlink.h"

namespace onehop {

// Whom the kernel would hand a container's packets to: the container, or a gateway on the way to it.
struct Hop {
  int interface;
  IpAddress address;

  auto operator<=>(const Hop&) const = default;
};

struct ContainerRoute {
  uint32_t container;
  bool is_v6;  // the container's address, not the hop's
  Hop hop;
  uint32_t mtu;  // 0: the bridge's
};

struct Resolution {
  std::unique_ptr<const NeighbourMap> map;
  uint32_t resolved;  // container addresses in it
};

class NeighbourTable {
 public:
  // The bridges from now on. Those that were there before are known as they were, the others after `set_bridge`.
  void use_bridges(const std::vector<std::string>& names);
  // A full re-read of a bridge; nothing: it does not exist.
  void set_bridge(const std::string& name, const std::optional<Link>& link);
  // An event. True when it changed a bridge: then routes have to be asked for again.
  bool apply(const Link& link);
  // Indices of the bridges that exist.
  std::vector<int> bridges() const;

  // Routes by other interfaces are left out: the kernel has to deliver those. What is known of neighbours stays.
  void set_routes(const std::vector<ContainerRoute>& routes);

  // Before a full re-read: entries that do not come again are gone.
  void forget_neighbours();
  enum class Change { kNone, kOther, kLost };
  // kLost: it was resolved and no longer is.
  Change apply(const NeighbourEntry& entry);

  // Neighbours that the kernel is neither sure of nor asking about already: all that it knows, and of the others as many as
  // `most`, in turn. Each of those takes a place in the kernel's table, which holds 1,024 for all network namespaces together
  // (gc_thresh3), for half a minute also when nobody answers; when it is full, nobody on the host finds a new neighbour.
  std::vector<Hop> doubtful(size_t most);
  // Whether some of those others were asked for the last time, and whether all of them are known by now.
  bool is_asking() const { return !asked_.empty(); }
  bool is_answered() const;
  // Neighbours that the kernel found to be at this place, which is no more.
  std::vector<Hop> behind(const LostPort& lost) const;

  Resolution resolve() const;

 private:
  struct Bridge {
    std::string name;
    int interface = 0;  // 0: does not exist
    HardwareAddress address = {};
    uint32_t mtu = 0;

    bool operator==(const Bridge&) const = default;
  };
  struct Entry {
    uint16_t state = 0;
    HardwareAddress hardware = {};
  };

  const Bridge* bridge_at(int interface) const;

  std::vector<Bridge> bridges_;
  std::vector<ContainerRoute> routes_;
  std::map<Hop, Entry> entries_;  // those that a route names
  std::vector<Hop> asked_;        // unknown ones, the last time; the next turn begins behind them
};

}  // namespace onehop
