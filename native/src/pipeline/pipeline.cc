#include "pipeline.h"

#include "forward.h"
#include "reply.h"
#include "verdict.h"

namespace onehop {

namespace {

Result malformed(Code code) { return {static_cast<uint8_t>(code), Way::kNone}; }

// The verdicts' reasons follow Malformed's order.
Code code_of(Malformed malformed) {
  static_assert(static_cast<int>(Code::kDropShortTransport) - static_cast<int>(Code::kDropShortPacket) ==
                static_cast<int>(Malformed::kShortTransport) - static_cast<int>(Malformed::kShortPacket));
  return static_cast<Code>(static_cast<int>(Code::kDropShortPacket) + static_cast<int>(malformed) -
                           static_cast<int>(Malformed::kShortPacket));
}

}  // namespace

Result process_packet(Packet& packet, const PipelineState& state) {
  ParsedPacket parsed;
  const Malformed problem = parse_packet(packet.data, packet.length, parsed);
  if (problem != Malformed::kNot) return malformed(code_of(problem));
  if (!is_offload_sound(parsed, packet.offload)) return malformed(Code::kDropBadOffload);
  const auto [is_public, front] = state.lookup.destination(parsed);
  return is_public ? forward(parsed, front, packet.offload, state)
                   : reply(parsed, packet.offload.needs_checksum, state);
}

}  // namespace onehop
