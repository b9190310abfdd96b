#include "lookup.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace onehop {

namespace {

// A service has fronts times members of them: a few bytes of snapshot could ask for any amount of memory.
constexpr uint64_t kWaysAtMost = 1 << 24;

uint64_t count_ways(const Snapshot& snapshot) {
  uint64_t ways = 0;
  for (const SnapshotService& service : snapshot.services)
    ways += uint64_t{service.fronts.count} * service.members.count;
  return ways;
}

template <typename Element>
std::span<Element> slice(std::vector<Element>& all, const Range& range) {
  return std::span{all}.subspan(range.first, range.count);
}

}  // namespace

SnapshotLookup::SnapshotLookup(Snapshot decoded) : snapshot_(std::move(decoded)), aliases_(snapshot_.hairpin) {
  if (const uint64_t ways = count_ways(snapshot_); ways > kWaysAtMost)
    throw std::invalid_argument("snapshot: services: " + std::to_string(ways) +
                                " fronts times members; expected at most " + std::to_string(kWaysAtMost));
  index_scopes();
  index_fronts();
  index_members();
  index_pins();
  index_endpoints();
}

void SnapshotLookup::index_scopes() {
  scopes_ = Index(snapshot_.fronts.size());
  std::vector<uint32_t> quota;
  for (const Front& front : snapshot_.fronts) {
    const uint32_t at = scopes_.insert(scope_key(front.scope), static_cast<uint32_t>(idle_.size()));
    if (at == idle_.size()) {
      idle_.push_back(0);
      quota.push_back(0);
    }
    idle_[at] = std::max(idle_[at], snapshot_.services[front.service].idle);
    quota[at] = std::max(quota[at], snapshot_.services[front.service].quota);
  }
  for (Front& front : snapshot_.fronts) {
    const uint32_t at = scopes_.find(scope_key(front.scope));
    front.idle = idle_[at];
    front.quota = quota[at];
  }
}

// The last of equal fronts counts, as a Map's last `set` does.
void SnapshotLookup::index_fronts() {
  fronts_ = Index(snapshot_.fronts.size());
  addresses_ = Index(snapshot_.fronts.size());
  for (uint32_t i = 0; i < snapshot_.fronts.size(); i++) {
    const Front& front = snapshot_.fronts[i];
    const uint32_t at =
        addresses_.insert(address_key(front.address, front.is_v6), static_cast<uint32_t>(every_front_.size()));
    if (at == every_front_.size()) every_front_.push_back(Index::kNone);
    if (front.protocol == 0)
      every_front_[at] = i;
    else
      fronts_.set(end_key(front.address, front.is_v6, front.protocol, front.port), i);
  }
}

void SnapshotLookup::index_members() {
  members_ = Index(snapshot_.members.size());
  for (uint32_t service = 0; service < snapshot_.services.size(); service++) {
    const Range& range = snapshot_.services[service].members;
    for (uint32_t i = range.first; i < range.first + range.count; i++)
      members_.insert(member_key(service, snapshot_.members[i].container), i);
  }
}

// All of them: a pin that cannot be used has to be told from none. A config has one pin a prefix.
void SnapshotLookup::index_pins() {
  pins_ = Index(snapshot_.pins.size());
  pin_ranges_.resize(snapshot_.services.size());
  for (uint32_t service = 0; service < snapshot_.services.size(); service++) {
    std::vector<uint8_t> lengths[2];
    for (const Pin& pin : slice(snapshot_.pins, snapshot_.services[service].pins)) {
      pins_.insert(pin_key(service, pin.prefix, pin.length, pin.is_v6), pin.member);
      lengths[pin.is_v6].push_back(pin.length);
    }
    for (const bool is_v6 : {false, true}) {
      std::vector<uint8_t>& own = lengths[is_v6];
      std::sort(own.begin(), own.end(), std::greater<>());
      own.erase(std::unique(own.begin(), own.end()), own.end());
      pin_ranges_[service].lengths[is_v6] = {static_cast<uint32_t>(pin_lengths_.size()),
                                             static_cast<uint32_t>(own.size())};
      for (const uint8_t length : own) pin_lengths_.push_back({mask_of(length, is_v6), length});
    }
  }
  for (Front& front : snapshot_.fronts) front.has_pins = pin_ranges_[front.service].lengths[front.is_v6].count > 0;
}

// Visits (position of the front, member) in the snapshot's order for members that the front can reach.
template <typename Visit>
void SnapshotLookup::for_each_way(Visit visit) const {
  for (const SnapshotService& service : snapshot_.services)
    for (uint32_t front = service.fronts.first; front < service.fronts.first + service.fronts.count; front++)
      for (uint32_t i = service.members.first; i < service.members.first + service.members.count; i++) {
        const Member& member = snapshot_.members[i];
        if (snapshot_.containers[member.position].has_address[snapshot_.fronts[front].is_v6]) visit(front, member);
      }
}

void SnapshotLookup::index_endpoints() {
  const auto key_of = [this](uint32_t front_position, const Member& member) {
    const Front& front = snapshot_.fronts[front_position];
    const uint16_t port = front.protocol == 0 ? 0 : member.port != 0 ? member.port : front.target;
    return end_key(member.address[front.is_v6], front.is_v6, front.protocol, port);
  };
  endpoints_ = Index(count_ways(snapshot_));
  std::vector<Range> own;           // the ways of each endpoint
  std::vector<IndexKey> addresses;  // and its address
  for_each_way([&](uint32_t front, const Member& member) {
    const uint32_t at = endpoints_.insert(key_of(front, member), static_cast<uint32_t>(own.size()));
    if (at == own.size()) {
      own.push_back({});
      const bool is_v6 = snapshot_.fronts[front].is_v6;
      addresses.push_back(address_key(member.address[is_v6], is_v6));
    }
    own[at].count++;
  });
  uint32_t total = 0;
  for (Range& range : own) range = {std::exchange(total, total + range.count), 0};
  ways_.resize(total);
  for_each_way([&](uint32_t front, const Member& member) {
    Range& range = own[endpoints_.find(key_of(front, member))];
    ways_[range.first + range.count++] = {front, member.container};
  });
  endpoint_list_.resize(own.size());
  for (uint32_t i = 0; i < own.size(); i++) {
    const uint32_t every = endpoints_.find(addresses[i]);
    endpoint_list_[i] = {every == i ? Range{} : own[i], every == Index::kNone ? Range{} : own[every]};
  }
  mark_by_flow(addresses);
}

// So that a packet to a container looks the endpoint up only where that can matter.
void SnapshotLookup::mark_by_flow(const std::vector<IndexKey>& addresses) {
  Index by_flow(addresses.size());
  for (uint32_t i = 0; i < addresses.size(); i++)
    if (needs_flow(ways_of(endpoint_list_[i]))) by_flow.insert(addresses[i], 0);
  for (Member& member : snapshot_.members)
    for (const bool is_v6 : {false, true})
      member.is_by_flow[is_v6] = snapshot_.containers[member.position].has_address[is_v6] &&
                                 by_flow.find(address_key(member.address[is_v6], is_v6)) != Index::kNone;
}

}  // namespace onehop
