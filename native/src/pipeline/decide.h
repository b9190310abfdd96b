// Where a request goes and why, and the origin of what the table is to remember.
#pragma once

#include "../table/table.h"
#include "lookup.h"
#include "verdict.h"

namespace onehop {

struct Decision {
  Code code;
  const Member* member;  // null: the service has no container that can take the source
  Origin origin;
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
// entry, if its container still can; the algorithm. The last two are `unpinned` for a source that a pin covers. Pure:
// what the table knows is an argument, remembering the outcome is the caller's.
inline Decision decide(const ParsedPacket& packet, const Front& front, const SnapshotLookup& lookup,
                       const SourceKey& key, const DistributionTable::Found& found) {
  bool is_unpinned = false;
  if (front.has_pins) {
    const SnapshotLookup::Pinned pinned = lookup.pinned(front.service, packet.source, front.is_v6);
    if (pinned.member != nullptr) return {Code::kForwardPinned, pinned.member, Origin::kPinned};
    is_unpinned = pinned.is_covered;
  }
  if (found.place != DistributionTable::Found::Place::kNowhere)
    if (const Member* known = lookup.usable_member(front.service, found.value.container, front.is_v6))
      return {is_unpinned ? Code::kForwardUnpinned : Code::kForwardKnown, known, found.value.origin};
  return {is_unpinned ? Code::kForwardUnpinned : Code::kForwardChosen, choose(front, lookup, key), Origin::kAssigned};
}

}  // namespace onehop
