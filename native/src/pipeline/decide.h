// Where a request goes, and why.
#pragma once

#include "../table/table.h"
#include "lookup.h"
#include "verdict.h"

namespace onehop {

struct Decision {
  Code code;
  const Member* member;  // null: the service has no container that can take the source
};

// The algorithm over the containers that take new sources.
inline const Member* choose(const Front& front, const SnapshotLookup& lookup, const SourceKey& key) {
  const Snapshot& snapshot = lookup.snapshot();
  const SnapshotService& service = snapshot.services[front.service];
  const Range& ring = service.ring[front.is_v6];
  if (ring.count == 0) return nullptr;
  const uint64_t hash = siphash(snapshot.key, &key.source, sizeof key.source);
  return &snapshot.members[service.members.first + snapshot.rows[ring.first + hash % ring.count]];
}

// The one decision: which container takes a source. In order: the longest pin whose container can take it; the
// entry, if its container still can; the algorithm. Pure: what the table knows is an argument, remembering the
// outcome is the caller's.
inline Decision decide(const ParsedPacket& packet, const Front& front, const SnapshotLookup& lookup,
                       const SourceKey& key, const DistributionTable::Found& found) {
  if (front.has_pins)
    if (const Member* pinned = lookup.pinned(front.service, packet.source, front.is_v6))
      return {Code::kForwardPinned, pinned};
  if (found.place != DistributionTable::Found::Place::kNowhere)
    if (const Member* known = lookup.usable_member(front.service, found.value.container, front.is_v6))
      return {Code::kForwardKnown, known};
  return {Code::kForwardChosen, choose(front, lookup, key)};
}

}  // namespace onehop
