// The compiled form of services and containers that a data plane works from: src/pipeline/snapshot.ts with
// positions in the place of references, so that everything lies in a few arrays.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "../packet/address.h"
#include "../table/siphash.h"

namespace onehop {

// Ids of services, containers and scopes index counters, so they stay small.
constexpr uint32_t kIdsBelow = 1 << 24, kScopesBelow = 1 << 24;
// Rings above this would need more than 32-bit arithmetic in the reference.
constexpr uint32_t kRingRowsBelow = 1 << 21;

enum class ContainerState : uint8_t { kReady, kDraining, kDown };

// Pairs are by family: [0] IPv4, [1] IPv6.
struct SnapshotContainer {
  uint32_t id;
  ContainerState state;
  bool has_address[2];
  Address address[2];
};

// A container's part in one service, with all that a packet needs of the container.
struct Member {
  uint32_t container;  // id
  uint32_t position;   // of the container in the snapshot
  uint16_t port;       // network order; 0: the front's target port
  bool is_usable[2];   // not down, and has an address
  bool is_by_flow[2];  // flows are remembered at some endpoint of the address (lookup.h sets it)
  Address address[2];
};

struct Pin {
  Address prefix;   // masked
  uint8_t length;   // within the family
  bool is_v6;
  uint32_t member;  // position in members
};

// One public way in: address, protocol and port of a service. A known source's packet needs no more of the
// service than what stands here, in one cache line.
struct alignas(64) Front {
  Address address;
  Address mask;         // the service's affinity prefix
  uint32_t service;     // position in services
  uint32_t service_id;
  uint32_t scope;       // what shares an entry
  uint32_t idle;        // seconds: the longest of the services that share the scope (lookup.h sets it)
  uint32_t quota;       // entries of the scope at most: the most of the same services (likewise)
  uint16_t port;        // network order
  uint16_t target;      // the containers' port, network order; 0 when protocol is 0
  uint8_t protocol;     // 0: every protocol and port
  bool is_v6;
  bool has_pins;        // of its family (lookup.h sets it)
  bool is_by_flow;      // of the service: only what came through it is an answer
};

struct Range {
  uint32_t first = 0, count = 0;
};

struct SnapshotService {
  uint32_t id;
  uint32_t idle;  // seconds
  uint32_t quota;
  bool is_dropping_when_empty;
  Range members, pins, fronts;
  Range ring[2];  // rows: positions in the service's members; empty when no member can take new sources
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

struct Snapshot {
  HashKey key;
  bool is_dropping_unserved;
  Hairpin hairpin;
  std::vector<SnapshotContainer> containers;
  std::vector<SnapshotService> services;
  std::vector<Member> members;
  std::vector<Pin> pins;
  std::vector<Front> fronts;
  std::vector<uint16_t> rows;  // of all rings; a service's two families mostly share theirs
};

// Reads the form src/dataplane/encode.ts describes. Throws std::invalid_argument that names the field, its
// value and what was expected.
Snapshot decode_snapshot(std::span<const uint8_t> encoded);

}  // namespace onehop
