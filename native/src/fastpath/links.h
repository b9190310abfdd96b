// The interfaces that the fast path hangs in, and the port of its bridge that each container is behind.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../io/neighbour_map.h"
#include "../io/netlink.h"

namespace onehop {

struct HostLink {
  int interface;
  std::string name;
  bool is_ethernet;
  int master;           // 0: none
  bool has_qdisc;       // at its egress, other than none
  bool is_peer_remote;  // a veth whose other end is in another namespace
  HardwareAddress address;
};

class Links {
 public:
  Links(std::vector<std::string> uplinks, std::vector<std::string> bridges);

  // Others from the next read on.
  void use_uplinks(std::vector<std::string> names) { uplink_names_ = std::move(names); }
  void use_bridges(std::vector<std::string> names) { bridge_names_ = std::move(names); }

  int events() const { return events_.number(); }
  // True when something came that may have changed links or ports.
  bool hear();
  // A full re-read. Returns errno's value.
  int read();

  // Of the last read: all interfaces.
  std::vector<int> all() const;
  // One that is among these.
  const HostLink& link(int interface) const { return links_.at(interface); }
  // Uplinks that exist and have Ethernet frames.
  std::vector<int> uplinks() const;
  // Ports of the bridges, with their bridge.
  std::vector<std::pair<HostLink, HostLink>> ports() const;
  // The port behind which a bridge has learned an address; nothing where it has not.
  const HostLink* port_behind(int bridge, const HardwareAddress& address) const;

 private:
  struct Place {
    int bridge;
    HardwareAddress address;
    bool operator<(const Place& other) const;
  };

  bool is_bridge(int interface) const;

  std::vector<std::string> uplink_names_, bridge_names_;
  NetlinkSocket events_, requests_;
  std::map<int, HostLink> links_;
  std::map<Place, int> learned_;
};

}  // namespace onehop
