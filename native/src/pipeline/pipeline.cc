#include "pipeline.h"

#include "forward.h"
#include "reply.h"
#include "verdict.h"

namespace onehop {

namespace {

// The verdicts' reasons follow Malformed's order.
Code code_of(Malformed malformed) {
  static_assert(static_cast<int>(Code::kDropShortTransport) - static_cast<int>(Code::kDropShortPacket) ==
                static_cast<int>(Malformed::kShortTransport) - static_cast<int>(Malformed::kShortPacket));
  return static_cast<Code>(static_cast<int>(Code::kDropShortPacket) + static_cast<int>(malformed) -
                           static_cast<int>(Malformed::kShortPacket));
}

}  // namespace

void prepare_packet(Packet& packet, const PipelineState& state, PreparedPacket& prepared) {
  ParsedPacket& parsed = prepared.parsed;
  prepared.is_packet = false;
  const Malformed malformed = parse_packet(packet.data, packet.length, parsed);
  if (malformed != Malformed::kNot) {
    prepared.problem = code_of(malformed);
    return;
  }
  if (!is_offload_sound(parsed, packet.offload)) {
    prepared.problem = Code::kDropBadOffload;
    return;
  }
  prepared.is_packet = true;
  const auto [is_public, front] = state.lookup.destination(parsed);
  prepared.is_public = is_public;
  prepared.front = front;
  if (is_public) {
    if (front != nullptr) state.table.prefetch(source_key(*front, parsed.source));
    return;
  }
  prepared.ways = is_answer(parsed) ? state.lookup.endpoint_ways(parsed) : EndpointWays{};
  if (prepared.ways.size() == 0) return;
  const Front& first = state.lookup.snapshot().fronts[first_of(prepared.ways).front];
  state.table.prefetch(source_key(first, parsed.destination));
}

Result process_packet(Packet& packet, const PreparedPacket& prepared, const PipelineState& state) {
  if (!prepared.is_packet) return {static_cast<uint8_t>(prepared.problem), Way::kNone};
  return prepared.is_public ? forward(prepared.parsed, prepared.front, packet.offload, state)
                            : reply(prepared.parsed, prepared.ways, is_partial(prepared.parsed, packet.offload), state);
}

}  // namespace onehop
