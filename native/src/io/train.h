// UDP datagrams of one flow, written as one packet that the kernel cuts into the same datagrams again (UDP segmentation
// offload, Documentation/networking/segmentation-offloads.rst): all that costs a packet is then paid once. The kernel joins
// TCP segments so, but UDP only where rx-udp-gro-forwarding is on.
//
// Nothing of a datagram is lost but the IPv4 identification, which the kernel counts up from the first's: so only what
// may not be fragmented takes part, whose identification means nothing (RFC 6864 section 4.1).
#pragma once

#include <cstdint>

#include "packet_room.h"

namespace onehop {

// Bytes of payload of a datagram that may take part; 0 for every other packet. `length` is what leaves of the packet, and
// its virtio-net header still in `place`. Its checksum has to be known to be right, because it is made anew.
uint32_t payload_in_train(const PacketPlace& place, const Packet& packet, uint32_t length);

// Of two datagrams that may take part.
bool is_same_flow(const uint8_t* a, const uint8_t* b);

// Whether an IP header can tell the length of so much payload behind the headers of `first`.
bool fits_in_train(const uint8_t* first, uint32_t payload);

// The first datagram's headers become those of a train with `payload` bytes in all, `size` in each datagram but the last.
// Returns how it is to be cut.
Offload make_train(uint8_t* first, uint32_t payload, uint32_t size);

}  // namespace onehop
