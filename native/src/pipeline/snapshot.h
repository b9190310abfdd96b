// The compiled form of services and containers that a data plane works from: src/pipeline/snapshot.ts. Each service is
// a block of its own that never changes, so that snapshots share those that stayed the same.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../packet/address.h"
#include "../table/prefix_table.h"
#include "../table/siphash.h"

namespace onehop {

// Ids of services, containers and scopes index counters, so they stay small.
constexpr uint32_t kIdsBelow = 1 << 24, kScopesBelow = 1 << 24;

enum class ContainerState : uint8_t { kReady, kDraining, kDown };

// In the order of src/pipeline/snapshot.ts's ALGORITHMS.
enum class Algorithm : uint8_t { kMaglev, kWeightedRoundRobin, kLeastSources, kRandomTwo };

// A container's part in one service, with all that a packet needs of the container. Pairs are by family: [0] IPv4,
// [1] IPv6.
struct Member {
  Address address[2];
  uint32_t container;  // id
  uint16_t weight[2];  // its share of new sources beside the others'; 0: takes none
  uint16_t port;       // network order; 0: the front's target port
  bool has_address[2];
  bool is_usable[2];  // not down, and has an address

  // Flows may have to be remembered at some endpoint of the address. What is so depends on other services too, so a
  // snapshot that brings one sets this in blocks that it shares with the one before: that then looks once in vain.
  mutable std::atomic<bool> is_by_flow[2];
};

struct Service;

// One public way in: address, protocol and port of a service. A known source's packet needs little more of the service
// than what stands here, in one cache line.
struct alignas(64) Front {
  Address address;
  Address mask;            // the service's affinity prefix
  const Service* service;  // whose front this is
  uint32_t service_id;
  uint32_t scope;          // what shares an entry
  uint32_t idle;           // seconds an entry may stay unseen
  uint32_t quota;          // entries of the scope at most
  uint16_t port;           // network order
  uint16_t target;         // the containers' port, network order; 0 when protocol is 0
  uint8_t protocol;        // 0: every protocol and port
  bool is_v6;
  bool has_pins;           // of its family
  bool is_restricted;      // the service's admission keeps some of its family out
  bool is_by_flow;         // of the service: only what came through it is an answer
};

// Where a member listens for what comes in by the front, network order; 0: at whichever port the packet names.
inline uint16_t endpoint_port(const Front& front, const Member& member) {
  return front.protocol == 0 ? 0 : member.port != 0 ? member.port : front.target;
}

// Rows of positions in a service's members: Maglev's ring, the turns of a round robin, or each once.
using Ring = std::vector<uint16_t>;

// Containers that pinned sources are spread over.
struct PinSet {
  std::vector<uint16_t> members;  // positions
  Ring ring[2];  // Maglev's over those that take new sources, or else over those that are not down; of one only it
};

// Which sources a service lets in.
struct Admission {
  static constexpr uint16_t kDenied = 0, kAllowed = 1;

  std::shared_ptr<const PrefixTable> table;  // to kDenied or kAllowed; null: everybody
  bool is_known;                             // the table is that of the same service in the snapshot before
  bool is_open;                              // sources that no prefix covers are let in
  bool is_dropping;                          // who is not gets no answer
};

struct Service {
  uint32_t id;
  uint32_t generation;  // the version of the snapshot that brought it
  uint32_t seed;
  Algorithm algorithm;
  bool is_dropping_when_empty;
  std::vector<Member> members;
  std::vector<Front> fronts;
  std::vector<uint16_t> member_places;  // hash of a container's id → position in members
  std::shared_ptr<const Ring> ring[2];  // both families' mostly one; empty when no member can take new sources
  std::shared_ptr<const PrefixTable> pins;  // to positions in pin_sets; null: none
  bool has_known_pins;                      // of the same service in the snapshot before
  std::vector<PinSet> pin_sets;
  Admission admission;

  // The member for a container, or null. Of several the first.
  const Member* member(uint32_t container) const {
    for (uint32_t at = place_of(container);; at = (at + 1) & place_mask()) {
      const uint16_t position = member_places[at];
      if (position == kNoMember) return nullptr;
      if (members[position].container == container) return &members[position];
    }
  }

  static constexpr uint16_t kNoMember = 0xffff;
  uint32_t place_mask() const { return static_cast<uint32_t>(member_places.size()) - 1; }
  uint32_t place_of(uint32_t container) const { return container * 0x9e3779b1u >> 7 & place_mask(); }
};

struct AliasPrefix {
  Address address, mask;
  uint8_t length;  // within the family
};

struct SourcePrefix {
  Address prefix;  // masked
  uint8_t length;  // within the family
  bool is_v6;
};

// How local sources call public addresses.
struct Hairpin {
  bool is_on;
  AliasPrefix alias[2];
  std::vector<SourcePrefix> sources;  // none shorter than its family's alias prefix
};

}  // namespace onehop
