// What became of one packet: the results that the pipeline's steps return.
#pragma once

#include "../table/flows.h"
#include "engine.h"
#include "snapshot.h"
#include "verdict.h"

namespace onehop {

// Something leaves. `source` is the client as the table knows it, or who sent the packet.
inline Result leaving(Code code, Way way, uint32_t length, const ParsedPacket& packet, const Address& source) {
  Result result{static_cast<uint8_t>(code), way};
  result.length = length;
  result.has_source = true;
  result.is_v6 = packet.is_v6;
  result.source = source;
  return result;
}

// Rewritten, on its way between a client and a container.
inline Result left(Code code, Way way, const ParsedPacket& packet, const Front& front, uint32_t container,
                   const Address& source) {
  Result result = leaving(code, way, packet.length, packet, source);
  result.service = front.service_id;
  result.container = container;
  return result;
}

inline Result passed(Code code, const ParsedPacket& packet) {
  return leaving(code, Way::kTun, packet.length, packet, packet.source);
}

inline Result dropped(Code code, const ParsedPacket& packet, const Address& source) {
  return leaving(code, Way::kNone, 0, packet, source);
}

// A program that sends echo requests tells its own by their identifier, which stands for the client's port.
inline uint16_t client_port_of(const ParsedPacket& packet, uint16_t port) {
  return packet.icmp_type < 0 ? port : raw16(packet.bytes + packet.transport + icmp::kIdentifier);
}

// The flow of a request at the endpoint it was sent to; `port` in network order.
inline Flow flow_to(const ParsedPacket& packet, const Address& endpoint, uint16_t port) {
  return {packet.source, endpoint, client_port_of(packet, packet.source_port), port, packet.protocol, packet.is_v6};
}

// The flow of an endpoint's answer.
inline Flow flow_from(const ParsedPacket& packet) {
  return {packet.destination, packet.source, client_port_of(packet, packet.destination_port), packet.source_port,
          packet.protocol, packet.is_v6};
}

}  // namespace onehop
