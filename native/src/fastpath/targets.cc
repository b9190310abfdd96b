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

void Targets::publish(std::span<const ContainerAddress> containers, const NeighbourMap& neighbours,
                      const Links& links) {
  Standing wanted;
  for (const ContainerAddress& container : containers)
    if (const Neighbour* neighbour = neighbours.find(container.container, container.is_v6))
      wanted[{container.container, container.is_v6}] = target_of(container, *neighbour, links);
  for (const auto& [key, target] : standing_)
    if (!wanted.contains(key)) targets_.erase(key);
  for (const auto& [key, target] : wanted) {
    const auto known = standing_.find(key);
    if (known == standing_.end() || !is_same(known->second, target)) targets_.put(key, target);
  }
  standing_ = std::move(wanted);
}

}  // namespace onehop
