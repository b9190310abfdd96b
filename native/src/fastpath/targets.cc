#include "targets.h"

#include <cstring>

namespace onehop {

namespace {

bool is_same(const fast_target& a, const fast_target& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Straight into the container's namespace where its link is there; else onto the bridge, which knows the port.
fast_target target_of(const ContainerAddress& container, const Neighbour& neighbour, const Links& links) {
  const HostLink* port = links.port_behind(neighbour.interface, neighbour.destination);
  const bool is_peer = port != nullptr && port->is_peer_remote;
  const Address address = address_from(container.bytes, container.is_v6);
  fast_target target{};
  target.address = {address.high, address.low};
  target.interface = static_cast<uint32_t>(is_peer ? port->interface : neighbour.interface);
  target.is_peer = is_peer;
  target.mtu = neighbour.mtu;
  std::memcpy(target.destination, neighbour.destination.bytes, sizeof target.destination);
  std::memcpy(target.source, neighbour.source.bytes, sizeof target.source);
  return target;
}

}  // namespace

uint32_t Targets::place_of(uint32_t service, uint32_t container, bool is_v6) {
  const Owner owner{service, container, is_v6};
  if (const auto found = places_.find(owner); found != places_.end()) return found->second;
  const uint32_t place = free_place();
  if (place == 0) return 0;
  places_[owner] = place;
  tallies_.assign(place, service, container);
  write(place, owner);
  return place;
}

uint32_t Targets::free_place() {
  if (!free_.empty()) {
    const uint32_t place = free_.back();
    free_.pop_back();
    return place;
  }
  if (written_.size() == FAST_TARGETS) return 0;
  written_.emplace_back();
  return static_cast<uint32_t>(written_.size() - 1);
}

// The service was written anew when it lost the container, so that no source leads to the place any more.
void Targets::free_unused(const Services& services) {
  std::erase_if(places_, [&](const auto& item) {
    const auto& [owner, place] = item;
    if (services.has(owner.service, owner.container)) return false;
    write(place, fast_target{});
    tallies_.retire(place);
    free_.push_back(place);
    return true;
  });
}

void Targets::publish(std::span<const ContainerAddress> containers, const NeighbourMap& neighbours,
                      const Links& links) {
  resolved_.clear();
  for (const ContainerAddress& container : containers)
    if (const Neighbour* neighbour = neighbours.find(container.container, container.is_v6))
      resolved_[{container.container, container.is_v6}] = target_of(container, *neighbour, links);
  for (const auto& [owner, place] : places_) write(place, owner);
}

void Targets::write(uint32_t place, const Owner& owner) {
  const auto resolved = resolved_.find({owner.container, owner.is_v6});
  fast_target target = resolved == resolved_.end() ? fast_target{} : resolved->second;
  target.service = owner.service;
  target.container = owner.container;
  write(place, target);
}

void Targets::write(uint32_t place, const fast_target& target) {
  if (is_same(written_[place], target)) return;
  if (targets_.put(place, target) == 0) written_[place] = target;
}

}  // namespace onehop
