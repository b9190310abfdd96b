// The virtio-net header's fields of a packet read with IFF_VNET_HDR.
#pragma once

#include <cstdint>

#include "packet.h"

namespace onehop {

// Fields of the virtio-net header (linux/virtio_net.h) in host byte order; offsets count from the IP header.
struct Offload {
  bool needs_checksum = false;
  uint8_t gso_type = 0;  // VIRTIO_NET_HDR_GSO_*, ECN bit masked out
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};

// An IP packet in a buffer the caller owns; the pipeline changes it in place.
struct Packet {
  uint8_t* data;
  uint32_t length;    // bytes received
  uint32_t capacity;  // bytes the pipeline may write from `data` on; at least 2,048 and at least `length`
  Offload offload;
};

// Whether the segmentation type is one of the packet's own protocol.
inline bool is_segmentation_of(uint8_t gso_type, const ParsedPacket& packet) {
  constexpr uint8_t kTcp4 = 1, kUdp = 3, kTcp6 = 4, kUdpL4 = 5;  // VIRTIO_NET_HDR_GSO_*
  switch (gso_type) {
    case kTcp4:
      return !packet.is_v6 && packet.protocol == tcp::kNumber;
    case kTcp6:
      return packet.is_v6 && packet.protocol == tcp::kNumber;
    case kUdp:
    case kUdpL4:
      return packet.protocol == udp::kNumber;
    default:
      return false;
  }
}

// Whether an offload header fits its packet as the kernel would write it: a checksum inside the packet, and
// segments of some size, of the packet's own protocol and with a checksum to finish.
inline bool is_offload_sound(const ParsedPacket& packet, const Offload& offload) {
  if (offload.needs_checksum) {
    const uint32_t end = uint32_t{offload.checksum_start} + offload.checksum_offset + 2;
    if (end > packet.length || offload.checksum_start < packet.transport) return false;
  }
  if (offload.gso_type == 0) return true;
  return offload.needs_checksum && offload.gso_size > 0 && is_segmentation_of(offload.gso_type, packet);
}

}  // namespace onehop
