// A packet from a container: an answer to rewrite when its endpoint serves a public address and its client
// came through that and went to this container; otherwise it is none of onehop's business.
#pragma once

#include "pipeline.h"

namespace onehop {

Result reply(const ParsedPacket& packet, bool is_partial, const PipelineState& state);

}  // namespace onehop
