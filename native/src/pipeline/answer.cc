#include "answer.h"

#include <algorithm>
#include <cstring>

#include "../packet/checksum.h"

namespace onehop {

namespace {

constexpr uint8_t kTimeToLive = 64;
// Precedence of ICMP errors over IPv4 (RFC 1812 section 4.3.2.5): internetwork control.
constexpr uint8_t kInternetworkControl = 0xc0;
// An error fits into this: RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4 (c).
constexpr uint32_t kErrorAtMost4 = 576, kErrorAtMost6 = 1280;

uint32_t header_length(const ParsedPacket& packet) { return packet.is_v6 ? ipv6::kLength : ipv4::kMinimumLength; }

// IPv6 has it as the traffic class, right behind the version's four bits.
uint8_t type_of_service_of(const ParsedPacket& packet) {
  return packet.is_v6 ? static_cast<uint8_t>(load16(packet.bytes) >> 4) : packet.bytes[ipv4::kTypeOfService];
}

void write_ipv4_header(const ParsedPacket& to, uint32_t payload_length, uint8_t protocol, uint8_t type_of_service) {
  uint8_t* header = to.bytes;
  std::memset(header, 0, ipv4::kMinimumLength);
  header[0] = 0x45;
  header[ipv4::kTypeOfService] = type_of_service;
  store16(header + ipv4::kTotalLength, static_cast<uint16_t>(ipv4::kMinimumLength + payload_length));
  store16(header + ipv4::kFragment, ipv4::kDontFragment);
  header[ipv4::kTimeToLive] = kTimeToLive;
  header[ipv4::kProtocol] = protocol;
  std::memcpy(header + ipv4::kSource, bytes_of(to.destination, false), 4);
  std::memcpy(header + ipv4::kDestination, bytes_of(to.source, false), 4);
  put_raw16(header + ipv4::kChecksum, checksum_of(sum_of(header, ipv4::kMinimumLength)));
}

void write_ipv6_header(const ParsedPacket& to, uint32_t payload_length, uint8_t protocol, uint8_t type_of_service) {
  uint8_t* header = to.bytes;
  std::memset(header, 0, ipv6::kLength);
  store16(header, static_cast<uint16_t>(0x6000 | type_of_service << 4));
  store16(header + ipv6::kPayloadLength, static_cast<uint16_t>(payload_length));
  header[ipv6::kNextHeader] = protocol;
  header[ipv6::kHopLimit] = kTimeToLive;
  std::memcpy(header + ipv6::kSource, bytes_of(to.destination, true), 16);
  std::memcpy(header + ipv6::kDestination, bytes_of(to.source, true), 16);
}

// From the packet's destination to its source, over the packet's own header: returns the whole length.
uint32_t write_ip_header(const ParsedPacket& to, uint32_t payload_length, uint8_t protocol, uint8_t type_of_service) {
  if (to.is_v6)
    write_ipv6_header(to, payload_length, protocol, type_of_service);
  else
    write_ipv4_header(to, payload_length, protocol, type_of_service);
  return header_length(to) + payload_length;
}

// Of the pseudo header with the addresses as they stand in the packet's header.
uint64_t pseudo_sum_of(const ParsedPacket& packet, uint8_t protocol, uint32_t transport_length) {
  const uint32_t addresses = packet.is_v6 ? ipv6::kSource : ipv4::kSource;
  return pseudo_header_sum(packet.bytes + addresses, header_length(packet) - addresses, protocol, transport_length);
}

// Over a payload whose checksum field is zero.
void write_transport_checksum(const ParsedPacket& to, uint32_t length, uint8_t protocol, uint32_t offset) {
  const uint32_t start = header_length(to);
  const uint64_t pseudo = pseudo_sum_of(to, protocol, length - start);
  put_raw16(to.bytes + start + offset, checksum_of(pseudo + sum_of(to.bytes + start, length - start)));
}

// Sequence space a segment takes: its payload, and one each for SYN and FIN.
uint32_t segment_length(const ParsedPacket& packet) {
  const uint32_t header = (packet.bytes[packet.transport + tcp::kDataOffset] >> 4) * 4u;
  const uint32_t room = packet.length - packet.transport;
  return (room > header ? room - header : 0) + ((packet.tcp_flags & tcp::kSyn) != 0 ? 1 : 0) +
         ((packet.tcp_flags & tcp::kFin) != 0 ? 1 : 0);
}

bool is_sum_right(const ParsedPacket& packet, uint32_t transport_length) {
  const uint64_t pseudo = pseudo_sum_of(packet, packet.protocol, transport_length);
  return fold(pseudo + sum_of(packet.bytes + packet.transport, transport_length)) == 0xffff;
}

// Of TCP and UDP; other protocols' checksums are not looked at.
bool is_intact(const ParsedPacket& packet) {
  const uint32_t room = packet.length - packet.transport;
  if (packet.protocol == tcp::kNumber) return is_sum_right(packet, room);
  if (packet.protocol != udp::kNumber) return true;
  const uint8_t* datagram = packet.bytes + packet.transport;
  const uint16_t datagram_length = load16(datagram + udp::kLength);
  if (datagram_length < udp::kHeaderLength || datagram_length > room) return false;
  return raw16(datagram + udp::kChecksum) == 0 || is_sum_right(packet, datagram_length);
}

uint32_t icmp_error(const ParsedPacket& packet, uint8_t type, uint8_t code, uint32_t pointer = 0) {
  const uint32_t start = header_length(packet);
  const uint32_t at_most = (packet.is_v6 ? kErrorAtMost6 : kErrorAtMost4) - start - icmp::kHeaderLength;
  const uint32_t quoted = std::min(packet.length, at_most);
  const uint8_t protocol = icmp::number(packet.is_v6);
  uint8_t* error = packet.bytes + start;
  std::memmove(error + icmp::kHeaderLength, packet.bytes, quoted);
  std::memset(error, 0, icmp::kHeaderLength);
  error[icmp::kType] = type;
  error[icmp::kCode] = code;
  store32(error + icmp::kPointer, pointer);
  const uint8_t type_of_service = packet.is_v6 ? 0 : kInternetworkControl;
  const uint32_t length = write_ip_header(packet, icmp::kHeaderLength + quoted, protocol, type_of_service);
  if (packet.is_v6)
    write_transport_checksum(packet, length, protocol, icmp::kChecksum);
  else
    put_raw16(error + icmp::kChecksum, checksum_of(sum_of(error, length - start)));
  return length;
}

}  // namespace

uint32_t echo_reply(const ParsedPacket& packet, bool is_partial) {
  const uint32_t payload_length = packet.length - packet.transport;
  uint8_t* echo = packet.bytes + header_length(packet);
  std::memmove(echo, packet.bytes + packet.transport, payload_length);
  const uint16_t before = raw16(echo);
  echo[icmp::kType] = packet.is_v6 ? icmp::kEchoReply6 : icmp::kEchoReply4;
  uint8_t* checksum = echo + icmp::kChecksum;
  // The pseudo header's sum stays the same when source and destination change places.
  put_raw16(checksum, is_partial ? 0 : update_checksum(raw16(checksum), word_delta(before, raw16(echo))));
  const uint32_t length = write_ip_header(packet, payload_length, packet.protocol, type_of_service_of(packet));
  if (is_partial) write_transport_checksum(packet, length, packet.protocol, icmp::kChecksum);
  return length;
}

bool is_answerable(const ParsedPacket& packet, const Offload& offload) {
  if (packet.is_fragment || packet.is_routed || !packet.has_transport || (packet.tcp_flags & tcp::kRst) != 0)
    return false;
  return offload.needs_checksum || is_intact(packet);
}

uint32_t tcp_reset(const ParsedPacket& packet) {
  const uint32_t acknowledgment = packet.sequence + segment_length(packet);
  const bool is_acknowledging = (packet.tcp_flags & tcp::kAck) != 0;
  uint8_t* reset = packet.bytes + header_length(packet);
  std::memset(reset, 0, tcp::kMinimumLength);
  put_raw16(reset + tcp::kSourcePort, packet.destination_port);
  put_raw16(reset + tcp::kDestinationPort, packet.source_port);
  store32(reset + tcp::kSequence, is_acknowledging ? packet.acknowledgment : 0);
  store32(reset + tcp::kAcknowledgment, is_acknowledging ? 0 : acknowledgment);
  reset[tcp::kDataOffset] = (tcp::kMinimumLength / 4) << 4;
  reset[tcp::kFlags] = is_acknowledging ? tcp::kRst : tcp::kRst | tcp::kAck;
  const uint32_t length = write_ip_header(packet, tcp::kMinimumLength, tcp::kNumber, 0);
  write_transport_checksum(packet, length, tcp::kNumber, tcp::kChecksum);
  return length;
}

uint32_t unreachable(const ParsedPacket& packet, Code drop) {
  const uint8_t type = packet.is_v6 ? icmp::kUnreachable6 : icmp::kUnreachable4;
  if (drop == Code::kDropDenied)
    return icmp_error(packet, type, packet.is_v6 ? icmp::kCodeProhibited6 : icmp::kCodeProhibited4);
  if (packet.protocol == udp::kNumber)
    return icmp_error(packet, type, packet.is_v6 ? icmp::kCodePort6 : icmp::kCodePort4);
  if (drop == Code::kDropNoContainer)
    return icmp_error(packet, type, packet.is_v6 ? icmp::kCodeHost6 : icmp::kCodeHost4);
  if (!packet.is_v6) return icmp_error(packet, type, icmp::kCodeProtocol4);
  return icmp_error(packet, icmp::kParameterProblem6, icmp::kCodeNextHeader6, packet.protocol_at);
}

}  // namespace onehop
