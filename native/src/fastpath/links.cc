// System calls: netlink.cc's.
#include "links.h"

#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace onehop {

namespace {

constexpr int kGroups[] = {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_TC};

int32_t integer_from(Bytes value) {
  int32_t integer = 0;
  std::memcpy(&integer, value.data(), std::min(value.size(), sizeof integer));
  return integer;
}

bool is_text(Bytes value, std::string_view text) {
  return value.size() >= text.size() && std::equal(text.begin(), text.end(), value.begin());
}

bool is_veth(Bytes link_info) {
  bool is = false;
  for_each_attribute(link_info, 0, [&is](uint16_t type, Bytes value) {
    if (type == IFLA_INFO_KIND) is = is_text(value, "veth");
  });
  return is;
}

std::optional<HostLink> parse_host_link(const NetlinkMessage& message) {
  const auto header = message.header<ifinfomsg>();
  if (message.type != RTM_NEWLINK || !header) return std::nullopt;
  HostLink link{header->ifi_index, {}, header->ifi_type == ARPHRD_ETHER, 0, false, false, {}};
  bool is_of_veth = false, is_elsewhere = false;
  for_each_attribute(message.payload, sizeof *header, [&](uint16_t type, Bytes value) {
    if (type == IFLA_IFNAME) link.name.assign(value.begin(), std::find(value.begin(), value.end(), uint8_t{0}));
    if (type == IFLA_MASTER) link.master = integer_from(value);
    if (type == IFLA_LINK_NETNSID) is_elsewhere = integer_from(value) >= 0;
    if (type == IFLA_QDISC) link.has_qdisc = !is_text(value, "noqueue");
    if (type == IFLA_LINKINFO) is_of_veth = is_veth(value);
    if (type == IFLA_ADDRESS && value.size() == sizeof link.address.bytes)
      std::copy(value.begin(), value.end(), link.address.bytes);
  });
  link.is_peer_remote = is_of_veth && is_elsewhere;
  return link;
}

// Qdiscs, classes and filters.
bool is_of_tc(const NetlinkMessage& message) {
  return message.type >= RTM_NEWQDISC && message.type <= RTM_DELTFILTER;
}

struct Learned {
  int bridge = 0, port = 0;
  HardwareAddress address;
};

// An entry of a bridge's forwarding database, but for the bridge's and its ports' own addresses.
std::optional<Learned> parse_learned(const NetlinkMessage& message) {
  const auto header = message.header<ndmsg>();
  if (!header || header->ndm_family != AF_BRIDGE) return std::nullopt;
  if (header->ndm_flags & NTF_SELF) return std::nullopt;
  Learned learned;
  learned.port = header->ndm_ifindex;
  for_each_attribute(message.payload, sizeof *header, [&](uint16_t type, Bytes value) {
    if (type == NDA_MASTER) learned.bridge = integer_from(value);
    if (type == NDA_LLADDR && value.size() == sizeof learned.address.bytes)
      std::copy(value.begin(), value.end(), learned.address.bytes);
  });
  return learned.bridge == 0 ? std::nullopt : std::optional(learned);
}

}  // namespace

bool Links::Place::operator<(const Place& other) const {
  if (bridge != other.bridge) return bridge < other.bridge;
  return std::memcmp(address.bytes, other.address.bytes, sizeof address.bytes) < 0;
}

Links::Links(std::vector<std::string> uplinks, std::vector<std::string> bridges)
    : uplink_names_(std::move(uplinks)), bridge_names_(std::move(bridges)), events_(kGroups) {}

bool Links::hear() {
  bool is_changed = false;
  const int error = events_.drain([&is_changed](const NetlinkMessage& message) {
    if (message.type == RTM_NEWLINK || message.type == RTM_DELLINK || is_of_tc(message)) is_changed = true;
    if (message.type == RTM_NEWNEIGH || message.type == RTM_DELNEIGH)
      is_changed |= parse_learned(message).has_value();
  });
  return is_changed || error != 0;
}

int Links::read() {
  links_.clear();
  learned_.clear();
  requests_.begin(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  const uint32_t filter = RTEXT_FILTER_SKIP_STATS;
  requests_.attribute(IFLA_EXT_MASK, {reinterpret_cast<const uint8_t*>(&filter), sizeof filter});
  const int error = requests_.dump([this](const NetlinkMessage& message) {
    if (auto link = parse_host_link(message)) links_[link->interface] = std::move(*link);
  });
  if (error) return error;
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  requests_.begin(RTM_GETNEIGH, NLM_F_DUMP, header);
  return requests_.dump([this](const NetlinkMessage& message) {
    if (const auto learned = parse_learned(message))
      learned_[{learned->bridge, learned->address}] = learned->port;
  });
}

std::vector<int> Links::all() const {
  std::vector<int> interfaces;
  for (const auto& [interface, link] : links_) interfaces.push_back(interface);
  return interfaces;
}

std::vector<int> Links::uplinks() const {
  std::vector<int> interfaces;
  for (const auto& [interface, link] : links_)
    if (link.is_ethernet && std::ranges::find(uplink_names_, link.name) != uplink_names_.end())
      interfaces.push_back(interface);
  return interfaces;
}

std::vector<std::pair<HostLink, HostLink>> Links::ports() const {
  std::vector<std::pair<HostLink, HostLink>> ports;
  for (const auto& [interface, link] : links_)
    if (link.is_ethernet && is_bridge(link.master)) ports.emplace_back(link, links_.at(link.master));
  return ports;
}

const HostLink* Links::port_behind(int bridge, const HardwareAddress& address) const {
  const auto learned = learned_.find({bridge, address});
  if (learned == learned_.end()) return nullptr;
  const auto link = links_.find(learned->second);
  return link == links_.end() ? nullptr : &link->second;
}

bool Links::is_bridge(int interface) const {
  const auto link = links_.find(interface);
  return link != links_.end() && std::ranges::find(bridge_names_, link->second.name) != bridge_names_.end();
}

}  // namespace onehop
