// A packet from a container: an answer to rewrite when its endpoint serves a public address and its client
// came through that and went to this container; otherwise it is none of onehop's business.
#pragma once

#include "pipeline.h"

namespace onehop {

// Of ICMP only echo replies come from an endpoint.
inline bool is_answer(const ParsedPacket& packet) {
  return is_rewritable(packet) && (!is_icmp(packet) || packet.is_later_fragment || is_echo_reply(packet));
}

// `ways` lead to the endpoint of an answer; there are none for what is no answer. `hint`: where the table may have the
// client by the first of them.
Result reply(const ParsedPacket& packet, const EndpointWays& ways, uint64_t hint, bool is_partial,
             const PipelineState& state);

// The same for a packet to an alias, when `packet.destination` is the caller that the alias stands for. One that is no
// answer cannot pass: it would be routed straight back, or leave the host with an address that nobody has.
Result reply_to_alias(const ParsedPacket& packet, const EndpointWays& ways, uint64_t hint, bool is_partial,
                      const PipelineState& state);

}  // namespace onehop
