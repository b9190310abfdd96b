// By how much a packet's checksums are wrong, each recomputed over all that it covers: 0 for one that is right. A rewrite
// changes addresses and ports, and each checksum by as much; so whatever it is given, right or wrong, cut or left to a
// device, it must leave all of these as they were.
#pragma once

#include <cstdint>

#include "checksum.h"
#include "offload.h"
#include "quoted.h"

namespace onehop {

struct Residues {
  uint8_t version = 0;     // of IP; 0: no packet
  uint16_t header = 0;     // the IPv4 header's
  uint16_t transport = 0;  // the transport's; where none covers the addresses, the sum of all that no rewrite changes
  uint16_t quoted_header = 0, quoted_transport = 0;  // of what an ICMP error quotes
  bool is_summed = false;         // the transport has a checksum
  bool is_quoted_summed = false;

  bool operator==(const Residues&) const = default;
};

namespace residues {

// 0 and ffff are the same number of one's complement.
inline uint16_t canonical(uint64_t sum) {
  const uint16_t folded = fold(sum);
  return folded == 0xffff ? 0 : folded;
}

inline uint16_t of_header(const ParsedPacket& packet) {
  return packet.is_v6 ? 0 : canonical(sum_of(packet.bytes, packet.transport));
}

// While segments are left, the checksum counts the last destination and not the one that stands in the header.
inline uint64_t pseudo_sum(const ParsedPacket& packet) {
  const uint32_t at = packet.is_v6 ? ipv6::kSource : ipv4::kSource, length = address_length(packet.is_v6);
  return pseudo_header_sum(packet.bytes + at, packet.is_routed ? length : 2 * length, packet.protocol,
                           packet.length - packet.transport);
}

inline bool has_ports(const ParsedPacket& packet) {
  return packet.has_transport && (packet.protocol == tcp::kNumber || packet.protocol == udp::kNumber);
}

// Where the checksum is that covers the addresses; null where there is none, or none here.
inline const uint8_t* sum_field(const ParsedPacket& packet, bool is_partial) {
  if (!packet.has_transport) return nullptr;
  const uint32_t offset = checksum_offset(packet.protocol, packet.is_v6), at = packet.transport + offset;
  if (offset == 0 || at + 2 > packet.length) return nullptr;
  const bool may_lack = !is_partial && (packet.protocol == udp::kNumber || packet.protocol == udp::kLiteNumber);
  return may_lack && raw16(packet.bytes + at) == 0 ? nullptr : packet.bytes + at;
}

inline uint16_t of_transport(const ParsedPacket& packet, bool is_partial) {
  const uint8_t* checksum = sum_field(packet, is_partial);
  // The device sums up the rest, whatever it is by then.
  if (checksum && is_partial) return canonical(word_delta(fold(pseudo_sum(packet)), raw16(checksum)));
  const uint32_t skipped = !checksum && has_ports(packet) ? 4 : 0;
  const uint32_t start = packet.transport + skipped;
  const uint64_t sum = sum_of(packet.bytes + start, packet.length - start);
  return canonical(checksum ? sum + pseudo_sum(packet) : sum);
}

}  // namespace residues

// Of bytes that are no packet all are 0. Reads no further than `length`.
inline Residues residues_of(uint8_t* bytes, uint32_t length, const Offload& offload) {
  Residues found;
  ParsedPacket packet;
  if (parse_packet(bytes, length, packet) != Malformed::kNot) return found;
  const bool has_partial = is_partial(packet, offload);
  found.version = packet.is_v6 ? 6 : 4;
  found.header = residues::of_header(packet);
  found.transport = residues::of_transport(packet, has_partial);
  found.is_summed = residues::sum_field(packet, has_partial) != nullptr;
  ParsedPacket quoted;
  if (!is_icmp_error(packet) || !parse_quoted(packet, quoted)) return found;
  found.quoted_header = residues::of_header(quoted);
  found.quoted_transport = residues::of_transport(quoted, false);
  found.is_quoted_summed = residues::sum_field(quoted, false) != nullptr;
  return found;
}

}  // namespace onehop
