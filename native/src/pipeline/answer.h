// What onehop itself sends back to a client, from the public address that was asked. Each is written over the
// packet that asks, at most 1,280 bytes or the packet's own length, and its length returned.
#pragma once

#include "../packet/packet.h"

namespace onehop {

// An echo request answered in place of the container: the same bytes with the ends exchanged.
uint32_t echo_reply(const ParsedPacket& packet);

// A reset as RFC 9293 section 3.10.7.1 wants it for a port nobody listens on.
uint32_t tcp_reset(const ParsedPacket& packet);

// Destination unreachable: port, or protocol for what has no ports over IPv4.
uint32_t unreachable(const ParsedPacket& packet);

}  // namespace onehop
