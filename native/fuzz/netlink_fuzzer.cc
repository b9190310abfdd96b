// libFuzzer's entry to what is read from the kernel about neighbours. An execution is one datagram of messages, heard
// while two containers are followed: one is a neighbour on a bridge, the other behind a gateway there.
#include <linux/neighbour.h>

#include "../src/io/neighbour_table.h"
#include "../src/io/netlink.h"
#include "../src/io/rtnetlink.h"
#include "invariants.h"

using namespace onehop;

namespace {

constexpr int kBridge = 3;
const Hop kNeighbour{kBridge, {.is_v6 = false, .bytes = {10, 77, 0, 11}}};
const Hop kGateway{kBridge, {.is_v6 = true, .bytes = {0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}};
const std::vector<ContainerRoute> kRoutes{{1, false, kNeighbour, 0}, {2, true, kGateway, 1280}};

Link bridge() { return {.interface = kBridge, .name = "br0", .is_ethernet = true, .is_removed = false, .mtu = 1500, .address = {}}; }

void hear(NeighbourTable& table, const NetlinkMessage& message) {
  is_routing_change(message);
  parse_route(message);
  if (const auto link = parse_link(message)) table.apply(*link);
  if (const auto entry = parse_neighbour(message)) table.apply(*entry);
  if (const auto lost = parse_lost_port(message)) fuzz::expect(table.behind(*lost).size() <= kRoutes.size(), "of ours");
}

void check(NeighbourTable& table) {
  const std::vector<int> bridges = table.bridges();
  const Resolution resolution = table.resolve();
  fuzz::expect(bridges.size() <= 1, "there is one bridge at most");
  fuzz::expect(resolution.resolved + table.doubtful(kRoutes.size()).size() <= 2 * kRoutes.size(), "nobody else is followed");
  for (const ContainerRoute& route : kRoutes) {
    const Neighbour* neighbour = resolution.map->find(route.container, route.is_v6);
    fuzz::expect(neighbour == nullptr || neighbour->interface == kBridge, "a container is on the bridge of its route");
    fuzz::expect(neighbour == nullptr || !bridges.empty(), "no frame is for a bridge that is gone");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t length) {
  NeighbourTable table;
  table.use_bridges({"br0"});
  table.set_bridge("br0", bridge());
  table.set_routes(kRoutes);
  size_t messages = 0;
  for_each_message({input, length}, [&](const nlmsghdr& header, const NetlinkMessage& message) {
    fuzz::expect(header.nlmsg_type == message.type, "a message is of its header's type");
    hear(table, message);
    messages++;
  });
  fuzz::expect(messages <= length / sizeof(nlmsghdr), "a message has a header at least");
  check(table);
  return 0;
}
