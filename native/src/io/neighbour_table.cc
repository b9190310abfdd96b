#include "neighbour_table.h"

#include <linux/neighbour.h>

#include <algorithm>
#include <utility>

namespace onehop {

namespace {

// States in which the kernel itself sends by the entry (NUD_VALID, include/net/neighbour.h).
constexpr uint16_t kUsable = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
// STALE needs a nudge to be confirmed: frames sent past the kernel's neighbour layer do not give it one.
constexpr uint16_t kCared = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_DELAY | NUD_INCOMPLETE;
// Somebody's own entry, not the kernel's finding.
constexpr uint16_t kGiven = NUD_PERMANENT | NUD_NOARP;

}  // namespace

void NeighbourTable::use_bridges(const std::vector<std::string>& names) {
  std::vector<Bridge> used;
  for (const std::string& name : names) {
    const auto known = std::ranges::find(bridges_, name, &Bridge::name);
    used.push_back(known == bridges_.end() ? Bridge{.name = name} : *known);
  }
  bridges_ = std::move(used);
}

void NeighbourTable::set_bridge(const std::string& name, const std::optional<Link>& link) {
  for (Bridge& bridge : bridges_)
    if (bridge.name == name) {
      bridge.interface = link ? link->interface : 0;
      bridge.address = link ? link->address : HardwareAddress{};
      bridge.mtu = link ? link->mtu : 0;
    }
}

bool NeighbourTable::apply(const Link& link) {
  bool is_changed = false;
  for (Bridge& bridge : bridges_) {
    const Bridge before = bridge;
    if (!link.is_removed && link.name == bridge.name) {
      bridge.interface = link.interface;
      bridge.address = link.address;
      bridge.mtu = link.mtu;
    } else if (link.interface == bridge.interface) {  // deleted or renamed
      bridge.interface = 0;
    }
    is_changed |= bridge != before;
  }
  return is_changed;
}

std::vector<int> NeighbourTable::bridges() const {
  std::vector<int> interfaces;
  for (const Bridge& bridge : bridges_)
    if (bridge.interface) interfaces.push_back(bridge.interface);
  return interfaces;
}

void NeighbourTable::set_routes(const std::vector<ContainerRoute>& routes) {
  const auto known = std::exchange(entries_, {});
  routes_.clear();
  for (const ContainerRoute& route : routes) {
    if (!bridge_at(route.hop.interface)) continue;
    routes_.push_back(route);
    const auto found = known.find(route.hop);
    entries_[route.hop] = found == known.end() ? Entry{} : found->second;
  }
}

void NeighbourTable::forget_neighbours() {
  for (auto& [hop, entry] : entries_) entry = {};
}

NeighbourTable::Change NeighbourTable::apply(const NeighbourEntry& seen) {
  const auto found = entries_.find({seen.interface, seen.address});
  if (found == entries_.end()) return Change::kNone;
  Entry& entry = found->second;
  const Entry before = std::exchange(entry, {seen.state, seen.hardware});
  const bool was_usable = before.state & kUsable, is_usable = entry.state & kUsable;
  if (was_usable && !is_usable) return Change::kLost;
  if (was_usable != is_usable) return Change::kOther;
  return is_usable && entry.hardware != before.hardware ? Change::kOther : Change::kNone;
}

std::vector<Hop> NeighbourTable::doubtful(size_t most) {
  std::vector<Hop> hops;
  for (const auto& [hop, entry] : entries_)
    if ((entry.state & kUsable) && !(entry.state & kCared)) hops.push_back(hop);
  const auto start = asked_.empty() ? entries_.begin() : entries_.upper_bound(asked_.back());
  asked_.clear();
  const auto ask = [&](auto from, auto to) {
    for (; from != to && asked_.size() < most; ++from)
      if (!(from->second.state & (kUsable | kCared))) asked_.push_back(from->first);
  };
  ask(start, entries_.end());
  ask(entries_.begin(), start);
  hops.insert(hops.end(), asked_.begin(), asked_.end());
  return hops;
}

bool NeighbourTable::is_answered() const {
  return std::ranges::all_of(asked_, [this](const Hop& hop) {
    const auto found = entries_.find(hop);
    return found == entries_.end() || (found->second.state & kUsable);
  });
}

std::vector<Hop> NeighbourTable::behind(const LostPort& lost) const {
  std::vector<Hop> hops;
  for (const auto& [hop, entry] : entries_)
    if (hop.interface == lost.bridge && entry.hardware == lost.hardware && (entry.state & kUsable) &&
        !(entry.state & kGiven))
      hops.push_back(hop);
  return hops;
}

Resolution NeighbourTable::resolve() const {
  auto map = std::make_unique<NeighbourMap>();
  uint32_t resolved = 0;
  for (const ContainerRoute& route : routes_) {
    const Bridge* bridge = bridge_at(route.hop.interface);
    const Entry& entry = entries_.at(route.hop);
    if (!bridge || !(entry.state & kUsable)) continue;
    map->set(route.container, route.is_v6,
             {.interface = bridge->interface,
              .mtu = route.mtu ? std::min(route.mtu, bridge->mtu) : bridge->mtu,
              .destination = entry.hardware,
              .source = bridge->address});
    resolved++;
  }
  return {std::move(map), resolved};
}

const NeighbourTable::Bridge* NeighbourTable::bridge_at(int interface) const {
  const auto found = std::ranges::find_if(
      bridges_, [interface](const Bridge& bridge) { return interface && bridge.interface == interface; });
  return found == bridges_.end() ? nullptr : &*found;
}

}  // namespace onehop
