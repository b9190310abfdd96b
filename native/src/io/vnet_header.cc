#include "vnet_header.h"

#include <algorithm>

namespace onehop {

namespace {

// Bytes up to the payload of the first segment. The kernel copies them into the packet's linear part, and
// what it says itself when forwarding counts from another layer, so it is computed again. Never more than
// `length`: the kernel refuses a header that claims more (EINVAL).
uint16_t headers_length(const Offload& offload, const uint8_t* packet, uint32_t length) {
  constexpr uint32_t kTcpDataOffset = 12, kUdpLength = 8;
  const bool is_tcp =
      offload.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 || offload.gso_type == VIRTIO_NET_HDR_GSO_TCPV6;
  const uint32_t start = offload.checksum_start;
  uint32_t end = start + kUdpLength;
  if (is_tcp && start + kTcpDataOffset < length) end = start + (packet[start + kTcpDataOffset] >> 4) * 4;
  return static_cast<uint16_t>(std::min({end, length, uint32_t{UINT16_MAX}}));
}

}  // namespace

Offload offload_from(const virtio_net_hdr& header) {
  return {
      .needs_checksum = (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0,
      .gso_type = static_cast<uint8_t>(header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN),
      .gso_size = header.gso_size,
      .checksum_start = header.csum_start,
      .checksum_offset = header.csum_offset,
  };
}

virtio_net_hdr header_from(const Offload& offload, const virtio_net_hdr& received, const uint8_t* packet,
                           uint32_t length) {
  virtio_net_hdr header{};
  if (offload.needs_checksum) {
    header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.csum_start = offload.checksum_start;
    header.csum_offset = offload.checksum_offset;
  }
  if (offload.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
    header.gso_type = offload.gso_type | (received.gso_type & VIRTIO_NET_HDR_GSO_ECN);
    header.gso_size = offload.gso_size;
    header.hdr_len = headers_length(offload, packet, length);
  }
  return header;
}

uint32_t longest_sent(const Offload& offload, const uint8_t* packet, uint32_t length) {
  if (offload.gso_type == VIRTIO_NET_HDR_GSO_NONE) return length;
  return std::min(length, uint32_t{headers_length(offload, packet, length)} + offload.gso_size);
}

virtio_net_hdr shifted(virtio_net_hdr header, uint16_t bytes) {
  if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) header.csum_start += bytes;
  if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) header.hdr_len += bytes;
  return header;
}

}  // namespace onehop
