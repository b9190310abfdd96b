// A packet to a public address: decide, remember, rewrite.
#pragma once

#include "pipeline.h"

namespace onehop {

// `front` is the way in, null when no service is there; `hint` where the table may have the source. What onehop answers
// itself leaves without offload.
Result forward(const ParsedPacket& packet, const Front* front, uint64_t hint, Offload& offload,
               const PipelineState& state);

}  // namespace onehop
