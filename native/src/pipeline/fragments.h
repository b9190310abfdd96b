// Fragments are forwarded one by one; src/pipeline/fragments.ts says how those without ports find their way.
#pragma once

#include <optional>

#include "pipeline.h"

namespace onehop {

// What a fragment is a part of, by the ends that are in its bytes: those of `packet` may be what they stand for.
FragmentedPacket whole_of(const ParsedPacket& packet);

// What becomes of a later fragment whose first is remembered.
std::optional<Result> follow_first(const ParsedPacket& packet, const PipelineState& state);

// A first fragment of `whole` has left with what is now in its bytes, or was dropped.
void remember_first(const ParsedPacket& packet, const FragmentedPacket& whole, const Result& result,
                    const PipelineState& state);

}  // namespace onehop
