// System calls: rtnetlink and nfnetlink, by netlink.cc; bpf(2), by libbpf; ioctl(SIOCETHTOOL).
#include "straight.h"

#include <bpf/bpf.h>
#include <linux/ethtool.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "../io/descriptor.h"
#include "../io/failure.h"
#include "../io/rtnetlink.h"
#include "hooks.h"

namespace onehop {

namespace {

// linux/bpf.h since 6.6.
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

// A kernel that does not know of tcx has none.
bool has_tcx(int interface) {
  uint32_t count = 0;
  return bpf_prog_query(interface, kTcxEgress, 0, nullptr, nullptr, &count) == 0 && count > 0;
}

bool is_at_egress(Bytes hook) {
  bool is = false;
  for_each_attribute(hook, 0, [&is](uint16_t type, Bytes value) {
    constexpr uint8_t kEgress[] = {0, 0, 0, NF_NETDEV_EGRESS};
    if (type == NFTA_HOOK_HOOKNUM) is = std::ranges::equal(value, kEgress);
  });
  return is;
}

// Of nft, whatever the interface. EINVAL: the kernel has no nft.
bool has_egress_chains() try {
  NetlinkSocket socket({}, NETLINK_NETFILTER);
  const nfgenmsg header{.nfgen_family = NFPROTO_NETDEV, .version = NFNETLINK_V0, .res_id = 0};
  socket.begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, header);
  bool is_any = false;
  const int error = socket.dump([&is_any](const NetlinkMessage& message) {
    for_each_attribute(message.payload, sizeof header, [&is_any](uint16_t type, Bytes value) {
      if (type == NFTA_CHAIN_HOOK) is_any |= is_at_egress(value);
    });
  });
  return is_any || (error != 0 && error != EINVAL);
} catch (const IoFailure&) {
  return false;  // nor netfilter
}

bool has_feature(int socket, const HostLink& link, uint32_t question) {
  ethtool_value value{.cmd = question, .data = 0};
  ifreq request{};
  link.name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  return ::ioctl(socket, SIOCETHTOOL, &request) == 0 && value.data != 0;
}

// Else sums are completed and large packets cut on the way through the link, for an other end that wants them so.
bool leaves_offload_to_peer(const HostLink& link) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return has_feature(socket.number(), link, ETHTOOL_GTXCSUM) && has_feature(socket.number(), link, ETHTOOL_GTSO);
}

bool is_straight(const HostLink& link) {
  return link.is_peer_remote && leaves_offload_to_peer(link) && !link.has_qdisc && !Hooks::has_egress_filters(link.interface) && !has_tcx(link.interface);
}

IpAddress gateway_of(const fast_route& route) {
  IpAddress address{.is_v6 = route.gateway.nh_family == AF_INET6, .bytes = {}};
  std::memcpy(address.bytes.data(), route.gateway.ipv6_nh, address.is_v6 ? 16 : 4);
  return address;
}

}  // namespace

bool StraightUplinks::publish(const Links& links) {
  std::set<uint32_t> wanted;
  for (const int interface : links.uplinks())
    if (is_straight(links.link(interface))) wanted.insert(static_cast<uint32_t>(interface));
  if (!wanted.empty() && has_egress_chains()) wanted.clear();
  if (wanted == standing_) return false;
  for (const uint32_t interface : wanted) straight_.put(interface, 1);
  for (const uint32_t interface : standing_)
    if (!wanted.contains(interface)) straight_.erase(interface);
  standing_ = std::move(wanted);
  return true;
}

void StraightUplinks::confirm_neighbours(uint32_t now_seconds) {
  std::set<std::pair<uint32_t, IpAddress>> used;
  routes_.for_each(1 << FAST_ROUTE_BITS, [&](uint32_t, const fast_route& route) {
    if (route.is_straight && now_seconds - route.second < FAST_SILENT_SECONDS)
      used.emplace(route.interface, gateway_of(route));
  });
  if (used.empty()) return;
  for (const auto& [interface, gateway] : used) request_resolution(requests_, static_cast<int>(interface), gateway);
  requests_.exchange([](size_t, const NetlinkMessage*) {});
}

}  // namespace onehop
