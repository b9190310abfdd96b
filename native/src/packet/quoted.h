// The packet that an ICMP error is about, as far as the error quotes it; src/packet/quoted.ts says the rest.
#pragma once

#include <algorithm>
#include <utility>

#include "packet.h"

namespace onehop {

// So much of the transport header an error quotes at least (RFC 792), if the packet had it: TCP's and UDP's ports.
constexpr uint32_t kQuotedTransportAtLeast = 8;

// A whole error that is about some packet: destination unreachable, too big, time exceeded, parameter problem.
inline bool is_icmp_error(const ParsedPacket& packet) {
  if (packet.is_fragment || packet.icmp_type < 0) return false;
  const auto type = static_cast<uint8_t>(packet.icmp_type);
  return packet.is_v6 ? type >= icmp::kFirstError6 && type <= icmp::kLastError6
                      : type == icmp::kUnreachable4 || type == icmp::kTimeExceeded4 ||
                            type == icmp::kParameterProblem4;
}

inline bool parse_quoted_transport(ParsedPacket& quoted) {
  const bool ends_otherwise =
      quoted.is_v6 && (ipv6::is_extension(quoted.protocol) || quoted.protocol == ipv6::kNothing);
  quoted.has_transport = !(quoted.is_later_fragment || is_authenticated(quoted) || ends_otherwise);
  const bool has_ports =
      quoted.has_transport && (quoted.protocol == tcp::kNumber || quoted.protocol == udp::kNumber);
  const bool is_of_icmp = quoted.has_transport && is_icmp(quoted);
  if (quoted.length < quoted.transport + (has_ports || is_of_icmp ? kQuotedTransportAtLeast : 0)) return false;
  const uint8_t* header = quoted.bytes + quoted.transport;
  if (is_of_icmp) quoted.icmp_type = header[icmp::kType];
  if (!has_ports) return true;
  quoted.source_port = raw16(header + tcp::kSourcePort);
  quoted.destination_port = raw16(header + tcp::kDestinationPort);
  return true;
}

inline bool parse_quoted4(ParsedPacket& quoted, uint32_t received) {
  const uint8_t* bytes = quoted.bytes;
  if (received < ipv4::kMinimumLength) return false;
  quoted.transport = (bytes[0] & 0xfu) * 4;
  if (quoted.transport < ipv4::kMinimumLength) return false;
  quoted.length = std::min(received, uint32_t{load16(bytes + ipv4::kTotalLength)});
  quoted.protocol = bytes[ipv4::kProtocol];
  quoted.protocol_at = ipv4::kProtocol;
  quoted.identification = raw16(bytes + ipv4::kIdentification);
  quoted.source = address_from(bytes + ipv4::kSource, false);
  quoted.destination = address_from(bytes + ipv4::kDestination, false);
  const uint16_t fragment = load16(bytes + ipv4::kFragment);
  quoted.is_fragment = (fragment & (ipv4::kMoreFragments | ipv4::kFragmentOffset)) != 0;
  quoted.is_later_fragment = (fragment & ipv4::kFragmentOffset) != 0;
  return parse_quoted_transport(quoted);
}

inline bool parse_quoted6(ParsedPacket& quoted, uint32_t received) {
  const uint8_t* bytes = quoted.bytes;
  if (received < ipv6::kLength) return false;
  quoted.length = std::min(received, ipv6::kLength + load16(bytes + ipv6::kPayloadLength));
  ipv6::HeaderChain chain;
  if (!ipv6::follow_headers(bytes, quoted.length, chain)) return false;
  quoted.transport = chain.transport;
  quoted.protocol = chain.protocol;
  quoted.protocol_at = chain.protocol_at;
  quoted.is_fragment = chain.is_fragment;
  quoted.is_later_fragment = chain.is_later_fragment;
  quoted.identification = chain.identification;
  quoted.is_routed = chain.is_routed;
  quoted.source = address_from(bytes + ipv6::kSource, true);
  quoted.destination = address_from(bytes + ipv6::kDestination, true);
  return parse_quoted_transport(quoted);
}

// False when what the error quotes is too short to tell where it went; then `quoted` is not valid.
inline bool parse_quoted(const ParsedPacket& error, ParsedPacket& quoted) {
  const uint32_t at = error.transport + icmp::kHeaderLength;
  quoted = {};
  quoted.bytes = error.bytes + at;
  quoted.is_v6 = error.is_v6;
  quoted.icmp_type = -1;
  const uint32_t received = error.length - at;
  if (received < 1 || quoted.bytes[0] >> 4 != (error.is_v6 ? 6 : 4)) return false;
  return error.is_v6 ? parse_quoted6(quoted, received) : parse_quoted4(quoted, received);
}

// The other way of the same flow: what answers the packet, or what it answers. Only to look up by.
inline ParsedPacket other_way(ParsedPacket packet) {
  std::swap(packet.source, packet.destination);
  std::swap(packet.source_port, packet.destination_port);
  return packet;
}

}  // namespace onehop
