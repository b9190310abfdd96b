// An IP packet whose lengths have been checked: every field lies inside the bytes it was read from.
#pragma once

#include <cstdint>

#include "address.h"
#include "bytes.h"
#include "icmp.h"
#include "ipv4.h"
#include "ipv6.h"
#include "tcp.h"
#include "udp.h"

namespace onehop {

struct ParsedPacket {
  uint8_t* bytes;
  uint32_t length;     // by the IP header; whatever follows is link-layer padding
  uint32_t transport;  // where the transport header starts
  Address source, destination;
  bool is_v6;
  uint8_t protocol;    // IPv6: the next header, a fragment header skipped; it may be an extension header
  bool is_fragment;    // a part of a larger packet; a whole one with a fragment header (RFC 6946) is none
  bool has_transport;  // false in later fragments and behind extension headers: no transport header to read
  uint16_t source_port, destination_port;  // network order; TCP and UDP with has_transport, 0 otherwise
  uint8_t tcp_flags;                       // TCP with has_transport; 0 otherwise
  uint32_t sequence, acknowledgment;       // likewise
  int16_t icmp_type;                       // ICMP and ICMPv6 with has_transport; -1 otherwise
};

inline bool is_icmp(const ParsedPacket& packet) { return packet.protocol == icmp::number(packet.is_v6); }
inline bool is_echo_request(const ParsedPacket& packet) {
  return packet.icmp_type == (packet.is_v6 ? icmp::kEchoRequest6 : icmp::kEchoRequest4);
}
inline bool is_echo_reply(const ParsedPacket& packet) {
  return packet.icmp_type == (packet.is_v6 ? icmp::kEchoReply6 : icmp::kEchoReply4);
}

// False where an extension header hides the checksum that a new address would have to change.
inline bool is_rewritable(const ParsedPacket& packet) {
  return !packet.is_v6 || !ipv6::hides_transport(packet.protocol);
}

// Why bytes are no packet; each is a reason of `drop` (pipeline/verdict.h), in the same order.
enum class Malformed : uint8_t {
  kNot,
  kShortPacket,
  kBadVersion,
  kBadHeaderLength,
  kBadTotalLength,
  kShortTransport,
};

// The part of the transport header that decides; the network layer's fields are there.
inline Malformed parse_transport(ParsedPacket& packet) {
  packet.source_port = packet.destination_port = 0;
  packet.tcp_flags = 0;
  packet.sequence = packet.acknowledgment = 0;
  packet.icmp_type = -1;
  if (!packet.has_transport) return Malformed::kNot;
  const uint8_t* header = packet.bytes + packet.transport;
  const uint32_t room = packet.length - packet.transport;
  if (packet.protocol == tcp::kNumber) {
    if (room < tcp::kMinimumLength) return Malformed::kShortTransport;
    packet.tcp_flags = header[tcp::kFlags];
    packet.sequence = load32(header + tcp::kSequence);
    packet.acknowledgment = load32(header + tcp::kAcknowledgment);
  } else if (packet.protocol == udp::kNumber) {
    if (room < udp::kHeaderLength) return Malformed::kShortTransport;
  } else {
    if (!is_icmp(packet)) return Malformed::kNot;
    if (room < icmp::kHeaderLength) return Malformed::kShortTransport;
    packet.icmp_type = header[icmp::kType];
    return Malformed::kNot;
  }
  packet.source_port = raw16(header + tcp::kSourcePort);
  packet.destination_port = raw16(header + tcp::kDestinationPort);
  return Malformed::kNot;
}

inline Malformed parse_ipv4(ParsedPacket& packet, uint32_t received) {
  const uint8_t* bytes = packet.bytes;
  if (received < ipv4::kMinimumLength) return Malformed::kShortPacket;
  packet.transport = (bytes[0] & 0xfu) * 4;
  packet.length = load16(bytes + ipv4::kTotalLength);
  if (packet.length > received || packet.length < ipv4::kMinimumLength) return Malformed::kBadTotalLength;
  if (packet.transport < ipv4::kMinimumLength || packet.transport > packet.length) return Malformed::kBadHeaderLength;
  const uint16_t fragment = load16(bytes + ipv4::kFragment);
  packet.is_v6 = false;
  packet.protocol = bytes[ipv4::kProtocol];
  packet.source = address_from(bytes + ipv4::kSource, false);
  packet.destination = address_from(bytes + ipv4::kDestination, false);
  packet.is_fragment = (fragment & (ipv4::kMoreFragments | ipv4::kFragmentOffset)) != 0;
  packet.has_transport = (fragment & ipv4::kFragmentOffset) == 0;
  return parse_transport(packet);
}

inline Malformed parse_ipv6(ParsedPacket& packet, uint32_t received) {
  const uint8_t* bytes = packet.bytes;
  if (received < ipv6::kLength) return Malformed::kShortPacket;
  packet.length = ipv6::kLength + load16(bytes + ipv6::kPayloadLength);
  if (packet.length > received) return Malformed::kBadTotalLength;
  packet.is_v6 = true;
  packet.transport = ipv6::kLength;
  packet.protocol = bytes[ipv6::kNextHeader];
  uint16_t fragment = 0;
  if (packet.protocol == ipv6::kFragmentHeader) {
    packet.transport += ipv6::kFragmentLength;
    if (packet.length < packet.transport) return Malformed::kShortTransport;
    packet.protocol = bytes[ipv6::kLength + ipv6::kFragmentNextHeader];
    fragment = load16(bytes + ipv6::kLength + ipv6::kFragment);
  }
  packet.source = address_from(bytes + ipv6::kSource, true);
  packet.destination = address_from(bytes + ipv6::kDestination, true);
  packet.is_fragment = (fragment & (ipv6::kMoreFragments | ipv6::kFragmentOffset)) != 0;
  packet.has_transport = (fragment & ipv6::kFragmentOffset) == 0 && !ipv6::hides_transport(packet.protocol);
  return parse_transport(packet);
}

// Reads an IPv4 or IPv6 packet; never reads past `received` bytes. `packet` is valid when it returns kNot.
inline Malformed parse_packet(uint8_t* bytes, uint32_t received, ParsedPacket& packet) {
  packet.bytes = bytes;
  if (received < 1) return Malformed::kShortPacket;
  switch (bytes[0] >> 4) {
    case 4:
      return parse_ipv4(packet, received);
    case 6:
      return parse_ipv6(packet, received);
    default:
      return Malformed::kBadVersion;
  }
}

}  // namespace onehop
