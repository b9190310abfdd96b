// A packet to a public address: decide, remember, rewrite.
#pragma once

#include "pipeline.h"

namespace onehop {

// `front` is the way in, null when no service is there. What onehop answers itself leaves without offload.
Result forward(const ParsedPacket& packet, const Front* front, Offload& offload, const PipelineState& state);

}  // namespace onehop
