#include "pipeline.h"

#include "forward.h"
#include "fragments.h"
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

Result forward_or_reply(Packet& packet, const PreparedPacket& prepared, const PipelineState& state) {
  const ParsedPacket& parsed = prepared.parsed;
  if (prepared.is_public) return forward(parsed, prepared.front, prepared.hint, packet.offload, state);
  const bool has_partial = is_partial(parsed, packet.offload);
  return prepared.is_to_alias ? reply_to_alias(parsed, prepared.ways, prepared.hint, has_partial, state)
                              : reply(parsed, prepared.ways, prepared.hint, has_partial, state);
}

// Never inline: whole packets would pay for its stack frame.
[[gnu::noinline]] Result forward_fragment(Packet& packet, const PreparedPacket& prepared, const PipelineState& state) {
  const ParsedPacket& parsed = prepared.parsed;
  if (parsed.is_later_fragment) {
    const std::optional<Result> followed = follow_first(parsed, state);
    return followed ? *followed : forward_or_reply(packet, prepared, state);
  }
  const FragmentedPacket whole = whole_of(parsed);
  const Result result = forward_or_reply(packet, prepared, state);
  remember_first(parsed, whole, result, state);
  return result;
}

void approach_source(const Front& front, const Address& client, const PipelineState& state, PreparedPacket& prepared) {
  prepared.key = source_key(front, client);
  prepared.hint = state.table.entries().approach(prepared.key);
}

}  // namespace

void prepare_packet(Packet& packet, const PipelineState& state, PreparedPacket& prepared) {
  ParsedPacket& parsed = prepared.parsed;
  prepared.is_packet = false;
  prepared.hint = Entries::kNoHint;
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
    if (front != nullptr) approach_source(*front, parsed.source, state, prepared);
    return;
  }
  prepared.ways = {};
  prepared.is_to_alias = state.lookup.aliases().is_alias(parsed.destination, parsed.is_v6);
  if (prepared.is_to_alias) {
    const auto caller = state.lookup.aliases().source_of(parsed.destination, parsed.is_v6);
    if (!caller) return;
    parsed.destination = *caller;
  }
  if (is_answer(parsed)) prepared.ways = state.lookup.endpoint_ways(parsed);
  if (prepared.ways.size() > 0)
    approach_source(*first_of(prepared.ways).front, parsed.destination, state, prepared);
}

Result process_packet(Packet& packet, const PreparedPacket& prepared, const PipelineState& state) {
  if (!prepared.is_packet) return {static_cast<uint8_t>(prepared.problem), Way::kNone};
  const ParsedPacket& parsed = prepared.parsed;
  return parsed.is_fragment ? forward_fragment(packet, prepared, state) : forward_or_reply(packet, prepared, state);
}

}  // namespace onehop
