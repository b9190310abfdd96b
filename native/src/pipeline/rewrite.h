// Replaces one end of a packet in place and updates the checksums by the difference only (RFC 1624): a sum
// that arrived wrong leaves wrong. src/pipeline/rewrite.ts says the rest.
#pragma once

#include "../packet/checksum.h"
#include "../packet/packet.h"

namespace onehop {

enum class Side : uint8_t { kSource, kDestination };

// Returns the change of the sum over the address; the IPv4 header's own checksum is updated by it.
inline uint64_t rewrite_address(const ParsedPacket& packet, Side side, const Address& address) {
  const bool is_source = side == Side::kSource;
  const uint32_t at = packet.is_v6 ? (is_source ? ipv6::kSource : ipv6::kDestination)
                                   : (is_source ? ipv4::kSource : ipv4::kDestination);
  uint8_t* before = packet.bytes + at;
  const uint8_t* after = bytes_of(address, packet.is_v6);
  const uint64_t delta = sum_delta(before, after, address_length(packet.is_v6));
  std::memcpy(before, after, address_length(packet.is_v6));
  if (!packet.is_v6) {
    uint8_t* checksum = packet.bytes + ipv4::kChecksum;
    put_raw16(checksum, update_checksum(raw16(checksum), delta));
  }
  return delta;
}

// `port` in network order.
inline uint64_t rewrite_port(const ParsedPacket& packet, Side side, uint16_t port) {
  uint8_t* at = packet.bytes + packet.transport + (side == Side::kSource ? tcp::kSourcePort : tcp::kDestinationPort);
  const uint64_t delta = word_delta(raw16(at), port);
  put_raw16(at, port);
  return delta;
}

// Where the checksum is that covers the IP addresses; null where there is none.
inline uint8_t* transport_checksum(const ParsedPacket& packet) {
  const uint32_t offset = checksum_offset(packet.protocol, packet.is_v6), at = packet.transport + offset;
  return offset == 0 || at + 2 > packet.length ? nullptr : packet.bytes + at;
}

// A zero says that the sender computed none, so a computed zero goes out as ffff (RFC 768, RFC 3828 section 3.1).
inline uint16_t update_transport_checksum(uint8_t protocol, uint16_t before, uint64_t delta) {
  if (protocol != udp::kNumber && protocol != udp::kLiteNumber) return update_checksum(before, delta);
  if (before == 0) return 0;
  const uint16_t after = update_checksum(before, delta);
  return after == 0 ? 0xffff : after;
}

// Address and, unless `port` (network order) is 0, TCP or UDP port. `is_partial`: the transport checksum is the
// pseudo header's sum, left for a device to finish (VIRTIO_NET_HDR_F_NEEDS_CSUM). Then the address changes it
// uncomplemented and the port, which the device will sum up itself, not at all. At a stop on the way (is_routed) only
// the address is written: checksum and port are of the last destination.
inline void rewrite_end(const ParsedPacket& packet, Side side, const Address& address, uint16_t port,
                        bool is_partial) {
  const uint64_t address_delta = rewrite_address(packet, side, address);
  if (!packet.has_transport || (side == Side::kDestination && packet.is_routed)) return;
  const uint64_t port_delta = port == 0 ? 0 : rewrite_port(packet, side, port);
  uint8_t* checksum = transport_checksum(packet);
  if (checksum == nullptr) return;
  const uint16_t before = raw16(checksum);
  put_raw16(checksum, is_partial
                          ? update_partial_sum(before, address_delta)
                          : update_transport_checksum(packet.protocol, before, address_delta + port_delta));
}

}  // namespace onehop
