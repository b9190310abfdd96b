// An IP packet whose lengths have been checked: every field lies inside the bytes it was read from.
#pragma once

#include <cstdint>

#include "address.h"
#include "bytes.h"
#include "icmp.h"
#include "ipv4.h"
#include "ipv6.h"
#include "tcp.h"
#include "transport.h"
#include "udp.h"

namespace onehop {

struct ParsedPacket {
  uint8_t* bytes;
  uint32_t length;       // by the IP header; whatever follows is link-layer padding
  uint32_t transport;    // where the transport header starts
  uint32_t protocol_at;  // where the field is that names the protocol
  Address source, destination;
  bool is_v6;
  uint8_t protocol;        // IPv6: what follows the extension headers, or one of those (ipv6.h, HeaderChain)
  bool is_fragment;        // a part of a larger packet; a whole one with a fragment header (RFC 6946) is none
  bool is_later_fragment;  // a fragment but the first: nothing of the transport header is in it
  bool is_routed;          // IPv6: a routing header has segments left; src/packet/packet.ts says what that means
  bool has_transport;      // false in later fragments, and where the headers end otherwise than with a transport header
  uint16_t source_port, destination_port;  // network order; TCP and UDP with has_transport, 0 otherwise
  uint8_t tcp_flags;                       // TCP with has_transport; 0 otherwise
  uint32_t sequence, acknowledgment;       // likewise
  int16_t icmp_type;                       // ICMP and ICMPv6 with has_transport; -1 otherwise
  uint32_t identification;  // network order; of fragments: what the parts of one packet have in common
};

inline bool is_icmp(const ParsedPacket& packet) { return packet.protocol == icmp::number(packet.is_v6); }
inline bool is_echo_request(const ParsedPacket& packet) {
  return packet.icmp_type == (packet.is_v6 ? icmp::kEchoRequest6 : icmp::kEchoRequest4);
}
inline bool is_echo_reply(const ParsedPacket& packet) {
  return packet.icmp_type == (packet.is_v6 ? icmp::kEchoReply6 : icmp::kEchoReply4);
}

// Behind an authentication header: no new address can be written without the key.
inline bool is_authenticated(const ParsedPacket& packet) { return packet.protocol == kAuthentication; }

// False where an extension header hides the checksum that a new address would have to change.
inline bool is_rewritable(const ParsedPacket& packet) {
  if (is_authenticated(packet)) return false;
  return !packet.is_v6 || packet.is_later_fragment || !ipv6::is_extension(packet.protocol);
}

// UDP over IPv6 without a checksum, which no receiver takes (RFC 8200 section 8.1).
inline bool lacks_checksum(const ParsedPacket& packet) {
  return packet.is_v6 && packet.protocol == udp::kNumber && packet.has_transport &&
         raw16(packet.bytes + packet.transport + udp::kChecksum) == 0;
}

// Why bytes are no packet; each is a reason of `drop` (pipeline/verdict.h), in the same order.
enum class Malformed : uint8_t {
  kNot,
  kShortPacket,
  kBadVersion,
  kBadHeaderLength,
  kBadTotalLength,
  kJumbogram,
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
  if (starts_within_header(bytes[ipv4::kProtocol], (fragment & ipv4::kFragmentOffset) * 8u))
    return Malformed::kShortTransport;
  packet.is_v6 = false;
  packet.protocol = bytes[ipv4::kProtocol];
  packet.protocol_at = ipv4::kProtocol;
  packet.source = address_from(bytes + ipv4::kSource, false);
  packet.destination = address_from(bytes + ipv4::kDestination, false);
  packet.is_fragment = (fragment & (ipv4::kMoreFragments | ipv4::kFragmentOffset)) != 0;
  packet.is_later_fragment = (fragment & ipv4::kFragmentOffset) != 0;
  packet.identification = raw16(bytes + ipv4::kIdentification);
  packet.is_routed = false;
  packet.has_transport = !packet.is_later_fragment && packet.protocol != kAuthentication;
  return parse_transport(packet);
}

inline Malformed parse_ipv6(ParsedPacket& packet, uint32_t received) {
  const uint8_t* bytes = packet.bytes;
  if (received < ipv6::kLength) return Malformed::kShortPacket;
  if (ipv6::is_jumbogram(bytes)) return Malformed::kJumbogram;
  packet.length = ipv6::kLength + load16(bytes + ipv6::kPayloadLength);
  if (packet.length > received) return Malformed::kBadTotalLength;
  ipv6::HeaderChain chain;
  if (!ipv6::follow_headers(bytes, packet.length, chain)) return Malformed::kShortTransport;
  packet.is_v6 = true;
  packet.transport = chain.transport;
  packet.protocol = chain.protocol;
  packet.protocol_at = chain.protocol_at;
  packet.source = address_from(bytes + ipv6::kSource, true);
  packet.destination = address_from(bytes + ipv6::kDestination, true);
  packet.is_fragment = chain.is_fragment;
  packet.is_later_fragment = chain.is_later_fragment;
  packet.identification = chain.identification;
  packet.is_routed = chain.is_routed;
  packet.has_transport = !chain.is_later_fragment && !ipv6::is_extension(chain.protocol) &&
                         chain.protocol != ipv6::kNothing && chain.protocol != kAuthentication;
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
