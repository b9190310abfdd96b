// A snapshot with the indexes that packets are looked up in. Immutable once built.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "../packet/packet.h"
#include "../table/source.h"
#include "hairpin.h"
#include "replaced.h"
#include "shared_index.h"
#include "snapshot.h"
#include "update.h"

namespace onehop {

// A way in as seen from a container's endpoint.
struct EndpointWay {
  const Front* front;
  uint32_t container;  // id
  uint16_t port;       // the endpoint's, network order
  uint8_t protocol;    // the endpoint's; 0: every protocol and port

  uint32_t order() const { return uint32_t{protocol} << 16 | port; }
};

// Both lists may hold ways; a packet's are the exact ones, then those for every protocol and port.
struct EndpointWays {
  std::span<const EndpointWay> exact, every;
  size_t size() const { return exact.size() + every.size(); }
};

inline const EndpointWay& first_of(const EndpointWays& ways) {
  return ways.exact.empty() ? ways.every.front() : ways.exact.front();
}

// Only these have ports to map; everything else goes by address alone.
inline bool has_ports(const ParsedPacket& packet) {
  return packet.protocol == tcp::kNumber || packet.protocol == udp::kNumber;
}

// What a client is remembered by at a way in.
inline SourceKey source_key(const Front& front, const Address& client) {
  return {masked(client, front.mask), front.scope, front.is_v6};
}

class SnapshotLookup {
 public:
  // The snapshot that `update` makes of the one before it, null for none. Both share what the update does not name.
  // Throws std::invalid_argument for ways in that are taken or too many to list. Control thread.
  SnapshotLookup(const SnapshotLookup* before, Update update, Replaced& replaced);

  const HashKey& key() const { return key_; }
  bool is_dropping_unserved() const { return is_dropping_unserved_; }
  const Aliases& aliases() const { return aliases_; }
  const NewSourceLimits& new_sources() const { return new_sources_; }
  // Counts snapshots. A service's generation is the version that it came with.
  uint32_t version() const { return version_; }

  // Visits each service's block. Control thread.
  template <typename Visit>
  void for_each_service(Visit visit) const {
    services_.for_each(visit);
  }

  // A service's block, or null. Control thread.
  const Service* service(uint32_t id) const {
    const auto* found = services_.find(service_key(id));
    return found == nullptr ? nullptr : found->get();
  }

  // Whether a packet goes to a public address, and the way in it takes there: its port's, else the one for
  // every protocol and port, else none. A later fragment's is the one it must take whichever its port, or one of
  // several to the same service.
  struct Destination {
    bool is_public;
    const Front* front;
  };
  Destination destination(const ParsedPacket& packet) const {
    if (has_ports(packet) && !packet.is_routed && !packet.is_later_fragment) {
      const Front* const* front =
          fronts_.find(end_key(packet.destination, packet.is_v6, packet.protocol, packet.destination_port));
      if (front != nullptr) return {true, *front};
    }
    const PublicAddress* address = addresses_.find(address_key(packet.destination, packet.is_v6));
    if (address == nullptr) return {false, nullptr};
    return {true, packet.is_later_fragment ? portless_front(packet, address->every) : address->every};
  }

  // The ways in that lead to the endpoint a packet comes from. A later fragment's are those to all ports of the address.
  EndpointWays endpoint_ways(const ParsedPacket& packet) const {
    if (packet.is_later_fragment && has_ports(packet)) return ways_to_all_ports(packet);
    return ways_to(packet.source, packet.is_v6, has_ports(packet) ? packet.protocol : 0, packet.source_port);
  }

  // Whether answers need the flow to tell which way they belong to, or that they are any's.
  static bool needs_flow(const EndpointWays& ways) {
    return ways.size() > 1 || (ways.size() == 1 && first_of(ways).front->is_by_flow);
  }
  // Whether the flows at this endpoint are to be remembered.
  bool needs_flow(const Address& address, bool is_v6, uint8_t protocol, uint16_t port) const {
    return needs_flow(ways_to(address, is_v6, protocol, port));
  }

  // Whether a later fragment from there is an answer whichever its port, and of which way.
  static bool is_one_way(const EndpointWays& ways) {
    return ways.exact.empty() && ways.every.size() == 1 && !needs_flow(ways);
  }

  // Seconds an entry of this scope may stay unseen; 0 when the scope is gone.
  uint32_t idle_of(uint32_t scope) const {
    const Scope* found = scopes_.find(scope_key(scope));
    return found == nullptr ? 0 : found->idle;
  }

 private:
  struct PublicAddress {
    const Front* every;  // for every protocol and port, or null
    uint32_t fronts;     // that it has
    explicit operator bool() const { return fronts > 0; }
  };
  // The ways in to all ports of an address and protocol.
  struct Portless {
    uintptr_t fronts;   // one of each service's, their addresses combined by exclusive or: its own when there is but one
    uint32_t services;  // that have any
    explicit operator bool() const { return services > 0; }
    const Front* only() const { return services == 1 ? reinterpret_cast<const Front*>(fronts) : nullptr; }
  };
  struct Scope {
    uint32_t idle, fronts;
    explicit operator bool() const { return fronts > 0; }
  };
  // What leads to the endpoints of one container address, in their order: those for every protocol and port first.
  using AddressWays = std::vector<EndpointWay>;

  static IndexKey end_key(const Address& address, bool is_v6, uint8_t protocol, uint16_t port) {
    return {address, uint64_t{is_v6} << 32 | uint64_t{protocol} << 16 | port};
  }
  static IndexKey address_key(const Address& address, bool is_v6) { return end_key(address, is_v6, 0, 0); }
  static IndexKey scope_key(uint32_t scope) { return {{}, scope}; }
  static IndexKey service_key(uint32_t id) { return {{}, id}; }

  EndpointWays ways_to(const Address& address, bool is_v6, uint8_t protocol, uint16_t port) const {
    const auto* ways = endpoints_.find(address_key(address, is_v6));
    return ways == nullptr ? EndpointWays{} : ways_at(**ways, protocol, port);
  }
  static EndpointWays ways_at(const AddressWays& ways, uint8_t protocol, uint16_t port);
  EndpointWays ways_to_all_ports(const ParsedPacket& packet) const;

  // Null where services share the address, so that the port would have to tell.
  const Front* portless_front(const ParsedPacket& packet, const Front* every) const {
    if (!has_ports(packet) || packet.is_routed) return every;
    const Portless* portless = portless_.find(end_key(packet.destination, packet.is_v6, packet.protocol, 0));
    if (portless == nullptr) return every;
    return every == nullptr ? portless->only() : nullptr;
  }

  void remove(uint32_t id, Replaced& replaced);
  void keep_tables(const SnapshotLookup* before, Service& service) const;
  void restrict(Service& service) const;
  void add(std::unique_ptr<Service> service, Replaced& replaced);
  void add_front(const Front& front);
  void remove_front(const Front& front);
  void change_portless(const Service& service, int services);
  void add_ways(const Service& service, const Member& member, bool is_v6);
  void remove_ways(const Service& service, const Member& member, bool is_v6);
  void mark_by_flow(const Service& service, Replaced& replaced) const;

  HashKey key_;
  bool is_dropping_unserved_;
  uint32_t version_;
  uint64_t ways_ = 0;  // of all endpoints
  Aliases aliases_;
  NewSourceLimits new_sources_;
  SharedIndex<const Front*> fronts_;
  SharedIndex<PublicAddress> addresses_;
  SharedIndex<Portless> portless_;  // by address and protocol
  SharedIndex<Scope> scopes_;
  SharedIndex<std::shared_ptr<const AddressWays>> endpoints_;  // by address
  SharedIndex<std::shared_ptr<const Service>> services_;       // by id; keeps them
};

}  // namespace onehop
