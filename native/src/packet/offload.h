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

// Linux sends no smaller TCP segments: 48 bytes (TCP_MIN_SND_MSS in net/tcp.h) with 40 of them options.
constexpr uint32_t kLeastTcpSegment = 8;
// As many as those make of 64 KB, for either protocol; for UDP, Linux makes 128 (UDP_MAX_SEGMENTS).
constexpr uint32_t kSegmentsAtMost = 0x10000 / kLeastTcpSegment;
// Says that the segments differ (GSO_BY_FRAGS in linux/skbuff.h), which nothing outside the kernel can tell it.
constexpr uint16_t kGsoByFrags = 0xffff;

// Whether the packet's own transport checksum is partial. It is not where a carried packet's is: the carrier's sum
// then is the one that the finished packet will have (the kernel's "local checksum offload").
inline bool is_partial(const ParsedPacket& packet, const Offload& offload) {
  return offload.needs_checksum && offload.checksum_start == packet.transport;
}

// Protocols that carry packets: IPv4, UDP (VXLAN, Geneve), IPv6, GRE, MPLS.
constexpr bool is_carrier(uint8_t protocol) {
  return protocol == 4 || protocol == udp::kNumber || protocol == 41 || protocol == 47 || protocol == 137;
}

// The field is where the transport, or that of a carried packet, has its checksum.
inline bool is_checksum_sound(const ParsedPacket& packet, const Offload& offload) {
  const uint32_t end = uint32_t{offload.checksum_start} + offload.checksum_offset + 2;
  if (packet.is_fragment || !packet.has_transport || end > packet.length) return false;
  if (is_partial(packet, offload)) {
    const uint32_t offset = checksum_offset(packet.protocol, packet.is_v6);
    return offset != 0 && offload.checksum_offset == offset;
  }
  const bool is_of_carried = offload.checksum_start > packet.transport && is_carrier(packet.protocol);
  return is_of_carried &&
         (offload.checksum_offset == tcp::kChecksum || offload.checksum_offset == udp::kChecksum);
}

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

// What is to be cut is a packet with a partial checksum, of the protocol that the kind of segments says, into
// segments of a possible size.
inline bool are_segments_sound(const ParsedPacket& packet, const Offload& offload) {
  if (!is_partial(packet, offload) || !is_segmentation_of(offload.gso_type, packet)) return false;
  const bool is_tcp = packet.protocol == tcp::kNumber;
  uint32_t header = udp::kHeaderLength;
  if (is_tcp) {
    header = (packet.bytes[packet.transport + tcp::kDataOffset] >> 4) * 4u;
    if (header < tcp::kMinimumLength) header = tcp::kMinimumLength;
  }
  const uint32_t room = packet.length - packet.transport, size = offload.gso_size;
  if (room <= header || size < (is_tcp ? kLeastTcpSegment : 1) || size == kGsoByFrags) return false;
  return room - header <= size * kSegmentsAtMost;
}

// Whether an offload header fits its packet as the kernel would write it.
inline bool is_offload_sound(const ParsedPacket& packet, const Offload& offload) {
  if (offload.needs_checksum && !is_checksum_sound(packet, offload)) return false;
  return offload.gso_type == 0 || are_segments_sound(packet, offload);
}

}  // namespace onehop
