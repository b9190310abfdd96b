// ICMP errors about packets that onehop rewrote: the quoted packet decides, and is restored to what the error's receiver
// had sent (RFC 5508 section 4). src/pipeline/quoted.ts says the rest.
#pragma once

#include "../packet/quoted.h"
#include "pipeline.h"

namespace onehop {

// To a public address, about an answer that went out from there: to the container that sent the answer.
Result forward_quoted(const ParsedPacket& packet, bool is_partial, const PipelineState& state);

// From the containers' side, about a request: to the client, who knows nothing but the public address.
Result reply_quoted(const ParsedPacket& packet, bool is_partial, const PipelineState& state);

}  // namespace onehop
