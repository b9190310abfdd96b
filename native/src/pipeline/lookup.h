// A snapshot with the indexes that packets are looked up in. Immutable once built.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "../packet/packet.h"
#include "../table/source.h"
#include "hairpin.h"
#include "index.h"
#include "snapshot.h"

namespace onehop {

// A way in as seen from a container's endpoint.
struct EndpointWay {
  uint32_t front;
  uint32_t container;  // id
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
  return !packet.is_fragment && (packet.protocol == tcp::kNumber || packet.protocol == udp::kNumber);
}

// What a client is remembered by at a way in.
inline SourceKey source_key(const Front& front, const Address& client) {
  return {masked(client, front.mask), front.scope, front.is_v6};
}

class SnapshotLookup {
 public:
  // Throws std::invalid_argument when the ways in are too many to list.
  explicit SnapshotLookup(Snapshot decoded);

  const Snapshot& snapshot() const { return snapshot_; }
  const Aliases& aliases() const { return aliases_; }

  // Whether a packet goes to a public address, and the way in it takes there: its port's, else the one for
  // every protocol and port, else none.
  struct Destination {
    bool is_public;
    const Front* front;
  };
  Destination destination(const ParsedPacket& packet) const {
    if (has_ports(packet) && !packet.is_routed) {
      const uint32_t front =
          fronts_.find(end_key(packet.destination, packet.is_v6, packet.protocol, packet.destination_port));
      if (front != Index::kNone) return {true, &snapshot_.fronts[front]};
    }
    const uint32_t address = addresses_.find(address_key(packet.destination, packet.is_v6));
    if (address == Index::kNone) return {false, nullptr};
    const uint32_t front = every_front_[address];
    return {true, front == Index::kNone ? nullptr : &snapshot_.fronts[front]};
  }

  // The ways in that lead to the endpoint a packet comes from.
  EndpointWays endpoint_ways(const ParsedPacket& packet) const {
    return ways_to(packet.source, packet.is_v6, has_ports(packet) ? packet.protocol : 0, packet.source_port);
  }

  // Whether answers need the flow to tell which way they belong to, or that they are any's.
  bool needs_flow(const EndpointWays& ways) const {
    return ways.size() > 1 || (ways.size() == 1 && snapshot_.fronts[first_of(ways).front].is_by_flow);
  }
  // Whether the flows at this endpoint are to be remembered.
  bool needs_flow(const Address& address, bool is_v6, uint8_t protocol, uint16_t port) const {
    return needs_flow(ways_to(address, is_v6, protocol, port));
  }

  // Seconds an entry of this scope may stay unseen: the longest of the services that share it; 0 when gone.
  uint32_t idle_of(uint32_t scope) const {
    const uint32_t at = scopes_.find(scope_key(scope));
    return at == Index::kNone ? 0 : idle_[at];
  }

  struct Pinned {
    const Member* member;  // of the longest pin that covers an address and whose container can take it, or null
    bool is_covered;       // by any pin
  };
  Pinned pinned(uint32_t service, const Address& address, bool is_v6) const {
    bool is_covered = false;
    const Range& lengths = pin_ranges_[service].lengths[is_v6];
    for (uint32_t i = lengths.first; i < lengths.first + lengths.count; i++) {
      const auto& [mask, length] = pin_lengths_[i];
      const uint32_t member = pins_.find(pin_key(service, masked(address, mask), length, is_v6));
      if (member == Index::kNone) continue;
      if (snapshot_.members[member].is_usable[is_v6]) return {&snapshot_.members[member], true};
      is_covered = true;
    }
    return {nullptr, is_covered};
  }

  // The service's member for a container that is not down and has an address of the family, or null.
  const Member* usable_member(uint32_t service, uint32_t container, bool is_v6) const {
    const uint32_t at = members_.find(member_key(service, container));
    return at == Index::kNone || !snapshot_.members[at].is_usable[is_v6] ? nullptr : &snapshot_.members[at];
  }

 private:
  // The ways to one endpoint and, for one with a port, those to every port of its address.
  struct Endpoint {
    Range exact, every;
  };
  struct PinLength {
    Address mask;
    uint8_t length;
  };
  // A service's in pin_lengths_ by family, longest first.
  struct PinRanges {
    Range lengths[2];
  };

  static IndexKey end_key(const Address& address, bool is_v6, uint8_t protocol, uint16_t port) {
    return {address, uint64_t{is_v6} << 32 | uint64_t{protocol} << 16 | port};
  }
  static IndexKey address_key(const Address& address, bool is_v6) { return end_key(address, is_v6, 0, 0); }
  static IndexKey scope_key(uint32_t scope) { return {{}, scope}; }
  static IndexKey pin_key(uint32_t service, const Address& prefix, uint8_t length, bool is_v6) {
    return {prefix, uint64_t{service} << 16 | uint64_t{length} << 1 | is_v6};
  }
  static IndexKey member_key(uint32_t service, uint32_t container) {
    return {{}, uint64_t{service} << 32 | container};
  }

  EndpointWays ways_to(const Address& address, bool is_v6, uint8_t protocol, uint16_t port) const {
    uint32_t at = protocol == 0 ? Index::kNone : endpoints_.find(end_key(address, is_v6, protocol, port));
    if (at == Index::kNone) at = endpoints_.find(address_key(address, is_v6));
    if (at == Index::kNone) return {};
    return ways_of(endpoint_list_[at]);
  }
  EndpointWays ways_of(const Endpoint& endpoint) const {
    const auto slice = [this](const Range& range) { return std::span{ways_}.subspan(range.first, range.count); };
    return {slice(endpoint.exact), slice(endpoint.every)};
  }

  void index_scopes();
  void index_fronts();
  void index_members();
  void index_pins();
  void index_endpoints();
  void mark_by_flow(const std::vector<IndexKey>& addresses);
  template <typename Visit>
  void for_each_way(Visit visit) const;

  Snapshot snapshot_;
  Aliases aliases_;
  Index fronts_, addresses_, scopes_, members_, pins_, endpoints_;
  std::vector<uint32_t> every_front_;  // by position in addresses_; kNone: only single ports
  std::vector<uint32_t> idle_;         // by position in scopes_
  std::vector<PinRanges> pin_ranges_;  // by service
  std::vector<PinLength> pin_lengths_;
  std::vector<Endpoint> endpoint_list_;
  std::vector<EndpointWay> ways_;
};

}  // namespace onehop
