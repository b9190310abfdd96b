// What onehop itself sends back to a client, from the public address that was asked. Each is written over the
// packet that asks, at most 1,280 bytes or the packet's own length, and its length returned.
#pragma once

#include "../packet/offload.h"
#include "verdict.h"

namespace onehop {

// An echo request answered in place of the container: the same bytes with the ends exchanged, and the request's
// type of service (RFC 1812 section 4.3.2.5). The reply's checksum is complete, even if the request's was partial.
uint32_t echo_reply(const ParsedPacket& packet, bool is_partial);

// Whether onehop may answer that nobody takes a packet: never a reset (RFC 9293 section 3.10.7.1), a part of a
// packet, what only stops here on its way, or what arrived damaged, for its port may be any other's (RFC 1122 section
// 4.1.3.4, RFC 9293 section 3.1). A packet with a partial checksum has not travelled yet, so nothing can have damaged it.
bool is_answerable(const ParsedPacket& packet, const Offload& offload);

// A reset as RFC 9293 section 3.10.7.1 wants it for a port nobody listens on.
uint32_t tcp_reset(const ParsedPacket& packet);

// What is told in the place of a drop. Administratively prohibited for whom the service does not let in (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1). Else
// port unreachable; for a protocol without ports host unreachable when a service takes it and has no container, else protocol unreachable over IPv4, over IPv6 a parameter problem that points at the next header
// nobody takes (RFC 8200 section 4).
uint32_t unreachable(const ParsedPacket& packet, Code drop);

}  // namespace onehop
