// Memory for one packet with room for the headers that go in front of it on either way out, so that nothing
// is ever copied:
//
//   … | vnet header | Ethernet header |            onto the bridge (packet(7), PACKET_VNET_HDR)
//   …                   | vnet header | IP packet  from and into the TUN (IFF_VNET_HDR)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vnet_header.h"

namespace onehop {

class PacketBuffer {
 public:
  static constexpr uint32_t kEthernetLength = 14;
  // The largest IPv6 packet with a 16-bit payload length. The TUN cuts what is longer, silently; the pipeline
  // then finds that the length field disagrees.
  static constexpr uint32_t kCapacity = 40 + 65535;

  uint8_t* packet() { return bytes_ + kHeadroom; }

  // In front of the packet as read from, or written into, the TUN.
  uint8_t* vnet_header() { return packet() - sizeof(virtio_net_hdr); }

  // The vnet header and the Ethernet header in front of the packet as written onto a bridge.
  uint8_t* frame() { return packet() - kEthernetLength - sizeof(virtio_net_hdr); }
  uint8_t* ethernet_header() { return packet() - kEthernetLength; }

 private:
  static constexpr uint32_t kHeadroom = 64;  // the IP header starts a cache line
  alignas(64) uint8_t bytes_[kHeadroom + kCapacity];
};

}  // namespace onehop
