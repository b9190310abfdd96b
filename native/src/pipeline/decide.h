// Where a request goes and why, and the origin of what the table is to remember.
#pragma once

#include <algorithm>

#include "choose.h"
#include "verdict.h"

namespace onehop {

struct Decision {
  Code code;
  const Member* member;  // null: `code` drops it, as kDropNoContainer, kDropDenied or one of the limits
  Origin origin;
};

// The service's member for a container that is not down and has an address of the family, or null.
inline const Member* usable_member(const Front& front, uint32_t container) {
  const Member* member = front.service->member(container);
  return member == nullptr || !member->is_usable[front.is_v6] ? nullptr : member;
}

// Whether the service lets a source in: the longest prefix that covers it says.
inline bool is_admitted(const Address& source, const Front& front) {
  if (!front.is_restricted) return true;
  const Admission& admission = front.service->admission;
  bool is_allowed = admission.is_open;
  admission.table->for_each_covering(source, front.is_v6, [&](uint16_t number) {
    is_allowed = number == Admission::kAllowed;
    return true;
  });
  return is_allowed;
}

// Who of a pin's containers takes a source: where it is known it stays, others are spread by Maglev.
struct Pinned {
  const Member* member = nullptr;  // of the longest pin that can be kept to
  bool is_covered = false;         // by any pin
};

inline Pinned find_pinned(const Address& address, const Front& front, const SourceKey& key, const HashKey& hash_key,
                          const Member* known) {
  const Service& service = *front.service;
  Pinned pinned;
  service.pins->for_each_covering(address, front.is_v6, [&](uint16_t number) {
    const PinSet& set = service.pin_sets[number];
    const Ring& ring = set.ring[front.is_v6];
    pinned.is_covered = true;
    const auto is_known = [&](uint16_t position) { return &service.members[position] == known; };
    if (known != nullptr && std::ranges::any_of(set.members, is_known)) {
      pinned.member = known;
    } else if (!ring.empty()) {
      const uint64_t hash = ring.size() == 1 ? 0 : siphash(hash_key, &key.source, sizeof key.source);
      pinned.member = &service.members[ring[hash % ring.size()]];
    }
    return pinned.member != nullptr;
  });
  return pinned;
}

// The code for a source that is new beyond the limits, or kForwardChosen.
inline Code limit_of(const Address& source, const Front& front, const SnapshotLookup& lookup, const Past& past) {
  switch (past.new_sources->limit_of(source, front.is_v6, lookup.new_sources(), past.now)) {
    case Limit::kSource:
      return Code::kDropSourceLimit;
    case Limit::kPrefix:
      return Code::kDropPrefixLimit;
    default:
      return Code::kForwardChosen;
  }
}

// The one decision: which container takes a source. In order: whether the service lets it in at all; whether there is a place
// for it, if nobody knows it; the longest pin one of whose containers can take it; the entry, if its container still can;
// the algorithm. The last two are `unpinned` for a source that a pin covers. Pure: what the table knows and what else
// counts of the past are arguments, remembering the outcome is the caller's.
inline Decision decide(const ParsedPacket& packet, const Front& front, const SnapshotLookup& lookup,
                       const SourceKey& key, const DistributionTable::Found& found, const Past& past) {
  if (!is_admitted(packet.source, front)) return {Code::kDropDenied, nullptr, Origin::kAssigned};
  const bool is_new = found.place == DistributionTable::Found::Place::kNowhere;
  if (is_new && past.new_sources != nullptr) {
    const Code code = limit_of(packet.source, front, lookup, past);
    if (is_drop(code)) return {code, nullptr, Origin::kAssigned};
  }
  const Member* known = is_new ? nullptr : usable_member(front, found.value.container);
  bool is_unpinned = false;
  if (front.has_pins) {
    const Pinned pinned = find_pinned(packet.source, front, key, lookup.key(), known);
    if (pinned.member != nullptr) return {Code::kForwardPinned, pinned.member, Origin::kPinned};
    is_unpinned = pinned.is_covered;
  }
  if (known != nullptr) return {is_unpinned ? Code::kForwardUnpinned : Code::kForwardKnown, known, found.value.origin};
  const Member* chosen = choose(front, key, lookup.key(), past);
  if (chosen == nullptr) return {Code::kDropNoContainer, nullptr, Origin::kAssigned};
  return {is_unpinned ? Code::kForwardUnpinned : Code::kForwardChosen, chosen, Origin::kAssigned};
}

}  // namespace onehop
