#include "rtnetlink.h"

#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

namespace onehop {

namespace {

constexpr int kGroups[] = {RTNLGRP_LINK,       RTNLGRP_NEIGH,     RTNLGRP_IPV4_ROUTE,
                           RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE};

constexpr size_t length_of(bool is_v6) { return is_v6 ? 16 : 4; }
constexpr uint8_t family_of(bool is_v6) { return is_v6 ? AF_INET6 : AF_INET; }

Bytes bytes_of(const IpAddress& address) { return Bytes(address.bytes).first(length_of(address.is_v6)); }

IpAddress address_from(bool is_v6, Bytes value) {
  IpAddress address{.is_v6 = is_v6};
  std::copy_n(value.begin(), std::min(value.size(), length_of(is_v6)), address.bytes.begin());
  return address;
}

HardwareAddress hardware_from(Bytes value) {
  HardwareAddress address;
  if (value.size() == sizeof address.bytes) std::copy(value.begin(), value.end(), address.bytes);
  return address;
}

int32_t integer_from(Bytes value) {
  int32_t integer = 0;
  std::memcpy(&integer, value.data(), std::min(value.size(), sizeof integer));
  return integer;
}

std::string text_from(Bytes value) {
  return {value.begin(), std::find(value.begin(), value.end(), uint8_t{0})};
}

ndmsg neighbour_header(int interface, bool is_v6, uint8_t flags) {
  ndmsg header{};
  header.ndm_family = family_of(is_v6);
  header.ndm_ifindex = interface;
  header.ndm_flags = flags;
  return header;
}

// RTA_VIA: a gateway of the other family (struct rtvia: 2 bytes of family, then the address).
std::optional<IpAddress> via_from(Bytes value) {
  uint16_t family;
  if (value.size() < sizeof family) return std::nullopt;
  std::memcpy(&family, value.data(), sizeof family);
  return address_from(family == AF_INET6, value.subspan(sizeof family));
}

// RTA_METRICS: attributes of its own, named RTAX_*.
uint32_t mtu_from(Bytes metrics) {
  uint32_t mtu = 0;
  for_each_attribute(metrics, 0, [&mtu](uint16_t type, Bytes value) {
    if (type == RTAX_MTU) mtu = static_cast<uint32_t>(integer_from(value));
  });
  return mtu;
}

}  // namespace

std::span<const int> groups_to_follow() { return kGroups; }

void request_link(NetlinkSocket& socket, const std::string& name) {
  const ifinfomsg header{};
  const uint32_t filter = RTEXT_FILTER_SKIP_STATS;
  socket.begin(RTM_GETLINK, 0, header);
  socket.attribute(IFLA_EXT_MASK, {reinterpret_cast<const uint8_t*>(&filter), sizeof filter});
  socket.attribute(IFLA_IFNAME, {reinterpret_cast<const uint8_t*>(name.c_str()), name.size() + 1});
}

void request_route(NetlinkSocket& socket, const IpAddress& to) {
  rtmsg header{};
  header.rtm_family = family_of(to.is_v6);
  header.rtm_dst_len = static_cast<uint8_t>(length_of(to.is_v6) * 8);
  socket.begin(RTM_GETROUTE, 0, header);
  socket.attribute(RTA_DST, bytes_of(to));
}

void request_neighbours(NetlinkSocket& socket, int interface, bool is_v6) {
  const int32_t filter = interface;
  socket.begin(RTM_GETNEIGH, NLM_F_DUMP, neighbour_header(0, is_v6, 0));
  socket.attribute(NDA_IFINDEX, {reinterpret_cast<const uint8_t*>(&filter), sizeof filter});
}

void request_resolution(NetlinkSocket& socket, int interface, const IpAddress& neighbour) {
  socket.begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, neighbour_header(interface, neighbour.is_v6, NTF_USE));
  socket.attribute(NDA_DST, bytes_of(neighbour));
}

void request_removal(NetlinkSocket& socket, int interface, const IpAddress& neighbour) {
  socket.begin(RTM_DELNEIGH, NLM_F_ACK, neighbour_header(interface, neighbour.is_v6, 0));
  socket.attribute(NDA_DST, bytes_of(neighbour));
}

std::optional<Link> parse_link(const NetlinkMessage& message) {
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return std::nullopt;
  const auto header = message.header<ifinfomsg>();
  // AF_BRIDGE: a port of a bridge came or went, not the interface.
  if (!header || header->ifi_family != AF_UNSPEC) return std::nullopt;
  Link link{
      .interface = header->ifi_index,
      .name = {},
      .is_ethernet = header->ifi_type == ARPHRD_ETHER,
      .is_removed = message.type == RTM_DELLINK,
      .mtu = 0,
      .address = {},
  };
  for_each_attribute(message.payload, sizeof *header, [&](uint16_t type, Bytes value) {
    if (type == IFLA_IFNAME) link.name = text_from(value);
    if (type == IFLA_ADDRESS) link.address = hardware_from(value);
    if (type == IFLA_MTU) link.mtu = static_cast<uint32_t>(integer_from(value));
  });
  return link;
}

std::optional<NeighbourEntry> parse_neighbour(const NetlinkMessage& message) {
  if (message.type != RTM_NEWNEIGH && message.type != RTM_DELNEIGH) return std::nullopt;
  const auto header = message.header<ndmsg>();
  if (!header || (header->ndm_family != AF_INET && header->ndm_family != AF_INET6)) return std::nullopt;
  NeighbourEntry entry{
      .interface = header->ndm_ifindex,
      .address = {},
      .state = message.type == RTM_NEWNEIGH ? header->ndm_state : uint16_t{NUD_NONE},
      .hardware = {},
  };
  for_each_attribute(message.payload, sizeof *header, [&](uint16_t type, Bytes value) {
    if (type == NDA_DST) entry.address = address_from(header->ndm_family == AF_INET6, value);
    if (type == NDA_LLADDR) entry.hardware = hardware_from(value);
  });
  return entry;
}

std::optional<LostPort> parse_lost_port(const NetlinkMessage& message) {
  if (message.type != RTM_DELNEIGH) return std::nullopt;
  const auto header = message.header<ndmsg>();
  if (!header || header->ndm_family != AF_BRIDGE) return std::nullopt;
  LostPort lost{};
  for_each_attribute(message.payload, sizeof *header, [&](uint16_t type, Bytes value) {
    if (type == NDA_MASTER) lost.bridge = integer_from(value);
    if (type == NDA_LLADDR) lost.hardware = hardware_from(value);
  });
  return lost;
}

std::optional<Route> parse_route(const NetlinkMessage& message) {
  const auto header = message.header<rtmsg>();
  if (message.type != RTM_NEWROUTE || !header || header->rtm_type != RTN_UNICAST) return std::nullopt;
  Route route{};
  for_each_attribute(message.payload, sizeof *header, [&](uint16_t type, Bytes value) {
    if (type == RTA_OIF) route.interface = integer_from(value);
    if (type == RTA_GATEWAY) route.gateway = address_from(header->rtm_family == AF_INET6, value);
    if (type == RTA_VIA) route.gateway = via_from(value);
    if (type == RTA_METRICS) route.mtu = mtu_from(value);
  });
  return route;
}

bool is_link_change(const NetlinkMessage& message) {
  return message.type == RTM_NEWLINK || message.type == RTM_DELLINK;
}

bool is_routing_change(const NetlinkMessage& message) {
  return message.type == RTM_NEWROUTE || message.type == RTM_DELROUTE || message.type == RTM_NEWRULE ||
         message.type == RTM_DELRULE;
}

}  // namespace onehop
