// The virtio-net header (linux/virtio_net.h) between the kernel and the pipeline's Offload. Legacy layout,
// 10 bytes, in the host's byte order: neither TUNSETVNETLE nor TUNSETVNETBE is set.
#pragma once

// The kernel's header names a field `class`.
#define class class_
#include <linux/virtio_net.h>
#undef class

#include <cstdint>

#include "../pipeline/engine.h"

namespace onehop {

static_assert(sizeof(virtio_net_hdr) == 10);

// Missing from Debian 12's headers (Linux 6.2).
constexpr uint8_t kGsoUdpSegments = 5;  // VIRTIO_NET_HDR_GSO_UDP_L4

Offload offload_from(const virtio_net_hdr& header);

// The header to write for `length` bytes at `packet`, with offsets counted from the IP header: the Ethernet
// header's length is the caller's to add (`shifted`). `received` is what the packet came with: it alone knows
// whether its segments carry CWR (VIRTIO_NET_HDR_GSO_ECN).
virtio_net_hdr header_from(const Offload& offload, const virtio_net_hdr& received, const uint8_t* packet,
                           uint32_t length);

// The longest IP packet that is sent for `length` bytes at `packet`: of what a device cuts into segments, each one counts.
uint32_t longest_sent(const Offload& offload, const uint8_t* packet, uint32_t length);

// The same header when `bytes` more stand in front of the IP header.
virtio_net_hdr shifted(virtio_net_hdr header, uint16_t bytes);

}  // namespace onehop
