// Where a request goes and why, and the origin of what the table is to remember.
#pragma once

#include "choose.h"
#include "verdict.h"

namespace onehop {

struct Decision {
  Code code;
  const Member* member;  // null: the service has no container that can take the source
  Origin origin;
};

// The service's member for a container that is not down and has an address of the family, or null.
inline const Member* usable_member(const Front& front, uint32_t container) {
  const Member* member = front.service->member(container);
  return member == nullptr || !member->is_usable[front.is_v6] ? nullptr : member;
}

// The one decision: which container takes a source. In order: the longest pin whose container can take it; the
// entry, if its container still can; the algorithm. The last two are `unpinned` for a source that a pin covers. Pure:
// what the table knows is an argument, remembering the outcome is the caller's.
inline Decision decide(const ParsedPacket& packet, const Front& front, const SnapshotLookup& lookup,
                       const SourceKey& key, const DistributionTable::Found& found, const Past& past) {
  bool is_unpinned = false;
  if (front.has_pins) {
    const Service::Pinned pinned = front.service->pinned(packet.source, front.is_v6);
    if (pinned.member != nullptr) return {Code::kForwardPinned, pinned.member, Origin::kPinned};
    is_unpinned = pinned.is_covered;
  }
  if (found.place != DistributionTable::Found::Place::kNowhere)
    if (const Member* known = usable_member(front, found.value.container))
      return {is_unpinned ? Code::kForwardUnpinned : Code::kForwardKnown, known, found.value.origin};
  return {is_unpinned ? Code::kForwardUnpinned : Code::kForwardChosen, choose(front, key, lookup.key(), past), Origin::kAssigned};
}

}  // namespace onehop
