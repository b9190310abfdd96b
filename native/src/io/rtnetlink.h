// The few rtnetlink requests and messages that neighbours need (rtnetlink(7)).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "neighbour_map.h"
#include "netlink.h"

namespace onehop {

struct IpAddress {
  bool is_v6 = false;
  std::array<uint8_t, 16> bytes{};  // network order; the first 4 for IPv4

  auto operator<=>(const IpAddress&) const = default;
};

struct Link {
  int interface;
  std::string name;
  bool is_ethernet, is_removed;
  uint32_t mtu;
  HardwareAddress address;
};

// The kernel's neighbour entry; `state` is NUD_* (linux/neighbour.h), 0 when there is none.
struct NeighbourEntry {
  int interface;
  IpAddress address;
  uint16_t state;
  HardwareAddress hardware;
};

struct Route {
  int interface;
  uint32_t mtu;  // 0: the interface's
  std::optional<IpAddress> gateway;
};

// An address a bridge no longer knows the port of.
struct LostPort {
  int bridge;
  HardwareAddress hardware;
};

// Multicast groups whose messages tell that any of the above changed.
std::span<const int> groups_to_follow();

// Each adds one request to the batch.
void request_link(NetlinkSocket& socket, const std::string& name);
void request_route(NetlinkSocket& socket, const IpAddress& to);
void request_neighbours(NetlinkSocket& socket, int interface, bool is_v6);  // a dump
// The kernel resolves the neighbour, or confirms it when it is stale.
void request_resolution(NetlinkSocket& socket, int interface, const IpAddress& neighbour);
void request_removal(NetlinkSocket& socket, int interface, const IpAddress& neighbour);

// Nothing when the message is of another kind, of another family, or cut short.
std::optional<Link> parse_link(const NetlinkMessage& message);
std::optional<NeighbourEntry> parse_neighbour(const NetlinkMessage& message);
std::optional<LostPort> parse_lost_port(const NetlinkMessage& message);
std::optional<Route> parse_route(const NetlinkMessage& message);
// An interface came or went, or is another than it was.
bool is_link_change(const NetlinkMessage& message);
// A route or a policy rule came or went.
bool is_routing_change(const NetlinkMessage& message);

}  // namespace onehop
